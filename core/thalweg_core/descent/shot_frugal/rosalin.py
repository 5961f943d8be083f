"""Rosalin: iCANS with samples that draw what they measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from thalweg_core.descent.shot_frugal.rules import FrugalState, IndividualRule, begin, check, descended, lipschitz_of, next_cost
from thalweg_core.landscape import COMPONENTS, FLAT, LIPSCHITZ, Capabilities, Cost, Landscape, allocated
from thalweg_core.method import FEWER_FIRST, Goal, Info, Method
from thalweg_core.ranges import positive
from thalweg_core.streams import Stream


@dataclass(frozen=True)
class Rosalin(Method):
    """Random operator sampling for adaptive learning with individual numbers of samples.

    The samples of each component are chosen as by method.icans, variant 1. But a sample is a single shot of one circuit:
    each draws the group that it measures, with the probability p_g of the group's share of Σ|c|, and says energy/p_g
    (weighted random sampling). So a component may take fewer shots than there are groups. Words of a group are measured
    together, where the paper draws single words.

    Args:
        learning_rate: α L; below 2. The paper takes 1; 0.25 was better on two small molecules, from a coarse grid.
        lipschitz: L, above the second derivatives along the coordinates in their natural units, in units of U; left out, the
            bound that the landscape knows: for a circuit the sum of its Hamiltonian's |coefficients| without the identity's.
        first_samples: s_min, shots of each point.
        memory: μ of the running means.
        bias: b, which keeps samples few while the means are young, in units of U².

    Source: Arrasmith, Cincio, Somma & Coles, arXiv:2004.06252.
    """

    learning_rate: float = 0.25
    lipschitz: float | None = None
    first_samples: int = 2
    memory: float = 0.99
    bias: float = 1e-6

    cheaper: ClassVar[str] = FEWER_FIRST
    needs: ClassVar[Capabilities] = frozenset({COMPONENTS, LIPSCHITZ, FLAT})
    goal: ClassVar[Goal] = Goal.MINIMUM
    State: ClassVar[type] = FrugalState

    def __post_init__(self) -> None:
        check(self.learning_rate, self.lipschitz, self.first_samples, self.memory)
        positive("bias", self.bias)

    def carries(self, size: int) -> int:
        """Numbers beside x and the evaluation there: the statistics of the gradient, and samples."""
        return 3 * size + 1

    def init(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None) -> FrugalState:
        first = torch.full_like(x, self.first_samples, dtype=torch.int64)
        return begin(allocated(landscape, "random"), x, rng, first)

    def step(self, landscape: Landscape, state: FrugalState, rng: Stream) -> tuple[FrugalState, Info]:
        return descended(self._rule(landscape), allocated(landscape, "random"), state, rng)

    def next_cost(self, landscape: Landscape, state: FrugalState) -> Cost:
        """An evaluation with the samples that the next step will choose."""
        return next_cost(self._rule(landscape), landscape, state)

    def _rule(self, landscape: Landscape) -> IndividualRule:
        lipschitz = lipschitz_of(landscape, self.lipschitz)
        return IndividualRule(self.learning_rate / lipschitz, lipschitz, self.memory, self.bias, self.first_samples, False)
