"""A noisy valley whose gradient is measured component by component."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from tests.core.valleys import Sampling
from torch import Tensor

from thalweg_core.landscape import COMPONENTS, LIPSCHITZ, Capabilities, Cost, Evaluation
from thalweg_core.streams import Stream


@dataclass(frozen=True)
class Components(Sampling):
    """U = Σ x_i² / (2 σ_i²), each ∂U/∂x_i seen by samples of its own with the variance spreads_i²/n, two shots for each."""

    offers: ClassVar[Capabilities] = Sampling.offers | {COMPONENTS, LIPSCHITZ}

    spreads: tuple[float, ...] = (1.0,)

    @property
    def lipschitz(self) -> float:
        return max(1 / scale**2 for scale in self.scales)

    def evaluate_components(self, x: Tensor, rng: Stream, samples: Tensor) -> Evaluation:
        variance = x.new_tensor(self.spreads).square() / samples.to(x)
        grad = self._slope(x) + variance.sqrt() * rng.named("components").normal_like(x)
        cost = Cost.of(x, evaluations=1, gradients=1, circuits=2 * x.shape[1])._replace(shots=2 * samples.sum(dim=1))
        return Evaluation(torch.full_like(x[:, 0], torch.nan), grad, torch.full_like(x[:, 0], torch.inf), variance, cost)
