"""One service per data folder: an exclusive lock that ends with the process, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thalweg.server.errors import FolderTaken


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder.

    Raises:
        FolderTaken: another service holds it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(folder, os.O_RDONLY)  # the folder itself: a lock file could be removed, and made again by a second service
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise FolderTaken(f"another thalweg service holds the lock on {folder}; use that one, or another folder") from None
    try:
        yield
    finally:
        os.close(file)
