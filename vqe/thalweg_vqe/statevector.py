"""Exact energies: states of all angles at once, gate by gate, without sampling.

Every point (one set of angles) is computed by itself, elementwise: no number depends on what stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thalweg_vqe.pauli import Observable, Word, signs
from thalweg_vqe.program import Cx, Program

Floats = NDArray[np.float64]
States = NDArray[np.complex128]

AMPLITUDES = 2**18
"""Amplitudes worked on together (arbitrary: 4 MiB, about a core's cache)."""


@dataclass(frozen=True)
class Statevector:
    """Exact expectation values of an operator in the states of a circuit.

    Args:
        program: the circuit.
        observable: H.
        diagonals: H = Σ_x X^x D_x as pairs of a flip mask and the diagonal of D_x (Ha).
    """

    program: Program
    observable: Observable
    diagonals: tuple[tuple[int, States], ...]

    @classmethod
    def of(cls, program: Program, observable: Observable) -> Statevector:
        return cls(program, observable, tuple(observable.diagonals()))

    def energies(self, angles: Floats) -> Floats:
        """⟨ψ(θ)|H|ψ(θ)⟩ (Ha) for K sets of angles: (K, R) -> (K,)."""
        rows = max(1, AMPLITUDES >> self.observable.qubits)
        chunks = [angles[first : first + rows] for first in range(0, len(angles), rows)]
        return np.concatenate([self._expectation(states(self.program, chunk)) for chunk in chunks])

    def _expectation(self, psi: States) -> Floats:
        basis = np.arange(psi.shape[1])
        density = np.zeros(psi.shape)
        for x, diagonal in self.diagonals:
            density += (psi[:, basis ^ x].conj() * (diagonal * psi)).real
        return _sum_in_pairs(density)


def states(program: Program, angles: Floats) -> States:
    """The states that a circuit prepares: (K, R) -> (K, 2ⁿ)."""
    psi = np.zeros((len(angles), 2**program.qubits), dtype=np.complex128)
    psi[:, program.start] = 1.0
    turned = 0
    for gate in program.gates:
        if isinstance(gate, Cx):
            psi = _flip(psi, gate)
        elif gate.parameter is None:
            psi = _rotate(psi, gate.word, np.full(len(angles), gate.offset))
        else:
            psi = _rotate(psi, gate.word, angles[:, turned])
            turned += 1
    return psi


def _rotate(psi: States, word: Word, angle: Floats) -> States:
    basis = np.arange(psi.shape[1])
    phase = 1j ** (word.x & word.z).bit_count() * signs(basis ^ word.x, word.z)
    return np.cos(angle / 2)[:, None] * psi - 1j * np.sin(angle / 2)[:, None] * (phase * psi[:, basis ^ word.x])


def _flip(psi: States, gate: Cx) -> States:
    basis = np.arange(psi.shape[1])
    return psi[:, basis ^ ((basis >> gate.control & 1) << gate.target)]


def _sum_in_pairs(density: Floats) -> Floats:
    """Sum along each row, (K, 2ⁿ) -> (K,): only elementwise sums, which no library may reorder."""
    while density.shape[1] > 1:
        density = density[:, ::2] + density[:, 1::2]
    return density[:, 0]
