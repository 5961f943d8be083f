"""Circuits of the user's own, as OpenQASM 3.

Source: Cross et al., ACM Trans. Quantum Comput. 3 (2022) 12.
"""

from __future__ import annotations

from dataclasses import dataclass

from thalweg_core.errors import BadInput
from thalweg_vqe.ansatze.user.user_circuit import fitting, read
from thalweg_vqe.hamiltonians.hamiltonian import Register
from thalweg_vqe.pauli.program import Program

MOST_CHARACTERS = 2**18
"""Of a circuit in a job (arbitrary: some seven thousand gates, which take Qiskit's reader five seconds)."""


@dataclass(frozen=True)
class OpenQasm:
    """A circuit of the user's own, in OpenQASM 3; its parameters are `input float` declarations, in their order.

    Qiskit reads it. Angles are linear in the parameters, and one parameter may turn many gates; measurements and classical
    code are refused. In a specification's file, `file = "circuit.qasm"` stands for the text.

    Args:
        text: the circuit, on as many qubits as the Hamiltonian has; the first qubit declared is qubit 0.
    """

    text: str

    def __post_init__(self) -> None:
        if len(self.text) > MOST_CHARACTERS:
            advice = "in QPY the same circuit is smaller and read faster: ansatz.qpy"
            raise BadInput("text", f"wanted at most {MOST_CHARACTERS} characters, got {len(self.text)}; {advice}")
        try:
            read("open_qasm", self.text.encode())
        except BadInput as bad:
            raise bad.under("text") from None

    @property
    def qubits(self) -> int:
        """Of the circuit."""
        return read("open_qasm", self.text.encode()).qubits

    def program(self, register: Register) -> Program:
        try:
            return fitting("open_qasm", self.text.encode(), register.qubits)
        except BadInput as bad:
            raise bad.under("text") from None

    def hartree_fock(self, register: Register) -> None:
        """Unknown."""
        return
