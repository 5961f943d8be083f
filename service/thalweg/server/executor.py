"""The local executor: claims queued jobs while there is room, starts one process per attempt, and takes lost jobs back.

Nothing is known here that is not in the store, so a restarted server goes on with the workers that the last one started:
they are found by their process numbers, and by the beat of their leases.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from thalweg.server import attempts, machine
from thalweg.server.forkserver import ENVIRONMENT
from thalweg.server.records import JobRow, State
from thalweg.server.store import Store

_log = logging.getLogger(__name__)

_TICK = 0.1  # s
_KILL_AFTER = 3.0  # s between SIGTERM and SIGKILL
_USABLE = 0.9  # of the memory
_REVIVE = 2.0  # s between two starts of the fork server, should it die of what it imports
_AT_ONCE = 64  # jobs started in one look; arbitrary


class Executor:
    """Runs until it is stopped; its workers go on without it."""

    def __init__(self, store: Store, lease: float, grace: float) -> None:
        self._store, self._lease, self._grace = store, lease, grace
        self._nursery = Nursery(store.folder)
        self._beats: dict[tuple[str, int], tuple[int, float]] = {}  # of each attempt: its beat, and when it was seen to change
        self._terminated: dict[tuple[str, int], float] = {}
        self._missed: set[tuple[str, int]] = set()
        self._wake = threading.Event()
        self._over = False
        self.draining = False
        self._thread = threading.Thread(target=self._run, name="executor", daemon=True)

    def start(self) -> None:
        """Claims of a server that died before it had started the worker are given back; then the loop begins."""
        self._give_back_unstarted()
        self._thread.start()

    def wake(self) -> None:
        """Look now: a job has come, or is to be cancelled."""
        self._wake.set()

    def stop(self) -> None:
        self._over = True
        self.wake()
        self._thread.join()
        self._nursery.close()

    def _run(self) -> None:
        while not self._over:
            try:
                self._tick()
            except Exception:
                _log.exception("the executor met an error; it goes on")
                time.sleep(1.0)
            self._wake.wait(_TICK)
            self._wake.clear()

    def _tick(self) -> None:
        if self._nursery.revived():
            self._give_back_unstarted()
        at_work = self._store.at_work()
        ended = self._nursery.ended()
        for job in at_work:
            self._watch(job, ended.get((job.id, job.attempt)))
        self._forget_all_but(at_work)
        if not self.draining:
            self._start_queued(self._store.queued(_AT_ONCE), self._store.at_work())

    # --- starting

    def _give_back_unstarted(self) -> None:
        """Claims whose order went down with the process that was to carry it out; if it was, its worker is fenced off."""
        for job in self._store.at_work():
            if job.state is State.STARTING and job.pid is None:
                attempts.give_back(self._store, job).result()

    def _start_queued(self, queued: list[JobRow], at_work: list[JobRow]) -> None:
        """In the order of their submission, as long as processors and memory last; a large job is not overtaken for ever."""
        processors = machine.processors() - sum(job.cpus for job in at_work)
        memory = int(_USABLE * machine.memory()) - sum(job.memory for job in at_work)
        for job in queued:
            alone = not at_work
            if not alone and (job.cpus > processors or job.memory > memory):
                return
            claimed = attempts.claim(self._store, job).result()
            if claimed is not None:
                self._nursery.start(claimed)
                at_work.append(claimed)
                processors, memory = processors - job.cpus, memory - job.memory

    # --- watching

    def _watch(self, job: JobRow, status: int | None) -> None:
        """Take the job back from a worker that is dead or silent; press one that was asked to stop."""
        if status is not None or self._gone(job):
            self._lost(job, _death(status))
        elif self._silent(job):
            self._signal(job, signal.SIGKILL)
            self._lost(job, f"the worker was silent for {self._lease:g} s")
        elif job.state is State.CANCELLING and time.time() - (job.cancelled or 0.0) > self._grace:
            self._press(job)

    def _gone(self, job: JobRow) -> bool:
        """Whether its process is no more; at the second look, since the fork server may be about to say how it ended."""
        if job.pid is None or machine.mark(job.pid) == job.pid_mark:
            return False
        missed = (job.id, job.attempt) in self._missed
        self._missed.add((job.id, job.attempt))
        return missed

    def _lost(self, job: JobRow, reason: str) -> None:
        moved = attempts.lose(self._store, job, reason).result()
        if moved is not None:
            _log.warning("job %s, attempt %d: %s", job.id, job.attempt, moved.outcome or reason)

    def _silent(self, job: JobRow) -> bool:
        """Whether the beat has stood still for a lease, by this process's own clock."""
        key, now = (job.id, job.attempt), time.monotonic()
        beat, since = self._beats.get(key, (-1, now))
        if beat != job.beat:
            self._beats[key] = (job.beat, now)
            return False
        return now - since > self._lease

    def _press(self, job: JobRow) -> None:
        since = self._terminated.setdefault((job.id, job.attempt), time.monotonic())
        self._signal(job, signal.SIGKILL if time.monotonic() - since > _KILL_AFTER else signal.SIGTERM)

    def _signal(self, job: JobRow, number: signal.Signals) -> None:
        """Only to the very process that is meant: its number may belong to another one by now."""
        if job.pid is not None and machine.mark(job.pid) == job.pid_mark:
            os.kill(job.pid, number)

    def _forget_all_but(self, at_work: list[JobRow]) -> None:
        keys = {(job.id, job.attempt) for job in at_work}
        self._beats = {key: seen for key, seen in self._beats.items() if key in keys}
        self._terminated = {key: since for key, since in self._terminated.items() if key in keys}
        self._missed &= keys


