"""How the shots of an evaluation are divided over the groups of words that are measured together.

"equal": every group takes the same number.
"measured": a fifth of the shots is divided equally, and the rest in proportion to the spread that these show of single shots,
    pooled over all points of the evaluation: the optimum, with a floor (Neyman, J. R. Stat. Soc. 97 (1934) 558). Both parts count
    as one sample. As the first decides how much it weighs beside the second, the mean is not quite unbiased, by at most 0.07
    of its standard error in simulations of single energies of H2 and LiH (160 to 2000 shots a circuit) at and around the
    Hartree-Fock determinant, where spreads come from rare outcomes; far from it, and in looks at 20 points, by at most 0.03.
    Reported variances were right within 3 %.
"random": every shot draws its group with the probability p_g of the group's share of Σ|c|, and says  energy / p_g:  unbiased
    with fewer shots than groups (Arrasmith, Cincio, Somma & Coles, arXiv:2004.06252). Samples are single shots here, not shots
    of every circuit.

Shapes: B replicas, K points, G groups. In NumPy: on small arrays torch takes several times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thalweg_core.streams import Stream
from thalweg_vqe.engines.sampler import GroupEnergies

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


FIRST = 5
"""The first part is a fifth."""

LEAST = 2
"""Shots that show a spread."""

ENOUGH = 32
"""Shots of a group over all points below which its spread is not worth knowing: everything is divided equally (arbitrary)."""

UNSEEN = 0.1
"""Of a shot that says Σ|c|, added to what a group's shots show: those that show nothing may not have met a rare outcome.

Without it the means of such groups are biased by half their standard error; more wastes shots on groups that are certain.
"""

Take = Callable[[Tensor, Stream], GroupEnergies]
"""Measures all points with shots (B, K, G)."""


class Energies(NamedTuple):
    """Of all points, without the identity's constant, and what they took."""

    mean: Floats  # (B, K) Ha; NaN where there are no shots
    variance: Floats  # (B, K) of that mean (Ha²); infinite where it is not known
    circuits: Ints  # (B,)
    shots: Ints  # (B,)


def measured(take: Take, samples: Ints, weights: Tensor, allocation: str, rng: Stream) -> Energies:
    """Energies from so many samples (B, K) of each point, in groups of these Σ|c| (G,)."""
    if allocation == "random" and len(weights):
        return _random(take, samples, weights.numpy(), rng)
    if allocation == "measured":
        return _neyman(take, samples, weights.numpy(), rng)
    return _equal(take, samples, len(weights), rng)


def apportioned(total: Ints, shares: Floats) -> Ints:
    """Whole numbers with a given sum, as near as can be to fractions of it: (…), (…, N) -> (…, N).

    The largest remainders are rounded up, of equal ones the first. The shares add to 1, but for rounding.
    """
    quota = total[..., None] * shares
    whole = np.floor(quota)
    left = total[..., None] - whole.sum(axis=-1, keepdims=True)  # exact: whole numbers
    order = np.argsort(whole - quota, axis=-1, kind="stable")
    rank = np.argsort(order, axis=-1)
    parts: Ints = (whole + (rank < left)).astype(np.int64)
    return parts


def pairwise(x: Floats) -> Floats:
    """Sum over the last axis by elementwise sums alone, which no library may reorder: (…, N) -> (…)."""
    while (n := x.shape[-1]) > 1:
        half = n // 2
        folded = x[..., :half] + x[..., half : 2 * half]
        if n % 2:
            folded[..., 0] += x[..., -1]
        x = folded
    total: Floats = x[..., 0] if x.shape[-1] else np.zeros(x.shape[:-1])
    return total


def _equal(take: Take, samples: Ints, groups: int, rng: Stream) -> Energies:
    looks = take(_everywhere(samples, groups), rng)
    mean, variance = looks.mean.numpy(), looks.variance.numpy()
    circuits = groups * np.count_nonzero(samples, axis=1)
    return Energies(pairwise(mean), pairwise(variance), circuits, groups * samples.sum(axis=1))


def _neyman(take: Take, samples: Ints, weights: Floats, rng: Stream) -> Energies:
    groups = len(weights)
    first = np.minimum(np.maximum(samples // FIRST, LEAST), samples)
    few = first.sum(axis=1, keepdims=True) < ENOUGH
    first = np.where(few, samples, first)
    one = first[:, :, None]
    seen = _Sample.of(take(_everywhere(first, groups), rng.named("first part")), one)
    rest = (samples - first) * groups
    circuits, shots = groups * np.count_nonzero(first, axis=1), groups * samples.sum(axis=1)
    if not rest.any():
        return seen.energies(circuits, shots)
    squares = pairwise(seen.spread.transpose(0, 2, 1)) + UNSEEN * weights**2
    sigma = np.sqrt(squares / np.maximum(first.sum(axis=1, keepdims=True), 1))
    two = apportioned(rest, (sigma / pairwise(sigma)[:, None])[:, None])
    again = _Sample.of(take(torch.from_numpy(two), rng.named("rest")), two)
    return seen.pooled(again).energies(circuits + np.count_nonzero(two, axis=(1, 2)), shots)


class _Sample(NamedTuple):
    """What some shots of each group showed, (B, K, G) each."""

    shots: Ints  # or (B, K, 1)
    mean: Floats
    spread: Floats  # Σ (e - mean)² over the shots

    @classmethod
    def of(cls, looks: GroupEnergies, shots: Ints) -> _Sample:
        mean, variance = looks.mean.numpy(), looks.variance.numpy()
        return cls(shots, mean, np.where(shots > 1, variance, 0.0) * (shots * (shots - 1.0)))

    def pooled(self, other: _Sample) -> _Sample:
        """Of both as if they were one: the other may have no shots where this has some."""
        n, m = self.shots, other.shots
        both = n + m
        step = np.where(m > 0, other.mean - self.mean, 0.0)
        known = np.maximum(both, 1)
        return _Sample(both, self.mean + step * m / known, self.spread + other.spread + step**2 * (n * m / known))

    def energies(self, circuits: Ints, shots: Ints) -> Energies:
        n = self.shots
        variance = np.where(n > 1, self.spread / np.maximum(n * (n - 1.0), 1.0), np.inf)
        return Energies(pairwise(self.mean), pairwise(variance), circuits, shots)


def _random(take: Take, samples: Ints, weights: Floats, rng: Stream) -> Energies:
    p = weights / weights.sum()
    shots = _drawn(samples, p, rng.named("groups"))
    seen = _Sample.of(take(torch.from_numpy(shots), rng), shots)
    each = np.where(shots > 0, seen.mean, 0.0) / p
    mean = pairwise(shots * each) / np.where(samples > 0, samples, np.nan)
    spread = pairwise(seen.spread / p**2 + shots * (each - mean[..., None]) ** 2)
    variance = np.where(samples > 1, spread / np.maximum(samples * (samples - 1.0), 1.0), np.inf)
    return Energies(mean, variance, np.count_nonzero(shots, axis=(1, 2)), samples.sum(axis=1))


def _drawn(samples: Ints, p: Floats, rng: Stream) -> Ints:
    """How many of each point's shots fall to each group, (B, K, G)."""
    keys = rng.words(2).tolist()
    draws = [np.random.Generator(np.random.Philox(key=high << 32 | low)) for high, low in keys]
    return np.stack([draw.multinomial(row, p) for draw, row in zip(draws, samples, strict=True)])


def _everywhere(samples: Ints, groups: int) -> Tensor:
    """The same in every group."""
    return torch.from_numpy(np.repeat(samples[:, :, None], groups, axis=2))
