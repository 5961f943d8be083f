"""Magnetizations to start from. Each is called with the open landscape and the replicas' streams: (B, Nz, Ny, Nx, 3)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from thalweg_core.errors import BadInput
from thalweg_core.streams import Stream
from thalweg_physics.magnet import checks
from thalweg_physics.magnet.grid import Grid, planes
from thalweg_physics.magnet.landscape import MagnetLandscape
from thalweg_physics.magnet.material import Material


@dataclass(frozen=True)
class SkyrmionStart:
    """A Néel skyrmion in the middle of the grid, with the sense of rotation that the material's D prefers.

        m_z = polarity · cos(2 atan(sinh(r/w) / sinh(R/w)))

    two walls of width w back to back: w = sqrt(A/K) where the material has both, but at most R, else R/2 (arbitrary).

    Args:
        radius: R, where m_z = 0 (m).
        polarity: m_z at the core, +1 or -1; the far field points the other way.

    Source of the profile: Braun, Phys. Rev. B 50, 16485 (1994).
    """

    radius: float
    polarity: int = -1

    def __post_init__(self) -> None:
        checks.positive("radius", self.radius, "metres")
        if self.polarity not in (-1, 1):
            raise BadInput("polarity", f"wanted +1 or -1, got {self.polarity}")

    def check(self, grid: Grid) -> None:
        """Refuse a skyrmion that the grid has no room for, or no cells."""
        room = min(grid.box[:2]) / 2
        if not self.radius < room:
            raise BadInput(
                "start.skyrmion.radius", f"wanted less than half the box, {room:.4g} m, got {self.radius:.4g} m; take more cells"
            )
        if self.radius < max(grid.cell_size[:2]):
            raise BadInput(
                "start.skyrmion.radius",
                f"wanted at least one cell, {max(grid.cell_size[:2]):.4g} m, got {self.radius:.4g} m; take smaller cells",
            )

    def __call__(self, landscape: MagnetLandscape, rng: Stream) -> Tensor:
        grid, material = landscape.grid, landscape.material
        x, y = (_from_centre(grid, axis) for axis in (0, 1))
        y = y[:, None]
        r = torch.hypot(x, y)
        w = self._width(material)
        # sinh(r/w) / sinh(R/w), written so that nothing overflows far out
        ratio = torch.exp((r - self.radius) / w) * -torch.expm1(-2 * r / w) / -math.expm1(-2 * self.radius / w)
        angle = 2 * torch.atan(ratio)  # 0 at the core, π far out
        outward = -self.polarity * math.copysign(1.0, material.interfacial_dmi) * torch.sin(angle) / r.clamp_min(1e-30)
        m = torch.stack([outward * x, outward * y, self.polarity * torch.cos(angle)], dim=-1)
        return _for_all(m, landscape, rng)

    def _width(self, material: Material) -> float:
        stiffness, easy = material.exchange_stiffness, material.uniaxial_anisotropy.constant
        return min(math.sqrt(stiffness / easy), self.radius) if stiffness > 0 and easy > 0 else self.radius / 2


@dataclass(frozen=True)
class UniformStart:
    """All spins along one direction.

    Args:
        direction: of all spins; its length does not matter.
    """

    direction: tuple[float, float, float]

    def __post_init__(self) -> None:
        checks.direction("direction", self.direction)

    def check(self, grid: Grid) -> None:
        """Fits every grid."""

    def __call__(self, landscape: MagnetLandscape, rng: Stream) -> Tensor:
        return _for_all(torch.tensor(checks.unit_vector(self.direction), dtype=torch.float64), landscape, rng)


@dataclass(frozen=True)
class RandomStart:
    """Independent directions, uniform on the sphere, another draw for every replica."""

    def check(self, grid: Grid) -> None:
        """Fits every grid."""

    def __call__(self, landscape: MagnetLandscape, rng: Stream) -> Tensor:
        z = rng.named("directions").normal(landscape.grid.event)
        return planes(landscape.manifold.retract(torch.zeros_like(z), z).to(landscape.own))


def _from_centre(grid: Grid, axis: int) -> Tensor:
    """Coordinates of the cells' centres, from the middle of the box, (N,) in m."""
    n = grid.cells[axis]
    return (torch.arange(n, dtype=torch.float64) - (n - 1) / 2) * grid.cell_size[axis]


def _for_all(m: Tensor, landscape: MagnetLandscape, rng: Stream) -> Tensor:
    """One magnetization for every replica, where the landscape computes."""
    return planes(m.to(landscape.own).expand(len(rng.rows), *landscape.grid.event))
