"""Steepest descent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

from torch import Tensor

from thalweg_core.landscape import GRADIENT, LIPSCHITZ, Capabilities, Evaluation, Landscape, above_reference
from thalweg_core.method import Goal, Info, Method
from thalweg_core.noise.natural_units import natural_units
from thalweg_core.noise.stagnation import Standstill, begin_standstill, remark, watched
from thalweg_core.ranges import positive
from thalweg_core.streams import Stream


class GradientDescentState(NamedTuple):
    x: Tensor  # (B, *E) where the replicas stand
    seen: Evaluation  # what the landscape showed there
    watch: Standstill  # whether the energy still falls


@dataclass(frozen=True)
class GradientDescent(Method):
    """Steepest descent: a step along the tangent gradient, back onto the manifold.

        x <- R_x(-η u² grad U),   u: the natural unit of each coordinate, 1/(ω R) for harmonics of ω up to R, else 1

    On a quadratic valley it converges where η < 2 / (largest curvature), each direction by the factor 1 - η · curvature. Under
    noise of variance v it does not come to rest: the energy of a direction with curvature h ends η v / (2 (2 - η h)) above the
    bottom on average, and to halve that takes half the rate or twice the samples.

    Args:
        learning_rate: η, in units of x² / U, x measured in natural units; left out, 1/L where the landscape knows a Lipschitz
            constant L of its gradient, else 0.01.

    Source: Cauchy, C. R. Acad. Sci. Paris 25 (1847) 536; on manifolds Absil, Mahony, Sepulchre (2008), ch. 4.
    """

    learning_rate: float | None = None

    needs: ClassVar[Capabilities] = frozenset({GRADIENT})
    goal: ClassVar[Goal] = Goal.MINIMUM
    State: ClassVar[type] = GradientDescentState

    def __post_init__(self) -> None:
        if self.learning_rate is not None:
            positive("learning_rate", self.learning_rate)

    def carries(self, size: int) -> int:
        """Numbers beside x and the evaluation there: of the energies so far."""
        return 4

    def init(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None) -> GradientDescentState:
        seen = landscape.evaluate(x, rng)
        return GradientDescentState(x, seen, begin_standstill(seen))

    def step(self, landscape: Landscape, state: GradientDescentState, rng: Stream) -> tuple[GradientDescentState, Info]:
        unit = natural_units(landscape, state.x)
        downhill = -self._rate(landscape) * unit * unit * landscape.manifold.tangent(state.x, state.seen.grad)
        x = landscape.manifold.retract(state.x, downhill)
        seen = landscape.evaluate(x, rng)
        return GradientDescentState(x, seen, watched(state.watch, seen)), Info.plain(seen.cost, seen.value)

    def remarks(self, landscape: Landscape, state: GradientDescentState) -> list[str]:
        """Where evaluations are noisy: whether the last steps brought anything."""
        return remark(state.watch, above_reference(landscape, state.x)) if landscape.noisy else [""] * len(state.x)

    def resolved(self, landscape: Landscape) -> GradientDescent:
        """The same with its learning rate chosen."""
        return replace(self, learning_rate=self._rate(landscape))

    def _rate(self, landscape: Landscape) -> float:
        if self.learning_rate is not None:
            return self.learning_rate
        smooth = landscape.offer(LIPSCHITZ)
        return 0.01 if smooth is None else 1 / smooth.lipschitz
