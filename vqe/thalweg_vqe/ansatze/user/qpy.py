"""Circuits of the user's own, as Qiskit writes them: QPY.

Source: the format, qiskit.qpy in the documentation of Qiskit 2.
"""

from __future__ import annotations

from dataclasses import dataclass

from thalweg_core.errors import BadInput
from thalweg_vqe.ansatze.user.user_circuit import fitting, read
from thalweg_vqe.hamiltonians.hamiltonian import Register
from thalweg_vqe.pauli.program import Program

MOST_BYTES = 2**20
"""Of a file in a job (arbitrary: 1 MiB, some ten thousand gates; what travels with a job is kept with it)."""

OLDEST = 13
"""Version of the format that Qiskit 1.3 introduced. Older files may hold expressions that symengine would unpickle."""


@dataclass(frozen=True)
class Qpy:
    """A circuit of the user's own, in a QPY file of Qiskit 1.3 or later; its parameters come in Qiskit's order, by name.

    Any gate that Qiskit can take apart into its standard gates; angles are linear in the parameters, and one parameter may turn
    many gates. Measurements and control flow are refused. In a specification's file, `file = "circuit.qpy"` stands for the
    content.

    Args:
        content: what qpy.dump(circuit, file) writes, one circuit on as many qubits as the Hamiltonian has; in TOML and JSON as
            text in base64.
    """

    content: bytes

    def __post_init__(self) -> None:
        if len(self.content) > MOST_BYTES:
            raise BadInput("content", f"wanted at most {MOST_BYTES} bytes, got {len(self.content)}")
        if self.content[:6] != b"QISKIT" or len(self.content) < 7:
            raise BadInput("content", "wanted a QPY file, which begins with QISKIT; qiskit.qpy.dump(circuit, file) writes one")
        if (version := self.content[6]) < OLDEST:
            newer = "load it in a later Qiskit and dump it again"
            raise BadInput("content", f"wanted QPY of version {OLDEST} (Qiskit 1.3) or later, got version {version}; {newer}")
        try:
            read("qpy", self.content)
        except BadInput as bad:
            raise bad.under("content") from None

    @property
    def qubits(self) -> int:
        """Of the circuit."""
        return read("qpy", self.content).qubits

    def program(self, register: Register) -> Program:
        try:
            return fitting("qpy", self.content, register.qubits)
        except BadInput as bad:
            raise bad.under("content") from None

    def hartree_fock(self, register: Register) -> None:
        """Unknown."""
        return
