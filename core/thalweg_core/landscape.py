"""Landscapes: what a look at an energy shows, and what a landscape can be asked.

Shapes: B replicas, E the event shape of one point. Units: U is the landscape's own unit of energy, x its coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeAlias, TypeVar, cast

import torch
from torch import Tensor

from thalweg_core.manifold import Manifold
from thalweg_core.streams import Stream


class Cost(NamedTuple):
    """What was spent, by each replica: (B,) int64 each. Costs add with `plus`."""

    evaluations: Tensor  # energies looked at
    gradients: Tensor  # gradients looked at
    circuits: Tensor  # quantum circuits run
    shots: Tensor  # their repetitions, in all

    @classmethod
    def none(cls, x: Tensor) -> Cost:
        """Nothing spent yet, by as many replicas as x has rows."""
        return cls.of(x)

    @classmethod
    def of(cls, x: Tensor, evaluations: int = 0, gradients: int = 0, circuits: int = 0, shots: int = 0) -> Cost:
        """The same for every row of x."""
        counts = (evaluations, gradients, circuits, shots)
        return cls(*(torch.full((x.shape[0],), count, dtype=torch.int64, device=x.device) for count in counts))

    def plus(self, other: Cost) -> Cost:
        return Cost(*(a + b for a, b in zip(self, other, strict=True)))

    def times(self, count: int) -> Cost:
        return Cost(*(count * a for a in self))


T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Samples = int | Tensor
"""Shots or mini-batch size that an evaluation is asked to take: one number, or (B,) int64, each replica its own."""


class Evaluation(NamedTuple):
    """What one look at a landscape shows."""

    value: Tensor  # (B,)     U(x); NaN where not known
    grad: Tensor  # (B, *E)  ∇U in the ambient space, U / x; NaN with infinite variance where not known
    value_var: Tensor  # (B,)     variance of the estimate of U, 0 where exact
    grad_var: Tensor  # (B, *E)  variance of the estimate of ∇U, 0 where exact
    cost: Cost
    curvature: Tensor | None = None  # (B, *E)  ∂²U/∂x², where the samples of the gradient show it too

    @classmethod
    def exact(cls, value: Tensor, grad: Tensor) -> Evaluation:
        """An evaluation without noise, of one energy and one gradient."""
        cost = Cost.of(grad, evaluations=1, gradients=1)
        return cls(value, grad, torch.zeros_like(value), torch.zeros_like(grad), cost)


class EnergyEstimate(NamedTuple):
    """The energy alone."""

    value: Tensor  # (B,)
    value_var: Tensor  # (B,)
    cost: Cost


def unsloped(here: EnergyEstimate, x: Tensor) -> Evaluation:
    """What is seen where only the energy is looked at: no gradient."""
    unknown = torch.full_like(x, torch.nan)
    return Evaluation(here.value, unknown, here.value_var, torch.full_like(x, torch.inf), here.cost)


@dataclass(frozen=True)
class Capability(Generic[T_co]):
    """Something that a landscape may be asked beside its energy and gradient, and that a method may need.

    `landscape.offer(capability)` gives the object that can be asked, of the type T.

    Args:
        name: what `describe` lists.
        need: completes "method.NAME …", as in "compares energies exactly"; empty where no method insists on it.
        protocol: the type T; None where it says something of the energy or gradient itself, which every landscape can be asked.
    """

    name: str
    need: str = ""
    protocol: Any = None


Capabilities: TypeAlias = frozenset[Capability[Any]]


class Offers:
    """What landscapes are made from: each names what it can be asked. A wrapper overrides `offer`, for what it wraps."""

    offers: ClassVar[Capabilities] = frozenset()

    def offer(self, what: Capability[T]) -> T | None:
        """The object that can be asked this; None where there is none."""
        return cast(T, self) if what in self.offers else None


class Landscape(Protocol):
    """An energy U(x) on a manifold.

    `noisy` says whether two looks at one point may differ. `width` is how many rows must be computed together for the
    result to be the same to the bit whatever the batch: 1 where every row is computed by itself; see `chunks.in_chunks`.
    """

    @property
    def manifold(self) -> Manifold: ...

    @property
    def noisy(self) -> bool: ...

    @property
    def width(self) -> int: ...

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        """Energy and gradient at x (B, *E). samples: shots or mini-batch size asked for, else the landscape's own."""
        ...

    def offer(self, what: Capability[T]) -> T | None:
        """The object that can be asked this, mostly the landscape itself; None where there is none, and for a capability without
        a protocol: of those only the problem's traits tell."""
        ...


