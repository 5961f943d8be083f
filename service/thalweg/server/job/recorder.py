"""What is written down along a walk: a trace of every replica, thinned evenly, and for samplers every draw.

Both grow by blocks: `take` gives the rows since the last checkpoint, `give` puts such blocks back when a job goes on.
What they hold depends on the steps alone, never on when checkpoints fell.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thalweg_core.landscape import Landscape
from thalweg_core.walking.stopping import gradient_norm
from thalweg_core.walking.walk import Position

COLUMNS = ("value", "value_var", "gradient_norm", "acceptance", "shots", "circuits", "gradients", "evaluations")
_COUNTS = frozenset({"shots", "circuits", "gradients", "evaluations"})

_MOST_ROWS = 20_000  # far more than a figure shows
_MOST_NUMBERS = 2_000_000  # rows times replicas, so that many chains do not make a trace of gigabytes
_FEWEST_ROWS = 2_000

Block = dict[str, Tensor]
Table = dict[str, NDArray[np.generic]]


def most_rows(replicas: int) -> int:
    """How long a trace may get; the same for up to 100 replicas."""
    return min(_MOST_ROWS, max(_FEWEST_ROWS, _MOST_NUMBERS // replicas))


def kept_rows(steps: int, replicas: int) -> int:
    """Rows of the trace of so many steps."""
    return min(steps + 1, most_rows(replicas))


def written_rows(steps: int, replicas: int) -> int:
    """Rows that go into checkpoints at most: every doubling of the stride leaves room for half as many more."""
    most = most_rows(replicas)
    doublings = max(0, math.ceil(math.log2((steps + 1) / most)))
    return kept_rows(steps, replicas) + doublings * (most // 2 + 1)


def row_bytes(replicas: int) -> int:
    """Of a row of the trace."""
    return 8 * (len(COLUMNS) * replicas + 1)


def draw_bytes(replicas: int, size: int) -> int:
    """Of a step of all chains: x, energy and acceptance."""
    return 8 * replicas * (size + 2)


class Here(NamedTuple):
    """Where a walk stands."""

    step: int
    position: Position
    acceptance: Tensor  # (B,)


class Trace:
    """Rows of (step, COLUMNS × B) at every multiple of a stride, which doubles whenever there are too many."""

    def __init__(self, replicas: int, landscape: Landscape) -> None:
        self._landscape = landscape
        self._most = most_rows(replicas) - 1  # one is for the last step
        self._blocks: list[tuple[Tensor, Tensor]] = []  # steps (n,), rows (n, COLUMNS, B)
        self._fresh: list[tuple[int, Tensor]] = []
        self._count = 0  # of all rows
        self.stride = 1

    def add(self, here: Here) -> None:
        if here.step % self.stride == 0:
            self._fresh.append((here.step, self._row(here)))
            self._count += 1
            if self._count > self._most:
                self._thin(2 * self.stride)

    def take(self) -> Block:
        """The rows since the last time."""
        if not self._fresh:
            return {}
        steps = torch.tensor([step for step, _ in self._fresh])
        rows = torch.stack([row for _, row in self._fresh])
        self._blocks.append((steps, rows))
        self._fresh = []
        return {"trace.step": steps, "trace.rows": rows}

    def give(self, blocks: Iterable[Block], stride: int) -> None:
        """Put blocks back, as they are at this stride."""
        self._blocks.extend((block["trace.step"], block["trace.rows"]) for block in blocks if "trace.step" in block)
        self._thin(stride)

    def table(self, last: Here) -> Table:
        """step (S,) and COLUMNS (S, B) each; the first step and the last are always there."""
        self.take()
        steps = torch.cat([steps for steps, _ in self._blocks]) if self._blocks else torch.zeros(0, dtype=torch.int64)
        rows = torch.cat([rows for _, rows in self._blocks]) if self._blocks else self._row(last)[None][:0]
        if last.step not in steps[-1:]:
            steps, rows = torch.cat([steps, torch.tensor([last.step])]), torch.cat([rows, self._row(last)[None]])
        columns = {name: rows[:, i].numpy() for i, name in enumerate(COLUMNS)}
        return {"step": steps.numpy()} | {n: c.astype(np.int64) if n in _COUNTS else c for n, c in columns.items()}

    def _row(self, here: Here) -> Tensor:
        """(COLUMNS, B) float64: counts are exact up to 2⁵³."""
        state, spent = here.position.state, here.position.spent
        norm = gradient_norm(self._landscape.manifold, state)
        counts = (spent.shots, spent.circuits, spent.gradients, spent.evaluations)
        columns = (state.seen.value, state.seen.value_var, norm, here.acceptance, *counts)
        return torch.stack([column.detach().to("cpu", torch.float64) for column in columns])

    def _thin(self, stride: int) -> None:
        self.stride = stride
        self._fresh = [(step, row) for step, row in self._fresh if step % stride == 0]
        kept = ((steps % stride == 0, steps, rows) for steps, rows in self._blocks)
        self._blocks = [(steps[keep], rows[keep]) for keep, steps, rows in kept if keep.any()]
        self._count = len(self._fresh) + sum(len(steps) for steps, _ in self._blocks)


class Draws:
    """Every step of every chain: what the sampler shows of it, x (S, B, *D), its energy and its acceptance (S, B)."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._fresh: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, here: Here, drawn: Tensor) -> None:
        """One step; drawn (B, *D)."""
        x, value, acceptance = (t.detach().cpu().clone() for t in (drawn, here.position.state.seen.value, here.acceptance))
        self._fresh.append((x, value, acceptance))

    def take(self) -> Block:
        """The draws since the last time."""
        if not self._fresh:
            return {}
        columns = zip(*self._fresh, strict=True)
        block = {f"draws.{name}": torch.stack(column) for name, column in zip(("x", "value", "acceptance"), columns, strict=True)}
        self._fresh = []
        self._blocks.append(block)
        return block

    def give(self, block: Block) -> None:
        """Put a block back."""
        if "draws.x" in block:
            self._blocks.append({name: tensor for name, tensor in block.items() if name.startswith("draws.")})

    def column(self, name: str, steps: int | None = None) -> Tensor:
        """x, value or acceptance of the first `steps` steps: (S, B, …)."""
        self.take()
        return torch.cat([block[f"draws.{name}"] for block in self._blocks])[:steps]

    def __len__(self) -> int:
        return len(self._fresh) + sum(len(block["draws.x"]) for block in self._blocks)
