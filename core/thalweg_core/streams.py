"""Random numbers as a function of where they are used: keyed by the seed, countered by replica, step and purpose.

Nothing is drawn from a running generator. The number a replica sees at a step for a purpose is fixed by these four words
alone, so it does not depend on how many replicas run beside it, on how often a job was resumed, or on who asked before.
The integers are the same on every device; the normal numbers may differ there in the last bit of a logarithm or a cosine.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from thalweg_core.numbers.philox import WORD, array_rows, tensor_rows

EVERYONE = WORD
"""Replica number of what all replicas share, such as the jitter of a trajectory's length."""


@dataclass(frozen=True)
class Stream:
    """The random numbers of one place in a run.

    Args:
        seed: key of the whole job, 64 bits.
        rows: (B,) int64, the replicas' own numbers, below 2³² - 1.
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
        return replace(self, purpose=zlib.crc32(f"{name}/{number};".encode(), self.purpose))

    def take(self, index: Tensor) -> Stream:
        """The streams of some of the rows."""
        return replace(self, rows=self.rows[index])

    def shared(self) -> Stream:
        """One row of numbers common to all replicas."""
        return replace(self, rows=self.rows.new_full((1,), EVERYONE))

    def words(self, count: int) -> Tensor:
        """Random 32-bit words, (B, count) int64 in [0, 2³²). The first words do not depend on how many follow."""
        blocks = -(-count // 4)
        key = (self.seed & WORD, (self.seed >> 32) & WORD)
        if self.rows.device.type == "cpu":
            out = array_rows(blocks, self.rows.numpy(), self.step, self.purpose, key)
            return torch.from_numpy(out.view("int64"))[:, :count]
        return tensor_rows(blocks, self.rows, self.step, self.purpose, key)[:, :count]

    def uniform(self, shape: tuple[int, ...] = (), dtype: torch.dtype = torch.float64) -> Tensor:
        """Uniform on [0, 1) with 53 random bits, (B, *shape)."""
        words = self.words(2 * math.prod(shape))
        u = ((words[:, 0::2] >> 5) * 67108864 + (words[:, 1::2] >> 6)).to(torch.float64) * 2.0**-53
        u = u.reshape(len(self.rows), *shape)
        return u if dtype == torch.float64 else u.to(dtype).clamp_max(1 - torch.finfo(dtype).eps / 2)  # rounding makes ones

    def normal(self, shape: tuple[int, ...] = (), dtype: torch.dtype = torch.float64) -> Tensor:
        """Standard normal by Box–Muller, (B, *shape)."""
        count = math.prod(shape)
        u = self.uniform((2, -(-count // 2)))
        radius = torch.sqrt(-2.0 * torch.log1p(-u[:, 0]))
        angle = 2.0 * math.pi * u[:, 1]
        z = torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)
        return z[:, :count].reshape(len(self.rows), *shape).to(dtype)

    def normal_like(self, x: Tensor) -> Tensor:
        """Standard normal with the shape and type of x, whose rows are this stream's replicas."""
        return self.normal(tuple(x.shape[1:]), x.dtype)

    def seeds(self, count: int = 1) -> Tensor:
        """Seeds for a foreign generator, (B, count) int64 in [0, 2³¹)."""
        return self.words(count) >> 1
