"""Trigonometric polynomials against numpy's: values, minima by a dense scan, variances by repetition."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from thalweg_core.descent.smo.trigonometric import Polynomial, design
from thalweg_core.streams import Stream

MOST = 4


def drawn(rows: int, number: int) -> tuple[Tensor, Tensor]:
    """Coefficients a, b of random polynomials, (B, MOST) each."""
    a, b = Stream.of(3, rows).named("waves").normal((2, MOST)).unbind(1)
    beyond = torch.arange(MOST) >= number
    return a.masked_fill(beyond, 0.0), b.masked_fill(beyond, 0.0)


def heights(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """(B, R), (B, R), (B, T) -> (B, T)."""
    turns = t[..., None] * torch.arange(1, MOST + 1)
    return (a[:, None] * torch.cos(turns) + b[:, None] * torch.sin(turns)).sum(-1)


def seen(a: Tensor, b: Tensor, number: int, noise: float = 0.0, seed: int = 0) -> Polynomial:
    """From its values at the points, a constant added, and noise of this standard deviation."""
    points = design(MOST).of(torch.full((len(a),), number))
    values = 7.0 + heights(a, b, points.points) + noise * Stream.of(seed, len(a)).normal(tuple(points.points.shape[1:]))
    return Polynomial(points, torch.where(points.used, values, 0.0), noise**2 * points.used.double())


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_as_many_values_as_a_polynomial_has_coefficients_give_them_back(number: int) -> None:
    a, b = drawn(20, number)
    torch.testing.assert_close(seen(a, b, number).coefficients, torch.cat([a, b], dim=1), rtol=0, atol=1e-13)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_lowest_angle_is_that_of_a_dense_scan(number: int) -> None:
    a, b = drawn(200, number)
    scan = torch.linspace(-math.pi, math.pi, 4001, dtype=torch.float64)
    lowest = seen(a, b, number).lowest()
    at = heights(a, b, lowest[:, None])[:, 0]
    assert (at <= heights(a, b, scan.expand(200, -1)).amin(dim=1) + 1e-13).all()
    orders = torch.arange(1, MOST + 1)
    slope = (orders * (b * torch.cos(lowest[:, None] * orders) - a * torch.sin(lowest[:, None] * orders))).sum(1)
    assert slope.abs().max() < 1e-11


def test_with_one_harmonic_the_minimum_is_opposite_to_the_amplitude() -> None:
    a, b = drawn(50, 1)
    expected = torch.atan2(-b[:, 0], -a[:, 0])
    poly = seen(a, b, 1)
    for found in (poly.lowest(), poly.valley()):
        torch.testing.assert_close(torch.cos(found - expected), torch.ones(50, dtype=torch.float64), rtol=0, atol=1e-14)


@pytest.mark.parametrize("number", [2, 3, 4])
def test_the_bottom_of_a_valley_is_the_first_minimum_downhill(number: int) -> None:
    """By roots of the derivative, as eigenvalues of its companion matrix."""
    a, b = drawn(100, number)
    for row, valley in enumerate(seen(a, b, number).valley().tolist()):
        slope = harmonic_series(b[row], -a[row], number)  # p' = Σ l (b_l cos l t - a_l sin l t)
        minima = [t for t in zeros(slope) if rising(slope, t)]
        downhill = -math.copysign(1, sum(slope).real)
        wanted = downhill * min((downhill * t) % (2 * math.pi) for t in minima)
        if abs(wanted) < math.pi:  # the grid goes no further
            assert abs(valley - wanted) < 1e-7


def harmonic_series(cos: Tensor, sin: Tensor, number: int) -> list[complex]:
    """c_l of  Σ_l l (cos_l cos l t + sin_l sin l t) = Re Σ_l c_l exp(ilt)."""
    return [order * complex(cos[order - 1], -sin[order - 1]) for order in range(1, number + 1)]


def zeros(series: list[complex]) -> list[float]:
    """Angles at which a series vanishes: roots of a polynomial in exp(it) that lie on the unit circle."""
    roots = np.roots([*series[::-1], 0, *np.conj(series)])
    return [float(angle) for angle in np.angle(roots[np.abs(np.abs(roots) - 1) < 1e-6])]


def rising(series: list[complex], t: float) -> bool:
    return sum((1j * order * c * cmath.exp(1j * order * t)).real for order, c in enumerate(series, start=1)) > 0


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_variance_of_a_difference_is_what_repetition_shows(number: int) -> None:
    repeats, noise = 4000, 0.3
    a, b = (row[:1].expand(repeats, -1) for row in drawn(1, number))
    noisy = seen(a, b, number, noise)
    s, t = torch.full((repeats,), 0.7, dtype=torch.float64), torch.full((repeats,), -1.9, dtype=torch.float64)
    for (mean, variance), truth in (
        (noisy.difference(s, t), (heights(a, b, s[:, None]) - heights(a, b, t[:, None]))[0, 0]),
        (noisy.slope(), (torch.arange(1, MOST + 1) * b[0]).sum()),
    ):
        assert abs(mean.mean() - truth) < 4 * math.sqrt(float(variance[0]) / repeats)
        assert abs(mean.var() / variance[0] - 1) < 4 * math.sqrt(2 / repeats)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_samples_divided_by_the_weights_show_the_slope_with_the_variance_of_the_literature(number: int) -> None:
    """R² times that of one sample, over their number (Wierichs et al., Quantum 6 (2022) 677)."""
    points, total = design(MOST).of(torch.tensor([number])), 1000.0
    variances = torch.where(points.weights > 0, 1 / (total * points.weights.clamp_min(1e-300)), 0.0)
    _, variance = Polynomial(points, torch.zeros_like(variances), variances).slope()
    assert abs(float(variance) * total / number**2 - 1) < 1e-12


def test_valleys_count_as_apart_across_the_seam() -> None:
    a, b = drawn(3, 2)
    poly = seen(a, b, 2)
    edge = torch.tensor([math.pi - 1e-9, 0.0, 3.0], dtype=torch.float64)
    assert poly.apart(edge, torch.tensor([-math.pi + 1e-9, 1.0, 3.0], dtype=torch.float64)).tolist() == [False, True, False]
