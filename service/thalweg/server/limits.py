"""A limit on the memory of a worker, so that a job that takes far more than was estimated fails by itself, with a sentence.

Without one the system kills whatever process it likes, and a job that is killed is tried again.
"""

from __future__ import annotations

import errno
from pathlib import Path

try:
    import resource
except ImportError:  # there are systems without it
    resource = None  # type: ignore[assignment]

_FACTOR = 2.0  # over the estimate: it is an upper bound already, but address space is counted here, not what is touched
_LEAST_MARGIN = 2**30  # bytes: compilers, threads and libraries take some hundred MB however small the job is
_STATUS = Path("/proc/self/status")
_WORDS = (
    "can't allocate memory",  # torch
    "cannot allocate memory",  # the system, through whatever passes it on
    "out of memory",
    "bad_alloc",  # C++
    "unable to allocate",  # numpy
    "allocation failed",  # numba
    "failed to allocate",
    "can't start new thread",  # its stack does not fit
)


def limit_memory(estimate_bytes: int) -> None:
    """Let this process take, beside what it has, twice the estimate, or 1 GiB more than it, whichever is larger.

    Where the system does not count (everywhere but on Linux), nothing happens. Not for a process that uses a GPU: its driver
    reserves addresses without end.
    """
    base = _data()
    if resource is None or base is None:
        return
    wanted = base + max(int(_FACTOR * estimate_bytes), estimate_bytes + _LEAST_MARGIN)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


def limited() -> int | None:
    """The limit in force, in bytes of private writable memory; None: there is none."""
    if resource is None or _data() is None:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return None if limit == resource.RLIM_INFINITY else limit


def out_of_memory(error: BaseException) -> bool:
    """Whether an error, or what caused it, is one of memory that could not be had. Libraries have many ways to say so."""
    seen: list[BaseException] = []
    here: BaseException | None = error
    while here is not None and here not in seen:
        if _is_of_memory(here):
            return True
        seen.append(here)
        here = here.__cause__ or here.__context__
    return False


def _is_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, RuntimeError | SystemError) and any(words in text for words in _WORDS)


def _data() -> int | None:
    """Private writable memory of this process in bytes, as RLIMIT_DATA counts it."""
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmData")), None)
