"""A Kalman filter for the gradient along a walk: past evaluations count as far as the gradient has not moved since."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_core.landscape import Evaluation
from thalweg_core.numbers.rows import per_row, row_sum


class FilteredGradient(NamedTuple):
    """An estimate of the gradient at x from all evaluations so far."""

    mean: Tensor  # (B, *E), tangent at x, U / x
    variance: Tensor  # (B, *E) of that estimate, (U / x)²
    drift: Tensor  # (B,) q: mean squared change of the gradient per squared length of a step, (U / x²)²


def begin_filter(grad: Tensor, seen: Evaluation) -> FilteredGradient:
    """After the first evaluation: grad (B, *E) is its tangent gradient, U / x."""
    return FilteredGradient(grad.clone(), seen.grad_var.clone(), torch.zeros_like(seen.value))


def filtered(before: FilteredGradient, step: Tensor, grad: Tensor, variance: Tensor) -> FilteredGradient:
    """After a step d (B, *E) and a new evaluation, g with variance v (B, *E); the mean before, carried along to the new point:

        P <- P + q |d|² / dim,   K = P / (P + v),   m <- m + K (g - m),   P <- (1 - K) P
        q <- EMA₀.₉ of max(0, |g - m|² - Σ(P + v)) / |d|² + q / 2

    q is learnt from innovations larger than their variance explains. Exact evaluations (v = 0) are taken as they are.

    Source: Kalman, J. Basic Eng. 82 (1960) 35. The rule for q is heuristic: it is pulled up by surprises and decays by itself.
    """
    length = row_sum(step * step)
    inflated = before.variance + per_row(before.drift * length / step[0].numel(), step)
    total = inflated + variance
    gain = torch.where(total > 0, inflated / total, 1.0)
    gain = torch.where(variance > 0, gain, 1.0)
    innovation = grad - before.mean
    surprise = (row_sum(innovation * innovation) - row_sum(total)).clamp_min(0.0)
    moved = length > 0
    seen = torch.where(moved, surprise / torch.where(moved, length, 1.0), 0.0) + before.drift / 2
    drift = torch.where(moved, 0.9 * before.drift + 0.1 * seen, before.drift)
    mean = torch.where(variance > 0, before.mean + gain * innovation, grad)
    return FilteredGradient(mean, (1 - gain) * inflated, drift)
