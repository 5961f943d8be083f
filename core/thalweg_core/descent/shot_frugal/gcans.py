"""gCANS: steepest descent with samples for each component, as many as gain most for all together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from thalweg_core.descent.shot_frugal.rules import (
    Choice,
    FrugalState,
    Statistics,
    begin,
    best_samples,
    check,
    descended,
    lipschitz_of,
    next_cost,
)
from thalweg_core.landscape import (
    ALLOCATIONS,
    COMPONENTS,
    FLAT,
    GRADIENT,
    LIPSCHITZ,
    SAMPLES,
    Capabilities,
    Cost,
    Landscape,
    allocated,
    sampled,
)
from thalweg_core.method import FEWER_FIRST, Goal, Info, Method
from thalweg_core.numbers.rows import per_row, row_sum
from thalweg_core.ranges import one_of
from thalweg_core.streams import Stream


@dataclass(frozen=True)
class Gcans(Method):
    """Global coupled adaptive number of samples: plain descent, and samples by which the whole gradient gains most for each.

        x <- x - α g,   χ_i, ξ_i: running means of g_i and of the variance of one sample, corrected for their start

        s_i = ⌈2Lα/(2 - Lα) √ξ_i Σ_j √ξ_j / |χ|²⌉,   none fewer than s_min, nor more than ten times those of the evaluation before

    in natural units of the coordinates, 1/(ω R) for harmonics of ω up to R. Where all components come from the same samples,
    such as rows of a mini-batch, s = ⌈2Lα/(2 - Lα) Σ_j ξ_j / |χ|²⌉, by the same reasoning. Exact evaluations: steepest descent.

    Args:
        learning_rate: α L; below 2. The paper takes 1; 0.5 was better on two small molecules, from a coarse grid.
        lipschitz: L, above the second derivatives along the coordinates in their natural units, in units of U; left out, the
            bound that the landscape knows: for a circuit the sum of its Hamiltonian's |coefficients| without the identity's.
        first_samples: s_min, such as shots of each circuit.
        memory: μ of the running means.
        allocation: how samples are divided over what is measured separately: "measured", by the spread seen, or "equal".

    Source: Gu, Lowe, Dub, Coles & Arrasmith, arXiv:2108.10434.
    """

    learning_rate: float = 0.5
    lipschitz: float | None = None
    first_samples: int = 2
    memory: float = 0.99
    allocation: str = "measured"

    cheaper: ClassVar[str] = FEWER_FIRST
    needs: ClassVar[Capabilities] = frozenset({GRADIENT, LIPSCHITZ, FLAT})
    goal: ClassVar[Goal] = Goal.MINIMUM
    State: ClassVar[type] = FrugalState

    def __post_init__(self) -> None:
        check(self.learning_rate, self.lipschitz, self.first_samples, self.memory)
        one_of("allocation", self.allocation, ALLOCATIONS)

    def carries(self, size: int) -> int:
        """Numbers beside x and the evaluation there: the statistics of the gradient, and samples."""
        return 3 * size + 1

    def init(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None) -> FrugalState:
        first = None
        if (asked := sampled(landscape)) is not None:
            least = max(self.first_samples, asked.fewest)
            like = x[:, 0] if landscape.offer(COMPONENTS) is None else x
            first = torch.full_like(like, least, dtype=torch.int64)
        return begin(allocated(landscape, self.allocation), x, rng, first)

    def step(self, landscape: Landscape, state: FrugalState, rng: Stream) -> tuple[FrugalState, Info]:
        return descended(self._rule(landscape), allocated(landscape, self.allocation), state, rng)

    def next_cost(self, landscape: Landscape, state: FrugalState) -> Cost:
        """An evaluation with the samples that the next step will choose."""
        return next_cost(self._rule(landscape), landscape, state)

    def _rule(self, landscape: Landscape) -> GlobalRule:
        lipschitz = lipschitz_of(landscape, self.lipschitz)
        asked = landscape.offer(SAMPLES)
        least = self.first_samples if asked is None else max(self.first_samples, asked.fewest)
        return GlobalRule(self.learning_rate / lipschitz, lipschitz, self.memory, least)


@dataclass(frozen=True)
class GlobalRule:
    """The samples by which the whole gradient gains most for each: α, L, μ and s_min as those of the method."""

    rate: float
    lipschitz: float
    memory: float
    least: int

    def choose(self, after: Statistics, before: Statistics, samples: Tensor) -> Choice:
        slope, variance = after.means
        signal, rate = row_sum(slope.square()), self.rate * self.lipschitz
        if samples.dim() == 1:
            wanted = best_samples(row_sum(variance), signal, rate)
        else:
            spread = variance.sqrt()
            wanted = best_samples(spread * per_row(row_sum(spread), spread), per_row(signal, spread), rate)
        return Choice(self.rate, wanted.clamp_min(float(self.least)).to(torch.int64))
