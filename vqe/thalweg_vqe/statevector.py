"""Exact energies: states of all angles at once, gate by gate, without sampling.

Every point (one set of angles) is computed by itself, elementwise: no number depends on what stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thalweg_vqe.ansatz import Cx, Gate, Rotation
from thalweg_vqe.pauli import Observable

Floats = NDArray[np.float64]
States = NDArray[np.complex128]

AMPLITUDES = 2**18
"""Amplitudes worked on together (arbitrary: 4 MiB, about a core's cache)."""


@dataclass(frozen=True)
class Statevector:
    """Exact expectation values of an operator in the states of a circuit.

    Args:
        gates: the circuit.
        observable: H.
        diagonals: H = Σ_x X^x D_x as pairs of a flip mask and the diagonal of D_x (Ha).
    """

    gates: tuple[Gate, ...]
    observable: Observable
    diagonals: tuple[tuple[int, States], ...]

    @classmethod
    def of(cls, gates: tuple[Gate, ...], observable: Observable) -> Statevector:
        return cls(gates, observable, tuple(observable.diagonals()))

    def energies(self, angles: Floats) -> Floats:
        """⟨ψ(θ)|H|ψ(θ)⟩ (Ha) for K sets of angles: (K, P) -> (K,)."""
        rows = max(1, AMPLITUDES >> self.observable.qubits)
        chunks = [angles[first : first + rows] for first in range(0, len(angles), rows)]
        return np.concatenate([self._expectation(states(self.gates, self.observable.qubits, chunk)) for chunk in chunks])

    def _expectation(self, psi: States) -> Floats:
        basis = np.arange(psi.shape[1])
        density = np.zeros(psi.shape)
        for x, diagonal in self.diagonals:
            density += (psi[:, basis ^ x].conj() * (diagonal * psi)).real
        return _sum_in_pairs(density)


def states(gates: tuple[Gate, ...], qubits: int, angles: Floats) -> States:
    """The states that a circuit prepares from |0…0⟩: (K, P) -> (K, 2ⁿ)."""
    psi = np.zeros((len(angles), 2**qubits), dtype=np.complex128)
    psi[:, 0] = 1.0
    for gate in gates:
        psi = _flip(psi, gate) if isinstance(gate, Cx) else _rotate(psi, gate, angles[:, gate.parameter])
    return psi


def _rotate(psi: States, gate: Rotation, angle: Floats) -> States:
    split = psi.reshape(len(psi), -1, 2, 2**gate.qubit)  # the third axis is the qubit
    zero, one = split[:, :, 0], split[:, :, 1]
    c, s = np.cos(angle / 2)[:, None, None], np.sin(angle / 2)[:, None, None]
    y = gate.axis == "y"
    turned = (c * zero - s * one, s * zero + c * one) if y else ((c - 1j * s) * zero, (c + 1j * s) * one)
    return np.stack(turned, axis=2).reshape(psi.shape)


def _flip(psi: States, gate: Cx) -> States:
    basis = np.arange(psi.shape[1])
    return psi[:, basis ^ ((basis >> gate.control & 1) << gate.target)]


def _sum_in_pairs(density: Floats) -> Floats:
    """Sum along each row, (K, 2ⁿ) -> (K,): only elementwise sums, which no library may reorder."""
    while density.shape[1] > 1:
        density = density[:, ::2] + density[:, 1::2]
    return density[:, 0]
