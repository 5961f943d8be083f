"""Processes of this machine: whether one still lives, told from a later one of the same number, and whether it gets on."""

from __future__ import annotations

import os
from pathlib import Path


def mark(pid: int) -> str | None:
    """What tells a living process from a later one of the same number; None where it is gone.

    Linux: the time it started, in ticks since boot. Elsewhere there is only the number to go by.
    """
    if stat := _stat(pid):
        state, *rest = stat
        return None if state in "ZX" else rest[18]  # field 22 of stat(5)
    if Path("/proc/self/stat").exists():
        return None
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:
        pass  # somebody else's, but alive
    return "alive"


def lives(pid: int, named: str | None) -> bool:
    """Whether the very process of this mark is there."""
    return named is not None and mark(pid) == named


def kill(pid: int, named: str | None, number: int) -> bool:
    """Send a signal to the very process of this mark; False where it is gone."""
    if not lives(pid, named):
        return False
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def stopped(pid: int) -> bool:
    """Whether a signal has stopped a process; False where the system does not tell."""
    return _stat(pid)[:1] == ["T"]


def processor_ticks(pid: int) -> int | None:
    """Processor time that a process and its children have used, in clock ticks; None where the system does not tell."""
    stat = _stat(pid)
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return None
    every = [stat[11:15], *(_stat(child)[11:15] for child in children)]  # utime, stime, and those of children waited for
    return sum(int(ticks) for times in every for ticks in times) if stat else None


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third one on (see proc(5)); none where there is no such file."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
