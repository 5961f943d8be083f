"""How long a client goes on asking a service that does not answer, or that says why it cannot, and what it says meanwhile."""

from __future__ import annotations

import logging
import math
import random
import time

from thalweg.errors import CannotNow, NoService, Unavailable

TOLD_AFTER = 3.0  # s; a restart of the service is over by then
REASONED = 20.0  # s; arbitrary: whoever knows why it does not go can decide by himself
_LONGEST = 1.0  # s between two tries

_log = logging.getLogger(__name__)


class Patience:
    """Of one call that may be repeated.

    Args:
        seconds: how long it lasts; no longer than 20 s where the service answers and says why it cannot.
        tries: how often it is asked again at most.
    """

    def __init__(self, seconds: float, tries: float = math.inf) -> None:
        self._seconds, self._tries = seconds, tries
        self._began: float | None = None
        self._reasoned: float | None = None  # when it first said why
        self._pause = 0.05
        self._told: set[str] = set()

    def bear(self, lost: Unavailable) -> None:
        """Wait a little, longer each time. Raises the loss once the patience is over."""
        now = time.monotonic()
        self._began = now if self._began is None else self._began
        left = self._began + self._seconds - now
        if isinstance(lost, CannotNow):
            self._reasoned = now if self._reasoned is None else self._reasoned
            left = min(left, self._reasoned + REASONED - now)
        if left <= 0 or self._tries <= 0 or isinstance(lost, NoService):
            raise lost
        if now - self._began > TOLD_AFTER and str(lost) not in self._told:
            self._told.add(str(lost))
            until = f"for {left:.0f} s more" if math.isfinite(left) else "again"
            _log.warning("%s; it is asked %s", lost, until)
        self._tries -= 1
        time.sleep(min(left, self._pause * random.uniform(0.5, 1.0)))  # spread, so that many clients do not come back at once
        self._pause = min(2 * self._pause, _LONGEST)
