"""What the densities share as problems: exact energies in flat space, that are pure numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, TypeVar

from torch import Tensor

from thalweg_core.landscape import (
    COMPONENTS,
    EXACT_VALUE,
    FLAT,
    GRADIENT,
    GRADIENT_ALONE,
    HARMONICS,
    LIPSCHITZ,
    METRIC,
    STATES,
    VALUE,
    Capabilities,
    EnergyEstimate,
    Evaluation,
    Offers,
    Samples,
    value_of,
)
from thalweg_core.manifold import Euclidean
from thalweg_core.numbers.rows import row_max
from thalweg_core.problem import Observed, Problem, Traits
from thalweg_core.streams import Stream

KNOWN = frozenset({VALUE, EXACT_VALUE, GRADIENT, FLAT})

LACKING = {
    HARMONICS: "is not periodic in its coordinates, so it has no harmonics",
    STATES: "has points, not quantum states, to compare",
}
"""What no density can be asked, and why."""


class FlatLandscape(Offers, ABC):
    """A landscape on R^d of which energy and gradient are known exactly. Shapes: x (B, d) -> value (B,), gradient (B, d)."""

    manifold: ClassVar[Euclidean] = Euclidean()
    noisy: ClassVar[bool] = False
    width: ClassVar[int] = 1
    offers: ClassVar[Capabilities] = frozenset({GRADIENT_ALONE})

    @abstractmethod
    def energy(self, x: Tensor) -> Tensor:
        """U, (B,)."""

    @abstractmethod
    def gradient(self, x: Tensor) -> Tensor:
        """∇U, (B, d)."""

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        return Evaluation.exact(self.energy(x), self.gradient(x))


F = TypeVar("F", bound=FlatLandscape)


class Density(Problem[F]):
    """A problem whose landscape is a FlatLandscape."""

    def final(self, landscape: F, x: Tensor, rng: Stream) -> EnergyEstimate:
        """The energy, exact."""
        return value_of(landscape, x, rng)

    def observe(self, landscape: F, x: Tensor) -> dict[str, Observed]:
        """How far from a stationary point."""
        return {"gradient_norm": Observed.exact(row_max(landscape.gradient(x).abs()))}


def small(dimension: int) -> Traits:
    """Traits of a density that keeps nothing but a handful of vectors."""
    lacks = LACKING | {
        COMPONENTS: "is exact: there are no samples to divide over components",
        LIPSCHITZ: "tells no bound on its curvature",
        METRIC: "has coordinates that are no parameters of a distribution, so they have no metric",
    }
    return Traits(knows=KNOWN, lacks=lacks, dimension=dimension, memory=64 * dimension, memory_per_replica=128 * dimension)
