"""Random numbers as a function of where they are used: Philox4x32-10, keyed by the seed, countered by replica, step and purpose.

Nothing is drawn from a running generator. The number a replica sees at a step for a purpose is fixed by these four words
alone, so it does not depend on how many replicas run beside it, on how often a job was resumed, or on who asked before.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11 (2011).
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor

_WORD = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10

EVERYONE = _WORD
"""Replica number of what all replicas share, such as the jitter of a trajectory's length."""


@dataclass(frozen=True)
class Stream:
    """The random numbers of one place in a run.

    Args:
        seed: key of the whole job, 64 bits.
        rows: (B,) int64, the replicas' own numbers, below 2³².
        step: step of the walk, below 2³².
        purpose: 32-bit name of what the numbers are for; `named` sets it.
    """

    seed: int
    rows: Tensor
    step: int = 0
    purpose: int = 0

    @classmethod
    def of(cls, seed: int, replicas: int, device: torch.device | str = "cpu") -> Stream:
        """The streams of replicas 0 … replicas-1."""
        return cls(seed, torch.arange(replicas, dtype=torch.int64, device=device))

    def at(self, step: int) -> Stream:
        """The same purpose at another step."""
        return replace(self, step=step)

    def named(self, name: str, number: int = 0) -> Stream:
        """The stream of a purpose inside this one: `rng.named("momentum")`, `rng.named("leapfrog", 3)`."""
        return replace(self, purpose=zlib.crc32(f"{name}/{number}".encode(), self.purpose))

    def take(self, index: Tensor) -> Stream:
        """The streams of some of the rows."""
        return replace(self, rows=self.rows[index])

    def shared(self) -> Stream:
        """One row of numbers common to all replicas."""
        return replace(self, rows=self.rows.new_full((1,), EVERYONE))

    def words(self, count: int) -> Tensor:
        """Random 32-bit words, (B, count) int64 in [0, 2³²)."""
        blocks = -(-count // 4)
        index = torch.arange(blocks, dtype=torch.int64, device=self.rows.device)
        counter = (
            index.expand(len(self.rows), blocks),
            self.rows[:, None].expand(-1, blocks),
            torch.full_like(index, self.step).expand(len(self.rows), blocks),
            torch.full_like(index, self.purpose).expand(len(self.rows), blocks),
        )
        out = philox4x32(counter, (self.seed & _WORD, (self.seed >> 32) & _WORD))
        return torch.stack(out, dim=-1).reshape(len(self.rows), -1)[:, :count]

    def uniform(self, shape: tuple[int, ...] = (), dtype: torch.dtype = torch.float64) -> Tensor:
        """Uniform on [0, 1) with 53 random bits, (B, *shape)."""
        count = math.prod(shape)
        high, low = self.words(2 * count).reshape(-1, count, 2).unbind(-1)
        u = ((high >> 5) * 67108864 + (low >> 6)).to(torch.float64) * 2.0**-53
        return u.reshape(-1, *shape).to(dtype)

    def normal(self, shape: tuple[int, ...] = (), dtype: torch.dtype = torch.float64) -> Tensor:
        """Standard normal by Box–Muller, (B, *shape)."""
        count = math.prod(shape)
        pairs = -(-count // 2)
        u = self.uniform((2, pairs))
        radius = torch.sqrt(-2.0 * torch.log1p(-u[:, 0]))
        angle = 2.0 * math.pi * u[:, 1]
        z = torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)
        return z[:, :count].reshape(-1, *shape).to(dtype)

    def normal_like(self, x: Tensor) -> Tensor:
        """Standard normal with the shape and type of x, whose rows are this stream's replicas."""
        return self.normal(tuple(x.shape[1:]), x.dtype)

    def seeds(self, count: int = 1) -> Tensor:
        """Seeds for a foreign generator, (B, count) int64 in [0, 2³¹)."""
        return self.words(count) >> 1


def philox4x32(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Philox4x32-10: four 32-bit words for each counter; words are int64 tensors in [0, 2³²)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        first, second = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]  # wrap modulo 2⁶⁴: the low and high words stay right
        c0, c1, c2, c3 = (
            ((second >> 32) & _WORD) ^ c1 ^ k0,
            second & _WORD,
            ((first >> 32) & _WORD) ^ c3 ^ k1,
            first & _WORD,
        )
        k0, k1 = (k0 + _WEYL[0]) & _WORD, (k1 + _WEYL[1]) & _WORD
    return c0, c1, c2, c3
