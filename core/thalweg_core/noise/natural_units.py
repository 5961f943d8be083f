"""The length by which a coordinate is measured."""

from __future__ import annotations

import torch
from torch import Tensor

from thalweg_core.landscape import HARMONICS, Landscape


def natural_units(landscape: Landscape, like: Tensor) -> Tensor:
    """1/(ω R) of each coordinate where the landscape is a trigonometric polynomial, else 1: (*E,), of the type of x (B, *E).

    Over one unit the fastest harmonic of a coordinate turns by one radian: steps that are right in this unit are right
    however fast the landscape turns.
    """
    if (periodic := landscape.offer(HARMONICS)) is None:
        return torch.ones(like.shape[1:], dtype=like.dtype, device=like.device)
    base, number = periodic.harmonics
    return 1 / (base * number.clamp_min(1)).to(like)
