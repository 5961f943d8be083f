"""The compiled path for processors: needs numba. Importing it compiles nothing; `check` does, once for each version.

Kernels are functions at the top of their files with names of their own: made by a closure, numba's cache has been seen to
mix them up. Numba notices a change in a kernel's own file only, so the cache is named after all files and numba's version.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import numba

_KERNELS = sorted((Path(__file__).parent / "kernels").glob("[!_]*.py"))


def cache_folder() -> Path:
    """Where the machine code of these very sources is kept."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    sources = b"".join(kernel.read_bytes() for kernel in _KERNELS)
    about = f"{numba.__version__} {sys.version_info[:2]}".encode()
    return root / "thalweg" / f"vqe-{hashlib.sha256(sources + about).hexdigest()[:16]}"


@contextmanager
def compiling(what: str, entry: str) -> Iterator[None]:
    """Says that it takes time, if it does: where the last kernel to be compiled, the entry, is not in the cache."""
    folder, began = cache_folder(), time.perf_counter()
    new = not any(folder.rglob(f"*{entry}*.nbi"))
    log, news = logging.getLogger("thalweg.vqe"), {"news": True}  # a warning only so that Python prints it by default
    if new:
        log.warning("compiling the circuit kernels for %s, once for each version: about half a minute …", what, extra=news)
    yield
    if new:
        log.warning("compiled in %.0f s, kept in %s", time.perf_counter() - began, folder, extra=news)


def _load() -> None:
    """Import the kernels with their cache in place, and leave numba's setting as it was."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = before or str(cache_folder())
    try:
        for kernel in _KERNELS:
            import_module(f"{__name__}.kernels.{kernel.stem}")
    finally:
        numba.config.CACHE_DIR = before


_load()
