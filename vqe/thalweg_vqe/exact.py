"""The lowest energy of a qubit operator by sparse diagonalization, in a sector of basis states or in all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh

from thalweg_vqe.pauli import Observable

_DENSE = 256
"""Up to so many states the whole matrix is diagonalized (arbitrary: a few milliseconds)."""


def ground_energy(observable: Observable, sector: NDArray[np.int64] | None = None) -> float:
    """Lowest eigenvalue (Ha) among the basis states of a sector, which the operator must not leave; all of them by default."""
    states = np.arange(2**observable.qubits) if sector is None else sector
    place = np.full(2**observable.qubits, -1)
    place[states] = np.arange(len(states))
    moves = [(place[states ^ x], diagonal[states ^ x]) for x, diagonal in observable.diagonals()]
    moves = [(np.where(source < 0, 0, source), np.where(source < 0, 0, weight)) for source, weight in moves]

    def act(v: NDArray[np.complex128]) -> NDArray[np.complex128]:
        columns = v.reshape(len(states), -1)
        out = np.zeros(columns.shape, dtype=np.complex128)
        for source, weight in moves:
            out += weight[:, None] * columns[source]
        return out.reshape(v.shape)

    if len(states) <= _DENSE:
        return float(np.linalg.eigvalsh(act(np.eye(len(states), dtype=np.complex128)))[0])
    operator = LinearOperator((len(states), len(states)), matvec=act, dtype=np.complex128)
    start = np.random.default_rng(0).standard_normal(len(states))  # fixed: the answer must not change from run to run
    return float(eigsh(operator, k=1, which="SA", v0=start, return_eigenvectors=False)[0])


def particle_sector(orbitals: int, alpha: int, beta: int) -> NDArray[np.int64]:
    """The Jordan-Wigner basis states with so many spin-up and spin-down electrons."""
    states = np.arange(4**orbitals)
    up, down = states & (2**orbitals - 1), states >> orbitals
    inside: NDArray[np.bool_] = (np.bitwise_count(up) == alpha) & (np.bitwise_count(down) == beta)
    return states[inside]
