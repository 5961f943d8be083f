"""Steepest descent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from torch import Tensor

from thalweg_core.kernel import Goal, Info
from thalweg_core.landscape import GRADIENT, Capability, Evaluation, Landscape
from thalweg_core.ranges import positive
from thalweg_core.streams import Stream


class GradientDescentState(NamedTuple):
    x: Tensor  # (B, *E) where the replicas stand
    seen: Evaluation  # what the landscape showed there


@dataclass(frozen=True)
class GradientDescent:
    """Steepest descent: a step along the tangent gradient, back onto the manifold.

        x <- R_x(-η grad U)

    On a quadratic valley it converges where η < 2 / (largest curvature), each direction by the factor 1 - η · curvature.

    Args:
        learning_rate: η, in units of x² / U.

    Source: Cauchy, C. R. Acad. Sci. Paris 25 (1847) 536; on manifolds Absil, Mahony, Sepulchre (2008), ch. 4.
    """

    learning_rate: float = 0.01

    needs: ClassVar[frozenset[Capability]] = frozenset({GRADIENT})
    goal: ClassVar[Goal] = Goal.MINIMUM
    State: ClassVar[type] = GradientDescentState

    def __post_init__(self) -> None:
        positive("learning_rate", self.learning_rate)

    def init(self, landscape: Landscape, x: Tensor, rng: Stream) -> GradientDescentState:
        return GradientDescentState(x, landscape.evaluate(x, rng))

    def step(self, landscape: Landscape, state: GradientDescentState, rng: Stream) -> tuple[GradientDescentState, Info]:
        downhill = -self.learning_rate * landscape.manifold.tangent(state.x, state.seen.grad)
        x = landscape.manifold.retract(state.x, downhill)
        seen = landscape.evaluate(x, rng)
        return GradientDescentState(x, seen), Info.plain(seen.cost, seen.value)
