"""The lowest energy of a qubit operator by sparse diagonalization, in a sector of basis states or in all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh

from thalweg_vqe.pauli import Observable

_DENSE = 256
"""Up to so many states the whole matrix is diagonalized (arbitrary: a few milliseconds)."""

Move = tuple[NDArray[np.int64], NDArray[np.float64] | NDArray[np.complex128]]
"""Where each state's amplitude comes from, and times what."""


def ground_energy(observable: Observable, sector: NDArray[np.int64] | None = None) -> float:
    """Lowest eigenvalue among the basis states of a sector, which the operator must not leave; all of them by default.

    The sector's states are in rising order.
    """
    states = np.arange(2**observable.qubits) if sector is None else sector
    moves = [_move(x, diagonal, states) for x, diagonal in observable.diagonals(states)]
    kind = np.result_type(np.float64, *(weight for _, weight in moves))

    def act(v: NDArray[np.complex128]) -> NDArray[np.complex128]:
        columns = v.reshape(len(states), -1)
        out = np.zeros(columns.shape, dtype=kind)
        for source, weight in moves:
            out += weight[:, None] * columns[source]
        return out.reshape(v.shape)

    if len(states) <= _DENSE:
        return float(np.linalg.eigvalsh(act(np.eye(len(states), dtype=kind)))[0])
    operator = LinearOperator((len(states), len(states)), matvec=act, dtype=kind)
    start = np.random.default_rng(0).standard_normal(len(states))  # fixed: the answer must not change from run to run
    return float(eigsh(operator, k=1, which="SA", v0=start, return_eigenvectors=False)[0])


def _move(x: int, diagonal: NDArray[np.complex128], states: NDArray[np.int64]) -> Move:
    """⟨s|X^x D|s^x⟩ for the states s; D is Hermitian with X^x, so its entry at s is the conjugate of that at s^x."""
    source = np.minimum(np.searchsorted(states, states ^ x), len(states) - 1)
    weight = np.where(states[source] == states ^ x, diagonal.conj(), 0)
    return source, weight if weight.imag.any() else weight.real.copy()


def particle_sector(orbitals: int, alpha: int, beta: int) -> NDArray[np.int64]:
    """The Jordan-Wigner basis states with so many spin-up and spin-down electrons, in rising order."""
    masks = np.arange(2**orbitals)
    ones = np.bitwise_count(masks)
    up, down = masks[ones == alpha], masks[ones == beta]
    sector: NDArray[np.int64] = (down[:, None] << orbitals | up[None, :]).ravel()
    return sector
