"""What happened: how often each fault, which answers, how slow, and what is wrong. Safe to use from several threads."""

from __future__ import annotations

import threading
import time
from collections import Counter


class Record:
    """Counters, slowest durations (s), and one sentence with evidence for each failure."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}
        self.slowest: dict[str, float] = {}
        self.failures: list[str] = []
        self.acknowledged: dict[str, str] = {}  # request_id: job
        self._lock = threading.Lock()
        self._began = time.monotonic()

    def count(self, what: str, times: int = 1) -> None:
        with self._lock:
            self.counts[what] += times

    def strike(self, what: str, more: str = "") -> None:
        """Count a fault that is rare enough to be told."""
        self.count(what)
        self.say(f"{what}{more}")

    def lasted(self, what: str, seconds: float) -> None:
        """Add to a duration, and keep the longest."""
        with self._lock:
            self.seconds[what] = self.seconds.get(what, 0.0) + seconds
            self.slowest[what] = max(self.slowest.get(what, 0.0), seconds)

    def acknowledge(self, request_id: str, job: str) -> None:
        """The service has answered a submission with this job."""
        with self._lock:
            other = self.acknowledged.setdefault(request_id, job)
        if other != job:
            self.fail(f"request {request_id} was acknowledged as job {other} and as job {job}")

    def fail(self, sentence: str) -> None:
        with self._lock:
            self.failures.append(f"[{time.monotonic() - self._began:6.1f} s] {sentence}")

    def say(self, sentence: str) -> None:
        """One line of the log of this run."""
        print(f"[{time.monotonic() - self._began:6.1f} s] {sentence}", flush=True)
