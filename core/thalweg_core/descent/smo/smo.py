"""Sequential minimal optimization: one coordinate after the other to the bottom of its trigonometric polynomial."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from thalweg_core.descent.smo.trigonometric import Design, Polynomial, design
from thalweg_core.errors import BadInput
from thalweg_core.landscape import (
    ALLOCATIONS,
    FLAT,
    HARMONICS,
    VALUE,
    Capabilities,
    Cost,
    Evaluation,
    Harmonics,
    Landscape,
    allocated,
    must_offer,
    sampled,
    unsloped,
    value_of,
)
from thalweg_core.method import FEWER_FIRST, Goal, Info, Method
from thalweg_core.noise.averaging import Average, averaged, begin_average
from thalweg_core.noise.sample_sizes import SampleSize
from thalweg_core.numbers.trees import choose, put_rows
from thalweg_core.ranges import at_least, not_negative, one_of, share
from thalweg_core.streams import Stream

ORDERS = ("random", "cyclic")

HERE = 0.25
"""Samples of the energy where the walk stands, which no slope needs, for each of a point about it (arbitrary)."""

EVENLY = 0.5
"""Part of the samples that all points share alike, for other valleys; the rest is divided for the slope (arbitrary)."""

FEWEST = 2
"""Samples from which a variance can be told."""


class SmoState(NamedTuple):
    x: Tensor  # (B, P) where the replicas stand
    seen: Evaluation  # the energy there; no gradient
    order: Tensor  # (B, P) int64: the coordinates of this sweep
    turn: Tensor  # (B,) int64: steps taken
    size: SampleSize | None  # samples of the points of the next step, their price that of one energy; None where exact
    average: Average | None  # of the iterates: the answer; None where it is x


@dataclass(frozen=True)
class Smo(Method):
    """Sequential minimal optimization (NFT, Rotosolve) for any number of harmonics, and under noise.

    Along one coordinate U is a trigonometric polynomial p of R harmonics of ω. Its energies here and at the 2R points
    (2j - 1) π / (2Rω) about here fix it, and the walk goes where it is lowest; then comes the next coordinate.

    Exact values: that is all [1, 2]; coordinate by coordinate nothing is lower.

    Under noise, with R > 1, a polynomial has several valleys, and noise chooses among them. So

        the walk goes to the bottom of the valley it is in, by a step of at most c/(ω R);
        only a bottom p(t) that lies z standard errors lower than that is jumped to: the variance of p(s) - p(t) follows from
        those of the energies;

    samples grow with what was spent, such that a sweep over all coordinates takes a 1/τ part of it; no energy is carried
    over, for errors of the lowest of fitted energies add up [1]: the energy here is measured anew at every step, with a quarter
    of the samples of a point; and the answer is the iterate averaged over the last part of the budget, since the last jump.

    Args:
        order: of the coordinates: "random", drawn anew for every sweep, or "cyclic".
        max_step: c, the longest step within a valley, in natural units 1/(ω R) of its coordinate; 0: no cap; left out, 0.1
            under noise, no cap where values are exact.
        jump_test: z, standard errors by which the bottom of another valley must lie lower; 0: it need only seem lower.
        first_samples: samples of each point of the first sweep, such as shots per circuit.
        growth: τ, sweeps for which all samples spent so far would pay: samples grow as soon as it is less; 0: they stay.
        allocation: how samples are divided over what is measured separately: "measured", by the spread seen, or "equal".
        averaging: last part of the budget spent so far over which the iterate is averaged; 0: the answer is the last iterate.

    Raises:
        BadInput: a coordinate whose frequencies have no common divisor.

    Sources: [1] Nakanishi, Fujii & Todo, Phys. Rev. Research 2 (2020) 043158. [2] Ostaszewski, Grant & Benedetti,
             Quantum 5 (2021) 391. The remedies under noise are our own, their constants from coarse grids on two small molecules.
    """

    order: str = "random"
    max_step: float | None = None
    jump_test: float = 3.0
    first_samples: int = 50
    growth: float = 10.0
    allocation: str = "measured"
    averaging: float = 0.2

    cheaper: ClassVar[str] = FEWER_FIRST
    needs: ClassVar[Capabilities] = frozenset({VALUE, HARMONICS, FLAT})
    goal: ClassVar[Goal] = Goal.MINIMUM
    State: ClassVar[type] = SmoState

    def __post_init__(self) -> None:
        one_of("order", self.order, ORDERS)
        if self.max_step is not None:
            not_negative("max_step", self.max_step)
        not_negative("jump_test", self.jump_test)
        at_least("first_samples", self.first_samples, 2)
        not_negative("growth", self.growth)
        one_of("allocation", self.allocation, ALLOCATIONS)
        share("averaging", self.averaging)

    def carries(self, size: int) -> int:
        """Numbers beside x and the evaluation there: the order of the coordinates, the average, and counts."""
        return 2 * size + 6

    def init(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None) -> SmoState:
        harmonics = _harmonics(landscape)
        size, samples = None, None
        if (asked := sampled(landscape)) is not None:
            number = torch.full_like(x[:, 0], max(self.first_samples, asked.fewest), dtype=torch.float64)
            samples = number.to(torch.int64)
        here = value_of(allocated(landscape, self.allocation), x, rng.named("here"), samples)
        if samples is not None:
            size = SampleSize(number, number.clone(), here.cost.shots.to(torch.float64) / samples, here.cost.shots.clone())
        average = begin_average(x, here.cost) if landscape.noisy and self.averaging else None
        none = torch.zeros(len(x), len(harmonics.base), dtype=torch.int64, device=x.device)
        return SmoState(x, unsloped(here, x), none, none[:, 0].clone(), size, average)

    def step(self, landscape: Landscape, state: SmoState, rng: Stream) -> tuple[SmoState, Info]:
        method, (base, number) = self.resolved(landscape), _harmonics(landscape)
        place, rows = allocated(landscape, self.allocation), torch.arange(len(state.x), device=state.x.device)
        order = self._ordered(state, rng.named("order"))
        coordinate = order[rows, state.turn % order.shape[1]]
        along = design(int(number.max())).of(number.to(rows)[coordinate])
        unit = base.to(state.x)[coordinate]
        seen, cost = _around(place, state, coordinate, unit, along, rng)
        shift, jumped = method._shift(seen)
        x = state.x.clone()
        x[rows, coordinate] += shift.to(x) / unit
        here = value_of(place, x, rng.named("here"), state.size and _some(state.size, HERE))
        cost = cost.plus(here.cost)
        size = state.size and self._grown(state.size, cost, number)
        average = state.average and self._averaged(landscape, state.average, x, cost, jumped)
        return SmoState(x, unsloped(here, x), order, state.turn + 1, size, average), Info.plain(cost, here.value)

    def answer(self, state: SmoState) -> Tensor:
        """The average, where there is one."""
        return state.x if state.average is None else state.average.x

    def next_cost(self, landscape: Landscape, state: SmoState) -> Cost:
        """The coordinate with the most harmonics, with the samples that have grown."""
        most = _harmonics(landscape).number.max()
        one = state.seen.cost._replace(shots=torch.zeros_like(state.turn))
        if state.size is None:
            return one.times(1 + 2 * int(most))
        along = design(int(most)).of(most.expand(len(state.x)))
        asked = _shared(state.size, along).sum(dim=1) + _some(state.size, HERE)
        return one.times(1 + 2 * int(most))._replace(shots=(state.size.price * asked).ceil().to(torch.int64))

    def resolved(self, landscape: Landscape) -> Smo:
        """The same with `max_step` chosen."""
        return replace(self, max_step=(0.1 if landscape.noisy else 0.0) if self.max_step is None else self.max_step)

    def _ordered(self, state: SmoState, rng: Stream) -> Tensor:
        """The order of the sweep that a replica is in, (B, P); drawn where one begins."""
        count = state.order.shape[1]
        if self.order == "cyclic":
            return torch.arange(count, device=state.order.device).expand_as(state.order).clone()
        return choose(state.turn % count == 0, torch.argsort(rng.uniform((count,)), dim=1), state.order)

    def _shift(self, along: Polynomial) -> tuple[Tensor, Tensor]:
        """How far to go, in radians of ω, and whether it is a jump to another valley: (B,), (B,) bool."""
        bottom, lowest = along.valley(), along.lowest()
        lower, variance = along.difference(bottom, lowest)
        jump = along.apart(bottom, lowest) & (lower > self.jump_test * variance.sqrt())
        reach = self.max_step / along.number.to(bottom) if self.max_step else torch.full_like(bottom, math.pi)
        return torch.where(jump, lowest, torch.minimum(torch.maximum(bottom, -reach), reach)), jump

    def _grown(self, size: SampleSize, cost: Cost, number: Tensor) -> SampleSize:
        """The samples that a point of the next step takes."""
        spent = size.spent + cost.shots
        if not self.growth:
            return size._replace(spent=spent)
        sweep = float((2 * number + HERE).sum()) * size.price
        wanted = torch.minimum(spent / (self.growth * sweep), 1.1 * size.number)
        return size._replace(number=torch.maximum(size.number, wanted), spent=spent)

    def _averaged(self, landscape: Landscape, average: Average, x: Tensor, cost: Cost, jumped: Tensor) -> Average:
        """One iterate more; a jump forgets all before it."""
        after = averaged(average, landscape.manifold, x, cost, self.averaging)
        return after._replace(x=choose(jumped, x, after.x))


def _harmonics(landscape: Landscape) -> Harmonics:
    harmonics = must_offer(landscape, HARMONICS).harmonics
    if bool((harmonics.number < 1).any()):
        which = int((harmonics.number < 1).nonzero()[0])
        common = f"coordinate {which} has frequencies without a common divisor"
        raise BadInput("", f"wanted harmonics of one frequency in every coordinate, but {common}; use method.adam")
    return harmonics


def _around(
    place: Landscape, state: SmoState, coordinate: Tensor, unit: Tensor, along: Design, rng: Stream
) -> tuple[Polynomial, Cost]:
    """The polynomial along each replica's coordinate, from the energy here and those about it."""
    values, variances = torch.zeros_like(along.weights), torch.zeros_like(along.weights)
    values[:, 0], variances[:, 0] = state.seen.value, state.seen.value_var
    asked, cost = None if state.size is None else _shared(state.size, along), Cost.none(state.x)
    for point in range(1, int(along.used.sum(dim=1).max())):
        rows = torch.nonzero(along.used[:, point]).flatten()
        x = state.x[rows]
        x[torch.arange(len(rows), device=rows.device), coordinate[rows]] += along.points[rows, point].to(x) / unit[rows]
        seen = value_of(place, x, rng.named("point", point).take(rows), None if asked is None else asked[rows, point])
        values[rows, point], variances[rows, point] = seen.value.to(values), seen.value_var.to(values)
        cost = cost.plus(put_rows(Cost.none(state.x), rows, seen.cost))
    return Polynomial(along, values, variances), cost


def _shared(size: SampleSize, along: Design) -> Tensor:
    """Samples of each point, (B, K): half of them shared alike, half for the slope; none where the walk stands."""
    count = along.used.sum(dim=1, keepdim=True) - 1
    each = EVENLY + (1 - EVENLY) * count * along.weights
    return torch.where(along.weights > 0, (size.number[:, None] * each).floor().clamp_min(FEWEST), 0.0).to(torch.int64)


def _some(size: SampleSize, part: float) -> Tensor:
    """A part of the samples of a point, (B,)."""
    return (part * size.number).floor().clamp_min(FEWEST).to(torch.int64)
