"""The lowest energies of a qubit operator by sparse diagonalization, in a sector of basis states or in all of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh

from thalweg_vqe.pauli.words import Observable

_DENSE = 256
"""Up to so many states the whole matrix is diagonalized (arbitrary: a few milliseconds)."""

Floats = NDArray[np.float64] | NDArray[np.complex128]


_MOST = 2**28
"""Entries of an operator up to which its ground state is computed (arbitrary: about two minutes of a core)."""


def affordable(flips: int, states: int) -> bool:
    """Whether an operator with so many flips is diagonalized among so many states."""
    return flips * states <= _MOST


def ground_energy(observable: Observable, sector: NDArray[np.int64] | None = None) -> float:
    """Lowest eigenvalue among the basis states of a sector, which the operator must not leave; all of them by default.

    The sector's states are in rising order.
    """
    return lowest_energies(observable, 1, sector)[0]


def lowest_energies(observable: Observable, count: int, sector: NDArray[np.int64] | None = None) -> list[float]:
    """So many of the lowest eigenvalues, each as often as it is degenerate; fewer where there are not so many states."""
    moves = (
        [_moved(observable.qubits, x, diagonal) for x, diagonal in observable.diagonals()]
        if sector is None
        else [_found(sector, x, diagonal) for x, diagonal in observable.diagonals(sector)]
    )
    size = 2**observable.qubits if sector is None else len(sector)
    kind = np.result_type(np.float64, *(weight for _, weight in moves))

    def act(v: Floats) -> Floats:
        columns = v.reshape(size, -1)
        out = np.zeros(columns.shape, dtype=kind)
        for move, weight in moves:
            out += weight * move(columns)
        return out.reshape(v.shape)

    if size <= _DENSE:
        return [float(e) for e in np.linalg.eigvalsh(act(np.eye(size, dtype=kind)))[:count]]
    start = np.random.default_rng(0).standard_normal(size)  # fixed: the answer must not change from run to run
    above = 2 * sum(map(abs, observable.coefficients))
    found: list[float] = []
    below: list[Floats] = []

    def lifted(v: Floats) -> Floats:
        """H + above Σ |ψ⟩⟨ψ| over the states found: so no copy of a degenerate level is missed."""
        out = act(v)
        for psi in below:
            out += (above * np.vdot(psi, v) * psi).reshape(v.shape)
        return out

    operator = LinearOperator((size, size), matvec=lifted, dtype=kind)
    for _ in range(min(count, size)):
        energies, states = eigsh(operator, k=1, which="SA", v0=start)
        found.append(float(energies[0]))
        below.append(states[:, 0])
    return found


def spread(observable: Observable) -> float:
    """The highest eigenvalue minus the lowest, over all basis states."""
    turned = Observable(observable.qubits, observable.words, tuple(-c for c in observable.coefficients))
    return -ground_energy(turned) - ground_energy(observable)


Move = Callable[[Floats], Floats]
"""Amplitudes of the states s^x in the place of s, (N, K) -> (N, K)."""


def _moved(qubits: int, x: int, diagonal: NDArray[np.complex128]) -> tuple[Move, Floats]:
    """Among all states, by reversing the axes of the qubits that are flipped: no index has to be read."""
    shape, flipped = [1], []
    for q in reversed(range(qubits)):
        if x >> q & 1:
            flipped.append(len(shape))
            shape += [2, 1]
        else:
            shape[-1] *= 2

    def move(v: Floats) -> Floats:
        return np.flip(v.reshape(*shape, -1), tuple(flipped)).reshape(v.shape) if x else v

    return move, _slim(diagonal.conj())


def _found(states: NDArray[np.int64], x: int, diagonal: NDArray[np.complex128]) -> tuple[Move, Floats]:
    """Among the states of a sector, by their places in it.

    X^x D is Hermitian, so the entry of D at s is the conjugate of that at s^x.
    """
    source = np.minimum(np.searchsorted(states, states ^ x), len(states) - 1)
    weight = np.where(states[source] == states ^ x, diagonal.conj(), 0)
    return (lambda v: v[source]), _slim(weight)


def _slim(weight: NDArray[np.complex128]) -> Floats:
    """As a column, real where it is, one number where all are equal."""
    slim: Floats = weight[:, None] if weight.imag.any() else weight.real[:, None].copy()
    return slim[:1].copy() if (slim == slim[0]).all() else slim


def particle_sector(orbitals: int, alpha: int, beta: int) -> NDArray[np.int64]:
    """The Jordan-Wigner basis states with so many spin-up and spin-down electrons, in rising order."""
    masks = np.arange(2**orbitals)
    ones = np.bitwise_count(masks)
    up, down = masks[ones == alpha], masks[ones == beta]
    sector: NDArray[np.int64] = (down[:, None] << orbitals | up[None, :]).ravel()
    return sector
