"""Exchange: neighbours want to be parallel."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from thalweg_core.numbers.rows import row_dot
from thalweg_physics.magnet.grid import Grid
from thalweg_physics.magnet.material import Material


@dataclass(frozen=True)
class Exchange:
    """E = Σ_axes ½ c Σ_bonds |m_j - m_i|²,  c = 2A / (μ0 Ms² d²)  for the cell's edge d: A (∇m)² to second order in d.

    Shapes: m (B, Nz, Ny, Nx, 3) -> energy (B,).
    Units:  energy in μ0 Ms² V of a cell.
    """

    grid: Grid
    couplings: tuple[float, ...]  # c along x, y, z; 0 along an axis of one cell

    @classmethod
    def of(cls, grid: Grid, material: Material) -> Exchange:
        stiffness = 2 * material.exchange_stiffness / material.energy_density
        return cls(grid, tuple(stiffness / d**2 if grid.coupled(axis) else 0.0 for axis, d in enumerate(grid.cell_size)))

    def energy(self, m: Tensor) -> Tensor:
        energy = m.new_zeros(m.shape[0])
        for axis, c in enumerate(self.couplings):
            if c:
                lower, upper = self.grid.bonds(m, axis)
                energy = energy + 0.5 * c * row_dot(upper - lower, upper - lower)
        return energy

    def stiffest(self) -> float:
        """Bound on its Hessian along the spheres, in units of h = H_eff / Ms: cells that alternate along every axis. Its
        field only ever lowers it."""
        return 4 * sum(self.couplings)
