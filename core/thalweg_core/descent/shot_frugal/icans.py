"""iCANS: steepest descent with samples of its own for each component, as many as gain most for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from thalweg_core.descent.shot_frugal.rules import FrugalState, IndividualRule, begin, check, descended, lipschitz_of, next_cost
from thalweg_core.errors import BadInput
from thalweg_core.landscape import ALLOCATIONS, COMPONENTS, FLAT, LIPSCHITZ, Capabilities, Cost, Landscape, allocated
from thalweg_core.method import FEWER_FIRST, Goal, Info, Method
from thalweg_core.ranges import one_of, positive
from thalweg_core.streams import Stream

VARIANTS = (1, 2)


@dataclass(frozen=True)
class Icans(Method):
    """Individual coupled adaptive number of samples: plain descent, and a rule for the samples of each component.

        x_i <- x_i - α g_i,   χ_i, ξ_i: running means of g_i and of the variance of one sample, corrected for their start

        s_i = ⌈2Lα/(2 - Lα) ξ_i / (χ_i² + b μ^k)⌉
        γ_i = [(α - Lα²/2) χ_i² - (Lα²/2) ξ_i/s_i] / s_i,   what each sample is expected to gain at least

    None takes more samples than the component of the largest γ, none fewer than s_min, none more than ten times those of
    the evaluation before. All is in natural units of the coordinates, 1/(ω R) for harmonics of ω up to R.

    Variant 1 takes α as it is. Variant 2 is the cautious one: a component whose step is expected to lose takes the step of
    the largest gain, χ²/(L (χ² + ξ/s)), instead of α. Energies are not looked at on the way; no samples are spent on them.

    Args:
        learning_rate: α L; below 2. The paper takes 1; 0.5 was better on two small molecules, from a coarse grid.
        lipschitz: L, above the second derivatives along the coordinates in their natural units, in units of U; left out, the
            bound that the landscape knows: for a circuit the sum of its Hamiltonian's |coefficients| without the identity's.
        variant: 1, steps as they are, or 2, the cautious one.
        first_samples: s_min, such as shots of each circuit.
        memory: μ of the running means.
        bias: b, which keeps samples few while the means are young, in units of U².
        allocation: how samples are divided over what is measured separately: "measured", by the spread seen, or "equal".

    Source: Kübler, Arrasmith, Cincio & Coles, Quantum 4 (2020) 263.
    """

    learning_rate: float = 0.5
    lipschitz: float | None = None
    variant: int = 1
    first_samples: int = 2
    memory: float = 0.99
    bias: float = 1e-6
    allocation: str = "measured"

    cheaper: ClassVar[str] = FEWER_FIRST
    needs: ClassVar[Capabilities] = frozenset({COMPONENTS, LIPSCHITZ, FLAT})
    goal: ClassVar[Goal] = Goal.MINIMUM
    State: ClassVar[type] = FrugalState

    def __post_init__(self) -> None:
        check(self.learning_rate, self.lipschitz, self.first_samples, self.memory)
        if self.variant not in VARIANTS:
            raise BadInput("variant", f"wanted 1 or 2, got {self.variant}")
        positive("bias", self.bias)
        one_of("allocation", self.allocation, ALLOCATIONS)

    def carries(self, size: int) -> int:
        """Numbers beside x and the evaluation there: the statistics of the gradient, and samples."""
        return 3 * size + 1

    def init(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None) -> FrugalState:
        first = torch.full_like(x, self.first_samples, dtype=torch.int64)
        return begin(allocated(landscape, self.allocation), x, rng, first)

    def step(self, landscape: Landscape, state: FrugalState, rng: Stream) -> tuple[FrugalState, Info]:
        return descended(self._rule(landscape), allocated(landscape, self.allocation), state, rng)

    def next_cost(self, landscape: Landscape, state: FrugalState) -> Cost:
        """An evaluation with the samples that the next step will choose."""
        return next_cost(self._rule(landscape), landscape, state)

    def _rule(self, landscape: Landscape) -> IndividualRule:
        lipschitz = lipschitz_of(landscape, self.lipschitz)
        rate = self.learning_rate / lipschitz
        return IndividualRule(rate, lipschitz, self.memory, self.bias, self.first_samples, self.variant == 2)
