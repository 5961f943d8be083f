"""Files that a job leaves behind: written aside, synced, renamed, and only then entered in the store."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from thalweg.server.errors import Refused
from thalweg.server.store.records import ARTIFACTS, ArtifactRow


class ArtifactWriter:
    """The artifacts of one attempt, in a folder of its own, so that two attempts never write the same file."""

    def __init__(self, job_folder: Path, attempt: int) -> None:
        self._job_folder = job_folder
        self._folder = job_folder / f"{ARTIFACTS}{attempt:03}"
        self._folder.mkdir(parents=True, exist_ok=True)
        self.rows: list[ArtifactRow] = []

    def put(self, name: str, content: bytes | memoryview, media_type: str, description: str) -> None:
        """A file, whole on disk when this returns."""
        self._write(name, lambda file: file.write(content), media_type, description)

    def put_array(self, name: str, array: NDArray[Any], description: str) -> None:
        """A .npy file, which numpy opens without us."""
        array = np.ascontiguousarray(array)
        self._write(name, lambda file: np.save(file, array, allow_pickle=False), "application/x-npy", description)

    def put_arrays(self, name: str, arrays: Mapping[str, NDArray[Any]], description: str) -> None:
        """A .npz file; the same arrays give the same bytes."""
        self._write(name, lambda file: np.savez(file, allow_pickle=False, **arrays), "application/x-npz", description)

    def put_json(self, name: str, value: Any, description: str) -> None:
        """Sorted, and without numbers that JSON does not know: those become null."""
        self.put(name, json.dumps(_finite(value), indent=1, allow_nan=False).encode(), "application/json", description)

    def _write(self, name: str, write: Callable[[BinaryIO], object], media_type: str, description: str) -> None:
        """Straight into the file: what fills half of the memory cannot be copied before it is written."""
        if Path(name).name != name or name.startswith(".") or name in {row.name for row in self.rows}:
            raise Refused(f"an artifact cannot be called {name!r}")
        path, aside = self._folder / name, self._folder / f".{name}"
        with aside.open("w+b") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        aside.replace(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self.rows.append(ArtifactRow(name, str(path.relative_to(self._job_folder)), size, digest, media_type, description))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
