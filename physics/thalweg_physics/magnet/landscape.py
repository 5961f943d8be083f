"""The micromagnetic energy and its exact discrete gradient, in one pass.

    U = Exchange + InterfacialDmi + Anisotropy + Zeeman,   ∇U = -h,   h = H_eff / Ms

The terms' own files say what each energy is; here their gradients are fused. Cells beyond an open edge count as zero
in sums over neighbours, and each cell's own weight counts only the bonds it has: together the gradient of missing bonds.

Shapes: m (B, Nz, Ny, Nx, 3), any memory order -> value (B,), gradient as m, in planes of components.
Units:  U in μ0 Ms² V of a cell; h is a pure number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

import torch
from torch import Tensor

from thalweg_core.landscape import GRADIENT_ALONE, LIPSCHITZ, Capabilities, Evaluation, Offers, Samples
from thalweg_core.manifold import Spheres
from thalweg_core.numbers.rows import row_sum
from thalweg_core.streams import Stream
from thalweg_physics.magnet.dynamics.spins import PRECESSION, SPINS
from thalweg_physics.magnet.grid import Grid
from thalweg_physics.magnet.material import Material
from thalweg_physics.magnet.terms.anisotropy import Anisotropy
from thalweg_physics.magnet.terms.dmi import InterfacialDmi
from thalweg_physics.magnet.terms.exchange import Exchange
from thalweg_physics.magnet.terms.zeeman import Zeeman

Around: TypeAlias = dict[int, tuple[Tensor, Tensor]]
"""Axis (0, 1, 2 for x, y, z) -> the lower and the upper neighbours' magnetization, (B, 3, Nz, Ny, Nx)."""


