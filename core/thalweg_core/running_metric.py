"""The metric along a walk: looked at anew at every point, and averaged with earlier looks as far as both are noisy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_core.landscape import (
    METRIC_FORMS,
    Cost,
    Landscape,
    MeasurableMetric,
    Metric,
    MetricReading,
    Overlapping,
    Sampled,
    Samples,
)
from thalweg_core.natural_units import natural_units
from thalweg_core.overlap_metric import axes_of, overlap_metric
from thalweg_core.ranges import more_than_one, one_of, positive
from thalweg_core.sample_sizes import SampleSize
from thalweg_core.streams import Stream


class RunningMetric(NamedTuple):
    """An estimate of the metric from all looks so far, coordinates in their natural units."""

    mean: Tensor  # (B, P, P)
    variance: Tensor  # (B, P, P) of each entry; 0 where it is exact or was never looked at
    price: Tensor  # (B,) float64: shots that a look costs for each sample; 0 where looks are free


@dataclass(frozen=True)
class MetricRule:
    """How a metric is looked at, and for how much.

    A look takes a part of the shots that the gradient's takes, and joins earlier ones entry by entry: with V the variance of
    the mean and v that of the look,

        V <- V / (1 - 1/τ),   K = V / (V + v),   F <- F + K (F_seen - F),   V <- (1 - K) V

    Looks of equal variance are so averaged over the last τ of them, better ones count more, and exact ones alone.

    The whole metric is measured by overlaps along its own axes where states can be compared; see `overlap_metric`.

    Args:
        form: "full", "block_diagonal" or "diagonal".
        measured: whether it is measured by samples where energies are; else it is known free of charge, as in a simulation.
        share: shots of a look over those of the gradient's.
        memory: τ, looks that are averaged, above 1.
    """

    form: str = "block_diagonal"
    measured: bool = True
    share: float = 0.1
    memory: float = 10.0

    def __post_init__(self) -> None:
        one_of("form", self.form, METRIC_FORMS)
        positive("share", self.share)
        more_than_one("memory", self.memory)

    def begin(self, landscape: Landscape, x: Tensor, rng: Stream, samples: int) -> tuple[RunningMetric, Cost]:
        """The first look, by so many samples: it shows what a sample costs."""
        number = torch.full((len(x),), samples, dtype=torch.int64, device=x.device)
        known, cost = torch.empty(0), Cost.none(x)
        if self._by_overlaps(landscape):  # whose axes are those of the blocks at first
            blocks = in_natural_units(landscape, x, look_at_metric(landscape, x, rng.named("blocks"), number, "block_diagonal"))
            known, cost = blocks.metric, blocks.cost
        seen = self._look(landscape, x, rng, number, known)
        return RunningMetric(seen.metric, seen.variance, seen.cost.shots.to(torch.float64) / samples), cost.plus(seen.cost)

    def renewed(
        self, before: RunningMetric, landscape: Landscape, x: Tensor, rng: Stream, size: SampleSize | None
    ) -> tuple[RunningMetric, Cost]:
        """With a look at the next point, when the gradient there takes samples of this size."""
        number = self._number(before, landscape, size)
        seen = self._look(landscape, x, rng, number, before.mean)
        price = torch.where(seen.cost.shots > 0, seen.cost.shots.to(torch.float64) / number, before.price)
        prior = before.variance / (1 - 1 / self.memory)
        total = prior + seen.variance
        gain = torch.where(seen.variance > 0, prior / torch.where(total > 0, total, 1.0), 1.0)
        mean = torch.where(seen.variance > 0, before.mean + gain * (seen.metric - before.mean), seen.metric)
        return RunningMetric(mean, (1 - gain) * prior, price), seen.cost

    def forecast(self, metric: RunningMetric, landscape: Landscape, size: SampleSize | None) -> Tensor:
        """Shots of the next look, (B,) int64."""
        return (metric.price * self._number(metric, landscape, size)).ceil().to(torch.int64)

    def _number(self, before: RunningMetric, landscape: Landscape, size: SampleSize | None) -> Tensor:
        """Samples of the next look, (B,) int64."""
        if size is None:
            return torch.ones_like(before.price).to(torch.int64)
        fewest = landscape.fewest if isinstance(landscape, Sampled) else 1
        shots = self.share * size.number.floor() * size.price
        return (shots / torch.where(before.price > 0, before.price, torch.inf)).clamp_min(fewest).to(torch.int64)

    def _by_overlaps(self, landscape: Landscape) -> bool:
        return self.form == "full" and self.measured and landscape.noisy and isinstance(landscape, Overlapping)

    def _look(self, landscape: Landscape, x: Tensor, rng: Stream, number: Tensor, known: Tensor) -> MetricReading:
        """In natural units."""
        if self._by_overlaps(landscape):
            assert isinstance(landscape, Overlapping)
            unit = natural_units(landscape, x)
            return overlap_metric(landscape, x, unit, axes_of(known), rng.named("overlaps"), number)
        samples = number if self.measured else 0
        return in_natural_units(landscape, x, look_at_metric(landscape, x, rng.named("metric"), samples, self.form))


def look_at_metric(landscape: Landscape, x: Tensor, rng: Stream, samples: Samples, form: str) -> MetricReading:
    """One look by the landscape's own way; without samples, or where it is exact, free and without noise."""
    if isinstance(landscape, MeasurableMetric):
        return landscape.measure_metric(x, rng, samples if landscape.noisy else 0, form)
    assert isinstance(landscape, Metric)
    metric = landscape.metric(x)  # where no sample shows it, no block ends
    metric = torch.diag_embed(metric.diagonal(dim1=1, dim2=2)) if form == "diagonal" else metric
    return MetricReading(metric, torch.zeros_like(metric), Cost.none(x))


def in_natural_units(landscape: Landscape, x: Tensor, seen: MetricReading) -> MetricReading:
    """u_i u_j F_ij."""
    unit = natural_units(landscape, x)
    scale = unit[:, None] * unit
    return MetricReading(scale * seen.metric, scale * scale * seen.variance, seen.cost)
