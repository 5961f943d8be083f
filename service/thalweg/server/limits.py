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

_FACTOR = 2.0  # over the estimate, which is an upper bound of what is touched; here all that is mapped counts
_LEAST_MARGIN = 3 * 2**30  # bytes: numba and LLVM alone map 1.2 GiB of private memory, of which they touch a tenth
_STATUS = Path("/proc/self/status")
_LONGEST_CHAIN = 20  # errors that caused one another; arbitrary
_WORDS = (
    "can't allocate memory",  # torch
    "cannot allocate memory",  # the system, through whatever passes it on, such as Aer
    "out of memory",
    "bad_alloc",  # C++
    "unable to allocate",  # numpy
    "allocation failed",  # numba
    "failed to allocate",
    "can't start new thread",  # its stack does not fit
)


def limit_memory(estimate_bytes: int) -> None:
    """Let this process take, beside what it has, twice the estimate, or 3 GiB more than it, whichever is larger.

    Where the system does not count (everywhere but on Linux), nothing happens. Not for a process that uses a GPU: its driver
    maps far more than it touches.
    """
    base = _data()
    if resource is None or base is None:
        return
    wanted = base + max(int(_FACTOR * estimate_bytes), estimate_bytes + _LEAST_MARGIN)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


def lift_limit() -> None:
    """Take the limit away: who has met it still needs some memory to say so."""
    if resource is not None and _data() is not None:
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def limited() -> int | None:
    """The limit in force, in bytes of private writable memory; None: there is none."""
    if resource is None or _data() is None:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return None if limit == resource.RLIM_INFINITY else limit


def out_of_memory(error: BaseException) -> bool:
    """Whether an error, or what caused it, is one of memory that could not be had. Libraries have many ways to say so."""
    here: BaseException | None = error
    for _ in range(_LONGEST_CHAIN):
        if here is None:
            return False
        if _is_of_memory(here):
            return True
        here = here.__cause__ or (None if here.__suppress_context__ else here.__context__)
    return False


def _is_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, Exception) and any(words in text for words in _WORDS)


def _data() -> int | None:
    """Private writable memory of this process in bytes, as RLIMIT_DATA counts it."""
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmData")), None)
