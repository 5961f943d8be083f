"""The running average of an iterate over the last part of what was spent: noise moves it less than the iterate."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_core.landscape import Cost
from thalweg_core.manifold import Manifold


class Average(NamedTuple):
    """A running average and what it is weighted by."""

    x: Tensor  # (B, *E)
    spent: Tensor  # (B,) int64: shots so far, or gradients where a landscape counts no shots


def begin_average(x: Tensor, cost: Cost) -> Average:
    """Of the start x (B, *E) alone, after what init has spent."""
    return Average(x.clone(), _effort(cost))


def averaged(average: Average, manifold: Manifold, x: Tensor, cost: Cost, share: float) -> Average:
    """With one iterate x (B, *E) more, after a step that cost so much; share, of the budget, between 0 and 1:

        w = min(1, Δspent / (share · spent)),   average <- the point w of the way from the average to x

    Each iterate has the weight  cost · spent^(1/share - 1), `spent` counted up to its own step: about the last `share` of all
    that was spent so far is averaged. It is Polyak's average with a start that is forgotten.

    Source: Polyak & Juditsky, SIAM J. Control Optim. 30 (1992) 838; the weights: Shamir & Zhang, ICML (2013), section 5.
    """
    effort = _effort(cost)
    spent = average.spent + effort
    weight = (effort.to(torch.float64) / (share * spent.to(torch.float64)).clamp_min(1e-300)).clamp_max(1.0)
    return Average(manifold.toward(average.x, x, weight.to(x.dtype)), spent)


def _effort(cost: Cost) -> Tensor:
    return torch.where(cost.shots > 0, cost.shots, cost.gradients)
