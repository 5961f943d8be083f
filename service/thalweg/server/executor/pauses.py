"""Pauses between attempts: a lost job waits longer after every loss, and the queue waits while the machine is in trouble.

Times are seconds by a clock of this process; a restarted service begins without any pause.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

FIRST, LONGEST = 0.5, 60.0
"""Shortest and longest pause (s). Arbitrary: at the longest, a full disk costs one try a minute."""


class _Pause(NamedTuple):
    number: int
    until: float

    def next(self, now: float) -> _Pause:
        """Twice as long as the one before."""
        return _Pause(self.number + 1, now + pause(self.number))


_NONE = _Pause(0, 0.0)


def pause(number: int) -> float:
    """Length of the pause after so many others (s)."""
    return float(min(FIRST * 2 ** min(number, 20), LONGEST))


class Pauses:
    """Which jobs have to wait, and whether the queue does."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Pause] = {}
        self._queue = _NONE
        self.reason = ""  # why the queue waits; empty where it does not

    def lost(self, job: str, now: float, came_further: bool) -> None:
        """A job has lost its worker. The first time, or where it came further than before, it starts again at once."""
        before = self._jobs.get(job)
        self._jobs[job] = _NONE if before is None or came_further else before.next(now)

    def waits(self, job: str, now: float) -> bool:
        return now < self._jobs.get(job, _NONE).until

    def jobs(self) -> set[str]:
        """Those that were ever lost and not forgotten since."""
        return set(self._jobs)

    def forget(self, jobs: Collection[str]) -> None:
        """They have ended, and are not lost again."""
        self._jobs = {job: waiting for job, waiting in self._jobs.items() if job not in jobs}

    def stop_queue(self, reason: str, now: float) -> None:
        """The machine is in trouble. A pause that is not over stays; the next one, if it comes soon, is twice as long."""
        if not self.queue_waits(now):
            before = self._queue if now - self._queue.until <= LONGEST else _NONE
            self.reason, self._queue = reason, before.next(now)

    def queue_waits(self, now: float) -> bool:
        return now < self._queue.until

    def resume_queue(self, now: float) -> None:
        """The machine works again, as far as one can tell."""
        self.reason, self._queue = "", self._queue._replace(until=min(self._queue.until, now))
