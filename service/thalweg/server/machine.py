"""What this machine has: processors, memory, disk."""

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
    """Bytes that processes may still take, the machine's or those of a control group; None where the system does not tell."""
    line = next((line for line in _lines(Path("/proc/meminfo")) if line.startswith("MemAvailable:")), None)
    if line is None:
        return None
    free = 1024 * int(line.split()[1])
    group = Path("/sys/fs/cgroup")
    limit, used = _first_line(group / "memory.max"), _first_line(group / "memory.current")
    if not (limit.isdigit() and used.isdigit()):
        return free
    cached = (line.split()[1] for line in _lines(group / "memory.stat") if line.startswith("inactive_file "))
    return min(free, max(0, int(limit) - int(used) + int(next(cached, "0"))))


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
