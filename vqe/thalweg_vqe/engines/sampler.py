"""What it is to measure circuits by shots: any points, each in every group by as many shots as are asked for.

Shapes: B replicas, K points of each, G groups of words measured together, R rotations that have a parameter.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from thalweg_core.streams import Stream


class GroupEnergies(NamedTuple):
    """What shots show of every point in every group: the terms of  U = constant + Σ_g U_g.

    No shots: the mean is NaN, its variance infinite. One shot alone: the variance of its mean is not known, infinite.
    """

    mean: Tensor  # (B, K, G) of the energy of the group's words (Ha)
    variance: Tensor  # (B, K, G) of that mean (Ha²), with the covariance of words measured together


class Sampler(Protocol):
    """An engine that measures by shots, each replica by its own random numbers.

    What a replica shows is the same to the bit whoever is measured beside it; every point and group is measured
    independently of all others, equal points too. The identity's constant is none of its business.
    """

    @property
    def groups(self) -> int:
        """G, circuits that one energy takes."""
        ...

    @property
    def weights(self) -> Tensor:
        """Σ|c| of the words of every group (Ha), (G,) float64: how often a group is drawn where shots draw theirs."""
        ...

    def points(self, angles: Tensor, shots: Tensor, rng: Stream) -> GroupEnergies:
        """Any K points of each replica: angles (B, K, R) in rad, shots (B, K, G) int64.

        Cheapest where they agree with the replica's first point in the first rotations of the circuit, to the bit.
        """
        ...

    def shifted(self, angles: Tensor, shots: Tensor, rng: Stream) -> GroupEnergies:
        """The point itself, then every angle turned by +π/2, then every angle by -π/2:  K = 1 + 2R.

        angles (B, R), shots (B, 1 + 2R, G): where they are 0 nothing is measured, and no time spent on it.
        """
        ...


def shifted_angles(angles: Tensor) -> Tensor:
    """The points of `Sampler.shifted`: (B, R) -> (B, 1 + 2R, R)."""
    turns = torch.eye(angles.shape[1], dtype=angles.dtype, device=angles.device) * (torch.pi / 2)
    here = angles[:, None]
    return torch.cat([here, here + turns, here - turns], dim=1)


def sampled(total: Tensor, spread: Tensor, shots: Tensor) -> GroupEnergies:
    """From sums over shots: Σ e and Σ (e - mean)² of their energies e, (…) each."""
    mean = total / shots  # 0/0 is NaN
    variance = torch.where(shots > 1, spread / (shots * (shots - 1)), torch.inf)
    return GroupEnergies(mean, variance)
