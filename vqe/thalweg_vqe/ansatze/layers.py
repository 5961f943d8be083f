"""Circuits of hardware's own gates: layers of rotations between layers of CX."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from thalweg_core.errors import BadInput
from thalweg_core.ranges import one_of
from thalweg_vqe.hamiltonians.hamiltonian import Register
from thalweg_vqe.pauli.program import Cx, Gate, Program, ry, rz

ENTANGLEMENTS = ("reverse_linear", "linear")
"""Orders in which a layer's CX act."""


class Ansatz(Protocol):
    """A parametrized circuit: a frozen dataclass whose fields are the wire schema."""

    def __hash__(self) -> int: ...

    def program(self, register: Register) -> Program:
        """The circuit on a Hamiltonian's qubits.

        Raises:
            BadInput: it cannot be built on this Hamiltonian; the field is below the ansatz.
        """
        ...

    def hartree_fock(self, register: Register) -> list[float] | None:
        """Angles (rad) that prepare the determinant of a Hamiltonian with a mean field; None where none are known."""
        ...


@lru_cache(maxsize=8)  # a job's check, its start and its landscape ask for the same one
def program_of(ansatz: Ansatz, register: Register) -> Program:
    """The circuit of an ansatz on a register, built once."""
    return ansatz.program(register)


@dataclass(frozen=True)
class EfficientSu2:
    """RY and RZ on every qubit, then CX from each qubit's lower neighbour, repeated; a last layer of rotations closes.

        A(θ) = R(θ_reps) Π_{l<reps} [C R(θ_l)],   C = CX(0→1) ⋯ CX(n-2→n-1)

    The rightmost CX acts first where `entanglement` is "reverse_linear", the leftmost where it is "linear". Gate for gate
    what Qiskit's `efficient_su2(n, reps=reps, entanglement=entanglement)` gives.

    Args:
        reps: entangling layers; n qubits have 2 n (reps + 1) parameters (rad).
        entanglement: order of the CX of a layer: "reverse_linear", from the last pair of qubits to the first, or "linear".

    Source: Kandala et al., Nature 549 (2017) 242.
    """

    reps: int = 3
    entanglement: str = "reverse_linear"

    def __post_init__(self) -> None:
        _check_layers(self.reps)
        one_of("entanglement", self.entanglement, ENTANGLEMENTS)

    def parameters(self, qubits: int) -> int:
        """How many angles the circuit has."""
        return 2 * qubits * (self.reps + 1)

    def program(self, on: Register | int) -> Program:
        """The circuit on |0…0⟩ of a register or of so many qubits."""
        qubits = on if isinstance(on, int) else on.qubits
        gates: list[Gate] = []
        for layer in range(self.reps + 1):
            if layer > 0:
                gates += _entangled(qubits, self.entanglement)
            first = 2 * qubits * layer
            gates += (ry(q, first + q) for q in range(qubits))
            gates += (rz(q, first + qubits + q) for q in range(qubits))
        return Program(qubits, self.parameters(qubits), tuple(gates))

    def hartree_fock(self, register: Register) -> list[float]:
        """Angles (rad) that prepare the Hartree-Fock determinant."""
        return self.determinant(register.qubits, register.prepared().start)

    def determinant(self, qubits: int, bits: int) -> list[float]:
        """Angles (rad) that prepare the basis state `bits`.

        All rotations but the last layer's are off: |0…0⟩ passes the entanglers as it is, and RY(π) sets the bits.
        """
        angles = [0.0] * self.parameters(qubits)
        for q in range(qubits):
            angles[2 * qubits * self.reps + q] = math.pi * (bits >> q & 1)
        return angles


@dataclass(frozen=True)
class RealAmplitudes:
    """RY on every qubit, then CX from each qubit's lower neighbour, repeated; a last layer of RY closes.

        A(θ) = R(θ_reps) Π_{l<reps} [C R(θ_l)],   C = CX(0→1) ⋯ CX(n-2→n-1)

    The rightmost CX acts first where `entanglement` is "reverse_linear", the leftmost where it is "linear". All amplitudes are
    real. Gate for gate what Qiskit's `real_amplitudes(n, reps=reps, entanglement=entanglement)` gives.

    Args:
        reps: entangling layers; n qubits have n (reps + 1) parameters (rad).
        entanglement: order of the CX of a layer: "reverse_linear", from the last pair of qubits to the first, or "linear".

    Source: Kandala et al., Nature 549 (2017) 242, without its RZ.
    """

    reps: int = 3
    entanglement: str = "reverse_linear"

    def __post_init__(self) -> None:
        _check_layers(self.reps)
        one_of("entanglement", self.entanglement, ENTANGLEMENTS)

    def program(self, on: Register | int) -> Program:
        """The circuit on |0…0⟩ of a register or of so many qubits."""
        qubits = on if isinstance(on, int) else on.qubits
        gates: list[Gate] = []
        for layer in range(self.reps + 1):
            if layer > 0:
                gates += _entangled(qubits, self.entanglement)
            gates += (ry(q, qubits * layer + q) for q in range(qubits))
        return Program(qubits, qubits * (self.reps + 1), tuple(gates))

    def hartree_fock(self, register: Register) -> list[float]:
        """Angles (rad) that prepare the Hartree-Fock determinant: the last layer sets its bits."""
        bits = register.prepared().start
        last = [math.pi * (bits >> q & 1) for q in range(register.qubits)]
        return [0.0] * (register.qubits * self.reps) + last


def _entangled(qubits: int, entanglement: str) -> Iterator[Gate]:
    """CX from every qubit to the next."""
    order = range(qubits - 1)
    return (Cx(q, q + 1) for q in (order if entanglement == "linear" else reversed(order)))


def _check_layers(reps: int) -> None:
    if not 0 <= reps <= 1000:  # the upper bound is arbitrary: it catches slips
        raise BadInput("reps", f"wanted 0 to 1000 entangling layers, got {reps}")
