"""Processes of one data folder as /proc shows them: which are workers, which is the fork server, who holds the write lock."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from thalweg import processes
from thalweg.server.store.records import AT_WORK, ENDED

WRITE_LOCK = "120"
"""Byte of the -shm file that the one writer of a write-ahead log locks: WAL_WRITE_LOCK, https://sqlite.org/walformat.html."""

LOOK = 0.3  # s between two looks at who the workers are


class Process(NamedTuple):
    """A process, told from a later one of the same number by its mark."""

    pid: int
    mark: str

    def alive(self) -> bool:
        return processes.mark(self.pid) == self.mark

    def stopped(self) -> bool:
        """Whether somebody has stopped it."""
        return processes.stopped(self.pid)

    def signal(self, number: int) -> bool:
        """Whether it was there to be signalled."""
        with contextlib.suppress(ProcessLookupError):
            if self.alive():
                os.kill(self.pid, number)
                return True
        return False


def process(pid: int) -> Process | None:
    mark = processes.mark(pid)
    return None if mark is None else Process(pid, mark)


def of_folder(data: Path) -> dict[int, list[str]]:
    """Every living process whose command line names the folder, with its command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if str(data) in words and processes.mark(int(entry.name)):
                    found[int(entry.name)] = words
    return found


def parent(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return None


def fork_server(data: Path, server: int) -> Process | None:
    """The fork server of the server with this process number."""
    for pid, words in of_folder(data).items():
        if "thalweg.server.executor.forkserver" in words and parent(pid) == server:
            return process(pid)
    return None


def checkers(server: int) -> list[Process]:
    """The processes in which the server with this process number has specifications checked."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    own = [pid for pid in pids if parent(pid) == server and "thalweg.server.api.checker" in _command(pid).split("\0")]
    return [found for pid in own if (found := process(pid)) is not None]


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    return ""


def everybody(data: Path, server: int) -> list[Process]:
    """The server and all that it, or one before it, has started: the server first, so that it starts no more meanwhile."""
    pids = [server, *(pid for pid in of_folder(data) if pid != server)]
    known = [found for pid in pids if (found := process(pid)) is not None]
    return [*known, *(one for one in checkers(server) if one.pid not in pids)]


def workers(data: Path) -> list[Process]:
    """Processes that the store names as workers, and children of any fork server of the folder."""
    named = of_folder(data)
    forked = {
        pid for pid in named if parent(pid) in named and "thalweg.server.executor.forkserver" in named.get(parent(pid) or 0, [])
    }
    pids = sorted(forked | (at_work(data) & set(named)))
    return [found for pid in pids if (found := process(pid)) is not None]


def at_work(data: Path) -> set[int]:
    """Process numbers of the workers that the store knows."""
    states = ", ".join(str(int(state)) for state in AT_WORK)
    return {row[0] for row in glance(data, f"SELECT pid FROM jobs WHERE pid IS NOT NULL AND state IN ({states})")}


def unfinished(data: Path) -> int:
    """How many jobs have not ended; many where the store cannot be read now."""
    states = ", ".join(str(int(state)) for state in ENDED)
    rows = glance(data, f"SELECT count(*) FROM jobs WHERE state NOT IN ({states})")
    return int(rows[0][0]) if rows else 1000


def glance(data: Path, query: str) -> list[tuple[Any, ...]]:
    """Rows of the store, read only; none where it cannot be read now."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{data}/thalweg.sqlite?mode=ro", uri=True, timeout=0.5)) as db:
            return list(db.execute(query).fetchall())
    except sqlite3.Error:
        return []


class WriteLock:
    """Who holds the write lock of the store now: read from /proc/locks."""

    def __init__(self, data: Path) -> None:
        about = (data / "thalweg.sqlite-shm").stat()
        self._file = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino}"

    def holder(self) -> int | None:
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            if words[1] == "POSIX" and words[3] == "WRITE" and words[5] == self._file and words[6] == WRITE_LOCK:
                return int(words[4])
        return None


class Freezer:
    """Stops processes and lets them go on; nothing stays stopped after `thaw_all`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frozen: list[tuple[Process, float]] = []  # and when to thaw it

    def freeze(self, which: Process, seconds: float) -> bool:
        """Stop it, to be thawed after so long."""
        if not which.signal(signal.SIGSTOP):
            return False
        with self._lock:
            self._frozen.append((which, time.monotonic() + seconds))
        return True

    def thaw_due(self) -> int:
        """How many were thawed that were still there."""
        return self._thaw(time.monotonic())

    def thaw_all(self) -> int:
        return self._thaw(float("inf"))

    def _thaw(self, until: float) -> int:
        with self._lock:
            due = [which for which, when in self._frozen if when <= until]
            self._frozen = [pair for pair in self._frozen if pair[1] > until]
        return sum(which.signal(signal.SIGCONT) for which in due)


def freeze_in_transaction(data: Path, freezer: Freezer, seconds: float, within: float) -> bool:
    """Stop a worker while it holds the write lock; tries again until `within` seconds are over."""
    try:
        lock = WriteLock(data)
    except OSError:
        return False
    known: dict[int, Process] = {}
    looked, now = -math.inf, time.monotonic()
    end = now + within
    while (now := time.monotonic()) < end:
        if now - looked > LOOK:
            known, looked = {one.pid: one for one in workers(data)}, now
        found = known.get(lock.holder() or 0)
        if found is not None and found.signal(signal.SIGSTOP):
            if lock.holder() == found.pid:
                return freezer.freeze(found, seconds)
            found.signal(signal.SIGCONT)
        time.sleep(0.0003)
    return False


def end_all(data: Path) -> int:
    """kill -9 every process of the folder; how many there were."""
    ended, again = 0, 20
    while (found := of_folder(data)) and again:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        ended, again = max(ended, len(found)), again - 1
        time.sleep(0.1)
    return ended
