"""Group commit: what waits together is written in one transaction, and acknowledged after its fsync.

One fsync costs milliseconds and a row costs microseconds, so a commit per row is 14 to 28 times slower than this.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
Change = Callable[[sqlite3.Connection], Any]

_LARGEST_GROUP = 256  # arbitrary: far above what waits during one fsync
_PATIENCE = 60.0  # s that a write waits for another process's, which may be a stopped one until its lease is over


class Writer:
    """The one thread of this process that writes to the store."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: queue.SimpleQueue[tuple[Change, Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def write(self, change: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """A change, all or nothing; its future is done once it is on disk, or holds what went wrong."""
        done: Future[T] = Future()
        self._waiting.put((change, done))
        return done

    def close(self) -> None:
        """Write what waits, then end."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        db = connect(self._path)
        closing = False
        while not closing:
            group = [self._waiting.get()]
            while len(group) < _LARGEST_GROUP and not self._waiting.empty():
                group.append(self._waiting.get())
            closing = None in group
            self._commit(db, [item for item in group if item is not None])
        db.close()

    def _commit(self, db: sqlite3.Connection, group: list[tuple[Change, Future[Any]]]) -> None:
        if not group:
            return
        try:
            db.execute("BEGIN IMMEDIATE")
            outcomes = [_attempt(db, change) for change, _ in group]
            db.execute("COMMIT")
        except sqlite3.Error as error:  # the disk is full, or somebody sits on the lock: nothing of this group is written
            if db.in_transaction:
                db.execute("ROLLBACK")
            outcomes = [(None, error)] * len(group)
        for (_, done), (value, failure) in zip(group, outcomes, strict=True):
            if failure is None:
                done.set_result(value)
            else:
                done.set_exception(failure)


def _attempt(db: sqlite3.Connection, change: Change) -> tuple[Any, Exception | None]:
    """A change inside a savepoint, so that one that fails leaves its neighbours in the group alone."""
    db.execute("SAVEPOINT change")
    try:
        value = change(db)
    except Exception as error:
        db.execute("ROLLBACK TO change")
        db.execute("RELEASE change")
        return None, error
    db.execute("RELEASE change")
    return value, None


def connect(path: Path) -> sqlite3.Connection:
    """A connection on which every commit is an fsync, and on which transactions begin only where we say so."""
    db = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    return db