class Measurable(Protocol):
    """A landscape that can show the energy without the gradient."""

    def measure(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> EnergyEstimate: ...


class GradientOnly(Protocol):
    """A landscape that can show the exact gradient without the energy, which trajectories need between their ends."""

    def gradient(self, x: Tensor) -> Tensor: ...


class Sampled(Protocol):
    """A noisy landscape whose evaluations take as many samples as they are asked to: shots of a circuit, rows of a mini-batch.

    The unit of `samples` is the landscape's own, and what an evaluation costs in shots rises in proportion to it.
    """

    @property
    def samples(self) -> int:
        """What an evaluation takes that is asked for no number."""
        ...

    @property
    def fewest(self) -> int:
        """The least from which a variance can be told."""
        ...


class Allocates(Protocol):
    """A landscape whose samples fall into strata of different spread, such as groups of words measured together."""

    def allocated(self, allocation: str) -> Landscape:
        """The same with its samples divided over the strata "equal" (the same for all), "measured" (by the spread that a
        first share of them shows, Neyman) or "random" (each sample's stratum drawn, so that fewer samples than strata do)."""
        ...


ALLOCATIONS = ("measured", "equal")
"""Ways to divide samples over strata that a method may choose from."""


class Componentwise(Protocol):
    """A landscape whose gradient is measured component by component."""

    def evaluate_components(self, x: Tensor, rng: Stream, samples: Tensor) -> Evaluation:
        """The gradient with samples (B, *E) int64 of its own for each component; the value is not looked at (NaN)."""
        ...


class Harmonics(NamedTuple):
    """U as a function of one coordinate alone:  Σ_{l ≤ R} of cos and sin of l ω x.

    The natural unit of the coordinate is 1/(ω R).
    """

    base: Tensor  # (*E,) ω, 1/x
    number: Tensor  # (*E,) int64 R


class Periodic(Protocol):
    """A landscape that is a trigonometric polynomial in every coordinate."""

    @property
    def harmonics(self) -> Harmonics: ...


class Smooth(Protocol):
    """A landscape whose second derivatives are bounded."""

    @property
    def lipschitz(self) -> float:
        """L, above |∂²U/∂x²| of every coordinate in its natural unit: 1/(ω R) for harmonics of ω up to R, else 1."""
        ...


class Metric(Protocol):
    """A landscape on a statistical manifold, whose metric is known without noise."""

    def metric(self, x: Tensor) -> Tensor:
        """(B, P) -> (B, P, P), in 1/x²."""
        ...


class MetricEstimate(NamedTuple):
    """An estimate of the metric."""

    metric: Tensor  # (B, P, P), 1/x²; zero outside the blocks that were measured
    variance: Tensor  # (B, P, P) of each entry's estimate; zero where it is exact or was not measured
    cost: Cost


METRIC_FORMS = ("full", "block_diagonal", "diagonal")
"""How much of a metric is looked at: all of it, the blocks of coordinates that one sample shows together, the diagonal."""


class MeasurableMetric(Protocol):
    """A landscape whose metric can be measured by samples."""

    def measure_metric(self, x: Tensor, rng: Stream, samples: Samples, form: str = "block_diagonal") -> MetricEstimate:
        """As much of it as the form says (METRIC_FORMS); samples for each thing that is measured by itself, on average.

        What a reading of a form costs in shots rises in proportion to the samples.
        """
        ...


class Overlapping(Protocol):
    """A landscape of states, of which pairs can be compared."""

    def fidelity(self, x: Tensor, y: Tensor, rng: Stream, samples: Samples) -> EnergyEstimate:
        """|⟨ψ(x)|ψ(y)⟩|² of K pairs of each replica, each by so many samples: (B, K, P), (B, K, P) -> (B, K)."""
        ...


class HasDryRun(Protocol):
    """A noisy landscape of which it is known what evaluations cost before any is taken."""

    def dry_run(self) -> Landscape:
        """A landscape with the same methods and the same costs, whose numbers are placeholders: nothing is simulated.

        The numbers are finite. Gradients and shots cost what they cost here, to the shot; circuits about as much, where their
        number depends on what is measured. A dry run is its own dry run.
        """
        ...


class Referenced(Protocol):
    """A landscape whose lowest energy is known without any walk."""

    def above_reference(self, x: Tensor) -> list[str]:
        """How far each point (B, *E) truly lies above it, such as "87 mHa"; "" where it is not known."""
        ...


class Penalized(Protocol):
    """A landscape that may hold more than the energy that is measured at the end: then its ends cannot be compared."""

    @property
    def without_penalty(self) -> Landscape | None:
        """The landscape of the energy alone; None where U is that energy."""
        ...


VALUE = Capability[Landscape]("values", "compares energies")
EXACT_VALUE = Capability[Landscape]("exact values", "compares energies exactly")
GRADIENT = Capability[Landscape]("gradients", "follows gradients")
FLAT = Capability[Landscape]("flat space", "moves in flat space")
METRIC = Capability[Metric]("a metric", "follows a metric", Metric)
MEASURED_METRIC = Capability[MeasurableMetric]("a metric by samples", protocol=MeasurableMetric)
HARMONICS = Capability[Periodic]("harmonics", "minimizes one coordinate after the other by its harmonics", Periodic)
LIPSCHITZ = Capability[Smooth](
    "a Lipschitz constant", "chooses steps and samples by the Lipschitz constant of the gradient", Smooth
)
COMPONENTS = Capability[Componentwise](
    "components", "measures every component of the gradient by samples of its own", Componentwise
)
STATES = Capability[Overlapping]("states", "compares states", Overlapping)
ENERGY_ALONE = Capability[Measurable]("the energy without the gradient", protocol=Measurable)
GRADIENT_ALONE = Capability[GradientOnly]("the gradient without the energy", protocol=GradientOnly)
SAMPLES = Capability[Sampled]("samples", protocol=Sampled)
STRATA = Capability[Allocates]("strata", protocol=Allocates)
DRY_RUN = Capability[HasDryRun]("a dry run", protocol=HasDryRun)
REFERENCE = Capability[Referenced]("a reference energy", protocol=Referenced)
PENALTY = Capability[Penalized]("a penalty", protocol=Penalized)


def must_offer(landscape: Landscape, what: Capability[T]) -> T:
    """What a method's `needs` promise that there is. Raises TypeError where the landscape breaks that promise."""
    found = landscape.offer(what)
    if found is None:
        raise TypeError(f"{type(landscape).__name__} does not offer {what.name}")
    return found


def sampled(landscape: Landscape) -> Sampled | None:
    """The landscape where its evaluations take as many samples as they are asked to."""
    return landscape.offer(SAMPLES) if landscape.noisy else None


def allocated(landscape: Landscape, allocation: str) -> Landscape:
    """The landscape with its samples divided so, where it has strata to divide them over."""
    strata = landscape.offer(STRATA) if landscape.noisy else None
    return landscape if strata is None else strata.allocated(allocation)


def above_reference(landscape: Landscape, x: Tensor) -> list[str]:
    """What a sentence about each point may add: " 87 mHa above the reference", or "" where the landscape knows none."""
    known = landscape.offer(REFERENCE)
    gaps = [""] * len(x) if known is None else known.above_reference(x)
    return [f" {gap} above the reference" if gap else "" for gap in gaps]


def value_of(landscape: Landscape, x: Tensor, rng: Stream, samples: Samples | None = None) -> EnergyEstimate:
    """The energy by the cheapest way the landscape offers."""
    if (alone := landscape.offer(ENERGY_ALONE)) is not None:
        return alone.measure(x, rng, samples)
    seen = landscape.evaluate(x, rng, samples)
    return EnergyEstimate(seen.value, seen.value_var, seen.cost)
