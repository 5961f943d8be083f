"""Operators written out by the user, word by word."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from thalweg_core.errors import BadInput
from thalweg_core.ranges import no_more_than
from thalweg_vqe.hamiltonians.diagonalization import affordable, ground_energy
from thalweg_vqe.hamiltonians.hamiltonian import Prepared, Solved, System
from thalweg_vqe.pauli.grouping import commuting_parts
from thalweg_vqe.pauli.words import LARGEST, LETTERS, Observable, Word, total

MOST_LETTERS = 60
"""A basis state is a number of 64 bits."""

MOST_TERMS = 10_000
"""Arbitrary: to put so many into commuting groups takes ten seconds."""


@dataclass(frozen=True)
class PauliTerm:
    """One word of a Pauli sum.

    Args:
        word: letters I X Y Z; the leftmost acts on the highest qubit, as in Qiskit.
        coefficient: its real coefficient (Ha).
    """

    word: str
    coefficient: float

    def __post_init__(self) -> None:
        if not self.word or set(self.word) - set(LETTERS):
            raise BadInput("word", f'wanted letters I X Y Z such as "XIZ", got "{self.word}"')
        if len(self.word) > MOST_LETTERS:
            raise BadInput("word", f"wanted at most {MOST_LETTERS} letters, got {len(self.word)}")
        no_more_than("coefficient", self.coefficient, LARGEST)


@dataclass(frozen=True)
class PauliSum:
    """An operator written out as Pauli words; coefficients add where a word repeats.

    Args:
        terms: the words and their coefficients (Ha), all words of one length.
    """

    terms: tuple[PauliTerm, ...]

    unit: ClassVar[str] = "Ha"
    mean_field: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if len(self.terms) > MOST_TERMS:
            raise BadInput("terms", f"wanted at most {MOST_TERMS} terms, got {len(self.terms)}")
        if not any(set(term.word) - {"I"} for term in self.terms):
            raise BadInput("terms", "wanted at least one word that is not the identity")
        for number, term in enumerate(self.terms):
            if len(term.word) != self.qubits:
                wanted = f"wanted {self.qubits} letters as in the first word"
                raise BadInput(f"terms[{number}].word", f'{wanted}, got "{term.word}"')

    @property
    def qubits(self) -> int:
        return len(self.terms[0].word)

    def system(self) -> System:
        flips = len({word.x for word in self.observable().words})
        return System(self.qubits, flips, 1 << self.qubits, solvable=affordable(flips, 1 << self.qubits))

    def quick(self) -> bool:
        return True

    def most(self) -> PauliSum:
        return self

    def electrons(self) -> None:
        return None

    def parts(self) -> tuple[Observable, ...]:
        """Groups of commuting words, the diagonal ones first."""
        return commuting_parts(self.observable())

    def prepared(self) -> Prepared:
        """All qubits 0."""
        return Prepared(0)

    def solve(self) -> Solved:
        """Over all basis states."""
        operator = self.observable()
        return Solved(operator, ground_energy(operator) if self.system().solvable else math.nan)

    def observable(self) -> Observable:
        """The sum as masks and real coefficients."""
        return Observable.of(self.qubits, total((Word.parse(term.word), term.coefficient) for term in self.terms))
