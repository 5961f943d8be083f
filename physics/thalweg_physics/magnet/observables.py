"""What one wants to know about a magnetization: its topological charge, the radius of its skyrmion, its largest torque.

Shapes: m (B, Nz, Ny, Nx, 3), unit vectors -> (B,).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from thalweg_core.manifold import Spheres
from thalweg_core.numbers.rows import row_sum
from thalweg_physics.magnet.grid import Grid


def topological_charge(m: Tensor, grid: Grid) -> Tensor:
    """Q = 1/4π Σ_triangles Ω, the solid angles that neighbouring spins span; averaged over the layers along z.

    Q = 1/4π ∫ m · (∂_x m × ∂_y m) made whole on a lattice: an integer, to rounding, where the box is periodic in x and y.
    A skyrmion with its core down in a field up has Q = -1.

    Source: Berg & Lüscher, Nucl. Phys. B 190, 412 (1981).
    """
    angle = torch.zeros(m.shape[0], dtype=m.dtype, device=m.device)
    for a, b, c in _triangles(m, grid):
        angle = angle + row_sum(_solid_angle(a, b, c))
    return angle / (4 * math.pi * grid.cells[2])


def skyrmion_radius(m: Tensor, grid: Grid) -> Tensor:
    """Radius of the disk whose area is where m_z points against the majority, in m; 0 where it does so nowhere.

    m_z is taken as linear on each of the two triangles between four cell centres, so that the radius does not jump as
    cells flip. The mean over the layers along z is taken of the area.
    """
    dx, dy, _ = grid.cell_size
    up, down = torch.zeros_like(m[:, 0, 0, 0, 0]), torch.zeros_like(m[:, 0, 0, 0, 0])
    for a, b, c in _triangles(m[..., 2:], grid):
        corners = torch.cat([a, b, c], dim=-1)
        down = down + row_sum(_negative_part(corners))
        up = up + row_sum(_negative_part(-corners))
    cells = torch.minimum(up, down) / (2 * grid.cells[2])  # a triangle is half a cell
    return torch.sqrt(cells * (dx * dy / math.pi))


def max_torque(m: Tensor, gradient: Tensor) -> Tensor:
    """Largest |m × h| over the cells, h = H_eff / Ms."""
    spheres = Spheres()
    return spheres.site_norm(spheres.tangent(m, gradient))


def _triangles(m: Tensor, grid: Grid) -> list[tuple[Tensor, Tensor, Tensor]]:
    """The two triangles between each cell and its neighbours towards +x, +y and both, counter-clockwise."""
    left, right = grid.bonds(m, 0)
    a, d = grid.bonds(left, 1)
    b, c = grid.bonds(right, 1)
    return [(a, b, c), (a, c, d)]


def _solid_angle(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Signed solid angle of the triangle of three unit vectors, in (-2π, 2π)."""
    a0, a1, a2 = a.unbind(-1)
    b0, b1, b2 = b.unbind(-1)
    c0, c1, c2 = c.unbind(-1)
    volume = a0 * (b1 * c2 - b2 * c1) + a1 * (b2 * c0 - b0 * c2) + a2 * (b0 * c1 - b1 * c0)
    ab, bc, ca = a0 * b0 + a1 * b1 + a2 * b2, b0 * c0 + b1 * c1 + b2 * c2, c0 * a0 + c1 * a1 + c2 * a2
    return 2 * torch.atan2(volume, 1 + ab + bc + ca)


def _negative_part(corners: Tensor) -> Tensor:
    """Part of a triangle's area where the linear function with these values at its corners (…, 3) is negative."""
    low, middle, high = corners.sort(dim=-1).values.unbind(-1)
    tip = low**2 / ((low - middle) * (low - high))  # one corner below: a smaller triangle at that corner
    rest = 1 - high**2 / ((high - low) * (high - middle))  # two below: all but the triangle at the third
    part = torch.where(middle >= 0, tip, rest)
    part = torch.where(low >= 0, torch.zeros_like(part), part)
    return torch.where(high <= 0, torch.where(low < 0, torch.ones_like(part), torch.zeros_like(part)), part)
