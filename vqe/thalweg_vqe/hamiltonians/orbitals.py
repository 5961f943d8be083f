"""How many orbitals and electrons are to be put on qubits, and what that will take: told before any integral is computed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from thalweg_core.errors import BadInput
from thalweg_vqe.hamiltonians.hamiltonian import System

LARGEST_TO_TAPER = 28
"""Spin orbitals (arbitrary: to write down the operator of so many takes ten seconds, and symmetries are looked for in it)."""

QUICK_ORBITALS = 10
"""Up to so many orbitals a check writes the operator down (arbitrary: that takes 1.3 s; 12 orbitals take two, 14 five)."""

MOST_COUPLINGS = 2**31
"""Entries of the Hamiltonian up to which full configuration interaction is done (arbitrary: some minutes of a core)."""


class Size(NamedTuple):
    """What a molecule needs, as its basis tells before any integral is computed."""

    orbitals: int
    alpha: int  # electrons with spin up
    beta: int
    frozen: int = 0  # doubly occupied orbitals that are on no qubit

    def without(self, inner: int) -> Size:
        """With so many inner orbitals frozen."""
        return Size(self.orbitals - inner, self.alpha - inner, self.beta - inner, self.frozen + inner)

    @property
    def qubits(self) -> int:
        """One for each spin orbital."""
        return 2 * self.orbitals

    @property
    def determinants(self) -> int:
        """Basis states with the right number of electrons of either spin."""
        return math.comb(self.orbitals, self.alpha) * math.comb(self.orbitals, self.beta)

    @property
    def flips(self) -> int:
        """At most so many different sets of qubits are flipped by the terms: none, one pair or two pairs of orbitals."""
        pairs = math.comb(self.orbitals, 2)
        return 1 + 2 * pairs + 2 * math.comb(self.orbitals, 4) + pairs**2

    @property
    def words(self) -> int:
        """At most so many Pauli words: diagonal ones of one and two Z, hops with up to one more Z, pairs of hops."""
        pairs, spins = math.comb(self.orbitals, 2), self.qubits
        doubles = 2 * math.comb(self.orbitals, 4) + pairs**2
        return 1 + spins + math.comb(spins, 2) + 2 * pairs * 2 * (spins - 1) + 8 * doubles

    @property
    def coupled(self) -> int:
        """Determinants that the Hamiltonian couples one to: itself, and those up to two electrons away."""
        up, down = self.orbitals - self.alpha, self.orbitals - self.beta
        singles = self.alpha * up + self.beta * down
        alike = math.comb(self.alpha, 2) * math.comb(up, 2) + math.comb(self.beta, 2) * math.comb(down, 2)
        return 1 + singles + alike + self.alpha * up * self.beta * down

    @property
    def solvable(self) -> bool:
        """Whether full configuration interaction is done."""
        return self.coupled * self.determinants <= MOST_COUPLINGS

    def system(self, qubits: int, tapering: str, extra: int, less: str, field: str = "") -> System:
        """On so many qubits, with so many bytes of integrals."""
        size = System(qubits, self.flips, self.determinants, extra, less, field, most_entries=self.coupled, words=self.words)
        return size._replace(solvable=self.solvable, stored=tapering == "all")

    @property
    def determinant(self) -> int:
        """The Hartree-Fock determinant as a basis state: the lowest orbitals of either spin are filled."""
        return (1 << self.alpha) - 1 | ((1 << self.beta) - 1) << self.orbitals


@dataclass(frozen=True)
class ActiveSpace:
    """The orbitals around the highest filled one: those below stay filled, those above stay empty.

    Args:
        electrons: how many are in the active orbitals.
        orbitals: how many spatial orbitals are active.
    """

    electrons: int
    orbitals: int

    def __post_init__(self) -> None:
        if self.electrons < 1:
            raise BadInput("electrons", f"wanted at least 1 active electron, got {self.electrons}")
        if self.orbitals < 1:
            raise BadInput("orbitals", f"wanted at least 1 active orbital, got {self.orbitals}")

    def of(self, whole: Size) -> Size:
        """The active part of a molecule.

        Raises:
            BadInput: of active_space, where the molecule has no such part.
        """
        spin, electrons = whole.alpha - whole.beta, whole.alpha + whole.beta
        if self.electrons > electrons or self.electrons < spin or (electrons - self.electrons) % 2:
            wanted = f"wanted {max(spin, 2 - electrons % 2)}, then in steps of 2 up to {electrons}"
            raise BadInput("active_space.electrons", f"{wanted} of the molecule's electrons, got {self.electrons}")
        part = whole.without((electrons - self.electrons) // 2)
        if not part.alpha <= self.orbitals <= part.orbitals:
            wanted = f"wanted {part.alpha} to {part.orbitals} orbitals for {self.electrons} active electrons"
            raise BadInput("active_space.orbitals", f"{wanted}, got {self.orbitals}")
        return part._replace(orbitals=self.orbitals)
