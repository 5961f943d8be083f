"""Trouble of the machine: what stops a worker without being its job's fault, as the exit status that says so.

A worker that meets it writes no end of its job: it leaves with this status, and the executor queues the job again.
"""

from __future__ import annotations

import errno
import signal
import sqlite3
from enum import IntEnum


class Trouble(IntEnum):
    """Exit statuses of a worker; above those of sysexits(3)."""

    DISK_FULL = 80
    DISK = 81
    FILES = 82
    STORE = 83
    MEMORY = 84
    FORBIDDEN = 85
    BROKEN = 86
    STUCK = 87
    NO_PROCESS = 88

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]

    @property
    def blames_the_job(self) -> bool:
        """Whether a job may cause it by itself, again and again: one that does is given up in the end, where a probe is well."""
        return self in (Trouble.DISK, Trouble.MEMORY, Trouble.FORBIDDEN, Trouble.BROKEN, Trouble.NO_PROCESS)


_SENTENCES = {
    Trouble.DISK_FULL: "the disk is full",
    Trouble.DISK: "a file could not be read or written",
    Trouble.FILES: "the machine has no more open files to give",
    Trouble.STORE: "the store could not be read or written",
    Trouble.MEMORY: "the machine ran out of memory",
    Trouble.FORBIDDEN: "a file may not be read or written",
    Trouble.BROKEN: "the disk fails",
    Trouble.STUCK: "a process that only writes a file does not come to its end",
    Trouble.NO_PROCESS: "no process can be started",
}

_OF_ERRNO = {
    errno.ENOSPC: Trouble.DISK_FULL,
    errno.EDQUOT: Trouble.DISK_FULL,
    errno.EMFILE: Trouble.FILES,
    errno.ENFILE: Trouble.FILES,
    errno.ENOMEM: Trouble.MEMORY,
    errno.EACCES: Trouble.FORBIDDEN,
    errno.EPERM: Trouble.FORBIDDEN,
    errno.EROFS: Trouble.FORBIDDEN,
    errno.EIO: Trouble.BROKEN,
    errno.EAGAIN: Trouble.NO_PROCESS,
}


def trouble_of(error: BaseException) -> Trouble | None:
    """What an error says of the machine; None for an error of ours or of the user's."""
    if isinstance(error, MemoryError):
        return Trouble.MEMORY
    if isinstance(error, sqlite3.Error):
        return Trouble.DISK_FULL if "disk is full" in str(error) else Trouble.STORE
    if isinstance(error, TimeoutError) and error.errno is None:  # of a write that nobody could make
        return Trouble.STORE
    if isinstance(error, OSError):
        return _OF_ERRNO.get(error.errno or 0, Trouble.DISK)
    return None


def damaged(error: BaseException) -> bool:
    """Whether an error says that the database is damaged: it will not pass."""
    return type(error) is sqlite3.DatabaseError


def death(status: int | None) -> str:
    """How a worker ended, by its exit status: minus the number of the signal that killed it, None where nobody saw it."""
    if status is None:
        return "the worker is gone"
    if status in set(Trouble):
        return Trouble(status).sentence
    if status >= 0:
        return f"the worker ended with status {status} (its log is beside its artifacts)"
    return f"the worker was killed by {_signal(-status)}"


def _signal(number: int) -> str:
    """Its name, where it has one: those for programs to use as they like have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
