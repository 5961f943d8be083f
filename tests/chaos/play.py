"""One run: references, chaos, calm, check. Everything that it starts is ended, whatever happens."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

from . import callers, faults
from .check import Reference, check, drain, read_notes, references
from .disk import SmallDisk
from .probe import Probe, ask
from .processes import end_all, unfinished
from .record import Record
from .scene import OnePort, Pace, Scene
from .specs import TINY, labelled

REFERENCES_WITHIN = 240.0  # s; compiles kernels the first time


def play(folder: Path, seconds: float, seed: int, without: frozenset[str], disk: SmallDisk | None) -> Record:
    """Run the chaos for so long on `folder`/data, and say what happened."""
    record = Record()
    service = OnePort(folder / "data", record)
    try:
        return _play(service, seconds, seed, without, disk, folder / "notes")
    finally:
        end_all(service.data)


def _play(service: OnePort, seconds: float, seed: int, without: frozenset[str], disk: SmallDisk | None, notes: Path) -> Record:
    pace, expected = _undisturbed(service)
    record, scene = service.record, Scene(service, service.record, pace, seed, without, disk, notes)
    record.say(f"references are computed; {seconds:g} s of chaos, seed {seed}, all times × {pace.slowness:.1f}")
    try:
        _chaos(scene, seconds)
        record.say("the chaos is over")
        if _calm(scene):
            jobs = drain(scene, (40 + 2.0 * unfinished(scene.data)) * pace.slowness)
            check(scene, jobs, expected)
    finally:
        scene.over.set()
        scene.freezer.thaw_all()
    return record


def _undisturbed(service: OnePort) -> tuple[Pace, dict[str, Reference]]:
    """How fast this machine is, and the references; afterwards the service runs with the lease of this pace."""
    began = time.monotonic()
    service.submit(labelled(TINY), check=True)
    pace = Pace(time.monotonic() - began)
    expected = references(service, REFERENCES_WITHIN)
    service.start_with(pace)
    service.submit(labelled(TINY), check=True)
    return pace, expected


def _chaos(scene: Scene, seconds: float) -> None:
    chosen = {name: fault for name, fault in faults.FAULTS.items() if name not in scene.without}
    over, probe = faults.context().Event(), Probe(scene)
    client = faults.context().Process(target=callers.steady, args=[scene.service.address, scene.notes, scene.seed, over])
    client.start()
    probe.start()
    threads = faults.start(scene, chosen | {"thaw": faults.THAW})
    try:
        _let_run(scene, chosen, seconds)
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


def _let_run(scene: Scene, chosen: dict[str, faults.Fault], seconds: float) -> None:
    """For so long, and a little longer where a fault has not struck yet: a worker is not always there to be frozen."""
    began, counters = time.monotonic(), [counter for fault in chosen.values() for counter in fault.counters]
    while (spent := time.monotonic() - began) < seconds + scene.pace.extra:
        if spent >= seconds and all(scene.record.counts[counter] for counter in counters):
            break
        if spent >= seconds:
            scene.late.set()
        time.sleep(0.1)
    if spent > seconds + 1.0:
        time.sleep(2 * scene.pace.lease)  # what struck last has its consequences too


def _calm(scene: Scene) -> bool:
    """Nothing is frozen, there is room, the server runs: whether it takes submissions within seconds."""
    if scene.service.process.poll() is not None and not scene.service.start_until_up(scene.pace.start):
        scene.record.fail(f"the server could not be started after the chaos{scene.service.last_words()}")
        return False
    began = time.monotonic()
    while (kind := ask(scene, str(uuid.uuid4()), scene.pace.recovered)) != "answered":
        if time.monotonic() - began > scene.pace.recovered:
            scene.record.fail(f"no submission was accepted within {scene.pace.recovered:.1f} s of the end of the chaos ({kind})")
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
