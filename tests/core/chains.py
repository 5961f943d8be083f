"""Chains of draws whose correlation is known, for the tests of diagnostics."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from thalweg_core.streams import Stream


def autoregression(rho: float, steps: int, chains: int, coordinates: int = 1, seed: int = 0) -> Tensor:
    """Chains with correlation rho between neighbours and variance 1, drawn from their stationary law: (S, B, d)."""
    noise = Stream.of(seed, chains).normal((steps, coordinates)).transpose(0, 1)
    x = torch.empty_like(noise)
    x[0] = noise[0]
    for t in range(1, steps):
        x[t] = rho * x[t - 1] + math.sqrt(1 - rho**2) * noise[t]
    return x
