"""Circuits that nobody runs: what looks at a landscape cost, from the circuit and the groups alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from thalweg_core.streams import Stream
from thalweg_vqe.engines.sampler import GroupEnergies
from thalweg_vqe.pauli.words import Hermitian


class BlankEngine:
    """Zeros: an `noiseless.NoiselessEngine`."""

    def energies(self, theta: Tensor) -> Tensor:
        return theta.new_zeros(len(theta))

    def gradients(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        return theta.new_zeros(len(theta)), torch.zeros_like(theta)

    def metric(self, theta: Tensor) -> Tensor:
        return theta.new_zeros(len(theta), theta.shape[1], theta.shape[1])

    def measuring(self, observable: Hermitian) -> BlankEngine:
        return self


@dataclass(frozen=True)
class BlankSampler:
    """Zeros without spread: a `sampler.Sampler`.

    Args:
        weights: Σ|c| of every group.
    """

    weights: Tensor

    @property
    def groups(self) -> int:
        """Circuits that one energy takes."""
        return len(self.weights)

    def points(self, angles: Tensor, shots: Tensor, rng: Stream) -> GroupEnergies:
        return self._looks(shots)

    def shifted(self, angles: Tensor, shots: Tensor, rng: Stream) -> GroupEnergies:
        return self._looks(shots)

    def _looks(self, shots: Tensor) -> GroupEnergies:
        zeros = torch.zeros(shots.shape, dtype=torch.float64)
        return GroupEnergies(zeros, zeros)
