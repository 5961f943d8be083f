"""A landscape looked at in chunks of a fixed number of rows.

A matrix product may round differently when the batch is wider. Computed in padded chunks of one width, a row is the same
to the bit whether 1, 4 or 64 replicas run beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor


def in_chunks(f: Callable[[Tensor], tuple[Tensor, ...]], x: Tensor, width: int) -> tuple[Tensor, ...]:
    """f on x (B, *E), always called with `width` rows; the last chunk is padded by repeating its last row.

    f must return tensors whose first axis is the rows'.
    """
    parts = [tuple(t[:rows] for t in f(chunk)) for rows, chunk in _chunks(x, width)]
    return tuple(torch.cat(column) for column in zip(*parts, strict=True))


def _chunks(x: Tensor, width: int) -> Iterator[tuple[int, Tensor]]:
    for first in range(0, x.shape[0], width):
        piece = x[first : first + width]
        missing = width - piece.shape[0]
        yield piece.shape[0], torch.cat([piece, piece[-1:].expand(missing, *piece.shape[1:])]) if missing else piece
