"""States of a job, by their short names."""

from __future__ import annotations

from enum import StrEnum
from typing import cast

from thalweg.v1 import jobs_pb2

PREFIX = "JOB_STATE_"


class State(StrEnum):
    """Where a job is in its life. The last three are final."""

    QUEUED = "QUEUED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    UNSPECIFIED = "UNSPECIFIED"

    @property
    def ended(self) -> bool:
        return self in (State.SUCCEEDED, State.FAILED, State.CANCELLED)

    @property
    def on_the_wire(self) -> jobs_pb2.JobState:
        return cast("jobs_pb2.JobState", jobs_pb2.JobState.Value(PREFIX + self.value))

    @classmethod
    def of(cls, number: int) -> State:
        """The state that the wire's number means; one from a newer service is UNSPECIFIED."""
        known = jobs_pb2.JobState.DESCRIPTOR.values_by_number
        return cls(known[number].name.removeprefix(PREFIX)) if number in known else cls.UNSPECIFIED
