"""Files that a job brought home: read in chunks, checked, gone on with where a connection broke."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thalweg.client import arguments
from thalweg.client.calls import READ
from thalweg.client.service import Service
from thalweg.errors import Corrupt, ThalwegError, Unavailable
from thalweg.v1 import jobs_pb2, results_pb2

DAMAGED_AT_MOST = 3  # arbitrary: answers that may be damaged or too short before we give up


@dataclass(frozen=True)
class Artifact:
    """A file of a job; nothing is fetched before it is read.

    Args:
        job: id of the job.
        about: name, size (bytes), sha256, media type and description.
    """

    job: str
    about: results_pb2.Artifact
    service: Service = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        return self.about.name

    @property
    def size(self) -> int:
        return self.about.size

    @property
    def sha256(self) -> str:
        return self.about.sha256

    @property
    def media_type(self) -> str:
        return self.about.media_type

    @property
    def description(self) -> str:
        return self.about.description

    def read(self) -> bytes:
        """The whole content.

        Raises:
            Corrupt: it is not what its checksums say.
            Unavailable: the service went away and did not come back.
        """
        return b"".join(self.chunks())

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write it into a folder, under its own name; a file that is there is whole. Returns its path."""
        if Path(self.name).name != self.name or self.name in ("", ".", ".."):
            raise Corrupt(f"artifact {self.name!r} of job {self.job} has a name that leads out of its folder")
        target = Path(arguments.path("folder", folder)) / self.name
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{self.name}.part")
        try:
            with part.open("wb") as file:
                for chunk in self.chunks():
                    file.write(chunk)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target

    def load(self) -> Any:
        """The content as arrays (.npy: one, .npz: a dict of them), data (.json) or text (.txt, .csv, .md). Never unpickles."""
        ending = Path(self.name).suffix.lower()
        if ending in (".npy", ".npz"):
            return _arrays(self.read())
        if ending == ".json":
            return json.loads(self.read())
        if ending in (".txt", ".csv", ".md", ".toml"):
            return self.read().decode()
        raise ThalwegError(f"{self.name} has no reader here; read() gives its bytes, save(folder) a file")

    def chunks(self) -> Iterator[bytes]:
        """The content piece by piece; raises Corrupt at the end if the whole is not what it should be."""
        offset, damaged, digest, patience = 0, 0, hashlib.sha256(), self.service.patience()
        while offset < self.size:
            lost = Unavailable(f"the service stopped sending {self.name} of job {self.job}")
            wrong = ""
            try:
                for chunk in self.service.stream(READ, self._from(offset)):
                    wrong = self._wrong(chunk, offset)
                    if wrong:
                        break
                    digest.update(chunk.data)
                    offset, patience = offset + len(chunk.data), self.service.patience()
                    yield chunk.data
                damaged += offset < self.size
            except Unavailable as error:
                lost = error
            if damaged > DAMAGED_AT_MOST:
                what = f"{wrong or 'ended'} at byte {offset} of {self.size}"
                raise Corrupt(f"{self.name} of job {self.job} {what}, {damaged} times: it may be damaged in the service")
            if offset < self.size:
                patience.bear(lost)
        if digest.hexdigest() != self.sha256:
            raise Corrupt(f"{self.name} of job {self.job} is not what was stored: its SHA-256 differs")

    def _wrong(self, chunk: jobs_pb2.ReadArtifactResponse, offset: int) -> str:
        """What is wrong with a chunk that should stand at this byte; empty if nothing is."""
        if chunk.offset != offset or zlib.crc32(chunk.data) != chunk.crc32:
            return "arrived damaged"
        if offset + len(chunk.data) > self.size:
            return "goes beyond its size"
        return "" if chunk.data else "ended"

    def _from(self, offset: int) -> jobs_pb2.ReadArtifactRequest:
        return jobs_pb2.ReadArtifactRequest(id=self.job, name=self.name, offset=offset)


def _arrays(content: bytes) -> Any:
    import numpy as np

    loaded = np.load(io.BytesIO(content), allow_pickle=False)
    return dict(loaded) if isinstance(loaded, np.lib.npyio.NpzFile) else loaded
