"""Limits on the memory of a process, so that what takes far more than was expected fails by itself, with a sentence.

Without one the system kills whatever process it likes, and a job that is killed is tried again.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

from thalweg.server import machine

try:
    import resource
except ImportError:  # there are systems without it
    resource = None  # type: ignore[assignment]

_FACTOR = 2.0  # over the estimate, which is an upper bound of what is touched; here all that is mapped counts
_LEAST_MARGIN = 3 * 2**30  # bytes: numba and LLVM alone map 1.2 GiB of private memory, of which they touch a tenth
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


def limit_memory(estimate: int) -> None:
    """Let this process take, beside what it has, twice the estimate (bytes), or 3 GiB more than it, whichever is larger.

    Not for a process that uses a GPU: its driver maps far more than it touches.
    """
    limit_data(max(int(_FACTOR * estimate), estimate + _LEAST_MARGIN))


def limit_data(more: int | None) -> None:
    """Let this process take so many bytes beside what it has; None: as many as it was once allowed.

    Where the system does not count (everywhere but on Linux), nothing happens.
    """
    base = machine.data_bytes()
    if resource is None or base is None:
        return
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = most if more is None else base + more
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


def limited() -> bool:
    """Whether there is a limit on the private writable memory of this process."""
    return resource is not None and resource.getrlimit(resource.RLIMIT_DATA)[0] != resource.RLIM_INFINITY


@contextlib.contextmanager
def at_most(more: int) -> Iterator[None]:
    """Meanwhile this process takes no more than so many bytes beside what it has."""
    limit_data(more)
    try:
        yield
    finally:
        limit_data(None)


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
