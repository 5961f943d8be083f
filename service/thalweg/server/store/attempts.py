"""Attempts: a job is claimed, worked on under a lease, and either ended or lost and queued again.

Every write of a worker is guarded by (job, attempt): once another attempt has taken over, or the job has ended, it changes
nothing and raises FencedOff. The lease is a beat that the worker keeps counting up; whoever watches it decides by a clock
of its own that it stands still, so that no two clocks need to agree, and a suspended machine wakes up with its leases.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from thalweg.server.errors import FencedOff, NotFound
from thalweg.server.store.records import AT_WORK, ArtifactRow, JobRow, State, WorkRow
from thalweg.server.store.store import Store, add_event, load, move
from thalweg.server.store.writer import settled
from thalweg.v1 import jobs_pb2

T = TypeVar("T")

MOST_LOSSES = 10
"""Workers that a job may kill in a row without leaving a checkpoint: the eleventh would die too. Arbitrary."""


def claim(store: Store, job: JobRow | WorkRow) -> Future[JobRow | None]:
    """The queued job as its next attempt's, or None where it is not queued any more."""
    columns = {"attempt": job.attempt + 1, "pid": None, "pid_mark": None, "beat": 0}
    return store.writer.write(lambda db: move(db, job, State.STARTING, f"attempt {job.attempt + 1}", columns))


def lose(store: Store, job: JobRow | WorkRow, reason: str, counts: bool = True) -> Future[JobRow | None]:
    """Take the job from a worker that is gone; None where it has changed since `job` was read, a late beat included.

    Args:
        counts: whether the job itself may have killed its worker: after MOST_LOSSES of these in a row it fails.
    """
    return store.writer.write(lambda db: _lose(db, job, reason, job.losses + counts))


def _lose(db: sqlite3.Connection, job: JobRow | WorkRow, reason: str, losses: int) -> JobRow | None:
    if job.state is State.CANCELLING:
        return move(db, job, State.CANCELLED, f"cancelled; {reason} before it could hand over what it had")
    if losses >= MOST_LOSSES:
        return move(db, job, State.FAILED, f"{reason}; {losses} workers in a row came no further, and the job was given up")
    columns = {"pid": None, "pid_mark": None, "losses": losses}
    known = db.execute("SELECT EXISTS (SELECT 1 FROM checkpoints WHERE job = ?)", [job.id]).fetchone()[0]
    then = "goes on from its last checkpoint" if known else "begins anew, since it has left no checkpoint yet"
    return move(db, job, State.QUEUED, f"{reason}; the job is queued again and {then}", columns)


@dataclass(frozen=True)
class Attempt:
    """One attempt at a job, as its worker holds it. Every method raises FencedOff, at once or from its future."""

    store: Store
    job: str
    number: int

    def begin(self, pid: int, mark: str) -> JobRow:
        """STARTING → RUNNING. A job that was asked to stop meanwhile stays CANCELLING."""

        def change(db: sqlite3.Connection, row: JobRow) -> JobRow:
            columns = {"pid": pid, "pid_mark": mark, "started": row.started or time.time()}
            if row.state is State.STARTING:
                return move(db, row, State.RUNNING, f"attempt {self.number} works", columns) or row
            db.execute("UPDATE jobs SET pid = ?, pid_mark = ? WHERE id = ?", [pid, mark, self.job])
            return load(db, self.job)

        return settled(self._write(change))

    def renew(self) -> State:
        """Count the beat up, and look whether somebody wants the job to stop."""

        def change(db: sqlite3.Connection, row: JobRow) -> State:
            db.execute("UPDATE jobs SET beat = beat + 1 WHERE id = ?", [self.job])
            return row.state

        return settled(self._write(change))

    def wanted(self) -> State:
        """The state of the job, read only."""
        state = self.store.state(self.job, self.number)
        if state is None or state not in AT_WORK:
            raise self._fenced()
        return state

    def report(self, progress: jobs_pb2.Progress) -> Future[None]:
        """An event of progress, which is also the newest that the job shows."""

        def change(db: sqlite3.Connection, row: JobRow) -> None:
            db.execute("UPDATE jobs SET progress = ? WHERE id = ?", [progress.SerializeToString(), self.job])
            add_event(db, self.job, jobs_pb2.JobEvent(progress=progress))

        return self._write(change)

    def log(self, level: str, text: str) -> Future[None]:
        """A line of the log."""
        line = jobs_pb2.JobEvent(log_line=jobs_pb2.LogLine(level=level, text=text))
        return self._write(lambda db, row: add_event(db, self.job, line))

    def keep(self, phase: str, step: int, path: str, segment: str | None) -> Future[None]:
        """A checkpoint whose files lie on disk."""
        query = "INSERT INTO checkpoints (job, attempt, phase, step, path, segment) VALUES (?, ?, ?, ?, ?, ?)"
        values = [self.job, self.number, phase, step, path, segment]

        def change(db: sqlite3.Connection, row: JobRow) -> None:
            db.execute(query, values)
            db.execute("UPDATE jobs SET losses = 0 WHERE id = ?", [self.job])

        return self._write(change)

    def forget(self, number: int) -> Future[None]:
        """Forget a checkpoint that cannot be read."""

        def change(db: sqlite3.Connection, row: JobRow) -> None:
            db.execute("DELETE FROM checkpoints WHERE job = ? AND number = ?", [self.job, number])

        return self._write(change)

    def describe(self, provenance: bytes) -> Future[None]:
        """Where the numbers of this job come from."""

        def change(db: sqlite3.Connection, row: JobRow) -> None:
            db.execute("UPDATE jobs SET provenance = ? WHERE id = ?", [provenance, self.job])

        return self._write(change)

    def finish(self, state: State, outcome: str, result: bytes | None = None, artifacts: Iterable[ArtifactRow] = ()) -> None:
        """End the job, with what it brought home."""

        def change(db: sqlite3.Connection, row: JobRow) -> None:
            query = "INSERT INTO artifacts (job, name, path, size, sha256, media_type, description) VALUES (?, ?, ?, ?, ?, ?, ?)"
            db.executemany(query, [(self.job, *artifact) for artifact in artifacts])
            move(db, row, state, outcome, {"result": result})

        settled(self._write(change))

    def _write(self, change: Callable[[sqlite3.Connection, JobRow], T]) -> Future[T]:
        def guarded(db: sqlite3.Connection) -> T:
            try:
                row = load(db, self.job)
            except NotFound:
                raise self._fenced() from None
            if row.attempt != self.number or row.state not in AT_WORK:
                raise self._fenced()
            return change(db, row)

        return self.store.writer.write(guarded)

    def _fenced(self) -> FencedOff:
        return FencedOff(f"attempt {self.number} of job {self.job} is no longer the one that works on it")
