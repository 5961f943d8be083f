"""What the engines have to say while a job runs, as lines of its log: that kernels are compiled, that a slower engine serves."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from thalweg.server.store.attempts import Attempt

_ENGINES, _SERVER = "thalweg", "thalweg.server"
"""Loggers: the engines are thalweg.vqe and others; what the server says is for whoever keeps it."""


@contextlib.contextmanager
def forward_logs(attempt: Attempt) -> Iterator[None]:
    """Meanwhile everything that the engines log becomes an event of the job."""
    handler, engines = _Notices(attempt), logging.getLogger(_ENGINES)
    engines.addHandler(handler)
    try:
        yield
    finally:
        engines.removeHandler(handler)


class _Notices(logging.Handler):
    def __init__(self, attempt: Attempt) -> None:
        super().__init__(logging.INFO)
        self._attempt = attempt

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.name.startswith(_SERVER)

    def emit(self, record: logging.LogRecord) -> None:
        self._attempt.log(_level(record), record.getMessage())


def _level(record: logging.LogRecord) -> str:
    """As events name them; what is a warning only so that Python prints it by default is marked with news = True."""
    if record.levelno >= logging.ERROR:
        return "error"
    return "warning" if record.levelno >= logging.WARNING and not getattr(record, "news", False) else "info"
