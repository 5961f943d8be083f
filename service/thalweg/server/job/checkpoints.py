"""Checkpoints of a job: where it stands, and what was recorded since the checkpoint before.

A file is named after its attempt, so no two workers ever write the same one; it counts once its row is in the store, and
the row is guarded. When checkpoints fall changes no result.

Every file says what it is: job, attempt, phase, step, and by which version it was written. One that does not agree with its row
of the store, or with its checksum, is not used. A position needs all rows that were recorded before it: where one file of rows
is damaged, every checkpoint from there on is given up.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from thalweg.server.job.provenance import revision
from thalweg.server.limits import out_of_memory
from thalweg.server.store.attempts import Attempt
from thalweg.server.store.records import CHECKPOINTS, CheckpointRow
from thalweg.server.store.writer import settled
from thalweg.version import __version__
from thalweg_core.landscape import Cost
from thalweg_core.method import Method
from thalweg_core.walking import checkpoint
from thalweg_core.walking.checkpoint import Damaged
from thalweg_core.walking.walk import Position

_SECONDS = 2.0  # between checkpoints
_FRACTION = 0.01  # or of the time since the attempt began, whichever is longer: hours of work are not cut into 2 s files
_RENAMED = {f"position.memory.dearest.{name}": f"position.memory.largest_cost.{name}" for name in Cost._fields}
"""Names in files of earlier versions, and what they are called today."""

_FORMAT = "2"  # of the names in a file: what has another one is not read

DAMAGED = "resumed from an earlier checkpoint: the newest was damaged"
ALL_DAMAGED = "started again from the beginning: no checkpoint was undamaged"
_REMARKS = "remarks"  # in the words of a position: clauses of the outcome, one a line


class Saved(NamedTuple):
    """A checkpoint read back."""

    phase: str
    step: int
    position: Position
    tensors: Mapping[str, Tensor]  # what was kept beside the position
    words: Mapping[str, str]


class Found(NamedTuple):
    """What an attempt goes on from."""

    saved: Saved | None  # the newest checkpoint
    before: Saved | None  # the last one of the phase before it
    blocks: list[dict[str, Tensor]]  # all that was recorded up to it


class Checkpoints:
    """The checkpoints that one attempt finds and writes."""

    def __init__(self, attempt: Attempt, every: int | None, device: str = "cpu") -> None:
        self._attempt = attempt
        self._device = device
        self._job_folder = attempt.store.job_folder(attempt.job)
        self._every = every
        self._began = self._last = time.monotonic()
        self._kept = ("", -1)
        self._phase = ""
        self._positions: list[Path] = []
        self._unusable: list[CheckpointRow] = []
        self.remarks: list[str] = []
        """What the outcome has to say of how the job was resumed, by this attempt and by those before."""
        (self._job_folder / CHECKPOINTS).mkdir(parents=True, exist_ok=True)

    def due(self, step: int) -> bool:
        if self._every is not None:
            return step % self._every == 0
        now = time.monotonic()
        return now - self._last >= max(_SECONDS, _FRACTION * (now - self._began))

    def keep(
        self,
        phase: str,
        step: int,
        position: Position,
        more: Mapping[str, Tensor],
        words: Mapping[str, str],
        fresh: Mapping[str, Tensor],
    ) -> None:
        """Write a checkpoint; `fresh` is what was recorded since the one before."""
        if (phase, step) == self._kept:
            return
        self._kept = (phase, step)
        name = f"{CHECKPOINTS}/{self._attempt.number:03}-{phase}-{step:010}"
        path, segment = f"{name}.safetensors", f"{name}.rows.safetensors" if fresh else None
        identity = _identity(self._attempt.job, self._attempt.number, phase, step) | _writer()
        tensors = checkpoint.flatten(position, "position") | dict(more)
        words = dict(words) | identity | {"kind": "position", _REMARKS: "\n".join(self.remarks)}
        checkpoint.write(self._job_folder / path, tensors, words)
        if segment is not None:
            checkpoint.write(self._job_folder / segment, fresh, identity | {"kind": "rows"})
        forgotten = self._forget()
        settled(self._attempt.keep(phase, step, path, segment))
        for done in forgotten:
            settled(done)
        self._prune(phase, self._job_folder / path)
        self._last = time.monotonic()

    def _forget(self) -> list[Future[None]]:
        """Take what cannot be used from the store, together with the row of the checkpoint that takes its place.

        Not before: until then only these rows tell the next attempt that something was damaged.
        """
        unusable, self._unusable = self._unusable, []
        return [self._attempt.forget(row.number) for row in unusable]

    def _prune(self, phase: str, newest: Path) -> None:
        """Keep two positions of a phase, in case the newest cannot be read; a phase's last ones stay for good."""
        if phase != self._phase:
            self._phase, self._positions = phase, []
        self._positions.append(newest)
        while len(self._positions) > 2:
            self._positions.pop(0).unlink(missing_ok=True)

    def newest(self, methods: Mapping[str, Method]) -> Found:
        """The newest checkpoint that can be used, with a line in the log where it is not the newest of all.

        Args:
            methods: what walks in each phase.
        """
        rows = self._attempt.store.checkpoints(self._attempt.job)
        found, usable, trouble = self._usable(rows, methods)
        if trouble:
            self._unusable = rows[usable:]
            self._remark(DAMAGED if usable else ALL_DAMAGED)
            where = f"the job goes on from {rows[usable - 1].path}" if usable else "the job starts from the beginning"
            self._attempt.log("warning", f"{trouble}; {where}")
        if found.saved is not None:
            self._phase = found.saved.phase
            self._positions = [self._job_folder / row.path for row in rows[:usable] if row.phase == self._phase][-2:]
        return found

    def _usable(self, rows: list[CheckpointRow], methods: Mapping[str, Method]) -> tuple[Found, int, str]:
        """What can be used, how many of the rows that takes, and what was wrong with the first of the others."""
        blocks, trouble = self._blocks(rows)
        count = len(blocks)
        while count:
            place = count - 1
            try:
                saved = self._read(rows[place], methods)
                phases = (number for number in range(place - 1, -1, -1) if rows[number].phase != saved.phase)
                earlier = next(phases, None)
                place = place if earlier is None else earlier
                before = None if earlier is None else self._read(rows[earlier], methods)
            except (OSError, Damaged) as error:
                trouble, count = trouble or _trouble(rows[place].path, error), place
            else:
                self._recall(saved)
                return Found(saved, before, [block for block in blocks[:count] if block]), count, trouble
        return Found(None, None, []), 0, trouble

    def _blocks(self, rows: list[CheckpointRow]) -> tuple[list[dict[str, Tensor]], str]:
        """What was recorded before each checkpoint, up to the first where that cannot be read, and what was wrong there."""
        blocks: list[dict[str, Tensor]] = []
        for row in rows:
            try:
                blocks.append(self._checked(row, row.segment, "rows")[0] if row.segment is not None else {})
            except (OSError, Damaged) as error:
                return blocks, _trouble(str(row.segment), error)
        return blocks, ""

    def _read(self, row: CheckpointRow, methods: Mapping[str, Method]) -> Saved:
        tensors, words = self._checked(row, row.path, "position", self._device)
        tensors = {_RENAMED.get(name, name): tensor for name, tensor in tensors.items()}
        here = {name: t for name, t in tensors.items() if name.startswith("position.")}
        try:
            position = checkpoint.unflatten(Position, here, _types(methods[row.phase]), "position")
        except LookupError as missing:
            raise Damaged(f"it lacks {missing}") from None
        if unknown := here.keys() - checkpoint.flatten(position, "position").keys():
            raise Damaged(f"it has {min(unknown)}, which this version does not know")
        return Saved(row.phase, row.step, position, {n: t for n, t in tensors.items() if n not in here}, words)

    def _checked(self, row: CheckpointRow, path: str, kind: str, device: str = "cpu") -> tuple[dict[str, Tensor], dict[str, str]]:
        """A file that says what the store says of it."""
        try:
            tensors, words = checkpoint.read(self._job_folder / path, device)
        except (OSError, Damaged) as error:
            if out_of_memory(error):
                raise MemoryError(f"{path} could not be read for want of memory") from error
            raise
        wanted = _identity(self._attempt.job, row.attempt, row.phase, row.step) | {"kind": kind}
        for name, value in wanted.items():
            if words.get(name) != value:
                raise Damaged(f"wanted the one of {name} {value}, got that of {words.get(name)}")
        return tensors, words

    def _recall(self, saved: Saved) -> None:
        """What the outcome has to say of a checkpoint that is used."""
        for remark in saved.words[_REMARKS].splitlines():
            self._remark(remark)
        writer = {name: saved.words[name] for name in _writer()}
        if writer != _writer():
            self._remark(f"resumed from a checkpoint of version {' '.join(filter(None, writer.values()))}")

    def _remark(self, remark: str) -> None:
        if remark not in self.remarks:
            self.remarks.append(remark)


def _identity(job: str, attempt: int, phase: str, step: int) -> dict[str, str]:
    return {"format": _FORMAT, "job": job, "attempt": str(attempt), "phase": phase, "step": str(step)}


def _writer() -> dict[str, str]:
    """Which code writes."""
    return {"version": __version__, "revision": revision()}


def _types(method: Method) -> dict[str, type]:
    return method.states("position.state")


def _trouble(path: str, error: Exception) -> str:
    return f"checkpoint {path} cannot be used ({error})"
