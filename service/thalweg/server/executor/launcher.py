"""Launchers: how the worker of an attempt starts, and how one hears of its end. The executor knows no more of it than this."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import NamedTuple, Protocol

from thalweg import processes
from thalweg.server.executor.trouble import Trouble
from thalweg.server.store.records import JobRow, WorkRow

Key = tuple[str, int]
"""A job and the number of the attempt."""


class Process(NamedTuple):
    """A process, with the mark that tells it from a later one of the same number."""

    pid: int
    mark: str | None
    since: float  # s, monotonic: when it was first heard of

    @classmethod
    def now(cls, pid: int) -> Process:
        return cls(pid, processes.mark(pid), time.monotonic())


class Launcher(Protocol):
    """Starts workers, and tells how they ended. No method blocks, but `start` for as long as a process takes to start."""

    def start(self, job: JobRow | WorkRow) -> Trouble | None:
        """Start the worker of a claimed job; what is wrong where it cannot be started."""
        ...

    def process(self, job: JobRow | WorkRow) -> Process | None:
        """The worker's process, as far as it is known before the worker itself has written it into the store."""
        ...

    def knows(self, job: JobRow | WorkRow) -> bool:
        """Whether its worker was ordered and has not ended; False for one that was ordered from a process that is gone."""
        ...

    def ended(self) -> dict[Key, int]:
        """Exit statuses of attempts, since the last time; minus the number of a signal."""
        ...

    def keep_up(self) -> None:
        """Replace whatever it needs that has died or does not answer; workers live on."""
        ...

    def probe(self) -> None:
        """Start a process that writes as workers do (`probe.py`), unless one is under way."""
        ...

    def probed(self) -> Trouble | int | None:
        """How the probe ended, once: 0 where all is well; None while there is no answer. One that takes long is killed."""
        ...

    def forget_all_but(self, keys: Collection[Key]) -> None:
        """Other attempts are over: nobody asks for their processes any more."""
        ...

    def close(self) -> None:
        """Start no more; workers that run go on."""
        ...
