"""What this machine has: processors, memory, disk, and whether a process still lives."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """Bytes of memory: the machine's, or less where a control group sets a limit."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _first_line(Path("/sys/fs/cgroup/memory.max"))
    return min(physical, int(limit)) if limit.isdigit() else physical


def free_memory() -> int | None:
    """Bytes that processes may still take; None where the system does not tell."""
    line = next((line for line in _lines(Path("/proc/meminfo")) if line.startswith("MemAvailable:")), None)
    return None if line is None else 1024 * int(line.split()[1])


def free_disk(folder: Path) -> int:
    """Bytes that may be written below a folder, which need not exist yet."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def processor_name() -> str:
    """The processor's own name where the system tells it."""
    for line in _lines(Path("/proc/cpuinfo")):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


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
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # somebody else's, but alive
    return "alive"


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
    return _first_line(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()


def _first_line(path: Path) -> str:
    return next(iter(_lines(path)), "")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []


def data_bytes() -> int | None:
    """Bytes that this process has for data of its own, as RLIMIT_DATA counts them; None where the system does not tell."""
    line = next((line for line in _lines(Path("/proc/self/status")) if line.startswith("VmData:")), None)
    return None if line is None else 1024 * int(line.split()[1])


def size(count: int) -> str:
    """Bytes as people read them: "12 MiB", "1.5 GiB"."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**29 else f"{count / 2**20:.0f} MiB"
