"""A circuit that keeps the number of electrons, or of flipped spins: Givens rotations and phases."""

from __future__ import annotations

from dataclasses import dataclass

from thalweg_vqe.ansatze.excitations import check_repeats
from thalweg_vqe.ansatze.layers import program_of
from thalweg_vqe.hamiltonians.encoding import Encoding, Leaves, encoding
from thalweg_vqe.hamiltonians.hamiltonian import Register
from thalweg_vqe.pauli.program import Gate, Program, Rotation
from thalweg_vqe.pauli.words import IDENTITY, Word


@dataclass(frozen=True)
class ExcitationPreserving:
    """Givens rotations between neighbours, phases between partners, phases alone, repeated:

        A(θ) = Π_l [Π_q exp(-iθ Z_q/2)] [Π_<pq> exp(-iθ Z_p Z_q/2)] [Π_<pq> exp(-iθ (X_p Y_q - Y_p X_q)/4)],   each θ its own

    Neighbours are orbitals p, p+1 of one spin, or spins p, p+1 of a chain: every other pair first, then those between;
    partners are the two spins of an orbital, or neighbours on a chain. It keeps the numbers of electrons of either spin, or
    Σ Z of a chain, and starts where hamiltonian_variational does. A Givens rotation by θ mixes |01⟩ and |10⟩ by θ/2.

    Args:
        reps: layers, each with its own parameters (rad).

    Sources: Barkoutsos et al., Phys. Rev. A 98 (2018) 022322; Anselmetti et al., New J. Phys. 23 (2021) 113010.
    """

    reps: int = 3

    def __post_init__(self) -> None:
        check_repeats("reps", self.reps)

    def program(self, register: Register) -> Program:
        electrons, prepared = register.electrons(), register.prepared()
        if electrons is None:
            layer = _layer(encoding("jordan_wigner", register.qubits), [range(register.qubits)], [])
        else:
            m = electrons.orbitals
            layer = _layer(electrons.encoding, [range(m), range(m, 2 * m)], [(p, p + m) for p in range(m)])
        turns = [
            Rotation(word, parameter, scale=scale) for parameter, words in enumerate(layer * self.reps) for word, scale in words
        ]
        gates: tuple[Gate, ...] = (*prepared.gates, *turns)
        return Program(register.qubits, len(layer) * self.reps, gates, prepared.start)

    def hartree_fock(self, register: Register) -> list[float]:
        """Zeros, where the circuit starts from the determinant."""
        return [0.0] * program_of(self, register).parameters


Turn = tuple[tuple[Word, float], ...]
"""Words that turn together, each with its scale."""


def _layer(image: Encoding, chains: list[range], partners: list[tuple[int, int]]) -> list[Turn]:
    """Jordan-Wigner words under the map; without what a tapered symmetry forbids or makes constant."""
    neighbours = [(q, q + 1) for first in (0, 1) for chain in chains for q in chain[first:-1:2]]
    givens = [((Word(1 << p | 1 << q, 1 << q), 0.5), (Word(1 << p | 1 << q, 1 << p), -0.5)) for p, q in neighbours]
    pairs = [((Word(0, 1 << p | 1 << q), 1.0),) for p, q in partners or neighbours]
    alone = [((Word(0, 1 << q), 1.0),) for chain in chains for q in chain]
    found: list[Turn] = []
    for turn in (*givens, *pairs, *alone):
        try:
            images = [(image.word(word), scale) for word, scale in turn]
        except Leaves:
            continue
        kept = tuple((word, sign * scale) for (word, sign), scale in images if word != IDENTITY)
        if kept:
            found.append(kept)
    return found
