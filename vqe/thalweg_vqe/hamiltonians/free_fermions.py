"""The lowest energy of the Ising chain in a transverse field, of any length: its spins are free fermions."""

from __future__ import annotations

import numpy as np


def ising_energy(sites: int, coupling: float, field: float, periodic: bool) -> float:
    """Lowest eigenvalue of  H = -J Σ Z_i Z_i+1 - h Σ X_i.

    With Majorana operators a, b of each site  H = i Σ_ij a_i M_ij b_j,  M_ii = h, M_i+1,i = -J, and on a ring the corner
    M_1n = ±J where Π X = ±1. Its levels are  Σ_k ±σ_k  with the singular values σ of M. On a ring the fermions' parity is
    bound to Π X: the lowest of a sector takes all signs negative where  sign det M = Π X,  else all but that of the smallest.

    Args:
        sites: n.
        coupling: J.
        field: h.
        periodic: whether the last spin is the first one's neighbour.

    Sources: Lieb, Schultz & Mattis, Ann. Phys. 16 (1961) 407; Pfeuty, Ann. Phys. 57 (1970) 79.
    """
    chain = np.diag(np.full(sites, field)) - np.diag(np.full(sites - 1, coupling), -1)
    if not periodic:
        return float(-np.linalg.svd(chain, compute_uv=False).sum())
    levels = []
    for parity in (1.0, -1.0):
        ring = chain.copy()
        ring[0, -1] += parity * coupling
        sizes = np.linalg.svd(ring, compute_uv=False)
        right = np.linalg.slogdet(ring).sign == parity
        levels.append(-sizes.sum() + (0.0 if right else 2 * sizes[-1]))
    return float(min(levels))
