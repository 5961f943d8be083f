"""Uniaxial anisotropy: spins want to lie along an axis, or across it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from thalweg_core.numbers.rows import row_dot
from thalweg_physics.magnet.checks import unit_vector
from thalweg_physics.magnet.material import Material


@dataclass(frozen=True)
class Anisotropy:
    """E = -½ k Σ_i (m_i · n)²,  k = 2K / (μ0 Ms²).

    Shapes: m (B, Nz, Ny, Nx, 3) -> energy (B,).
    Units:  energy in μ0 Ms² V of a cell.
    """

    strength: float  # k
    axis: tuple[float, float, float]  # n, of length 1

    @classmethod
    def of(cls, material: Material) -> Anisotropy:
        uniaxial = material.uniaxial_anisotropy
        return cls(2 * uniaxial.constant / material.energy_density, unit_vector(uniaxial.axis))

    def energy(self, m: Tensor) -> Tensor:
        along = m[..., 0] * self.axis[0] + m[..., 1] * self.axis[1] + m[..., 2] * self.axis[2]
        return -0.5 * self.strength * row_dot(along, along)

    def stiffest(self) -> float:
        """Bound on its Hessian along the spheres, in units of h = H_eff / Ms."""
        return abs(self.strength)
