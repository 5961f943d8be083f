"""Sums along a row that do not depend on how many rows stand beside it.

A library reduction may split or vectorize differently when the batch is wider, and then rounds differently. Adding
halves pairwise uses only elementwise sums, which IEEE 754 fixes to the bit.

Not every elementwise function is as safe: where a vector unit does the bulk and a scalar loop the last few numbers, a
number's bits depend on where in the batch it lies. Sums, products, quotients, square roots, exp, log, log1p, expm1, sin,
cos and tanh do not depend on it (a test holds each machine to this). Sigmoid, softplus, logaddexp, atan2, hypot and powers
above the third do in torch 2.13: look at them through `chunks.in_chunks`, or write them with the others.
"""

from __future__ import annotations

import torch
from torch import Tensor


def row_sum(x: Tensor) -> Tensor:
    """Pairwise sum over all axes but the first: (B, *E) -> (B,)."""
    y = x.reshape(x.shape[0], -1)
    if y.shape[1] == 0:
        return x.new_zeros(x.shape[0])
    while (n := y.shape[1]) > 1:
        half = n // 2
        folded = y[:, :half] + y[:, half : 2 * half]
        y = torch.cat([folded, y[:, -1:]], dim=1) if n % 2 else folded
    return y[:, 0].clone()


def row_max(x: Tensor) -> Tensor:
    """Largest entry over all axes but the first: (B, *E) -> (B,)."""
    return x.reshape(x.shape[0], -1).amax(dim=1)


def row_dot(x: Tensor, y: Tensor) -> Tensor:
    """Euclidean inner product row by row: (B, *E), (B, *E) -> (B,)."""
    return row_sum(x * y)


def per_row(scale: Tensor, like: Tensor) -> Tensor:
    """A (B,) tensor shaped so that it multiplies (B, *E) row by row."""
    return scale.reshape(-1, *([1] * (like.dim() - 1)))
