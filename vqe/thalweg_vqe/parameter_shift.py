"""Energies and slopes from a simulator that runs circuits one point after the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thalweg_core.streams import Stream
from thalweg_vqe.shots import Seen

Floats = NDArray[np.float64]


class Runner(Protocol):
    """Something that runs measured circuits."""

    @property
    def circuits(self) -> tuple[object, ...]:
        """One for each group of words measured together."""
        ...

    def energies(self, angles: Floats, shots: int, seed: int) -> tuple[Floats, Floats]:
        """Sample means of H and their variances (Ha, Ha²): (K, R) -> (K,), (K,)."""
        ...


@dataclass(frozen=True)
class ParameterShift:
    """Each replica is a run of its own, of the circuits at its point and at the 2R points turned by ±π/2.

    Args:
        runner: what runs them.
    """

    runner: Runner

    @property
    def groups(self) -> int:
        """Circuits that one energy takes."""
        return len(self.runner.circuits)

    def energies(self, angles: Tensor, shots: int, rng: Stream) -> tuple[Tensor, Tensor]:
        """U and the variance of the estimate: (B, R) -> (B,), (B,)."""
        mean, variance = self._look(angles, _alone, shots, rng)
        return mean[:, 0], variance[:, 0]

    def gradients(self, angles: Tensor, shots: int, rng: Stream) -> Seen:
        """U and its slopes, with their variances."""
        return Seen.of_points(*self._look(angles, _shifted, shots, rng))

    def _look(self, angles: Tensor, points: Callable[[Floats], Floats], shots: int, rng: Stream) -> tuple[Tensor, Tensor]:
        seeds = rng.seeds(2).tolist()
        rows: Floats = angles.cpu().numpy()
        looks = [self.runner.energies(points(row), shots, high << 31 | low) for row, (high, low) in zip(rows, seeds, strict=True)]
        mean, variance = (torch.from_numpy(np.stack(column)).to(angles) for column in zip(*looks, strict=True))
        return mean, variance


def _alone(angles: Floats) -> Floats:
    """The point itself: (R,) -> (1, R)."""
    return angles[None]


def _shifted(angles: Floats) -> Floats:
    """The point, then every angle turned by +π/2, then every angle turned by -π/2: (R,) -> (2R + 1, R)."""
    turns = np.eye(len(angles)) * (math.pi / 2)
    return np.concatenate([angles[None], angles + turns, angles - turns])
