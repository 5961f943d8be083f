"""Slopes along random directions: two energies show one number of a gradient, however many coordinates there are."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import torch
from torch import Tensor

from thalweg_core.landscape import Cost, EnergyEstimate, Evaluation, Landscape, sampled, unsloped, value_of
from thalweg_core.noise.natural_units import natural_units
from thalweg_core.noise.sample_sizes import SampleRule, SampleSize
from thalweg_core.numbers.rows import per_row, row_max
from thalweg_core.ranges import at_least, between, not_negative, positive, whole_between
from thalweg_core.streams import Stream

LENGTHS = (1e-4, 1e4)
"""Perturbations, in natural units, whose inverse squares are still numbers after any number of steps. Arbitrary."""

MANY = 10_000
"""Upper limit of the slopes of a step or a pilot; the budget is checked between steps only. Arbitrary."""

HERE = 0.25
"""Samples of the energy where a step has led, for each of an energy of a slope, where no step is judged by it. Arbitrary."""

FEWEST = 2
"""Samples from which a variance can be told."""


class Slopes(NamedTuple):
    """What pairs of energies show of a gradient, coordinates in their natural units."""

    uphill: Tensor  # (B, *E) mean of the slopes times their signs: on average u ∂U, up to third derivatives
    square: Tensor  # (B,) mean square of the slopes
    variance: Tensor  # (B,) mean variance of a slope
    cost: Cost


class SpsaProgress(NamedTuple):
    """Where a walk by slopes stands."""

    gain: Tensor  # (B,) a, in natural units squared over U
    steps: Tensor  # (B,) int64: taken so far, those taken back among them
    size: SampleSize | None  # samples of each energy, their price that of one energy; None where their number is not chosen
    one: Cost  # what an energy costs that takes as many samples as the first


@dataclass(frozen=True)
class Perturbation:
    """How slopes are taken, and by which gains they are followed.

        s = [U(x + c_k uΔ) - U(x - c_k uΔ)] / 2c_k,   Δ random signs,   a_k = a / (A + k + 1)^α,   c_k = c / (k + 1)^γ

    Args:
        first_step: length of the first steps in each coordinate, in its natural unit u; a pilot of slopes sets a by it.
        perturbation: c.
        gain_decay: α.
        perturbation_decay: γ.
        stability: A.
        resamplings: slopes averaged for a step.
        calibration: slopes of the pilot.
        blocking: standard errors by which the energy may rise in a step that is kept; 0: every step is.
        first_samples: samples of each energy at first.
        growth: steps for which all samples spent so far would pay; 0: their number stays.

    Sources: Spall, IEEE Trans. Autom. Control 37 (1992) 332; gains and blocking: Johns Hopkins APL Tech. Dig. 19 (1998) 482.
    """

    first_step: float
    perturbation: float
    gain_decay: float
    perturbation_decay: float
    stability: float
    resamplings: int
    calibration: int
    blocking: float
    first_samples: int
    growth: float

    @classmethod
    def of(cls, method: Any) -> Perturbation:
        """That of a method which has these fields under the same names."""
        return cls(**{field.name: getattr(method, field.name) for field in fields(cls)})

    def __post_init__(self) -> None:
        positive("first_step", self.first_step)
        between("perturbation", self.perturbation, *LENGTHS)
        for name in ("gain_decay", "perturbation_decay"):
            between(name, getattr(self, name), 0.0, 1.0)
        for name in ("stability", "blocking", "growth"):
            not_negative(name, getattr(self, name))
        for name in ("resamplings", "calibration"):
            whole_between(name, getattr(self, name), 1, MANY)
        at_least("first_samples", self.first_samples, 2)

    def begin(self, landscape: Landscape, x: Tensor, rng: Stream) -> tuple[Evaluation, SpsaProgress]:
        """The energy at x (B, *E), and the gain that a pilot of slopes sets; the cost includes the pilot's."""
        size = None
        if (asked := sampled(landscape)) is not None:
            number = torch.full((len(x),), float(max(self.first_samples, asked.fewest)), dtype=torch.float64, device=x.device)
            size = SampleSize(number, number, torch.zeros_like(number), number.to(torch.int64))
        here = value_of(landscape, x, rng.named("here"), size and size.asked)
        pilot = self._mean(
            landscape, x, rng.named("pilot"), torch.full_like(here.value, self.perturbation), self.calibration, size
        )
        cost = here.cost.plus(pilot.cost)
        if size is not None:
            size = size._replace(price=here.cost.shots / size.number.floor(), spent=cost.shots)
        typical = torch.maximum(pilot.square - pilot.variance, pilot.square / 4).sqrt()  # the quarter is arbitrary
        scale = self._power(torch.full_like(typical, self.stability + 1), self.gain_decay)
        gain = torch.where(typical > 0, self.first_step * scale / torch.where(typical > 0, typical, 1.0), 0.0)
        return unsloped(here, x)._replace(cost=cost), SpsaProgress(gain, torch.zeros_like(cost.shots), size, here.cost)

    def slopes(self, landscape: Landscape, x: Tensor, rng: Stream, here: SpsaProgress) -> Slopes:
        """Those of the next step from x (B, *E)."""
        return self._mean(landscape, x, rng, self.length(here), self.resamplings, here.size)

    def length(self, here: SpsaProgress) -> Tensor:
        """c_k, (B,), in natural units of the coordinates."""
        return self.perturbation / self._power((here.steps + 1).to(here.gain), self.perturbation_decay)

    def rate(self, here: SpsaProgress) -> Tensor:
        """a_k, (B,): a step per slope, natural units squared over U."""
        return here.gain / self._power(here.steps.to(here.gain) + self.stability + 1, self.gain_decay)

    def look(self, landscape: Landscape, x: Tensor, rng: Stream, here: SpsaProgress) -> EnergyEstimate:
        """The energy at x (B, *E), where a step has led: by a quarter of the samples where no step is judged by it."""
        return value_of(landscape, x, rng, here.size and self._own(here.size))

    def kept(self, new: EnergyEstimate, old: Evaluation) -> Tensor:
        """Whether a step is kept that led from the one energy to the other, (B,) bool."""
        if not self.blocking:
            return torch.ones_like(new.value, dtype=torch.bool)
        return new.value <= old.value + self.blocking * (new.value_var + old.value_var).sqrt()

    def stepped(self, here: SpsaProgress, cost: Cost) -> SpsaProgress:
        """After a step that cost so much."""
        size = here.size
        if size is not None:
            grown = SampleRule(growth=self.growth).grown(size, cost)
            assert grown is not None
            size = grown._replace(price=size.price)
        return here._replace(steps=here.steps + 1, size=size)

    def forecast(self, here: SpsaProgress) -> Cost:
        """What the next step will cost."""
        cost = here.one.times(2 * self.resamplings + 1)
        if here.size is None:
            return cost
        asked = 2 * self.resamplings * here.size.asked + self._own(here.size)
        return cost._replace(shots=(here.size.price * asked).ceil().to(torch.int64))

    def _own(self, size: SampleSize) -> Tensor:
        """Samples of the energy where the walk stands, (B,)."""
        return size.asked if self.blocking else (HERE * size.number).floor().clamp_min(FEWEST).to(torch.int64)

    def _mean(self, landscape: Landscape, x: Tensor, rng: Stream, length: Tensor, number: int, size: SampleSize | None) -> Slopes:
        """Of so many slopes at the distance c (B,)."""
        uphill, square, variance, cost = torch.zeros_like(x), torch.zeros_like(length), torch.zeros_like(length), Cost.none(x)
        for one in range(number):
            delta = signs(x, rng.named("signs", one))
            way = per_row(length, x) * landscape.manifold.tangent(x, natural_units(landscape, x) * delta)
            up, down = (
                value_of(landscape, landscape.manifold.retract(x, end), rng.named(name, one), size and size.asked)
                for name, end in (("up", way), ("down", -way))
            )
            slope = (up.value - down.value) / (2 * length)
            uphill = uphill + per_row(slope, x) * delta / number
            square = square + slope * slope / number
            variance = variance + (up.value_var + down.value_var) / (4 * length * length) / number
            cost = cost.plus(up.cost).plus(down.cost)
        return Slopes(uphill, square, variance, cost)

    @staticmethod
    def _power(base: Tensor, exponent: float) -> Tensor:
        """base^exponent: a power by itself may round differently in a wider batch."""
        return torch.exp(exponent * torch.log(base))


def signs(x: Tensor, rng: Stream) -> Tensor:
    """+1 or -1 for every coordinate, each with probability 1/2, of the shape of x (B, *E)."""
    return 1.0 - 2.0 * (rng.words(x[0].numel()) & 1).to(x).reshape(x.shape)


def capped(step: Tensor, longest: float) -> Tensor:
    """A step (B, *E) in natural units of which no coordinate is longer than this; 0: as it is."""
    if not longest:
        return step
    most = row_max(step.abs())
    return per_row((longest / torch.where(most > 0, most, 1.0)).clamp_max(1.0), step) * step
