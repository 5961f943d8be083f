"""The metric along a walk: looked at anew at every point, and averaged with earlier looks as far as both are noisy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_core.descent.natural_gradient.overlap_metric import axes_of, overlap_metric
from thalweg_core.landscape import (
    MEASURED_METRIC,
    METRIC,
    METRIC_FORMS,
    SAMPLES,
    STATES,
    Cost,
    Landscape,
    MetricEstimate,
    Samples,
    must_offer,
)
from thalweg_core.noise.natural_units import natural_units
from thalweg_core.noise.sample_sizes import SampleSize
from thalweg_core.numbers.rows import row_sum
from thalweg_core.numbers.trees import choose, put_rows, take_rows
from thalweg_core.streams import Stream
from thalweg_core.walking.dry_run import dry_run

FORMS = ("auto", *METRIC_FORMS)
"""What may be asked for."""

TWICE = 2.0
"""How much heavier than its blocks the rest of a metric must be to be worth measuring. Arbitrary: it pays where the rest is three
to four times as heavy (an Ising chain's layers), not where it is about as heavy (`efficient_su2`)."""

SURE = 4
"""Samples of an overlap in that look over those of a block: fewer do not tell a weight from its noise."""

MOST = 10
"""Looks at the gradient that finding this out may cost. Arbitrary."""


class RunningMetric(NamedTuple):
    """An estimate of the metric from all evaluations so far, coordinates in their natural units."""

    mean: Tensor  # (B, P, P)
    variance: Tensor  # (B, P, P) of each entry; 0 where it is exact or was never looked at
    price: Tensor  # (B,) float64: shots that an evaluation costs for each sample; 0 where evaluations are free
    whole: Tensor  # (B,) bool: whether evaluations are by overlaps, which show all of it


@dataclass(frozen=True)
class MetricRule:
    """How a metric is looked at, and for how much.

    An evaluation takes a part of the shots that the gradient's takes, and joins earlier ones entry by entry: with V the variance
    of the mean and v that of the evaluation,

        V <- V / (1 - 1/τ),   K = V / (V + v),   F <- F + K (F_seen - F),   V <- (1 - K) V

    Looks of equal variance are so averaged over the last τ of them, better ones count more, and exact ones alone.

    The whole metric is measured by overlaps along its own axes where states can be compared; see `overlap_metric`. By "auto"
    the whole is taken where it is free; where it is measured, one look at the blocks and one by overlaps tell which to go on
    with: the whole, if what stands off the blocks is heavier than they are (sums of squares, less their noise, `TWICE`), so
    that coordinates do much the same thing; else the blocks, which take fewer circuits.

    Args:
        form: "auto", "full", "block_diagonal" or "diagonal".
        measured: whether it is measured by samples where energies are; else it is known free of charge, as in a simulation.
        share: shots of an evaluation over those of the gradient's.
        memory: τ, looks that are averaged, above 1.
    """

    form: str = "auto"
    measured: bool = True
    share: float = 0.1
    memory: float = 10.0

    def begin(
        self, landscape: Landscape, x: Tensor, rng: Stream, samples: int, gradient: Cost, shots: Tensor | None = None
    ) -> tuple[RunningMetric, Cost]:
        """The first estimate at x (B, P), by so many samples, and its cost; it shows what a sample costs.

        gradient: what the first evaluation of the gradient has cost.

        shots: (B,) what may be spent: by "auto" overlaps take no more than half of what the blocks leave.
        """
        number = torch.full((len(x),), samples, dtype=torch.int64, device=x.device)
        form = "block_diagonal" if self._by_overlaps(landscape) else self._own_form(landscape)
        seen = self._own(landscape, x, rng.named("metric"), number, form)
        paid, whole, price = seen.cost, torch.zeros_like(number, dtype=torch.bool), seen.cost.shots.to(torch.float64) / samples
        rest = None if shots is None else shots - paid.shots
        rows = self._affordable(landscape, x, samples, gradient, rest)
        if len(rows):  # the blocks' axes are those of the whole at first
            blocks = take_rows(seen, rows)
            other = self._overlaps(landscape, x, rng, SURE * number, seen.metric, rows)
            heavy = _heavy(blocks, other) | (self.form == "full")
            paid = put_rows(paid, rows, blocks.cost.plus(other.cost))
            seen = put_rows(seen, rows, choose(heavy, other, blocks))
            whole = put_rows(whole, rows, heavy)
            price = torch.where(whole, seen.cost.shots.to(torch.float64) / (SURE * samples), price)
        return RunningMetric(seen.metric, seen.variance, price, whole), paid

    def least(self, landscape: Landscape, x: Tensor, rng: Stream, samples: int) -> Tensor:
        """Shots that the first estimate takes at least, (B,) int64; 0 where only taking it tells."""
        place, nothing = dry_run(landscape), Cost.none(x)
        return nothing.shots if place is None else self.begin(place, x, rng, samples, nothing, nothing.shots)[1].shots

    def renewed(
        self, before: RunningMetric, landscape: Landscape, x: Tensor, rng: Stream, size: SampleSize | None
    ) -> tuple[RunningMetric, Cost]:
        """With an estimate at the next point x (B, P), when the gradient there takes samples of this size; and its cost."""
        number = self._number(before, landscape, size)
        seen = self._look(landscape, x, rng, number, before.whole, before.mean)
        price = torch.where(seen.cost.shots > 0, seen.cost.shots.to(torch.float64) / number, before.price)
        prior = before.variance / (1 - 1 / self.memory)
        total = prior + seen.variance
        gain = torch.where(seen.variance > 0, prior / torch.where(total > 0, total, 1.0), 1.0)
        mean = torch.where(seen.variance > 0, before.mean + gain * (seen.metric - before.mean), seen.metric)
        return RunningMetric(mean, (1 - gain) * prior, price, before.whole), seen.cost

    def forecast(self, metric: RunningMetric, landscape: Landscape, size: SampleSize | None) -> Tensor:
        """Shots of the next evaluation, (B,) int64."""
        return (metric.price * self._number(metric, landscape, size)).ceil().to(torch.int64)

    def _number(self, before: RunningMetric, landscape: Landscape, size: SampleSize | None) -> Tensor:
        """Samples of the next evaluation, (B,) int64."""
        if size is None:
            return torch.ones_like(before.price).to(torch.int64)
        asked, shots = landscape.offer(SAMPLES), self.share * size.number.floor() * size.price
        fewest = 1 if asked is None else asked.fewest
        return (shots / torch.where(before.price > 0, before.price, torch.inf)).clamp_min(fewest).to(torch.int64)

    def _by_overlaps(self, landscape: Landscape) -> bool:
        """Whether overlaps may be looked at."""
        return self.form in ("auto", "full") and self.measured and landscape.noisy and landscape.offer(STATES) is not None

    def _own_form(self, landscape: Landscape) -> str:
        """What the landscape is asked for by its own way."""
        if self.form != "auto":
            return self.form
        paid = self.measured and landscape.noisy and landscape.offer(MEASURED_METRIC) is not None
        return "block_diagonal" if paid else "full"

    def _affordable(self, landscape: Landscape, x: Tensor, samples: int, gradient: Cost, shots: Tensor | None) -> Tensor:
        """The rows where overlaps are tried: no more dear than some looks at the gradient, nor than half of these shots (B,)."""
        if not self._by_overlaps(landscape):
            return torch.arange(0, device=x.device)
        price = SURE * samples * x.shape[1] ** 2
        cheap = gradient.shots * MOST >= price
        cheap = cheap if shots is None else cheap & (2 * price <= shots)
        return torch.nonzero(cheap | (self.form == "full")).flatten()

    def _look(self, landscape: Landscape, x: Tensor, rng: Stream, number: Tensor, whole: Tensor, known: Tensor) -> MetricEstimate:
        """By overlaps in some rows, by the landscape's own way in the others."""
        rows, others = (torch.nonzero(mask).flatten() for mask in (whole, ~whole))
        form = self._own_form(landscape)
        if len(rows) == 0:
            return self._own(landscape, x, rng.named("metric"), number, form)
        seen = self._overlaps(landscape, x, rng, number, known, rows)
        if len(others) == 0:
            return seen
        own = self._own(landscape, x[others], rng.take(others).named("metric"), number[others], form)
        return take_rows(_joined(seen, own), torch.argsort(torch.cat([rows, others])))

    def _overlaps(
        self, landscape: Landscape, x: Tensor, rng: Stream, number: Tensor, known: Tensor, rows: Tensor
    ) -> MetricEstimate:
        """Of these rows, in natural units."""
        streams, unit = rng.take(rows).named("overlaps"), natural_units(landscape, x)
        return overlap_metric(must_offer(landscape, STATES), x[rows], unit, axes_of(known[rows]), streams, number[rows])

    def _own(self, landscape: Landscape, x: Tensor, rng: Stream, number: Tensor, form: str) -> MetricEstimate:
        """By the landscape's own way, in natural units."""
        return in_natural_units(landscape, x, look_at_metric(landscape, x, rng, number if self.measured else 0, form))


def _joined(first: MetricEstimate, second: MetricEstimate) -> MetricEstimate:
    """The rows of both."""
    metric, variance = (torch.cat(pair) for pair in zip(first[:2], second[:2], strict=True))
    return MetricEstimate(metric, variance, Cost(*(torch.cat(pair) for pair in zip(first.cost, second.cost, strict=True))))


def _heavy(blocks: MetricEstimate, whole: MetricEstimate) -> Tensor:
    """Whether what stands off the blocks is heavy, (B,) bool."""
    on = blocks.variance > 0
    weight = whole.metric.square() - whole.variance
    off = torch.where(on, 0.0, weight).flatten(1)
    theirs = torch.where(on, blocks.metric.square() - blocks.variance, 0.0).flatten(1)
    return row_sum(off) > TWICE * row_sum(theirs)


def look_at_metric(landscape: Landscape, x: Tensor, rng: Stream, samples: Samples, form: str) -> MetricEstimate:
    """The metric at x, (B, P) -> (B, P, P), by the landscape's own way; without samples, or where it is exact, free and without
    noise. form: one of METRIC_FORMS."""
    if (measurable := landscape.offer(MEASURED_METRIC)) is not None:
        return measurable.measure_metric(x, rng, samples if landscape.noisy else 0, form)
    metric = must_offer(landscape, METRIC).metric(x)  # where no sample shows it, no block ends
    metric = torch.diag_embed(metric.diagonal(dim1=1, dim2=2)) if form == "diagonal" else metric
    return MetricEstimate(metric, torch.zeros_like(metric), Cost.none(x))


def in_natural_units(landscape: Landscape, x: Tensor, seen: MetricEstimate) -> MetricEstimate:
    """u_i u_j F_ij, (B, P, P), u the natural units (P,)."""
    unit = natural_units(landscape, x)
    scale = unit[:, None] * unit
    return MetricEstimate(scale * seen.metric, scale * scale * seen.variance, seen.cost)
