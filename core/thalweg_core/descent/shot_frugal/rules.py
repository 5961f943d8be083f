"""Steepest descent that chooses the samples of each evaluation from running means of what looks have shown.

A component with the slope χ and the variance ξ of one sample, looked at by s samples and followed by a step of -α times what was
seen, gains in expectation at least

    G = (α - L α²/2) χ² - (L α²/2) ξ / s

where L is the Lipschitz constant of the gradient. All this is in natural units of the coordinates, 1/(ω R) for harmonics of ω
up to R, else 1: there one L holds for all.

Shapes: B replicas, P coordinates. Source: Kübler, Arrasmith, Cincio & Coles, Quantum 4 (2020) 263, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from thalweg_core.errors import BadInput
from thalweg_core.landscape import COMPONENTS, HARMONICS, LIPSCHITZ, Cost, Evaluation, Landscape, must_offer
from thalweg_core.method import Info
from thalweg_core.noise.natural_units import natural_units
from thalweg_core.numbers.rows import per_row, row_sum
from thalweg_core.ranges import at_least, inside, positive, share
from thalweg_core.streams import Stream


class Statistics(NamedTuple):
    """Running means over the looks, not yet corrected for how few these are."""

    slope: Tensor  # (B, P) χ'
    variance: Tensor  # (B, P) ξ', of one sample
    fade: Tensor  # (B,) μ^k after k looks

    @property
    def means(self) -> tuple[Tensor, Tensor]:
        """χ and ξ, (B, P) each."""
        weight = per_row(1 - self.fade, self.slope)
        return self.slope / weight, self.variance / weight


class FrugalState(NamedTuple):
    x: Tensor  # (B, P) where the replicas stand
    seen: Evaluation  # what the landscape showed there
    statistics: Statistics  # of all evaluations before this one
    samples: Tensor | None  # (B, P) int64: what this one took of each component, or (B,) of all; None where it is exact


class Choice(NamedTuple):
    """What to do after an evaluation."""

    rate: Tensor | float  # α of each component, (B, P), or of all
    samples: Tensor  # of the next evaluation, as those of this one


class Rule(Protocol):
    """How a method chooses."""

    @property
    def memory(self) -> float:
        """μ of the running means."""
        ...

    @property
    def rate(self) -> float:
        """α where evaluations are exact."""
        ...

    def choose(self, after: Statistics, before: Statistics, samples: Tensor) -> Choice:
        """From the means after an evaluation by so many samples, and those before it."""
        ...


@dataclass(frozen=True)
class IndividualRule:
    """iCANS: for each component the samples of which each gains most, but none more than the component that gains most.

    Args:
        rate: α.
        lipschitz: L.
        memory: μ.
        bias: b.
        least: samples that every component takes.
        cautious: whether a step that is expected to lose is shortened to that of the largest gain.
    """

    rate: float
    lipschitz: float
    memory: float
    bias: float
    least: int
    cautious: bool

    def choose(self, after: Statistics, before: Statistics, samples: Tensor) -> Choice:
        (slope, variance), square = after.means, (self.lipschitz * self.rate) * self.rate  # L alone may be tiny, and α² overflow
        signal = slope.square()
        wanted = best_samples(variance, signal + per_row(self.bias * before.fade, slope), self.rate * self.lipschitz)
        gain = ((self.rate - square / 2) * signal - square * variance / (2 * wanted)) / wanted
        most = wanted.gather(1, gain.argmax(dim=1, keepdim=True))
        coming = torch.minimum(wanted, most).clamp_min(float(self.least)).to(torch.int64)
        return Choice(self._rates(signal, variance / samples.to(variance)), coming)

    def _rates(self, signal: Tensor, noise: Tensor) -> Tensor | float:
        if not self.cautious:
            return self.rate
        best = signal / (self.lipschitz * (signal + noise)).clamp_min(torch.finfo(signal.dtype).tiny)
        return torch.where(2 * best < self.rate, best, self.rate)


def best_samples(variance: Tensor, signal: Tensor, rate: float) -> Tensor:
    """⌈2Lα/(2 - Lα) ξ/χ²⌉, of which each gains most: rate is Lα. At least 1, and countable where there is no signal."""
    wanted = 2 * rate / (2 - rate) * variance / signal.clamp_min(torch.finfo(signal.dtype).tiny)
    return wanted.ceil().clamp(1.0, ENDLESS)


ENDLESS = 2.0**40
"""Samples that nobody has: as good as endless ones, and still whole numbers when summed."""


LEAP = 10
"""By which samples grow from one evaluation to the next at most (arbitrary; not in the papers): where two samples happen to show
no slope, the rules would spend everything on the next evaluation."""


def begin(place: Landscape, x: Tensor, rng: Stream, samples: Tensor | None) -> FrugalState:
    """After a first evaluation by so many samples."""
    means = Statistics(torch.zeros_like(x), torch.zeros_like(x), torch.ones_like(x[:, 0]))
    return FrugalState(x, _look(place, x, rng, samples), means, samples)


def descended(rule: Rule, place: Landscape, state: FrugalState, rng: Stream) -> tuple[FrugalState, Info]:
    """A step along the slopes seen, and an evaluation by the samples chosen; place: the landscape with its samples allocated."""
    unit = natural_units(place, state.x)
    statistics = _updated(state, unit, rule.memory)
    choice = _chosen(rule, state, statistics)
    x = state.x - choice.rate * unit * unit * state.seen.grad
    samples = None if state.samples is None else choice.samples
    seen = _look(place, x, rng, samples)
    return FrugalState(x, seen, statistics, samples), Info.plain(seen.cost, seen.value)


def next_cost(rule: Rule, place: Landscape, state: FrugalState) -> Cost:
    """What the next step will cost: each component takes points in proportion to its harmonics."""
    if state.samples is None:
        return state.seen.cost
    choice = _chosen(rule, state, _updated(state, natural_units(place, state.x), rule.memory))
    before, after = (_weighed(place, samples) for samples in (state.samples, choice.samples))
    shots = state.seen.cost.shots.to(torch.float64) * after / before
    return state.seen.cost._replace(shots=shots.ceil().clamp_max(ENDLESS).to(torch.int64))


def check(learning_rate: float, lipschitz: float | None, first_samples: int, memory: float) -> None:
    """What these methods ask of the fields that all of them have. Raises BadInput."""
    inside("learning_rate", learning_rate, 0.0, 2.0)
    if lipschitz is not None:
        positive("lipschitz", lipschitz)
    at_least("first_samples", first_samples, 2)
    share("memory", memory)


def lipschitz_of(landscape: Landscape, chosen: float | None) -> float:
    """L as it was chosen, else as the landscape bounds it.

    Raises:
        BadInput: neither.
    """
    if chosen is not None:
        return chosen
    smooth = landscape.offer(LIPSCHITZ)
    if smooth is None:
        raise BadInput("lipschitz", "wanted a bound of the second derivatives, which this landscape does not know; give one")
    return smooth.lipschitz


def _look(place: Landscape, x: Tensor, rng: Stream, samples: Tensor | None) -> Evaluation:
    if samples is None or samples.dim() < x.dim():
        return place.evaluate(x, rng, samples)
    return must_offer(place, COMPONENTS).evaluate_components(x, rng, samples)


def _updated(state: FrugalState, unit: Tensor, memory: float) -> Statistics:
    """χ' <- μ χ' + (1 - μ) g, and ξ' likewise."""
    before, seen = state.statistics, state.seen
    number = 1.0 if state.samples is None else state.samples.to(seen.grad).reshape(len(state.x), -1)
    return Statistics(
        memory * before.slope + (1 - memory) * unit * seen.grad,
        memory * before.variance + (1 - memory) * unit * unit * seen.grad_var * number,
        memory * before.fade,
    )


def _chosen(rule: Rule, state: FrugalState, statistics: Statistics) -> Choice:
    if state.samples is None:
        return Choice(rule.rate, torch.zeros_like(state.x, dtype=torch.int64))
    choice = rule.choose(statistics, state.statistics, state.samples)
    return choice._replace(samples=torch.minimum(choice.samples, LEAP * state.samples))


def _weighed(place: Landscape, samples: Tensor) -> Tensor:
    """Samples of all points, but for a factor, (B,)."""
    if samples.dim() == 1:
        return samples.to(torch.float64)
    periodic = place.offer(HARMONICS)
    points = 1 if periodic is None else periodic.harmonics.number.clamp_min(1).to(samples)
    return row_sum((points * samples).to(torch.float64))
