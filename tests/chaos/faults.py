"""The faults. Each runs in a thread of its own until the run is over: it waits, strikes, and counts what it did.

Every pause and every choice comes from the seed; what they meet does not.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import grpc

from thalweg import specs
from thalweg.v1 import jobs_pb2

from . import callers
from .processes import Process, checkers, everybody, fork_server, freeze_in_transaction, unfinished, workers
from .scene import Scene, verdict
from .specs import TINY, labelled

MOST_LONG, MOST_TINY = 8, 20
"""Jobs that may be unfinished before clients submit no more: the run must end, and a machine has few processors."""

FOR_GOOD = 3600.0
"""Seconds: until the run is over, when everything is thawed."""

SIGNALS = (signal.SIGTERM, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGXCPU, signal.SIGHUP, 40)
"""That end a worker, beside SIGKILL."""

HOLDER = """
import sqlite3, sys, time
db = sqlite3.connect(f'file:{sys.argv[1]}?mode=rw', uri=True, timeout=5, isolation_level=None)
db.execute('BEGIN IMMEDIATE')
print('held', flush=True)
time.sleep(float(sys.argv[2]))
db.execute('ROLLBACK')
"""


class Fault(NamedTuple):
    """One kind of fault.

    Args:
        counters: what it counts; each must be above 0 at the end.
        first: s; the first strike comes before that.
        pause: s, shortest and longest between two strikes.
    """

    counters: tuple[str, ...]
    first: float
    pause: tuple[float, float]
    strike: Callable[[Scene, random.Random], None]
    cheap: bool = False  # costs so little that it need not be rarer on a slow machine


def run(scene: Scene, name: str, fault: Fault) -> None:
    """Strike until the run is over; less often on a slow machine, or nothing else would get done.

    Once only faults are waited for that have not struck yet, the others leave them their prey.
    """
    rng, slowness = scene.rng(name), 1.0 if fault.cheap else scene.pace.slowness
    wait = rng.uniform(0.0, fault.first) * slowness
    while not scene.over.wait(wait):
        struck = all(scene.record.counts[counter] for counter in fault.counters)
        if struck and not fault.cheap and scene.late.is_set():
            continue
        try:
            fault.strike(scene, rng)
        except Exception as error:
            scene.record.fail(f"the fault {name!r} could not be made: {error!r}")
        wait = rng.uniform(*fault.pause) * slowness


def start(scene: Scene, which: dict[str, Fault]) -> list[threading.Thread]:
    threads = [threading.Thread(target=run, args=[scene, name, fault], name=name) for name, fault in which.items()]
    for thread in threads:
        thread.start()
    return threads


# --- clients and calls


def context() -> Any:
    """Processes forked from one that has imported the client and done nothing else."""
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload([callers.__name__])
    return forking


def kill_a_client(scene: Scene, rng: random.Random) -> None:
    """A client that submits, watches, lists and reads dies by SIGKILL in the middle of a call."""
    life, seed, submits = rng.uniform(0.03, 1.2), rng.getrandbits(64), rng.random() < 0.6
    submits = submits and unfinished(scene.data) < MOST_LONG
    client = context().Process(target=callers.restless, args=[scene.service.address, scene.notes, seed, submits], daemon=True)
    client.start()
    client.join(life)
    if client.is_alive():
        client.kill()
        scene.record.count("client killed")
    client.join()


def cancel_a_call(scene: Scene, rng: random.Random) -> None:
    """A call is cancelled after 0 to 50 ms, mostly less: an undisturbed service answers within a few."""
    kind, pause, request_id = rng.choice(["submit", "submit", "list", "watch", "check"]), 0.05 * rng.random() ** 3, _uuid(rng)
    if kind == "submit" and unfinished(scene.data) >= MOST_TINY:
        kind = "check"
    try:
        call = _begin(scene, kind, request_id)
        time.sleep(pause)
        if call.cancel():
            scene.record.count("call cancelled")
            if scene.locked.is_set() and kind == "submit":
                scene.record.count("submission given up while the store was locked")
        elif kind == "submit":
            scene.record.acknowledge(request_id, call.result().job.id)
    except (grpc.RpcError, grpc.FutureCancelledError, ValueError):  # it had failed before: there is no server now
        scene.record.count("call cancelled too late")


def _begin(scene: Scene, kind: str, request_id: str) -> Any:
    jobs = scene.service.jobs
    if kind == "list":
        return jobs.ListJobs.future(jobs_pb2.ListJobsRequest())
    if kind == "watch":
        known = jobs.ListJobs(jobs_pb2.ListJobsRequest(page_size=1), timeout=5).jobs
        return jobs.WatchJob(jobs_pb2.WatchJobRequest(id=known[0].id if known else ""))
    return jobs.SubmitJob.future(submission(TINY, request_id, check=kind == "check"))


def run_out_of_time(scene: Scene, rng: random.Random) -> None:
    """A submission with a deadline of 1 to 30 ms."""
    deadline, request_id = rng.uniform(0.001, 0.03), _uuid(rng)
    check = unfinished(scene.data) >= MOST_TINY
    try:
        job = scene.service.jobs.SubmitJob(submission(TINY, request_id, check), timeout=deadline).job
        if not check:
            scene.record.acknowledge(request_id, job.id)
    except grpc.RpcError as error:
        if verdict(error)[0] == "hung":
            scene.record.count("deadline missed")
            if scene.locked.is_set() and not check:
                scene.record.count("submission given up while the store was locked")
    except ValueError:  # the channel was closed by a restart
        pass


def submission(name: str, request_id: str, check: bool = False) -> jobs_pb2.SubmitJobRequest:
    return jobs_pb2.SubmitJobRequest(spec=specs.load(labelled(name)), request_id=request_id, validate_only=check)


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


# --- the store


def lock_the_store(scene: Scene, rng: random.Random) -> None:
    """Another process holds the write lock for 0.5 to 3 s."""
    seconds = rng.uniform(0.5, 3.0)
    command = [sys.executable, "-c", HOLDER, str(scene.data / "thalweg.sqlite"), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as holder:
        try:
            assert holder.stdout is not None
            if holder.stdout.readline() == b"held\n":
                scene.locked.set()
                scene.record.strike("store locked by another process", f" for {seconds:.1f} s")
                holder.wait(seconds + 10)
        finally:
            scene.locked.clear()
            holder.kill()


# --- workers and fork servers


def kill_a_worker(scene: Scene, rng: random.Random) -> None:
    if (found := _any_worker(scene, rng)) and found.signal(signal.SIGKILL):
        scene.record.strike("worker killed")


def end_a_worker_by_another_signal(scene: Scene, rng: random.Random) -> None:
    """As bugs, limits and people do; one of them has no name."""
    number = rng.choice(SIGNALS)
    if (found := _any_worker(scene, rng)) and found.signal(number):
        scene.record.strike("worker ended by another signal", f" {number}")


def freeze_a_worker(scene: Scene, rng: random.Random) -> None:
    """Mostly beyond its lease; half are thawed then, half stay frozen until the run is over."""
    seconds = _frozen_for(rng, scene.pace.lease)
    if (found := _any_worker(scene, rng)) and scene.freezer.freeze(found, seconds):
        scene.record.strike("worker frozen", f" for {seconds:.0f} s")
        if seconds > scene.pace.lease:
            scene.record.count("worker frozen beyond its lease")


def freeze_a_worker_in_a_transaction(scene: Scene, rng: random.Random) -> None:
    """A worker is stopped while it holds the write lock, beyond its lease."""
    seconds = scene.pace.lease * rng.uniform(1.5, 3.0)
    if freeze_in_transaction(scene.data, scene.freezer, seconds, within=3.0):
        scene.record.strike("worker frozen in a transaction", f" for {seconds:.1f} s")


def kill_the_fork_server(scene: Scene, rng: random.Random) -> None:
    if (found := fork_server(scene.data, scene.service.process.pid)) and found.signal(signal.SIGKILL):
        scene.record.strike("fork server killed")


def freeze_the_fork_server(scene: Scene, rng: random.Random) -> None:
    """Half of the time for good: a service must not need somebody who thaws it."""
    stays, seconds = rng.random() < 0.5, scene.pace.lease * rng.uniform(1.2, 2.0)
    seconds = FOR_GOOD if stays else seconds
    if (found := fork_server(scene.data, scene.service.process.pid)) and scene.freezer.freeze(found, seconds):
        scene.record.strike("fork server frozen beyond the lease", f" for {seconds:.1f} s")


def thaw(scene: Scene, rng: random.Random) -> None:
    """What was frozen for long enough goes on."""
    scene.record.count("thawed", scene.freezer.thaw_due())


def _any_worker(scene: Scene, rng: random.Random) -> Process | None:
    place, found = rng.random(), workers(scene.data)
    return found[int(place * len(found))] if found else None


def _frozen_for(rng: random.Random, lease: float) -> float:
    short, stays = rng.random() < 0.2, rng.random() < 0.5
    seconds = lease * (rng.uniform(0.2, 0.8) if short else rng.uniform(1.2, 2.5))
    return FOR_GOOD if stays and not short else seconds


def kill_a_checker(scene: Scene, rng: random.Random) -> None:
    place, found = rng.random(), checkers(scene.service.process.pid)
    if found and found[int(place * len(found))].signal(signal.SIGKILL):
        scene.record.strike("checker killed")


def freeze_a_checker(scene: Scene, rng: random.Random) -> None:
    """Half of the time for good."""
    place, stays, found = rng.random(), rng.random() < 0.5, checkers(scene.service.process.pid)
    seconds = FOR_GOOD if stays else scene.pace.lease * rng.uniform(0.5, 3.0)
    if found and scene.freezer.freeze(found[int(place * len(found))], seconds):
        scene.record.strike("checker frozen", f" for {seconds:.0f} s")


# --- the server


def suspend_everything(scene: Scene, rng: random.Random) -> None:
    """The server and all that it has started stand still beyond a lease, and then go on at once: a container that is paused."""
    seconds = scene.pace.lease * rng.uniform(1.2, 2.0)
    with scene.restarting, scene.suspended():
        stopped = [one for one in everybody(scene.data, scene.service.process.pid) if not one.stopped()]
        stopped = [one for one in stopped if one.signal(signal.SIGSTOP)]
        scene.over.wait(seconds)
        for one in stopped:
            one.signal(signal.SIGCONT)
    scene.record.strike("everything suspended at once", f" for {seconds:.1f} s, until now: {len(stopped)} processes")


def kill_the_server(scene: Scene, rng: random.Random) -> None:
    down = rng.uniform(0.0, 1.5)
    with scene.restarting:
        scene.service.kill()
        scene.record.strike("server killed", f", down for {down:.1f} s")
        _start_after(scene, down)


def terminate_the_server(scene: Scene, rng: random.Random) -> None:
    down = rng.uniform(0.0, 1.5)
    with scene.restarting:
        scene.record.lasted("server end after SIGTERM", scene.service.terminate())
        scene.record.strike("server terminated", f", down for {down:.1f} s")
        _start_after(scene, down)


def _start_after(scene: Scene, down: float) -> None:
    """Where it cannot start now, the end of the run starts it."""
    time.sleep(down)
    while not scene.over.is_set() and not scene.service.start_until_up(1.0):
        pass


def take_the_database_away(scene: Scene, rng: random.Random) -> None:
    """Its three files are elsewhere for a while; sometimes something else lies in their place."""
    seconds, other = rng.uniform(0.5, 3.0), rng.random() < 0.5
    files = [scene.data / f"thalweg.sqlite{ending}" for ending in ("-shm", "-wal", "")]
    moved = []
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            file.rename(aside := file.with_name(f"away-{file.name}"))
            moved.append((file, aside))
    if other:
        with contextlib.suppress(OSError):  # there is no room even for an empty one
            files[-1].write_bytes(b"")
    scene.over.wait(seconds)
    for file, aside in reversed(moved):
        made = file.stat().st_size if file.exists() else 0
        aside.replace(file)
        if made:
            scene.record.fail(f"{file.name} was made anew ({made} bytes) while the database was away")
    scene.record.strike("database taken away", f" for {seconds:.1f} s, until now{', with an empty file in its place' * other}")


# --- the disk


def make_the_jobs_read_only(scene: Scene, rng: random.Random) -> None:
    """The folder of the jobs can be read and not be written."""
    seconds = rng.uniform(1.0, 4.0)
    assert scene.disk is not None
    if scene.disk.jobs_read_only(seconds):
        scene.record.strike("folder of the jobs read-only", f" for {seconds:.1f} s, until now")


def fill_the_disk(scene: Scene, rng: random.Random) -> None:
    seconds = rng.uniform(1.0, 4.0)
    assert scene.disk is not None
    if (full := scene.disk.fill(seconds)) > 0:
        scene.record.strike("disk filled", f" for {full:.1f} s, until now")
        scene.record.lasted("disk full", full)


def use_up_the_inodes(scene: Scene, rng: random.Random) -> None:
    seconds = rng.uniform(1.0, 3.0)
    assert scene.disk is not None
    if (full := scene.disk.use_up_inodes(seconds)) > 0:
        scene.record.strike("inodes used up", f" for {full:.1f} s, until now")
        scene.record.lasted("no inode free", full)


FAULTS: dict[str, Fault] = {
    "clients": Fault(("client killed",), 1, (0.05, 0.4), kill_a_client),
    "calls": Fault(("call cancelled",), 1, (0.05, 0.4), cancel_a_call, cheap=True),
    "deadlines": Fault(("deadline missed",), 1, (0.1, 0.5), run_out_of_time, cheap=True),
    "locks": Fault(("store locked by another process",), 3, (2, 6), lock_the_store),
    "workers": Fault(("worker killed",), 2, (0.7, 2.5), kill_a_worker),
    "signals": Fault(("worker ended by another signal",), 4, (2, 6), end_a_worker_by_another_signal),
    "freezes": Fault(("worker frozen", "worker frozen beyond its lease"), 3, (3, 6), freeze_a_worker),
    "transactions": Fault(("worker frozen in a transaction",), 3, (2, 5), freeze_a_worker_in_a_transaction),
    "fork-servers": Fault(("fork server killed",), 5, (5, 9), kill_the_fork_server),
    "fork-server-freezes": Fault(("fork server frozen beyond the lease",), 8, (7, 12), freeze_the_fork_server),
    "checkers": Fault(("checker killed",), 3, (2, 6), kill_a_checker),
    "checker-freezes": Fault(("checker frozen",), 6, (5, 9), freeze_a_checker),
    "suspensions": Fault(("everything suspended at once",), 12, (15, 25), suspend_everything),
    "database": Fault(("database taken away",), 9, (7, 12), take_the_database_away),
    "server-kills": Fault(("server killed",), 7, (6, 10), kill_the_server),
    "server-ends": Fault(("server terminated",), 12, (7, 12), terminate_the_server),
    "disk": Fault(("disk filled",), 6, (5, 9), fill_the_disk),
    "inodes": Fault(("inodes used up",), 9, (6, 10), use_up_the_inodes),
    "read-only": Fault(("folder of the jobs read-only",), 9, (7, 12), make_the_jobs_read_only),
}
"""Each can be left out by its name."""

NEED_A_DISK = frozenset({"disk", "inodes", "read-only"})
BOTH = "submission given up while the store was locked"
"""Counted where all of `locks`, `calls` and `deadlines` strike."""

THAW = Fault((), 0.1, (0.1, 0.1), thaw, cheap=True)
