"""The gradient's Kalman filter against what a scalar one must do."""

from __future__ import annotations

import math

import torch

from thalweg_core.landscape import Cost, Evaluation
from thalweg_core.noise.gradient_filter import begin_filter, filtered
from thalweg_core.streams import Stream


def look(grad: torch.Tensor, variance: float) -> Evaluation:
    value = grad[:, 0] * 0
    return Evaluation(value, grad, value, torch.full_like(grad, variance), Cost.none(grad))


def test_standing_still_it_is_the_mean_of_all_looks() -> None:
    grads = Stream.of(1, 3).normal((50, 4))
    filter_ = begin_filter(grads[:, 0], look(grads[:, 0], 1.0))
    for grad in grads[:, 1:].unbind(dim=1):
        filter_ = filtered(filter_, torch.zeros_like(grad), grad, torch.ones_like(grad))
    torch.testing.assert_close(filter_.mean, grads.mean(dim=1), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(filter_.variance, torch.full_like(filter_.mean, 1 / 50), rtol=1e-12, atol=0)


def test_exact_looks_are_taken_as_they_are() -> None:
    grads = Stream.of(2, 3).normal((10, 4))
    filter_ = begin_filter(grads[:, 0], look(grads[:, 0], 0.0))
    for grad in grads[:, 1:].unbind(dim=1):
        filter_ = filtered(filter_, torch.ones_like(grad), grad, torch.zeros_like(grad))
        assert torch.equal(filter_.mean, grad) and not filter_.variance.any()


def test_along_a_slope_that_bends_it_errs_less_than_one_look_and_says_about_how_much() -> None:
    """A gradient that is a random walk: its change over a unit step has variance q/dim in each of dim components."""
    rows, steps, dim, turn = 200, 300, 8, 0.1
    truth = torch.cumsum(turn * Stream.of(3, rows).normal((steps, dim)), dim=1)
    looks = truth + Stream.of(4, rows).normal((steps, dim))
    step = torch.zeros(rows, dim, dtype=torch.float64)
    step[:, 0] = 1.0
    filter_ = begin_filter(looks[:, 0], look(looks[:, 0], 1.0))
    for grad in looks[:, 1:].unbind(dim=1):
        filter_ = filtered(filter_, step, grad, torch.ones_like(grad))
    error = float((filter_.mean - truth[:, -1]).square().mean())
    best = (math.sqrt(turn**4 + 4 * turn**2) - turn**2) / 2  # Riccati: P² + turn² P = turn², after a look, of variance 1
    assert best < error * (1 + 4 * math.sqrt(2 / (rows * dim)))  # nothing is better than the filter that knows q
    assert error < 0.3  # one look errs by 1
    assert 0.3 < error / float(filter_.variance.mean()) < 3  # q is learnt roughly: arbitrary


def test_a_sudden_turn_is_believed_within_a_few_looks() -> None:
    rows, dim = 100, 8
    step = torch.full((rows, dim), 0.1, dtype=torch.float64)
    noise = 0.1 * Stream.of(5, rows).normal((40, dim))
    filter_ = begin_filter(noise[:, 0], look(noise[:, 0], 0.01))
    for t in range(1, 40):
        grad = noise[:, t] + (5.0 if t >= 30 else 0.0)
        filter_ = filtered(filter_, step, grad, torch.full_like(grad, 0.01))
    assert float((filter_.mean - 5.0).abs().mean()) < 0.2
