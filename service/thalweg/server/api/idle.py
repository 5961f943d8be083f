"""Whether anybody still needs the service."""

from __future__ import annotations

import time


class Activity:
    """Counts the RPCs that run: `with activity: ...`."""

    def __init__(self) -> None:
        self._running = 0
        self._last = time.monotonic()

    def __enter__(self) -> None:
        self._running += 1

    def __exit__(self, *_: object) -> None:
        self._running -= 1
        self._last = time.monotonic()

    def touch(self) -> None:
        """Something goes on beside RPCs."""
        self._last = time.monotonic()

    def idle_seconds(self) -> float:
        """For how long nothing has gone on."""
        return 0.0 if self._running else time.monotonic() - self._last
