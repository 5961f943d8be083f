"""What a worker does beside its work: it renews its lease, tells how far it is, and looks whether somebody wants it to stop."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time

from thalweg.server.errors import FencedOff
from thalweg.server.store.attempts import Attempt
from thalweg.server.store.records import State
from thalweg.v1 import jobs_pb2

FENCED_OFF = 75
"""Exit status of a worker whose job another attempt has taken over; EX_TEMPFAIL of sysexits(3)."""

_BEATS_PER_LEASE = 4
_LOOK = 0.05  # s between two looks at whether the job is to stop
_REPORT = 0.25  # s between two reports, at first
_REPORTS = 2000  # after that many, each waits for this part of the time gone by: a day's job has some ten thousand

_log = logging.getLogger(__name__)


class Heartbeat:
    """The heartbeat of one attempt."""

    def __init__(self, attempt: Attempt, lease: float) -> None:
        self._attempt = attempt
        self._interval = lease / _BEATS_PER_LEASE
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._began = time.monotonic()
        self._looked = self._reported = -float("inf")
        self._wanted = State.RUNNING

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def cancelled(self) -> bool:
        """Whether the job was asked to stop. Cheap: it looks at most every 50 ms. Raises FencedOff."""
        now = time.monotonic()
        if now - self._looked >= _LOOK:
            self._looked = now
            with contextlib.suppress(sqlite3.Error):  # the disk may be full: the heartbeat reports it
                self._wanted = self._attempt.wanted()
        return self._wanted is State.CANCELLING

    def due(self) -> bool:
        """Whether it is time for a report."""
        now = time.monotonic()
        return now - self._reported >= max(_REPORT, (now - self._began) / _REPORTS)

    def hurry(self) -> None:
        """Report at the next occasion: something new has begun."""
        self._reported = -float("inf")

    def report(self, progress: jobs_pb2.Progress) -> None:
        """Does not wait until it is written."""
        self._reported = time.monotonic()
        self._attempt.report(progress)

    def _beat(self) -> None:
        while not self._over.wait(self._interval):
            try:
                self._attempt.renew()
            except FencedOff as fenced:
                _log.warning("%s; this worker ends without a trace", fenced)
                logging.shutdown()
                os._exit(FENCED_OFF)
            except (sqlite3.Error, OSError, MemoryError):
                _log.exception("the lease could not be renewed; trying again")
