"""Processes of this machine: whether one still lives, told from a later one of the same number."""

from __future__ import annotations

import os
from pathlib import Path


def mark(pid: int) -> str | None:
    """What tells a living process from a later one of the same number; None where it is gone.

    Linux: the time it started, in ticks since boot. Elsewhere there is only the number to go by.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        stat = ""
    if stat:
        state, *rest = stat.rpartition(")")[2].split()
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
    except ProcessLookupError:
        return False
    return True
