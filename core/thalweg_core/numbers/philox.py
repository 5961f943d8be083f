"""Philox4x32-10: four random 32-bit words as a function of a counter and a key, in two bodies.

`philox4x32` is the readable one, in torch integers, for any device, or in plain ones. `array_rows` computes the same words on
the processor in a third of the time, with NumPy's unsigned integers: where a step is small, drawing is most of it.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11 (2011).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

WORD = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10

FEW = 8
"""Counters that plain integers are faster for (measured)."""

Words = NDArray[np.uint64]
T = TypeVar("T", int, Tensor)


def philox4x32(counter: tuple[T, T, T, T], key: tuple[int, int]) -> tuple[T, T, T, T]:
    """Four 32-bit words for each counter; words are int64 tensors of one shape in [0, 2³²), or plain integers."""
    c0, c1, c2, c3 = counter
    for k0, k1 in _round_keys(key):
        first, second = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]  # wrap modulo 2⁶⁴: the low and high words stay right
        c0, c1, c2, c3 = (
            ((second >> 32) & WORD) ^ c1 ^ k0,
            second & WORD,
            ((first >> 32) & WORD) ^ c3 ^ k1,
            first & WORD,
        )
    return c0, c1, c2, c3


def tensor_rows(blocks: int, rows: Tensor, step: int, purpose: int, key: tuple[int, int]) -> Tensor:
    """The words of the counters (block, row, step, purpose), (B, 4 · blocks) int64: block by block in each row."""
    zero = rows.new_zeros(len(rows), blocks)
    index = torch.arange(blocks, dtype=rows.dtype, device=rows.device)
    words = philox4x32((zero + index, zero + rows[:, None], zero + step, zero + purpose), key)
    return torch.stack(words, dim=-1).reshape(len(rows), -1)


def array_rows(blocks: int, rows: NDArray[np.int64], step: int, purpose: int, key: tuple[int, int]) -> Words:
    """The same as `tensor_rows`, (B, 4 · blocks) uint64."""
    if len(rows) * blocks <= FEW:
        words = [philox4x32((block, row, step, purpose), key) for row in rows.tolist() for block in range(blocks)]
        return np.array(words, dtype=np.uint64).reshape(len(rows), -1)
    even, odd = np.empty((2, 2, len(rows), blocks), dtype=np.uint64)  # words 0 and 2, words 1 and 3
    even[0], even[1] = np.arange(blocks), step
    odd[0], odd[1] = rows[:, None], purpose
    for round_key in _stacked_keys(key):
        product = even * _STACKED_MULTIPLIERS
        even = (product >> _HALF)[::-1]
        even ^= odd
        even ^= round_key
        odd = (product & _LOW)[::-1]
    return np.stack([even[0], odd[0], even[1], odd[1]], axis=-1).reshape(len(rows), -1)


_HALF, _LOW = np.uint64(32), np.uint64(WORD)
_STACKED_MULTIPLIERS = np.array(_MULTIPLIERS, dtype=np.uint64).reshape(2, 1, 1)


@lru_cache(maxsize=64)
def _round_keys(key: tuple[int, int]) -> list[tuple[int, int]]:
    return [((key[0] + r * _WEYL[0]) & WORD, (key[1] + r * _WEYL[1]) & WORD) for r in range(_ROUNDS)]


@lru_cache(maxsize=64)
def _stacked_keys(key: tuple[int, int]) -> tuple[Words, ...]:
    return tuple(np.array(pair, dtype=np.uint64).reshape(2, 1, 1) for pair in _round_keys(key))
