"""The Hamiltonian-variational circuit: turns by the Hamiltonian's own parts."""

from __future__ import annotations

from dataclasses import dataclass

from thalweg_vqe.ansatze.excitations import check_repeats
from thalweg_vqe.ansatze.layers import program_of
from thalweg_vqe.hamiltonians.hamiltonian import Register
from thalweg_vqe.pauli.program import Program, Rotation
from thalweg_vqe.pauli.words import IDENTITY


@dataclass(frozen=True)
class HamiltonianVariational:
    """Turns by the parts of H = Σ_s H_s, each of commuting words, from a state that is easy to prepare:

        A(θ) = Π_l Π_s exp(-i θ_ls H_s),   the words of a part share its parameter

    Parts of an Ising chain: bonds, field; of a Heisenberg chain: every other bond, those between, field; of a Hubbard model:
    repulsion, then hops on bonds that share no site; otherwise groups of commuting words, the diagonal ones first. It starts
    with all spins along the field (Ising), from pairs (Heisenberg), from the filled levels of the lattice (Hubbard), from
    the Hartree-Fock determinant (molecules) or from all qubits 0 (Pauli sums).

    Args:
        layers: how often all parts are turned by; as many parameters for each part (rad over the unit of H).

    Source: Wecker, Hastings & Troyer, Phys. Rev. A 92 (2015) 042303.
    """

    layers: int = 3

    def __post_init__(self) -> None:
        check_repeats("layers", self.layers)

    def program(self, register: Register) -> Program:
        parts = [
            [(word, c) for word, c in zip(part.words, part.coefficients, strict=True) if word != IDENTITY]
            for part in register.parts()
        ]
        prepared = register.prepared()
        turns = [
            Rotation(word, parameter, scale=2 * c)
            for parameter, part in enumerate([part for part in parts if part] * self.layers)
            for word, c in part
        ]
        parameters = self.layers * sum(1 for part in parts if part)
        return Program(register.qubits, parameters, (*prepared.gates, *turns), prepared.start)

    def hartree_fock(self, register: Register) -> list[float]:
        """Zeros, where the circuit starts from the determinant."""
        return [0.0] * program_of(self, register).parameters
