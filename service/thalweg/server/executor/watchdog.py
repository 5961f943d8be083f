"""The watchdog: whether the threads that a service cannot do without still work; one that does not is replaced with the process.

A thread that is dead, or stuck where nothing interrupts it, cannot be started anew beside itself. The process can: its
program begins again in its place, under the same number. Workers go on meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn, Protocol

from thalweg.server.executor.awake import Awake

LATE = 45.0
"""Seconds without a sign of life after which the service says that it does not serve: longer than a look takes on a busy one."""

STUCK = 180.0
"""Seconds after which it begins anew. Arbitrary: a disk that is merely slow has come back by then."""

_LOOK = 1.0  # s

_log = logging.getLogger(__name__)


class Watched(Protocol):
    """A thread that shows signs of life, and says what keeps it from its work."""

    def silent_seconds(self) -> float:
        """Infinite where it is dead."""
        ...

    def trouble(self) -> str:
        """Why it cannot work though it lives; empty where it can."""
        ...


class Watchdog:
    """Watches threads until it is stopped.

    Args:
        again: what begins the service anew: the arguments of its program.
        leave: called before that; afterwards nobody may take another process on its port for it.
    """

    def __init__(self, watched: Mapping[str, Watched], awake: Awake, again: Sequence[str], leave: Callable[[], None]) -> None:
        self._watched, self._awake, self._again, self._leave = watched, awake, list(again), leave
        self._over = threading.Event()
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def trouble(self) -> str:
        """Why the service does not work; empty where all is well."""
        if late := self._silent_for(LATE):
            return f"the {late} does not work"
        return next(filter(None, (thread.trouble() for thread in self._watched.values())), "")

    def stop(self) -> None:
        """The service ends, and with it what is watched."""
        self._over.set()

    def _silent_for(self, seconds: float) -> str:
        """Which of them was silent for so long, not counting what came before a stop of the whole process."""
        awake = self._awake.waited(0.0)
        for name, thread in self._watched.items():
            silent = thread.silent_seconds()
            if silent == float("inf") or min(silent, awake) > seconds:
                return name
        return ""

    def _run(self) -> None:
        while not self._over.wait(_LOOK):
            if stuck := self._silent_for(STUCK):
                _log.critical("the %s does not work any more; the service begins anew", stuck)
                with contextlib.suppress(Exception):
                    self._leave()
                _begin_anew(self._again)


def _begin_anew(arguments: Sequence[str]) -> NoReturn:
    logging.shutdown()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "thalweg.server", *arguments])