class Nursery:
    """The fork server's other end. It is started anew should it die; its workers do not die with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ended: queue.SimpleQueue[tuple[tuple[str, int], int]] = queue.SimpleQueue()
        self._own: list[tuple[JobRow, subprocess.Popen[bytes]]] = []
        self._spawned = time.monotonic()
        self._process = self._spawn()

    def start(self, job: JobRow) -> None:
        """Start a worker. One for a GPU, or with threads of its own, gets a new interpreter: a fork inherits neither."""
        if job.device != "cpu" or job.cpus > 1:
            self._own.append((job, self._start_interpreter(job)))
            return
        order = json.dumps({"job": job.id, "attempt": job.attempt}).encode() + b"\n"
        with contextlib.suppress(OSError):  # it has died: the next look revives it, and gives the claim back
            self._send(order)

    def revived(self) -> bool:
        """Whether the fork server had died; then there is a new one."""
        if self._process.poll() is None or time.monotonic() - self._spawned < _REVIVE:
            return False
        _log.warning("the fork server has died and is started anew")
        self._spawned = time.monotonic()
        self._process = self._spawn()
        return True

    def ended(self) -> dict[tuple[str, int], int]:
        """Exit statuses of attempts, since the last time."""
        own = [(job, process) for job, process in self._own if process.poll() is not None]
        self._own = [pair for pair in self._own if pair not in own]
        told = [self._ended.get() for _ in range(self._ended.qsize())]
        return dict(told) | {(job.id, job.attempt): process.returncode for job, process in own}

    def close(self) -> None:
        """The fork server goes when its last worker has."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _send(self, order: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(order)
        self._process.stdin.flush()

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "thalweg.server.forkserver", str(self._folder)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **ENVIRONMENT},
            start_new_session=True,
        )
        threading.Thread(target=self._listen, args=[process], name="fork-server", daemon=True).start()
        return process

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            words: dict[str, Any] = json.loads(line)
            if "status" in words:
                self._ended.put(((words["job"], words["attempt"]), words["status"]))
        process.wait()

    def _start_interpreter(self, job: JobRow) -> subprocess.Popen[bytes]:
        log = self._folder / "jobs" / job.id / f"attempt-{job.attempt}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "thalweg.server.worker", str(self._folder), job.id, str(job.attempt)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **dict.fromkeys(ENVIRONMENT, str(job.cpus))},
                start_new_session=True,
            )


def _death(status: int | None) -> str:
    if status is None:
        return "the worker is gone"
    if status >= 0:
        return f"the worker ended with status {status} (its log is beside its artifacts)"
    return f"the worker was killed by {signal.Signals(-status).name}"
