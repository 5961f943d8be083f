"""One run: references, chaos, calm, check. Everything that it starts is ended, whatever happens."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

from . import callers, faults
from .check import check, drain, read_notes, references
from .disk import SmallDisk
from .probe import Probe, ask
from .processes import end_all
from .record import Record
from .scene import LEASE, START_WITHIN, OnePort, Scene

REFERENCES_WITHIN = 240.0  # s; compiles kernels the first time
RECOVERED_WITHIN = 10.0  # s from the end of the chaos to the first submission that is accepted


def play(folder: Path, seconds: float, seed: int, without: frozenset[str], disk: SmallDisk | None) -> Record:
    """Run the chaos for so long on `folder`/data, and say what happened."""
    record = Record()
    service = OnePort(folder / "data", record, THALWEG_LEASE_SECONDS=f"{LEASE:g}")
    scene = Scene(service, record, seed, without, disk, folder / "notes")
    try:
        expected = references(scene, REFERENCES_WITHIN)
        record.say(f"references are computed; {seconds:g} s of chaos, seed {seed}")
        _chaos(scene, seconds)
        record.say("the chaos is over")
        if _calm(scene):
            jobs = drain(scene, 60 + 2.0 * len(record.acknowledged))
            check(scene, jobs, expected)
    finally:
        scene.over.set()
        scene.freezer.thaw_all()
        end_all(scene.data)
    return record


def _chaos(scene: Scene, seconds: float) -> None:
    chosen = {name: fault for name, fault in faults.FAULTS.items() if name not in scene.without}
    over, probe = faults.context().Event(), Probe(scene)
    client = faults.context().Process(target=callers.steady, args=[scene.service.address, scene.notes, scene.seed, over])
    client.start()
    probe.start()
    threads = faults.start(scene, chosen | {"thaw": faults.THAW})
    try:
        time.sleep(seconds)
    finally:
        scene.over.set()
        over.set()
        for thread in threads:
            thread.join()
        scene.freezer.thaw_all()
        probe.stop()
        client.join(5)
        client.kill()
        client.join()


def _calm(scene: Scene) -> bool:
    """Nothing is frozen, there is room, the server runs: whether it takes submissions within seconds."""
    if scene.service.process.poll() is not None and not scene.service.start_until_up(START_WITHIN):
        scene.record.fail(f"the server could not be started after the chaos{scene.service.last_words()}")
        return False
    began = time.monotonic()
    while (kind := ask(scene, str(uuid.uuid4()), RECOVERED_WITHIN)) != "answered":
        if time.monotonic() - began > RECOVERED_WITHIN:
            scene.record.fail(f"no submission was accepted within {RECOVERED_WITHIN:g} s of the end of the chaos ({kind})")
            break
        time.sleep(0.1)
    scene.record.lasted("first submission after the chaos", time.monotonic() - began)
    read_notes(scene)
    return True


def judge(record: Record, without: frozenset[str]) -> None:
    """A fault that never struck is a failure too: the run has shown nothing of it."""
    for name, fault in faults.FAULTS.items():
        for counter in fault.counters:
            if name not in without and not record.counts[counter]:
                record.fail(f"the fault {name!r} never struck ({counter}: 0)")
    if not without & {"locks", "calls", "deadlines"} and not record.counts[faults.BOTH]:
        record.fail(f"{faults.BOTH}: 0")
    if not record.counts["probe answered"]:
        record.fail("no probe was answered during the chaos")
