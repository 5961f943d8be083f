"""Two wells in the plane, of different depth: the smallest test of whether a sampler crosses a barrier."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from thalweg_core.problem import Traits
from thalweg_core.streams import Stream
from thalweg_physics.densities.density import Density, FlatLandscape, small


@dataclass(frozen=True)
class DoubleWell(Density["DoubleWellLandscape"]):
    """Two wells of different depth in the plane, a barrier of 3 between them.

    U = 3 (x² - 1)² - 0.4 x + 2 (y - x/2)²:   wells near x = ±1, the right one deeper
    """

    def traits(self) -> Traits:
        return small(2)

    def coordinates(self) -> list[str]:
        return ["x", "y"]

    def open(self, device: torch.device, dtype: torch.dtype) -> DoubleWellLandscape:
        return DoubleWellLandscape(device, dtype)

    def start(self, landscape: DoubleWellLandscape, rng: Stream) -> Tensor:
        """(B, 2), uniform in a square over both wells: further out the walls are too steep for steps that fit the wells."""
        return 1.6 * (2 * rng.named("start").uniform((2,), landscape.dtype) - 1).to(landscape.device)

    def truth(self) -> dict[str, Tensor]:
        """Exact moments at temperature 1: mean (2,), covariance (2, 2), log_z, and the probability that x > 0.

        Given x, y is normal with mean x/2 and variance 1/4. What is left in x is summed on a grid, whose error falls
        faster than any power of its step for a smooth function that dies out on both sides; the step's edge at x = 0 is
        met by Simpson's rule.
        """
        x = torch.linspace(-4, 4, 80_001, dtype=torch.float64)
        weight = torch.exp(-3 * (x * x - 1) ** 2 + 0.4 * x)
        z = weight.sum()
        first, second = (x * weight).sum() / z, (x * x * weight).sum() / z
        variance = second - first**2
        half = (len(x) - 1) // 2
        right = weight[half:]
        simpson = (right[0] + 4 * right[1:-1:2].sum() + 2 * right[2:-1:2].sum() + right[-1]) / 3
        return {
            "mean": torch.stack([first, first / 2]),
            "covariance": torch.stack([torch.stack([variance, variance / 2]), torch.stack([variance / 2, variance / 4 + 0.25])]),
            "log_z": torch.log(z * (x[1] - x[0])) + 0.5 * math.log(math.pi / 2),
            "right_probability": simpson / z,
        }


class DoubleWellLandscape(FlatLandscape):
    """The open density. Shapes: x (B, 2)."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self.device, self.dtype = device, dtype

    def energy(self, x: Tensor) -> Tensor:
        x, y = x.unbind(1)
        well, across = x * x - 1, y - 0.5 * x
        return 3 * well * well - 0.4 * x + 2 * across * across

    def gradient(self, x: Tensor) -> Tensor:
        x, y = x.unbind(1)
        across = 4 * (y - 0.5 * x)
        return torch.stack([12 * x * (x * x - 1) - 0.4 - 0.5 * across, across], dim=1)
