"""How many samples an evaluation takes: a first number from a pilot, then growing with what was spent; each replica its own."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import torch
from torch import Tensor

from thalweg_core.landscape import Cost, Evaluation, Landscape, sampled
from thalweg_core.noise.natural_units import natural_units
from thalweg_core.numbers.rows import row_sum
from thalweg_core.ranges import at_least, not_negative, positive
from thalweg_core.streams import Stream
from thalweg_core.walking.dry_run import dry_run


class SampleSize(NamedTuple):
    """The samples of the next evaluation, and what they grow with."""

    number: Tensor  # (B,) float64, before it is rounded down
    first: Tensor  # (B,) float64: that of the first evaluation
    price: Tensor  # (B,) float64: shots that an evaluation costs for each sample
    spent: Tensor  # (B,) int64: shots so far

    @property
    def asked(self) -> Tensor:
        """Samples of the next evaluation, (B,) int64."""
        return self.number.floor().to(torch.int64)


FACTORS = 0.5, 100.0
"""Bounds of what a pilot makes of its samples (arbitrary)."""


@dataclass(frozen=True)
class SampleRule:
    """Few samples while the slope is steep, more as it drowns, never so many that one evaluation outweighs all before.

    A pilot gradient of n samples, its variance v, sets the first number, so that the noise is `pilot_noise` times the signal:

        n₀ = n clip(Σ u²v / (ρ max(Σ u²(g² - v), Σ u²v / 20)), 1/2, 100),   u: the natural unit of each coordinate

    After each step an evaluation takes a 1/τ part of all that was spent, but at most a tenth more than the one before:

        n <- max(n, min(spent / (τ price), 1.1 n))

    Both vanish where a landscape is exact or takes no number of samples.

    Args:
        first_samples: samples of the pilot gradient; of the first look where there is no pilot.
        pilot: whether there is one.
        pilot_noise: ρ, variance over squared length of the gradient that the first evaluation aims at.
        growth: τ: each evaluation takes 1/τ of all that was spent so far; 0: the number never grows.

    The floor of a twentieth and the tenth are arbitrary.
    """

    first_samples: int = 8
    pilot: bool = True
    pilot_noise: float = 4.0
    growth: float = 200.0

    @classmethod
    def of(cls, method: Any) -> SampleRule:
        """That of a method which has these fields under the same names. Raises BadInput."""
        return cls(**{field.name: getattr(method, field.name) for field in fields(cls)})

    def __post_init__(self) -> None:
        at_least("first_samples", self.first_samples, 2)
        positive("pilot_noise", self.pilot_noise)
        not_negative("growth", self.growth)

    def begin(
        self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None
    ) -> tuple[Evaluation, SampleSize | None]:
        """The first evaluation at x (B, *E), whose cost includes the pilot's, and the samples of the next; None where there are
        none.

        shots: (B,) what may be spent. After the pilot no more than half of the rest is, so that a step can follow, or n/2.
        """
        if (measured := sampled(landscape)) is None:
            return landscape.evaluate(x, rng), None
        number = torch.full((len(x),), float(max(self.first_samples, measured.fewest)), dtype=torch.float64, device=x.device)
        before = Cost.none(x)
        if self.pilot:
            pilot = landscape.evaluate(x, rng.named("pilot"), number.to(torch.int64))
            least = (FACTORS[0] * number).clamp_min(float(measured.fewest))
            wanted = (number * self._factor(landscape, x, pilot)).clamp_min(float(measured.fewest))
            price = None if shots is None else _sample_price(landscape, x, rng, least)
            if shots is not None and price is not None:
                most = (shots - pilot.cost.shots) / (2 * price)
                wanted = torch.minimum(wanted, torch.maximum(most, least))
            number = wanted
            before = pilot.cost
        asked = number.floor()
        seen = landscape.evaluate(x, rng, asked.to(torch.int64))
        price = seen.cost.shots.to(torch.float64) / asked
        seen = seen._replace(cost=before.plus(seen.cost))
        return seen, SampleSize(number, number.clone(), price, seen.cost.shots.clone())

    def grown(
        self, size: SampleSize | None, cost: Cost, wanted: Tensor | None = None, newest: Cost | None = None
    ) -> SampleSize | None:
        """After a step that cost so much, `newest` of it for the evaluation with this size, by default all; only in the rows
        where more samples are wanted, (B,) bool, by default in all."""
        if size is None:
            return None
        spent = size.spent + cost.shots
        price = (newest or cost).shots.to(torch.float64) / size.number.floor()
        size = size._replace(price=torch.where(price > 0, price, size.price))  # circuits that grow get dearer
        if not self.growth:
            return size._replace(spent=spent)
        share = spent.to(torch.float64) / (self.growth * size.price).clamp_min(torch.finfo(torch.float64).tiny)
        number = torch.maximum(size.number, torch.minimum(share, 1.1 * size.number))
        return size._replace(number=number if wanted is None else torch.where(wanted, number, size.number), spent=spent)

    def _factor(self, landscape: Landscape, x: Tensor, pilot: Evaluation) -> Tensor:
        """n₀ / n, (B,) float64."""
        unit = natural_units(landscape, x)
        noise = row_sum(pilot.grad_var * unit * unit).to(torch.float64)
        signal = row_sum((landscape.manifold.tangent(x, pilot.grad) * unit).square()).to(torch.float64) - noise
        factor = noise / (self.pilot_noise * torch.maximum(signal, 0.05 * noise))
        return torch.where(noise > 0, factor, 0.0).clamp(*FACTORS)


def dearer(seen: Evaluation, size: SampleSize | None) -> Cost:
    """What the next evaluation will cost, after one that showed this: a method's forecast, where a step is one evaluation."""
    if size is None:
        return seen.cost
    return seen.cost._replace(shots=(size.price * size.number.floor()).ceil().to(torch.int64))


def _sample_price(landscape: Landscape, x: Tensor, rng: Stream, samples: Tensor) -> Tensor | None:
    """Shots that each sample of an evaluation by so many costs, (B,) float64; those of a larger look cost no more. None: not
    known."""
    place = dry_run(landscape)
    if place is None:
        return None
    asked = samples.floor()
    return place.evaluate(x, rng, asked.to(torch.int64)).cost.shots / asked


def look(landscape: Landscape, x: Tensor, rng: Stream, size: SampleSize | None) -> Evaluation:
    """An evaluation with its number of samples."""
    return landscape.evaluate(x, rng, None if size is None else size.asked)


def shrunk(size: SampleSize, power: float) -> Tensor:
    """(n₀/n)^power, (B,) float64: how much shorter steps get as samples grow."""
    return torch.exp(power * torch.log(size.first / size.number))
