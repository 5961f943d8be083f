"""What every replica of a growing circuit has taken from the pool, and what it had to choose from."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

NONE = -1
"""In a list of operators: none taken yet."""


class Choices(NamedTuple):
    """What every replica has taken, by its number; replicas beyond have taken nothing."""

    taken: Tensor  # (B, D) int64, numbers of operators in the pool; NONE where there is none yet
    slopes: Tensor  # (B, D, M) slope of each operator of the pool when the d-th was to be taken; NaN where nobody looked

    @classmethod
    def none(cls, most: int, pool: int) -> Choices:
        """Of no replica, with room for so many operators out of so many."""
        return cls(torch.zeros(0, most, dtype=torch.int64), torch.zeros(0, most, pool, dtype=torch.float64))

    def upto(self, replicas: int) -> Choices:
        """With room for so many replicas."""
        missing = max(0, replicas - len(self.taken))
        taken = torch.cat([self.taken, self.taken.new_full((missing, self.taken.shape[1]), NONE)])
        return Choices(taken, torch.cat([self.slopes, self.slopes.new_full((missing, *self.slopes.shape[1:]), torch.nan)]))

    def of(self, rows: Tensor) -> Choices:
        """Of the replicas with these numbers."""
        room = self.upto(int(rows.max()) + 1 if len(rows) else 0)
        return Choices(room.taken[rows], room.slopes[rows])

    @property
    def depth(self) -> Tensor:
        """Operators taken, (B,)."""
        return (self.taken != NONE).sum(dim=1)

    @property
    def looks(self) -> Tensor:
        """Growths so far, also one that took nothing, (B,)."""
        return (~self.slopes[:, :, 0].isnan()).sum(dim=1)
