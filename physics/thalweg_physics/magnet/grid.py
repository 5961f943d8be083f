"""The regular grid that a magnet is cut into.

Magnetization: m (B, Nz, Ny, Nx, 3), unit vectors. x runs fastest among the cells, as in OVF files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from thalweg_core.errors import BadInput
from thalweg_physics.magnet import checks

MOST_CELLS = 2**30
"""Beyond this one replica alone takes 300 GB: a slip of the pen."""

SHORTEST_EDGE, LONGEST_EDGE = 1e-12, 1.0
"""m. Atoms are 100 times as far apart as the shortest; a magnetization does not vary slowly over the longest (arbitrary)."""


@dataclass(frozen=True)
class Grid:
    """Equal cells in a box.

    Args:
        cells: number of cells along x, y, z.
        cell_size: edges of a cell along x, y, z (m).
        periodic: whether the box repeats along x, y, z.
    """

    cells: tuple[int, int, int]
    cell_size: tuple[float, float, float]
    periodic: tuple[bool, bool, bool] = (False, False, False)

    def __post_init__(self) -> None:
        checks.three("cells", self.cells, "numbers of cells")
        checks.three("cell_size", self.cell_size, "edges of a cell")
        checks.three("periodic", self.periodic, "words, true or false")
        if min(self.cells) < 1:
            raise BadInput("cells", f"wanted at least one cell along every axis, got {list(self.cells)}")
        if math.prod(self.cells) > MOST_CELLS:
            raise BadInput("cells", f"wanted at most {MOST_CELLS} cells, got {math.prod(self.cells)}; take larger cells")
        for edge in self.cell_size:
            checks.within("cell_size", edge, SHORTEST_EDGE, LONGEST_EDGE, "m for every edge")

    @property
    def event(self) -> tuple[int, int, int, int]:
        """Shape of one magnetization, (Nz, Ny, Nx, 3)."""
        nx, ny, nz = self.cells
        return nz, ny, nx, 3

    @property
    def count(self) -> int:
        """Number of cells."""
        return math.prod(self.cells)

    @property
    def volume(self) -> float:
        """Volume of a cell, in m³."""
        return math.prod(self.cell_size)

    @property
    def box(self) -> tuple[float, float, float]:
        """Edges of the box, in m."""
        x, y, z = (n * d for n, d in zip(self.cells, self.cell_size, strict=True))
        return x, y, z

    def coupled(self, axis: int) -> bool:
        """Whether cells have other cells for neighbours along x (0), y (1) or z (2)."""
        return self.cells[axis] > 1

    def bonds(self, m: Tensor, axis: int) -> tuple[Tensor, Tensor]:
        """Both ends of every bond along x (0), y (1) or z (2): the lower and the upper cells of m (B, Nz, Ny, Nx, 3), each
        (B, …, 3). None crosses an open edge."""
        dim = 3 - axis
        if self.periodic[axis]:
            return m, m.roll(-1, dims=dim)
        n = self.cells[axis]
        return m.narrow(dim, 0, n - 1), m.narrow(dim, 1, n - 1)

    def neighbours(self, axis: int) -> Tensor:
        """How many bonds along an axis end in each cell, float64, shaped to multiply (B, 3, Nz, Ny, Nx)."""
        n = self.cells[axis]
        count = torch.full((n,), 2.0, dtype=torch.float64)
        if not self.periodic[axis]:
            count[0] -= 1
            count[-1] -= 1
        shape = [1, 1, 1, 1, 1]
        shape[4 - axis] = n
        return count.reshape(shape)


def planes(m: Tensor) -> Tensor:
    """The same numbers with each component's plane together in memory, where stencils and dots run several times faster."""
    return m.movedim(-1, 1).contiguous().movedim(1, -1)
