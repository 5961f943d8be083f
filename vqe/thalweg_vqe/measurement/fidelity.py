"""How close two states of a circuit are, |⟨ψ(φ')|ψ(φ)⟩|²: measured by running it forwards at φ and backwards at φ'."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from thalweg_core.streams import Stream
from thalweg_vqe.engines.choosing import return_probability
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.engines.noiseless import NoiselessEngine
from thalweg_vqe.engines.overlap import forth_and_back
from thalweg_vqe.engines.sampler import GroupEnergies, Sampler
from thalweg_vqe.pauli.program import Program


@dataclass(frozen=True)
class Fidelity:
    """Pairs of states of one circuit.

    Args:
        exact: what computes the probability to come back.
        sampler: what measures it: one circuit for a pair, a shot one trial.
    """

    exact: NoiselessEngine
    sampler: Sampler

    @classmethod
    def of(cls, program: Program, estimator: Estimator) -> Fidelity:
        return cls(*return_probability(forth_and_back(program), 1.0, estimator))

    def between(self, there: Tensor, back: Tensor) -> Tensor:
        """Without noise, from parameters: (B, P), (B, P) -> (B,)."""
        return self.exact.energies(torch.cat([there, back], dim=1))

    def measured(self, there: Tensor, back: Tensor, shots: Tensor, rng: Stream) -> GroupEnergies:
        """K pairs of each replica by shots (B, K), from angles: (B, K, R), (B, K, R) -> (B, K)."""
        in_order = torch.cat([there, -back.flip(-1)], dim=2)
        looks = self.sampler.points(in_order, shots[:, :, None], rng)
        return GroupEnergies(looks.mean[:, :, 0], looks.variance[:, :, 0])
