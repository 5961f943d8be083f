"""What the densities share as problems: exact energies in flat space, that are pure numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from torch import Tensor

from thalweg_core.landscape import (
    COMPONENTS,
    EXACT_VALUE,
    FLAT,
    GRADIENT,
    HARMONICS,
    LIPSCHITZ,
    METRIC,
    STATES,
    VALUE,
    Evaluation,
    Landscape,
    Reading,
    Samples,
    value_of,
)
from thalweg_core.manifold import Euclidean
from thalweg_core.numbers.rows import row_max
from thalweg_core.problem import File, Observed, Traits
from thalweg_core.streams import Stream

KNOWN = frozenset({VALUE, EXACT_VALUE, GRADIENT, FLAT})

LACKING = {
    HARMONICS: "is not periodic in its coordinates, so it has no harmonics",
    STATES: "has points, not quantum states, to compare",
}
"""What no density can be asked, and why."""


class FlatLandscape(ABC):
    """A landscape on R^d of which energy and gradient are known exactly. Shapes: x (B, d) -> value (B,), gradient (B, d)."""

    manifold: ClassVar[Euclidean] = Euclidean()
    noisy: ClassVar[bool] = False
    width: ClassVar[int] = 1

    @abstractmethod
    def energy(self, x: Tensor) -> Tensor:
        """U, (B,)."""

    @abstractmethod
    def gradient(self, x: Tensor) -> Tensor:
        """∇U, (B, d)."""

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        return Evaluation.exact(self.energy(x), self.gradient(x))


class Density(ABC):
    """A problem whose landscape is a FlatLandscape."""

    @abstractmethod
    def coordinates(self) -> list[str]:
        """Names of the coordinates."""

    @abstractmethod
    def traits(self) -> Traits:
        """What can be told before the landscape is opened."""

    def final(self, landscape: Landscape, x: Tensor, rng: Stream) -> Reading:
        """The energy, exact."""
        return value_of(landscape, x, rng)

    def observe(self, landscape: FlatLandscape, x: Tensor) -> dict[str, Observed]:
        """How far from a stationary point."""
        return {"gradient_norm": Observed.exact(row_max(landscape.gradient(x).abs()))}

    def files(self, landscape: Landscape, start: Tensor, end: Tensor) -> Iterable[File]:
        return ()


def small(dimension: int) -> Traits:
    """Traits of a density that keeps nothing but a handful of vectors."""
    lacks = LACKING | {
        COMPONENTS: "is exact: there are no samples to divide over components",
        LIPSCHITZ: "tells no bound on its curvature",
        METRIC: "has coordinates that are no parameters of a distribution, so they have no metric",
    }
    return Traits(knows=KNOWN, lacks=lacks, dimension=dimension, memory=64 * dimension, memory_per_replica=128 * dimension)
