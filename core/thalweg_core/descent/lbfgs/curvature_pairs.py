"""Pairs of steps and changes of the gradient, and the inverse Hessian that they make: limited-memory BFGS."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_core.manifold import Euclidean, Manifold
from thalweg_core.numbers.rows import per_row, row_dot, row_sum
from thalweg_core.numbers.trees import choose

MOST_PAIRS = 1000
"""Pairs that may be kept: more take memory that nobody has counted, and no better curvature. Arbitrary."""


class Pairs(NamedTuple):
    """The newest m pairs, newest last. Vectors are tangent at the point they were last carried to."""

    step: Tensor  # (B, m, *E) s
    change: Tensor  # (B, m, *E) y
    weight: Tensor  # (B, m) 1 / (s · y); 0 where there is no pair


def no_pairs(x: Tensor, memory: int) -> Pairs:
    """Before the first: m places at a point x (B, *E)."""
    empty = x.new_zeros(len(x), memory, *x.shape[1:])
    return Pairs(empty, empty.clone(), x.new_zeros(len(x), memory))


def remembered(pairs: Pairs, step: Tensor, change: Tensor, wanted: Tensor) -> Pairs:
    """With one pair more in the rows where it is wanted, (B,) bool, and the oldest forgotten there."""
    product = row_dot(step, change)
    weight = torch.where(wanted, 1 / torch.where(wanted, product, 1.0), 0.0)
    newer = Pairs(
        torch.cat([pairs.step, step[:, None]], dim=1)[:, 1:],
        torch.cat([pairs.change, change[:, None]], dim=1)[:, 1:],
        torch.cat([pairs.weight, weight[:, None]], dim=1)[:, 1:],
    )
    return choose(wanted, newer, pairs)


def stands_out(step: Tensor, change: Tensor, variance: Tensor, errors: float) -> Tensor:
    """Whether s · y is positive by so many of its standard errors sqrt(Σ s² v), (B,) bool; s, y, v = Var(y): (B, *E)."""
    product = row_dot(step, change)
    return (product > 0) & (product > errors * row_sum(step.square() * variance).sqrt())


def carried(pairs: Pairs, manifold: Manifold, x: Tensor, y: Tensor) -> Pairs:
    """The pairs at x, carried to y, (B, *E) both; one whose s · y is no longer positive there is dropped."""
    places = range(pairs.weight.shape[1])
    if isinstance(manifold, Euclidean) or not places:
        return pairs
    step, change = ([manifold.transport(part[:, i], x, y) for i in places] for part in (pairs.step, pairs.change))
    products = torch.stack([row_dot(s, c) for s, c in zip(step, change, strict=True)], dim=1)
    good = (pairs.weight > 0) & (products > 0)
    weight = torch.where(good, 1 / torch.where(good, products, 1.0), 0.0)
    return Pairs(torch.stack(step, dim=1), torch.stack(change, dim=1), weight)


def inverse_curvature(pairs: Pairs) -> Tensor:
    """γ = s · y / y · y of the newest pair: the inverse curvature along it, (B,), x² / U; 0 where there is no pair.

    Source: Barzilai & Borwein, IMA J. Numer. Anal. 8 (1988) 141.
    """
    if not pairs.weight.shape[1]:
        return pairs.weight.new_zeros(len(pairs.weight))
    change = pairs.change[:, -1]
    known = pairs.weight[:, -1] > 0
    square = torch.where(known, row_dot(change, change), 1.0)
    return torch.where(known, row_dot(pairs.step[:, -1], change) / square, 0.0)


def preconditioned(pairs: Pairs, grad: Tensor, diagonal: Tensor) -> Tensor:
    """H g by the two loops, from H₀ = diag(diagonal); g, in U / x, the diagonal, in x² / U, and the result, in x: (B, *E).

        H <- (1 - ρ s yᵀ) H (1 - ρ y sᵀ) + ρ s sᵀ,   ρ = 1 / (s · y),   pair by pair, the oldest first

    Positive definite where the diagonal is.

    Source: Nocedal, Math. Comput. 35 (1980) 773.
    """
    places = range(pairs.weight.shape[1])
    shares: dict[int, Tensor] = {}
    for i in reversed(places):
        shares[i] = pairs.weight[:, i] * row_dot(pairs.step[:, i], grad)
        grad = grad - per_row(shares[i], grad) * pairs.change[:, i]
    grad = diagonal * grad
    for i in places:
        rest = shares[i] - pairs.weight[:, i] * row_dot(pairs.change[:, i], grad)
        grad = grad + per_row(rest, grad) * pairs.step[:, i]
    return grad
