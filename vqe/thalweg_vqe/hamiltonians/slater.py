"""Slater determinants by rotations of neighbouring orbitals.

Source: Jiang, Sung, Kechedzhi, Smelyanskiy & Boixo, Phys. Rev. Applied 9 (2018) 044036.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Turn(NamedTuple):
    """exp[angle (c†_q c_p - c†_p c_q)]:  c†_p becomes cos c†_p + sin c†_q."""

    p: int
    q: int
    angle: float  # rad


def rotations(filled: NDArray[np.float64]) -> list[Turn]:
    """What takes the determinant of the first N orbitals to that of the orbitals given, up to a sign; first turn first.

    Args:
        filled: (N, L) orthonormal rows.
    """
    q = np.array(filled)
    count, width = q.shape
    for j in range(width - 1, width - count, -1):  # rows may be mixed for nothing: zeros above the diagonal at the right
        for k in range(j - width + count):
            _mix(q.T, j, k, k + 1)
    turns: list[Turn] = []
    for k in range(count):
        for j in range(width - count + k, k, -1):
            angle = math.atan2(q[k, j], q[k, j - 1])
            turns.append(Turn(j - 1, j, angle))
            left, right = q[:, j - 1].copy(), q[:, j].copy()
            q[:, j - 1] = math.cos(angle) * left + math.sin(angle) * right
            q[:, j] = math.cos(angle) * right - math.sin(angle) * left
    return turns[::-1]


def _mix(columns: NDArray[np.float64], j: int, k: int, other: int) -> None:
    """Mix two of the rows so that row k is zero in column j."""
    a, b = columns[:, k].copy(), columns[:, other].copy()
    size = math.hypot(a[j], b[j])
    if size == 0:
        return
    c, s = b[j] / size, a[j] / size
    columns[:, k], columns[:, other] = c * a - s * b, s * a + c * b
