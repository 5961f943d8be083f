"""Interfacial Dzyaloshinskii–Moriya interaction: neighbours want to turn about the bond's in-plane normal."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from thalweg_core.numbers.rows import row_dot
from thalweg_physics.magnet.grid import Grid
from thalweg_physics.magnet.material import Material


@dataclass(frozen=True)
class InterfacialDmi:
    """E = c_x Σ_x-bonds (m_i × m_j)_y - c_y Σ_y-bonds (m_i × m_j)_x,  c = D / (μ0 Ms² d)  for the cell's edge d.

    The bonds of D [m_z div m - (m · ∇) m_z] with midpoint values. A bond that an open box cuts is missing, which makes
    the natural boundary condition: spins at an edge tilt by sin θ = D / (2 sqrt(A K)) as d -> 0.

    Shapes: m (B, Nz, Ny, Nx, 3) -> energy (B,).
    Units:  energy in μ0 Ms² V of a cell.
    Source: Rohart & Thiaville, Phys. Rev. B 88, 184422 (2013).
    """

    grid: Grid
    couplings: tuple[float, ...]  # c along x, y; 0 along an axis of one cell

    @classmethod
    def of(cls, grid: Grid, material: Material) -> InterfacialDmi:
        strength = material.interfacial_dmi / material.energy_density
        return cls(grid, tuple(strength / grid.cell_size[axis] if grid.coupled(axis) else 0.0 for axis in (0, 1)))

    def energy(self, m: Tensor) -> Tensor:
        energy = m.new_zeros(m.shape[0])
        for axis, c in enumerate(self.couplings):
            if c:
                lower, upper = self.grid.bonds(m, axis)
                energy = energy + c * (row_dot(lower[..., 2], upper[..., axis]) - row_dot(lower[..., axis], upper[..., 2]))
        return energy

    def stiffest(self) -> float:
        """Bound on its Hessian along the spheres, in units of h = H_eff / Ms: of the couplings, and of the field along a spin."""
        x, y = (2 * abs(c) for c in self.couplings)
        return math.hypot(x, y) + x + y
