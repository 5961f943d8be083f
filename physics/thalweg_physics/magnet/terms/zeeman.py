"""Zeeman energy: spins want to lie along an external field."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from thalweg_core.numbers.rows import row_sum
from thalweg_physics.constants import MU0
from thalweg_physics.magnet.material import Material


@dataclass(frozen=True)
class Zeeman:
    """E = -Σ_i m_i · b,  b = B / (μ0 Ms).

    Shapes: m (B, Nz, Ny, Nx, 3) -> energy (B,).
    Units:  B in T, energy in μ0 Ms² V of a cell.
    """

    field: tuple[float, ...]  # b

    @classmethod
    def of(cls, external_field: tuple[float, float, float], material: Material) -> Zeeman:
        return cls(tuple(component / (MU0 * material.saturation_magnetization) for component in external_field))

    def energy(self, m: Tensor) -> Tensor:
        return -row_sum(m[..., 0] * self.field[0] + m[..., 1] * self.field[1] + m[..., 2] * self.field[2])

    def stiffest(self) -> float:
        """Bound on its Hessian along the spheres, in units of h = H_eff / Ms."""
        return math.hypot(*self.field)
