"""The metric from overlaps against that of qubits in closed form."""

from __future__ import annotations

import math

import torch
from tests.core.valleys import Qubits, SampledQubits

from thalweg_core.descent.natural_gradient.overlap_metric import LOST, REACH, Axes, axes_of, overlap_metric
from thalweg_core.streams import Stream

NEARLY_SINGULAR = ((1.0, 0.9, 0.2, 0.0), (0.9, 1.0, 0.0, -0.3), (0.05, -0.05, 0.5, 0.1), (0.0, 0.3, -0.1, 0.8))
ONE = torch.ones(4, dtype=torch.float64)


def test_overlaps_along_short_axes_are_the_metric() -> None:
    place = Qubits(NEARLY_SINGULAR)
    x = Stream.of(1, 3).normal((4,))
    axes = axes_of(place.metric(x))
    short = Axes(axes.directions, torch.full_like(axes.lengths, 1e-3))
    seen = overlap_metric(place, x, ONE, short, Stream.of(0, 3), torch.full((3,), 10))
    torch.testing.assert_close(seen.metric, place.metric(x), rtol=0, atol=1e-6)  # the fourth order: lengths squared


def test_any_axes_will_do_and_units_are_those_asked_for() -> None:
    place = Qubits(NEARLY_SINGULAR)
    x = Stream.of(1, 2).normal((4,))
    turned = torch.linalg.qr(Stream.of(3, 2).normal((4, 4))).Q
    axes = Axes(turned, torch.full((2, 4), 1e-3, dtype=torch.float64))
    unit = torch.tensor([0.5, 1.0, 2.0, 0.25], dtype=torch.float64)
    seen = overlap_metric(place, x, unit, axes, Stream.of(0, 2), torch.full((2,), 10))
    torch.testing.assert_close(seen.metric, unit[:, None] * place.metric(x) * unit, rtol=0, atol=1e-6)


def test_axes_lose_a_given_part_of_the_shots_and_reach_no_further_than_a_unit_or_so() -> None:
    metric = torch.diag(torch.tensor([100.0, 1.0, 1e-4, -0.1], dtype=torch.float64))[None]
    axes = axes_of(metric)
    ways = axes.directions[0] * axes.lengths[0]
    lost = torch.stack([way @ metric[0] @ way for way in ways.T]).sort().values
    reached = ways.abs().amax(dim=0).max()
    assert math.isclose(float(lost[-1]), LOST) and math.isclose(float(reached), REACH)
    assert bool((lost <= LOST + 1e-12).all())


def test_shots_show_small_directions_about_as_well_as_large_ones_and_say_how_well() -> None:
    place, rows, shots = SampledQubits(NEARLY_SINGULAR), 2000, 100
    x = torch.zeros(rows, 4, dtype=torch.float64)
    truth = place.metric(x)
    axes = axes_of(truth)
    seen = overlap_metric(place, x, ONE, axes, Stream.of(4, rows), torch.full((rows,), shots))
    assert seen.cost.shots.unique().tolist() == [16 * shots]
    off = axes.directions.transpose(1, 2) @ (seen.metric - truth) @ axes.directions
    values = torch.linalg.eigvalsh(truth[0])
    lost = axes.lengths[0].square() * values
    # a part q of n shots errs by sqrt(q (1 - q)/n), and so by sqrt((1 - q)/(q n)) of itself
    bound = ((1 - lost) / (lost * shots)).sqrt() * values + 0.15 * values  # and the fourth order
    assert bool((off.diagonal(dim1=1, dim2=2).square().mean(dim=0).sqrt() < bound).all())
    declared = seen.variance.mean(dim=0).sqrt()
    assert bool(((seen.metric.std(dim=0) / declared) < 1.5).all()) and bool(((seen.metric.std(dim=0) / declared) > 0.5).all())
