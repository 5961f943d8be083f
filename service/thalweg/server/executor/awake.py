"""Whether this process ran all the time: one that was stopped must not blame others for a silence that was its own.

A container may be paused, a laptop shut, a process stopped by SIGSTOP; workers are mostly stopped with it.
"""

from __future__ import annotations

import threading
import time

_TICK = 0.25  # s
_STOPPED = 1.5  # s between two ticks: longer than a busy machine lets a thread wait


class Awake:
    """A clock that a thread of its own looks at all the time; where it did not, this process was stopped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since = self._looked = time.monotonic()
        self._over = threading.Event()
        threading.Thread(target=self._run, name="awake", daemon=True).start()

    def since(self) -> float:
        """When this process last went on, or when it began (s, monotonic). Right at once: whoever asks first looks."""
        with self._lock:
            now = time.monotonic()
            if now - self._looked > _STOPPED:
                self._since = now
            self._looked = now
            return self._since

    def waited(self, since: float) -> float:
        """Seconds since then in which this process ran without a break."""
        return time.monotonic() - max(since, self.since())

    def stop(self) -> None:
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(_TICK):
            self.since()
