"""What a report is made from: a job as it stands on the wire, and the bytes of its artifacts."""

from __future__ import annotations

from typing import Protocol

from thalweg.v1 import jobs_pb2


class Record(Protocol):
    """One job with everything it brought home."""

    @property
    def job(self) -> jobs_pb2.Job:
        """The job with spec, state, outcome, result and provenance, as far as it came."""
        ...

    def read(self, name: str) -> bytes:
        """The content of an artifact that `job.result.artifacts` lists."""
        ...


def has(record: Record, name: str) -> bool:
    """Whether the job kept an artifact of this name."""
    return any(artifact.name == name for artifact in record.job.result.artifacts)
