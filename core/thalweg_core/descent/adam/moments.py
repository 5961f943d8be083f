"""Running moments of a gradient: its mean, and the mean of its square."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_core.manifold import Manifold
from thalweg_core.numbers.rows import per_row, row_sum


class Moments(NamedTuple):
    """Exponential means of gradients, and how much of them is still the zero that they began with."""

    mean: Tensor  # (B, *E) first moment, tangent at x, U / x
    square: Tensor  # (B, *E), on spheres (B, 1, ...): second moment, (U / x)²
    largest: Tensor  # as square: the largest second moment so far, where it is kept, else the same
    fade1: Tensor  # (B,) β1^t
    fade2: Tensor  # (B,) β2^t


def no_moments(manifold: Manifold, x: Tensor) -> Moments:
    """Before the first gradient at x (B, *E)."""
    square = torch.zeros_like(manifold.squares(x))
    fresh = torch.ones(len(x), dtype=x.dtype, device=x.device)
    return Moments(torch.zeros_like(x), square, square, fresh, fresh)


def updated(moments: Moments, manifold: Manifold, grad: Tensor, beta1: float, beta2: float, never_falls: bool) -> Moments:
    """With one gradient more, g (B, *E) tangent at x:  m <- β1 m + (1 - β1) g,   v <- β2 v + (1 - β2) g².

    never_falls: whether `largest` keeps the largest v (AMSGrad).
    """
    square = beta2 * moments.square + (1 - beta2) * manifold.squares(grad)
    return Moments(
        beta1 * moments.mean + (1 - beta1) * grad,
        square,
        torch.maximum(moments.largest, square) if never_falls else square,
        beta1 * moments.fade1,
        beta2 * moments.fade2,
    )


def direction(moments: Moments, epsilon: float) -> Tensor:
    """[m / (1 - β1^t)] / (sqrt(v / (1 - β2^t)) + ε), (B, *E): about a sign, less where gradients change theirs."""
    size = (moments.largest / per_row(1 - moments.fade2, moments.largest)).sqrt() + epsilon
    return per_row(1 / (1 - moments.fade1), moments.mean) * moments.mean / size


def tempered(step: Tensor, moments: Moments, unit: Tensor, power: float) -> Tensor:
    """[w̄ / max(w, w̄ / 10)]^(power / 2) step, (B, *E):  w = u² v,  w̄ its mean over all coordinates, u their unit (*E,).

    By power 1 a step that was divided by the root of v is divided by v, however large v is altogether.
    """
    square = (moments.largest * unit * unit).expand_as(step)
    mean = per_row(row_sum(square) / max(1, step[0].numel()), square)
    least = (0.1 * mean).clamp_min(torch.finfo(square.dtype).tiny)
    return step * _power(mean / torch.maximum(square, least), power / 2)


def _power(x: Tensor, exponent: float) -> Tensor:
    """x^exponent of numbers ≥ 0 by functions whose bits do not depend on what lies beside (see `numbers/rows.py`)."""
    return x.sqrt() if exponent == 0.5 else (exponent * x.log()).exp()
