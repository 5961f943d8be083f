"""A file system of its own for the data folder, small enough to be filled."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from pathlib import Path

_TOP_UP = 0.02  # s: what is freed meanwhile is taken again after so long
_BIG, _PAGE = 2**20, 4096  # bytes


class SmallDisk:
    """A tmpfs at `path`.

    Args:
        size: bytes.
        inodes: files and folders that it can hold.
    """

    def __init__(self, path: Path, size: int, inodes: int) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        options = f"size={size},nr_inodes={inodes},mode=700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], check=True, capture_output=True, text=True)

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.path)], check=False, capture_output=True)

    def fill(self, seconds: float) -> float:
        """Leave no byte for so long; for how many of these seconds there was none."""
        ballast = self.path / ".ballast"
        try:
            file = os.open(ballast, os.O_WRONLY | os.O_CREAT)
        except OSError:
            return 0.0
        try:
            return self._hold(seconds, lambda: _swallow(file), lambda: os.statvfs(self.path).f_bavail == 0)
        finally:
            os.close(file)
            ballast.unlink()

    def use_up_inodes(self, seconds: float) -> float:
        """Leave no room for another file for so long; for how many of these seconds there was none."""
        folder = self.path / ".inodes"
        try:
            folder.mkdir()
        except OSError:
            return 0.0
        made: list[Path] = []
        try:
            return self._hold(seconds, lambda: _litter(folder, made), lambda: os.statvfs(self.path).f_ffree == 0)
        finally:
            for path in made:
                path.unlink()
            folder.rmdir()

    def jobs_read_only(self, seconds: float) -> bool:
        """Let nothing be made below jobs/ for so long; whether that could be done."""
        jobs = str(self.path / "jobs")
        commands = (["mount", "--bind", jobs, jobs], ["mount", "-o", "remount,bind,ro", jobs])
        try:
            for command in commands:
                subprocess.run(command, check=True, capture_output=True)
            time.sleep(seconds)
            return True
        except subprocess.CalledProcessError:
            return False
        finally:
            subprocess.run(["umount", "--lazy", jobs], check=False, capture_output=True)

    def _hold(self, seconds: float, take, full) -> float:  # type: ignore[no-untyped-def]
        began = last = time.monotonic()
        spent = 0.0
        while last - began < seconds:
            take()
            before = full()
            time.sleep(_TOP_UP)
            now = time.monotonic()
            if before and full():
                spent += now - last
            last = now
        return spent


def _swallow(file: int) -> None:
    """Make a file longer until there is no page left."""
    for step in (_BIG, _PAGE):
        with contextlib.suppress(OSError):
            while True:
                os.posix_fallocate(file, os.fstat(file).st_size, step)


def _litter(folder: Path, made: list[Path]) -> None:
    """Make empty files until there can be no more."""
    with contextlib.suppress(OSError):
        while True:
            path = folder / str(len(made))
            path.touch()
            made.append(path)
