"""Ctrl-C: heard at any time, once however many signals arrive together, and no more once the last words are written.

Only where the command line is the process: a program that calls `main(argv)` keeps its own handlers.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence
from types import FrameType

INTERRUPTED = 130
TOGETHER = 1.0  # s; arbitrary: signals to a process and to its group, or an impatient second Ctrl-C, count as one


class Loading:
    """Ends the process on the spot: an exception in the middle of an import could get lost in it."""

    def __init__(self, words: Sequence[str]) -> None:
        self._json = "--json" in words

    def __call__(self, number: int, frame: FrameType | None) -> None:
        os.write(2, b"thalweg: interrupted\n")
        if self._json:
            os.write(1, b'{"error": {"kind": "Interrupted", "sentence": "interrupted"}}\n')
        os._exit(INTERRUPTED)


class Running:
    """Raises KeyboardInterrupt, once for signals that arrive together."""

    def __init__(self) -> None:
        self._heard = -TOGETHER

    def __call__(self, number: int, frame: FrameType | None) -> None:
        before, self._heard = self._heard, time.monotonic()
        if self._heard - before >= TOGETHER:
            raise KeyboardInterrupt


def while_loading(words: Sequence[str]) -> None:
    """From now on Ctrl-C ends the process; not where it is ignored, as under nohup."""
    unchanged = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if unchanged and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, Loading(words))


def once_loaded() -> None:
    """From now on Ctrl-C raises KeyboardInterrupt."""
    if isinstance(signal.getsignal(signal.SIGINT), Loading):
        signal.signal(signal.SIGINT, Running())


def no_more() -> None:
    """From now on Ctrl-C is ignored: what is left takes a moment, and must not be said twice."""
    if isinstance(signal.getsignal(signal.SIGINT), Running):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
