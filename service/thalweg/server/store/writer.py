"""Group commit: changes that wait together are written in one transaction, and acknowledged after its fsync.

One fsync costs milliseconds and a row costs microseconds, so a commit per row is 14 to 28 times slower than this.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
Change = Callable[[sqlite3.Connection], Any]
Item = tuple[Change, Future[Any]]

PATIENCE = 60.0
"""Seconds that a worker's write waits for the lock of the store, which may be held by a stopped process until its lease is
over."""

WRITTEN_WITHIN = 120.0
"""Seconds after which whoever waits for a write gives up: longer than any wait for the lock."""

_LARGEST_GROUP = 256  # arbitrary: far above what waits during one fsync
_CLOSED_WITHIN = 30.0  # s
_SIGN_OF_LIFE = 1.0  # s between two, while there is nothing to write

_log = logging.getLogger(__name__)


def settled(done: Future[T]) -> T:
    """What a change gave, once it is on disk.

    Raises:
        TimeoutError: it could not be written for a long time.
    """
    return done.result(WRITTEN_WITHIN)


class Writer:
    """The one thread of this process that writes to the store; it starts with the first write.

    Somebody else in this process has to hold a connection as long as this lives: so the log and its index stay the same files.

    Args:
        patience: how long a write waits for the lock (s).
    """

    def __init__(self, path: Path, patience: float = PATIENCE) -> None:
        self._path, self._patience = path, patience
        self._files = Files(path)
        self._waiting: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._seen = time.monotonic()
        self.error = ""  # why the last transaction failed; empty once one has succeeded since

    def write(self, change: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """A change, all or nothing; its future is done once it is on disk, or holds what went wrong.

        A future that is cancelled before its transaction begins takes its change with it.
        """
        done: Future[T] = Future()
        self._waiting.put((change, done))
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
                self._seen = time.monotonic()
                thread.start()
                self._thread = thread  # from here on it is watched: neither before it is alive nor by an old sign of life
        return done

    def silent_seconds(self) -> float:
        """How long the thread has shown no sign of life; infinite if it has ended, 0 if it has not begun."""
        if self._thread is None:
            return 0.0
        return time.monotonic() - self._seen if self._thread.is_alive() else float("inf")

    def trouble(self) -> str:
        """Why nothing can be written any more until somebody puts the files back, or starts the service anew; mostly empty."""
        return self._files.trouble()

    def close(self) -> None:
        """Write what waits, then end; a thread that is stuck is left behind."""
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join(_CLOSED_WITHIN)

    def _run(self) -> None:
        db: sqlite3.Connection | None = None
        closing = False
        while not closing:
            group, closing = self._next_group()
            # a caller that has gone away may have cancelled its future; from here on it cannot
            kept = [(change, done) for change, done in group if done.set_running_or_notify_cancel()]
            if kept:
                db = self._commit(db, kept)
        if db is not None:
            db.close()

    def _next_group(self) -> tuple[list[Item], bool]:
        """What waits, after the first has come; and whether the writer is to end after it."""
        items: list[Item | None] = []
        while not items:
            self._seen = time.monotonic()
            try:
                items.append(self._waiting.get(timeout=_SIGN_OF_LIFE))
            except queue.Empty:
                continue
        while len(items) < _LARGEST_GROUP and not self._waiting.empty():
            items.append(self._waiting.get())
        return [item for item in items if item is not None], None in items

    def _commit(self, db: sqlite3.Connection | None, group: list[Item]) -> sqlite3.Connection | None:
        """Write a group and acknowledge it; gives the connection for the next one, None where it is of no more use."""
        try:
            self._files.require()
            db = db or connect(self._path, self._patience)
            outcomes = _transaction(db, [change for change, _ in group])
            self._files.require()  # or it was written into a file that nobody will find again
            self.error = ""
        except Exception as error:  # the disk is full, or somebody sits on the lock: nothing of this group is written
            self.error = str(error) or type(error).__name__
            db = _rolled_back(db)
            outcomes = [(None, error)] * len(group)
        for (_, done), (value, failure) in zip(group, outcomes, strict=True):
            if failure is None:
                done.set_result(value)
            else:
                done.set_exception(failure)
        return db


def _transaction(db: sqlite3.Connection, changes: list[Change]) -> list[tuple[Any, Exception | None]]:
    db.execute("BEGIN IMMEDIATE")
    outcomes = [_attempt(db, change) for change in changes]
    db.execute("COMMIT")
    return outcomes


def _rolled_back(db: sqlite3.Connection | None) -> sqlite3.Connection | None:
    """The connection outside a transaction; None, and closed, where even that fails."""
    try:
        if db is not None and db.in_transaction:
            db.execute("ROLLBACK")
    except sqlite3.Error:
        _log.exception("a failed transaction could not be rolled back; its connection is closed")
        assert db is not None
        db.close()
        return None
    return db


def _attempt(db: sqlite3.Connection, change: Change) -> tuple[Any, Exception | None]:
    """A change inside a savepoint, so that one that fails leaves its neighbours in the group alone."""
    db.execute("SAVEPOINT change")
    try:
        value = change(db)
    except Exception as error:
        if not db.in_transaction:  # a full disk has ended it, and its neighbours with it
            raise
        db.execute("ROLLBACK TO change")
        db.execute("RELEASE change")
        return None, error
    db.execute("RELEASE change")
    return value, None


class Files:
    """The files of a database: whether its path still leads to those that were opened.

    What is written into others is lost, or makes two databases of one. The log and its index are there as long as somebody
    holds a connection. Raises OSError where a file is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inodes = {file: _inode(file) for file in (path, *(path.with_name(f"{path.name}{e}") for e in ("-wal", "-shm")))}

    def trouble(self) -> str:
        """Which of them is not the one that was opened, in a sentence; mostly empty."""
        for path, inode in self._inodes.items():
            try:
                if path == self._path and not path.stat().st_size:
                    return f"{path} was emptied while it is in use; end the service and restore it from a backup"
                if _inode(path) == inode:
                    continue
                return f"{path} was replaced while it is in use; start the service anew"
            except FileNotFoundError:
                return f"{path} was moved or removed while it is in use; put it back, or restore it and start the service anew"
            except OSError as error:
                return f"{path} cannot be looked at: {error.strerror}"
        return ""

    def require(self) -> None:
        """Raises sqlite3.OperationalError where there is trouble."""
        if trouble := self.trouble():
            raise sqlite3.OperationalError(trouble)


def _inode(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def connect(path: Path, patience: float = PATIENCE, make: bool = False) -> sqlite3.Connection:
    """A connection on which every commit is an fsync, and on which transactions begin only where we say so.

    Args:
        make: whether to make a database where there is none.

    Raises:
        sqlite3.OperationalError: there is none, or somebody has the lock.
    """
    if not make and not (path.exists() and path.stat().st_size):  # SQLite would make a database of an empty file
        raise sqlite3.OperationalError(f"unable to open {path}: it is missing or empty")
    where = f"{path.absolute().as_uri()}?mode={'rwc' if make else 'rw'}"
    db = sqlite3.connect(where, uri=True, timeout=patience, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        db.close()
        raise
    return db
