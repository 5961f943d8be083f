"""A normal density whose covariance is known, with one correlation between all coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from thalweg_core.errors import BadInput
from thalweg_core.numbers.rows import per_row, row_sum
from thalweg_core.problem import Traits
from thalweg_core.ranges import between
from thalweg_core.streams import Stream
from thalweg_physics.densities.density import Density, FlatLandscape, small

NARROWEST, WIDEST = 1e-100, 1e100
"""Of the standard deviations (arbitrary): covariances and their inverses stay numbers."""


@dataclass(frozen=True)
class Gaussian(Density["GaussianLandscape"]):
    """A normal density with one correlation between all coordinates.

        U = ½ x^T Σ^-1 x,   Σ_ij = s_i s_j (ρ + (1 - ρ) δ_ij)

    Args:
        scales: s, the standard deviation of each coordinate.
        correlation: ρ between any two coordinates, in (-1/(d-1), 1).
    """

    scales: tuple[float, ...]
    correlation: float = 0.0

    def __post_init__(self) -> None:
        if not self.scales:
            raise BadInput("scales", "wanted the standard deviation of at least one coordinate, got none")
        for place, scale in enumerate(self.scales):
            between(f"scales[{place}]", scale, NARROWEST, WIDEST)
        lowest = -1 / (len(self.scales) - 1) if len(self.scales) > 1 else -1.0
        if not lowest < self.correlation < 1:
            raise BadInput(
                "correlation",
                f"wanted a number in ({lowest:.4g}, 1), as {len(self.scales)} coordinates allow, got {self.correlation}",
            )

    def traits(self) -> Traits:
        return small(len(self.scales))

    def coordinates(self) -> list[str]:
        return [f"x{i}" for i in range(len(self.scales))]

    def open(self, device: torch.device, dtype: torch.dtype) -> GaussianLandscape:
        return GaussianLandscape(torch.tensor(self.scales, dtype=dtype, device=device), self.correlation)

    def start(self, landscape: GaussianLandscape, rng: Stream) -> Tensor:
        """(B, d): independent draws, twice as wide as the density."""
        return 2 * landscape.scales * rng.named("start").normal((len(self.scales),), landscape.scales.dtype)

    def truth(self) -> dict[str, Tensor]:
        """Exact moments at temperature 1: mean (d,), covariance (d, d), log_z = log ∫ exp(-U)."""
        d, rho = len(self.scales), self.correlation
        s = torch.tensor(self.scales, dtype=torch.float64)
        correlations = torch.full((d, d), rho, dtype=torch.float64).fill_diagonal_(1.0)
        log_determinant = 2 * s.log().sum() + (d - 1) * math.log1p(-rho) + math.log1p((d - 1) * rho)
        return {
            "mean": torch.zeros(d, dtype=torch.float64),
            "covariance": s[:, None] * correlations * s,
            "log_z": 0.5 * (d * math.log(2 * math.pi) + log_determinant),
        }


class GaussianLandscape(FlatLandscape):
    """The open density. Shapes: scales (d,), x (B, d)."""

    def __init__(self, scales: Tensor, correlation: float) -> None:
        self.scales, self.correlation = scales, correlation

    def energy(self, x: Tensor) -> Tensor:
        return 0.5 * row_sum(x * self.gradient(x))

    def gradient(self, x: Tensor) -> Tensor:
        """Σ^-1 x, by Sherman and Morrison: (y - ρ/(1 + (d-1)ρ) Σ_j y_j) / (1-ρ) / s with y = x / s."""
        y, rho = x / self.scales, self.correlation
        if rho == 0:
            return y / self.scales
        common = row_sum(y) * (rho / (1 + (x.shape[1] - 1) * rho))
        return (y - per_row(common, y)) / ((1 - rho) * self.scales)
