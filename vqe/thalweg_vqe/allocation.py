"""How the shots of a look are divided over the groups of words that are measured together.

"equal": every group takes the same number.
"measured": a fifth of the shots is divided equally, and the rest in proportion to the spread that these show of single shots,
    pooled over all points of the look: the optimum, with a floor (Neyman, J. R. Stat. Soc. 97 (1934) 558). Both parts count
    as one sample. As the first decides how much it weighs beside the second, the mean is not quite unbiased, by at most 0.07
    of its standard error in simulations of single energies of H2 and LiH (160 to 2000 shots a circuit) at and around the
    Hartree-Fock determinant, where spreads come from rare outcomes; far from it, and in gradients, by at most 0.03. Reported
    variances were right within 3 %.
"random": every shot draws its group with the probability p_g of the group's share of Σ|c|, and says  energy / p_g:  unbiased
    with fewer shots than groups (Arrasmith, Cincio, Somma & Coles, arXiv:2004.06252). Samples are single shots here, not shots
    of every circuit.

Shapes: B replicas, K points, G groups.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from thalweg_core.streams import Stream
from thalweg_vqe.patterns import pairwise
from thalweg_vqe.sampler import Looks

ALLOCATIONS = ("equal", "measured", "random")

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

Take = Callable[[Tensor, Stream], Looks]
"""Measures all points with shots (B, K, G)."""


class Energies(NamedTuple):
    """Of all points, without the identity's constant, and what they took."""

    mean: Tensor  # (B, K) Ha; NaN where there are no shots
    variance: Tensor  # (B, K) of that mean (Ha²); infinite where it is not known
    circuits: Tensor  # (B,)
    shots: Tensor  # (B,)


def measured(take: Take, samples: Tensor, weights: Tensor, allocation: str, rng: Stream) -> Energies:
    """Energies from so many samples (B, K) int64 of each point, in groups of these Σ|c| (G,)."""
    if allocation == "random" and len(weights):
        return _random(take, samples, weights, rng)
    if allocation == "measured":
        return _neyman(take, samples, weights, rng)
    return _equal(take, samples, len(weights), rng)


def apportioned(total: Tensor, shares: Tensor) -> Tensor:
    """Whole numbers with a given sum, as near as can be to fractions of it: (…), (…, N) -> (…, N) int64.

    The largest remainders are rounded up, of equal ones the first. The shares add to 1, but for rounding.
    """
    quota = total[..., None] * shares
    whole = quota.floor()
    left = total[..., None] - whole.sum(dim=-1, keepdim=True)  # exact: whole numbers
    order = torch.argsort(whole - quota, dim=-1, stable=True)
    rank = torch.argsort(order, dim=-1)
    return (whole + (rank < left)).to(torch.int64)


def _equal(take: Take, samples: Tensor, groups: int, rng: Stream) -> Energies:
    shots = samples[:, :, None].expand(-1, -1, groups)
    mean, variance = _summed(*take(shots, rng))
    circuits = groups * (samples > 0).sum(dim=1)
    return Energies(mean, variance, circuits, groups * samples.sum(dim=1))


def _neyman(take: Take, samples: Tensor, weights: Tensor, rng: Stream) -> Energies:
    groups = len(weights)
    first = torch.minimum((samples // FIRST).clamp_min(LEAST), samples)
    few = first.sum(dim=1, keepdim=True) < ENOUGH
    first = torch.where(few, samples, first)
    one = first[:, :, None].expand(-1, -1, groups)
    seen = take(one, rng.named("first part"))
    rest = (samples - first) * groups
    if not rest.any():
        return Energies(*_summed(*seen), _circuits(one), one.sum(dim=(1, 2)))
    two = apportioned(rest, _shares(seen, one, weights)[:, None])
    again = take(two, rng.named("rest"))
    pooled = _summed(*_pooled(seen, one, again, two))
    return Energies(*pooled, _circuits(one) + _circuits(two), (one + two).sum(dim=(1, 2)))


def _random(take: Take, samples: Tensor, weights: Tensor, rng: Stream) -> Energies:
    p = weights / weights.sum()
    shots = _drawn(samples, p, rng.named("groups"))
    seen = take(shots, rng)
    known = shots > 0
    each, spread = seen.mean / p, _spread(seen, shots) / p**2
    mean = _total(torch.where(known, shots * each, 0.0)) / samples  # 0/0 is NaN
    squares = torch.where(known, spread + shots * (each - mean[..., None]) ** 2, 0.0)
    variance = torch.where(samples > 1, _total(squares) / (samples * (samples - 1)), torch.inf)
    return Energies(mean, variance, _circuits(shots), samples.sum(dim=1))


def _drawn(samples: Tensor, p: Tensor, rng: Stream) -> Tensor:
    """How many of each point's shots fall to each group, (B, K, G)."""
    keys = rng.words(2).tolist()
    rows = [
        np.random.default_rng(np.random.Philox(key=high << 32 | low)).multinomial(row, p.numpy())
        for (high, low), row in zip(keys, samples.numpy(), strict=True)
    ]
    return torch.from_numpy(np.stack(rows))


def _shares(looks: Looks, shots: Tensor, weights: Tensor) -> Tensor:
    """Each group's part of Σ_g σ_g, from all points together, (B, G)."""
    squares = _total(_spread(looks, shots).transpose(1, 2)) + UNSEEN * weights**2
    sigma = (squares / shots.sum(dim=1)).sqrt()
    return sigma / _total(sigma)[:, None]


def _spread(looks: Looks, shots: Tensor) -> Tensor:
    """Σ (e - mean)² over the shots."""
    return torch.where(shots > 1, looks.variance * (shots * (shots - 1)), 0.0)


def _pooled(a: Looks, n: Tensor, b: Looks, m: Tensor) -> Looks:
    """Of both parts as if they were one: b may have no shots where a has some."""
    both = n + m
    step = torch.where(m > 0, b.mean - a.mean, 0.0)
    mean = a.mean + step * m / both.clamp_min(1)
    spread = _spread(a, n) + _spread(b, m) + step**2 * (n * m / both.clamp_min(1))
    return Looks(mean, torch.where(both > 1, spread / (both * (both - 1)), torch.inf))


def _summed(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    total = _total(torch.stack([mean, variance]))
    return total[0], total[1]


def _total(x: Tensor) -> Tensor:
    """Sum over the last axis, which no library may reorder: (…, N) -> (…)."""
    missing = (1 << max(0, x.shape[-1] - 1).bit_length()) - x.shape[-1]
    return pairwise(pad(x, (0, missing)))


def _circuits(shots: Tensor) -> Tensor:
    return (shots > 0).sum(dim=(1, 2))