@dataclass(frozen=True, eq=False)
class MagnetLandscape(Offers):
    """Unit spins in their own field. Built by `of`."""

    grid: Grid
    material: Material
    exchange: Exchange
    dmi: InterfacialDmi
    anisotropy: Anisotropy
    zeeman: Zeeman
    own: Tensor  # (1, 3, Nz or 1, Ny or 1, Nx or 1): the part of the gradient that a cell's own components make
    pull: Tensor | None  # (1, 3, 1, 1, 1): -b of the Zeeman term; None where it is zero
    easy: Tensor | None  # (1, 3, 1, 1, 1): the easy axis where it is not a coordinate axis
    manifold: Spheres = field(default_factory=Spheres)
    noisy: ClassVar[bool] = False
    width: ClassVar[int] = 1
    offers: ClassVar[Capabilities] = frozenset({GRADIENT_ALONE, LIPSCHITZ, PRECESSION, SPINS})

    @classmethod
    def of(
        cls,
        grid: Grid,
        material: Material,
        external_field: tuple[float, float, float],
        device: torch.device,
        dtype: torch.dtype,
    ) -> MagnetLandscape:
        """The landscape of a material on a grid, in an external field (T)."""
        exchange, anisotropy = Exchange.of(grid, material), Anisotropy.of(material)
        zeeman = Zeeman.of(external_field, material)
        aligned = max(abs(n) for n in anisotropy.axis) == 1.0
        own = torch.zeros(1, 3, 1, 1, 1, dtype=torch.float64)
        for axis, c in enumerate(exchange.couplings):
            own = own + c * grid.neighbours(axis)
        easy = _components(anisotropy.axis)
        if aligned:
            own = own - anisotropy.strength * easy * easy
        return cls(
            grid=grid,
            material=material,
            exchange=exchange,
            dmi=InterfacialDmi.of(grid, material),
            anisotropy=anisotropy,
            zeeman=zeeman,
            own=own.to(device, dtype),
            pull=-_components(zeeman.field).to(device, dtype) if any(zeeman.field) else None,
            easy=None if aligned or not anisotropy.strength else easy.to(device, dtype),
        )

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        m = x.movedim(-1, 1).contiguous()
        gradient = self._gradient(m)
        return Evaluation.exact(self._energy(m, gradient), gradient.movedim(1, -1))

    def gradient(self, x: Tensor) -> Tensor:
        """-h, the shape of x."""
        return self._gradient(x.movedim(-1, 1).contiguous()).movedim(1, -1)

    def energies(self, x: Tensor) -> dict[str, Tensor]:
        """The energy term by term, (B,) each, from the terms' own formulas."""
        return {
            "exchange": self.exchange.energy(x),
            "dmi": self.dmi.energy(x),
            "anisotropy": self.anisotropy.energy(x),
            "zeeman": self.zeeman.energy(x),
        }

    def curvature_bound(self) -> float:
        """Bound on the largest eigenvalue of the Hessian along the spheres, the fields' parts along the spins included."""
        return sum(term.stiffest() for term in (self.exchange, self.dmi, self.anisotropy, self.zeeman))

    @property
    def lipschitz(self) -> float:
        """The same, by its general name."""
        return self.curvature_bound()

    def larmor_rate(self) -> float:
        """|γ| μ0 Ms, in rad/s."""
        return self.material.larmor_rate

    def _energy(self, m: Tensor, gradient: Tensor) -> Tensor:
        """½ m · (gradient + its part that does not depend on m): the energy is quadratic in m, the Zeeman term linear."""
        x, y, z = (m * (gradient if self.pull is None else gradient + self.pull)).unbind(1)
        return 0.5 * row_sum(x + y + z)

    def _gradient(self, m: Tensor) -> Tensor:
        """m (B, 3, Nz, Ny, Nx) -> the same."""
        gradient = self.own * m
        around = self._around(m)
        self._add_exchange(gradient, around)
        self._add_dmi(gradient, around)
        if self.easy is not None:
            x, y, z = (self.easy * m).unbind(1)
            gradient.sub_((x + y + z).unsqueeze(1) * (self.anisotropy.strength * self.easy))
        if self.pull is not None:
            gradient.add_(self.pull)
        return gradient

    def _add_exchange(self, gradient: Tensor, around: Around) -> None:
        """- c Σ_neighbours m_j; axes of one coupling are summed before they are scaled."""
        for c in sorted(set(self.exchange.couplings) - {0.0}):
            lower_upper = [m for axis in (0, 1, 2) if self.exchange.couplings[axis] == c for m in around[axis]]
            pull = lower_upper[0] + lower_upper[1]
            for m in lower_upper[2:]:
                pull.add_(m)
            gradient.sub_(pull.mul_(c))

    def _add_dmi(self, gradient: Tensor, around: Around) -> None:
        """- h: along x,  h_x = c (m_z⁺ - m_z⁻),  h_z = -c (m_x⁺ - m_x⁻); along y likewise with m_y."""
        for axis, c in enumerate(self.dmi.couplings):
            if c:
                lower, upper = (m[:, axis :: 2 - axis] for m in around[axis])  # (m_x, m_z), or (m_y, m_z)
                turn = (upper - lower).mul_(c)
                gradient[:, axis].sub_(turn[:, 1])
                gradient[:, 2].add_(turn[:, 0])

    def _around(self, m: Tensor) -> Around:
        """For each axis the magnetization of the lower and of the upper neighbours, as views of m in a frame one cell wide."""
        coupled = [axis for axis in (0, 1, 2) if self._couples(axis)]
        if not coupled:
            return {}
        grown = list(m.shape)
        for axis in coupled:
            grown[4 - axis] += 2
        frame = m.new_zeros(grown)
        inner = frame
        for axis in coupled:
            inner = inner.narrow(4 - axis, 1, self.grid.cells[axis])
        inner.copy_(m)
        return {axis: self._neighbours(frame, m, axis, coupled) for axis in coupled}

    def _neighbours(self, frame: Tensor, m: Tensor, axis: int, coupled: list[int]) -> tuple[Tensor, Tensor]:
        dim, n = 4 - axis, self.grid.cells[axis]
        beam = frame
        for other in coupled:
            if other != axis:
                beam = beam.narrow(4 - other, 1, self.grid.cells[other])
        if self.grid.periodic[axis]:
            beam.select(dim, 0).copy_(m.select(dim, n - 1))
            beam.select(dim, n + 1).copy_(m.select(dim, 0))
        return beam.narrow(dim, 0, n), beam.narrow(dim, 2, n)

    def _couples(self, axis: int) -> bool:
        return self.exchange.couplings[axis] != 0 or (axis < 2 and self.dmi.couplings[axis] != 0)


def _components(vector: tuple[float, ...]) -> Tensor:
    return torch.tensor(vector, dtype=torch.float64).reshape(1, 3, 1, 1, 1)
