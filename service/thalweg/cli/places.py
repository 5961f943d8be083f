"""Where files are to go: looked at before anything runs, so that no job ends with nowhere to put what it made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thalweg.client import arguments
from thalweg.errors import InvalidSpec, ThalwegError

REPORTS = (".html", ".htm", ".md")


def check_folder(flag: str, path: Path) -> None:
    """Raises InvalidSpec unless files can be put into this folder, which may have to be made."""
    arguments.path(flag, path)
    try:
        nearest = next(place for place in (path, *path.absolute().parents) if place.exists())
    except OSError as error:
        raise InvalidSpec(flag, f"{path} cannot be used: {error.strerror}") from None
    if not nearest.is_dir():
        raise InvalidSpec(flag, f"wanted a folder, got {path}: {nearest} is a file")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InvalidSpec(flag, f"{path} cannot be written: no permission in {nearest}")


def check_report(flag: str, path: Path) -> None:
    """Raises InvalidSpec unless a report can be written to this file."""
    arguments.path(flag, path)
    if path.suffix.lower() not in REPORTS:
        raise InvalidSpec(flag, f"wanted NAME.html or NAME.md, got {path}")
    check_folder(flag, path.parent)
    try:
        path.exists()
    except OSError as error:
        raise InvalidSpec(flag, f"{path} cannot be used: {error.strerror}") from None
    if path.is_dir():
        raise InvalidSpec(flag, f"wanted a file, got {path}, which is a folder")
    if path.exists() and not os.access(path, os.W_OK):
        raise InvalidSpec(flag, f"{path} cannot be written: no permission")


@contextmanager
def writing(flag: str, path: Path) -> Iterator[None]:
    """What still goes wrong while files are written, a full disk, as one sentence."""
    try:
        yield
    except ThalwegError:
        raise  # TimedOut is an OSError too
    except OSError as error:
        raise ThalwegError(f"{flag}: {path} cannot be written: {error.strerror}; the service keeps the job") from error
    except UnicodeError as error:
        raise ThalwegError(f"{flag}: {path} cannot be written: its name is not text in UTF-8") from error
