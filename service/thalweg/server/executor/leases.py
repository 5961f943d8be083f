"""Leases: a worker counts its beat up in the store; one whose beat stands still for a lease is silent.

Nobody can write while another process holds the lock of the store, so time in which it is held counts against nobody; nor
does time in which this process was stopped itself, as workers may have been with it. A
worker that is stopped inside a transaction holds it for good: it is found by the lock, and ended before anything is written.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from thalweg.server.executor.awake import Awake
from thalweg.server.store.records import State, WorkRow
from thalweg.server.store.store import Store

Key = tuple[str, int]

_LOCKED_WITHIN = 0.5  # s; a lock that nobody gets for so long is held by somebody who does not let go
_LOADED_WITHIN = 60.0  # s; a cold start loads torch and qiskit from a slow disk
_WAL_WRITE_LOCK = 120  # byte of the -shm file that whoever writes has locked (SQLite, "WAL-mode file format", 2.3.1)


class Leases:
    """The beats of the workers, by this process's own clock.

    Args:
        lease: s.
    """

    def __init__(self, store: Store, lease: float, awake: Awake) -> None:
        self._store, self.lease, self._awake = store, lease, awake
        self._beats: dict[Key, tuple[int, float]] = {}  # of each attempt: its beat, and when it was seen to change
        self._locked_until = -float("inf")  # when the lock was last seen to be held for long

    def silent(self, at_work: Sequence[WorkRow]) -> list[WorkRow]:
        """Jobs whose workers are to be ended. Writes nothing."""
        now = time.monotonic()
        ages = {(job.id, job.attempt): now - self._since(job, now) for job in at_work}
        self._beats = {key: beat for key, beat in self._beats.items() if key in ages}
        if max(ages.values(), default=0.0) <= self.lease / 2:
            return []
        overdue = [job for job in at_work if ages[job.id, job.attempt] > self._allowed(job)]
        if not self._store.can_be_locked(_LOCKED_WITHIN):
            self._locked_until = time.monotonic()
            return self._holding_the_lock(overdue, ages)
        return [job for job in overdue if now - self._locked_until > self.lease]

    def _allowed(self, job: WorkRow) -> float:
        """Seconds of silence. Before it begins a worker has to load what it needs, and only a process can be silent."""
        if job.pid is None:
            return float("inf")
        return self.lease + (_LOADED_WITHIN if job.state is State.STARTING else 0.0)

    def _since(self, job: WorkRow, now: float) -> float:
        """When its beat was seen to change."""
        beat, since = self._beats.get((job.id, job.attempt), (None, now))
        since = now if beat != job.beat else max(since, min(now, self._awake.since() - self.lease / 2))
        self._beats[job.id, job.attempt] = (job.beat, since)
        return since

    def _holding_the_lock(self, overdue: Sequence[WorkRow], ages: dict[Key, float]) -> list[WorkRow]:
        """The overdue worker that holds the lock; where the system does not tell who does, the one that is silent longest."""
        known, pid = lock_holder(self._store.database)
        if known:
            return [job for job in overdue if job.pid == pid]
        return sorted(overdue, key=lambda job: -ages[job.id, job.attempt])[:1]


def lock_holder(database: Path) -> tuple[bool, int | None]:
    """Whether the system tells who holds the write lock of an SQLite database in WAL mode, and the process that does."""
    try:
        inode = database.with_name(f"{database.name}-shm").stat().st_ino
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return False, None
    for line in lines:  # 1: POSIX  ADVISORY  WRITE 3568 fd:00:2531452 120 120
        words = line.split()
        if len(words) == 8 and words[3] == "WRITE" and words[5].rpartition(":")[2] == str(inode):
            first, last = int(words[6]), float("inf") if words[7] == "EOF" else int(words[7])
            if first <= _WAL_WRITE_LOCK <= last:
                return True, int(words[4])
    return True, None
