"""The watchdog: whether the threads that a service cannot do without still work; one that does not is replaced with the process.

A thread that is dead, or stuck where nothing interrupts it, cannot be started anew beside itself. The process can: its
program begins again in its place, under the same number. Workers go on meanwhile.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import NoReturn, Protocol

LATE = 45.0
"""Seconds without a sign of life after which the service says that it does not serve; above all bounded waits."""

STUCK = 180.0
"""Seconds after which it begins anew. Arbitrary: a disk that is merely slow has come back by then."""

_LOOK = 1.0  # s

_log = logging.getLogger(__name__)


class ShowsSigns(Protocol):
    """A thread that shows signs of life."""

    def silent_seconds(self) -> float: ...


class Watchdog:
    """Watches the writer and the executor until it is stopped."""

    def __init__(self, writer: ShowsSigns, executor: ShowsSigns) -> None:
        self._watched = {"writer": writer, "executor": executor}
        self._over = threading.Event()
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def trouble(self) -> str:
        """Which of them does not work; empty where all is well."""
        return self._silent_for(LATE)

    def stop(self) -> None:
        """The service ends, and with it what is watched."""
        self._over.set()

    def _silent_for(self, seconds: float) -> str:
        return next((name for name, thread in self._watched.items() if thread.silent_seconds() > seconds), "")

    def _run(self) -> None:
        while not self._over.wait(_LOOK):
            if stuck := self._silent_for(STUCK):
                _log.critical("the %s does not work any more; the service begins anew", stuck)
                _begin_anew()


def _begin_anew() -> NoReturn:
    logging.shutdown()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "thalweg.server", *sys.argv[1:]])
