"""The whole metric from overlaps of states that lie near each other, along axes in which it is about diagonal.

    |⟨ψ(x - a/2)|ψ(x + a/2)⟩|² = 1 - aᵀ F a + O(a⁴):   seen from the middle there is no odd term

How well shots show it depends on the axes. A turn of one coordinate by a quarter says nothing of a direction in which the
metric is small, for the differences of large numbers drown there. A step along an axis of the metric itself, so long that a
tenth or so of all shots do not come back, shows that direction to the same part of itself as any other. So the axes are those
of the metric as known so far.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_core.landscape import MetricEstimate, Overlapping
from thalweg_core.streams import Stream

LOST = 0.15
"""Part of the shots that shall not come back: fewer carry more noise, more carry more of the fourth order. Arbitrary."""

REACH = 0.5
"""Longest step of a coordinate, in its natural unit, whatever the metric. Arbitrary."""


class Axes(NamedTuple):
    """Directions along which overlaps are taken, in natural units: the rows of diag(s) Vᵀ."""

    directions: Tensor  # (B, P, P) V, orthogonal
    lengths: Tensor  # (B, P) s


def axes_of(metric: Tensor) -> Axes:
    """Of a metric in natural units, (B, P, P). Row by row, each from memory of its own: no bit depends on the batch."""
    directions, lengths = torch.empty_like(metric), torch.empty_like(metric[:, 0])
    for row, f in enumerate(metric):
        values, axes = torch.linalg.eigh(f.clone())
        longest = REACH / axes.abs().amax(dim=0)
        directions[row] = axes
        lengths[row] = torch.where(values > 0, (LOST / torch.where(values > 0, values, 1.0)).sqrt(), longest).minimum(longest)
    return Axes(directions, lengths)


def overlap_metric(landscape: Overlapping, x: Tensor, unit: Tensor, axes: Axes, rng: Stream, samples: Tensor) -> MetricEstimate:
    """At x (B, P), in natural units u (P,), from P² overlaps, each by so many samples.

    With a_i the axes, q(a) the part that does not come back, and G the metric in them,

        G_ii = q(a_i),      G_ij = [q((a_i + a_j)/√2) - q((a_i - a_j)/√2)]/2 for i < j
    """
    count = x.shape[1]
    i, j = torch.triu_indices(count, count, 1)
    way = (axes.directions * axes.lengths[:, None]).transpose(1, 2)  # rows are axes
    half = torch.cat([way, 0.5**0.5 * (way[:, i] + way[:, j]), 0.5**0.5 * (way[:, i] - way[:, j])], dim=1) * (unit / 2)
    seen = landscape.fidelity(x[:, None] - half, x[:, None] + half, rng, samples)
    lost, noise = 1 - seen.value, _noise(seen.value, samples)
    own, plus, minus = lost[:, :count], lost[:, count : count + len(i)], lost[:, count + len(i) :]
    its_own, more, less = noise[:, :count], noise[:, count : count + len(i)], noise[:, count + len(i) :]
    grid, spread = torch.zeros_like(axes.directions), torch.zeros_like(axes.directions)
    for place, entry in ((grid, (plus - minus) / 2), (spread, (more + less) / 4)):
        place[:, i, j] = entry
        place[:, j, i] = entry
    grid.diagonal(dim1=1, dim2=2).copy_(own)
    spread.diagonal(dim1=1, dim2=2).copy_(its_own)
    back = axes.directions / axes.lengths[:, None]
    return MetricEstimate(_both_sides(back, grid), _both_sides(back * back, spread), seen.cost)


def _noise(value: Tensor, samples: Tensor) -> Tensor:
    """Variance of K parts of samples (B,) that came back, (B, K); never 0, even where all of them did."""
    number = samples.to(value)[:, None]
    part = (value.clamp(0.0, 1.0) * number + 0.5) / (number + 1)
    return part * (1 - part) / number


def _both_sides(side: Tensor, middle: Tensor) -> Tensor:
    """A M Aᵀ, row by row, each from memory of its own: no bit depends on the batch."""
    return torch.stack([a.clone() @ m.clone() @ a.clone().T for a, m in zip(side, middle, strict=True)])
