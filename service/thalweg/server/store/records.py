"""Rows of the store, as values: a job, an event, a checkpoint, an artifact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

CHECKPOINTS = "checkpoints"
"""Folder of a job's checkpoints, below the job's own."""

WORK, ARTIFACTS = "work-", "artifacts-"
"""How the folders of an attempt begin there: its working directory, and the files that may become the job's artifacts."""

PROBE = ".probe-"
"""How the folder of a probe begins, beside those of the jobs."""


class State(IntEnum):
    """The life of a job; numbers as in `thalweg.v1.JobState`."""

    QUEUED = 1
    STARTING = 2
    RUNNING = 3
    CANCELLING = 4
    SUCCEEDED = 5
    FAILED = 6
    CANCELLED = 7


ENDED = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})
AT_WORK = frozenset({State.STARTING, State.RUNNING, State.CANCELLING})

MOVES: Mapping[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.STARTING, State.CANCELLED}),
    State.STARTING: frozenset({State.RUNNING, State.CANCELLING, State.QUEUED, State.FAILED}),
    State.RUNNING: frozenset({State.CANCELLING, State.QUEUED, State.SUCCEEDED, State.FAILED}),
    State.CANCELLING: frozenset({State.CANCELLED, State.SUCCEEDED, State.FAILED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}
"""Every move a job may make. CANCELLING → SUCCEEDED: the walk was through before it was told to stop."""


@dataclass(frozen=True)
class NewJob:
    """What a submission writes.

    Args:
        request_id: the caller's; empty for a submission that is never repeated.
        spec: serialized `JobSpec`, complete by itself.
        sent: the same as it was sent, where something in it was looked up since; it decides what is a repetition.
        kind: the problem's name, such as "density.gaussian".
        cpus: threads of its worker.
        memory: bytes it is estimated to need.
        device: "cpu" or "cuda".
    """

    request_id: str
    spec: bytes
    kind: str
    labels: Mapping[str, str] = field(default_factory=dict)
    cpus: int = 1
    memory: int = 0
    device: str = "cpu"
    sent: bytes = b""


class JobRow(NamedTuple):
    """A job as it stands. Times are seconds since 1970."""

    number: int  # grows with every submission: what pages are ordered by
    id: str
    request_id: str | None
    spec_hash: bytes
    spec: bytes
    kind: str
    labels: str  # JSON
    cpus: int
    memory: int
    device: str
    state: State
    outcome: str
    attempt: int
    losses: int  # workers that died since the last checkpoint
    pid: int | None  # the worker's, with the mark that tells it from a later process of the same number
    pid_mark: str | None
    beat: int  # grows while the worker holds its lease
    created: float
    started: float | None
    ended: float | None
    cancelled: float | None  # when it was asked to stop
    last_event: int
    progress: bytes | None
    result: bytes | None
    provenance: bytes | None

    @property
    def size(self) -> int:
        """Bytes of it that may be many."""
        return sum(len(part or b"") for part in (self.spec, self.result, self.progress, self.provenance)) + 512


class WorkRow(NamedTuple):
    """What the executor has to know of a job that has not ended; without its specification, which may be megabytes."""

    id: str
    state: State
    attempt: int
    losses: int
    pid: int | None
    pid_mark: str | None
    beat: int
    cpus: int
    memory: int
    device: str


class EventRow(NamedTuple):
    number: int
    time: float
    body: bytes  # serialized `JobEvent` without number and time


class CheckpointRow(NamedTuple):
    """Where a job can go on from. Paths are relative to the job's folder."""

    number: int
    attempt: int
    phase: str
    step: int
    path: str  # the position
    segment: str | None  # what was recorded since the checkpoint before


class ArtifactRow(NamedTuple):
    name: str
    path: str  # relative to the job's folder
    size: int
    sha256: str
    media_type: str
    description: str
