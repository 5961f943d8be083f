"""Checkpoints of a job: where it stands, and what was recorded since the checkpoint before.

A file is named after its attempt, so no two workers ever write the same one; it counts once its row is in the store, and
the row is guarded. When checkpoints fall changes no result.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import safetensors
from torch import Tensor

from thalweg.server.attempts import Attempt
from thalweg.server.records import CHECKPOINTS as FOLDER
from thalweg.server.records import CheckpointRow
from thalweg_core import checkpoint
from thalweg_core.adapt import state_types
from thalweg_core.kernel import Kernel
from thalweg_core.walk import Position

_SECONDS = 2.0  # between checkpoints
_FRACTION = 0.01  # or of the time since the attempt began, whichever is longer: hours of work are not cut into 2 s files


class Saved(NamedTuple):
    """A checkpoint read back."""

    phase: str
    step: int
    tensors: Mapping[str, Tensor]
    words: Mapping[str, str]

    def position(self, kernel: Kernel) -> Position:
        """The position of a walk of this kernel."""
        here = {name.removeprefix("position."): t for name, t in self.tensors.items() if name.startswith("position.")}
        return checkpoint.unflatten(Position, here, state_types(kernel))


class Keeper:
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
        (self._job_folder / FOLDER).mkdir(parents=True, exist_ok=True)

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
        name = f"{FOLDER}/{self._attempt.number:03}-{phase}-{step:010}"
        path, segment = f"{name}.safetensors", f"{name}.rows.safetensors" if fresh else None
        tensors = checkpoint.flatten(position, "position") | dict(more)
        checkpoint.write(self._job_folder / path, tensors, words)
        if segment is not None:
            checkpoint.write(self._job_folder / segment, fresh, {})
        self._attempt.keep(phase, step, path, segment).result()
        self._prune(phase, self._job_folder / path)
        self._last = time.monotonic()

    def _prune(self, phase: str, newest: Path) -> None:
        """Keep two positions of a phase, in case the newest cannot be read; a phase's last ones stay for good."""
        if phase != self._phase:
            self._phase, self._positions = phase, []
        self._positions.append(newest)
        if len(self._positions) > 2:
            self._positions.pop(0).unlink(missing_ok=True)

    def newest(self) -> tuple[Saved | None, Saved | None, list[dict[str, Tensor]]]:
        """The newest checkpoint that can be read, the last of the phase before it, and every block recorded up to it.

        Checkpoints that cannot be read are struck from the store, with a line in the log.
        """
        rows = self._attempt.store.checkpoints(self._attempt.job)
        while rows:
            try:
                saved = self._read(rows[-1])
                before = next((row for row in reversed(rows) if row.phase != saved.phase), None)
                blocks = [checkpoint.read(self._job_folder / row.segment)[0] for row in rows if row.segment is not None]
                return saved, self._read(before) if before else None, blocks
            except (OSError, safetensors.SafetensorError) as error:
                self._attempt.log("warning", f"checkpoint {rows[-1].path} cannot be read ({error}); the one before is used")
                self._attempt.strike(rows.pop().number).result()
        return None, None, []

    def _read(self, row: CheckpointRow) -> Saved:
        tensors, words = checkpoint.read(self._job_folder / row.path, self._device)
        return Saved(row.phase, row.step, tensors, words)
