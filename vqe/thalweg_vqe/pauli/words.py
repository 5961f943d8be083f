"""Pauli words as pairs of bit masks, and sums of them.

The word (x, z) stands for  i^|x∧z| Π_q X_q^{x_q} Z_q^{z_q},  which is Hermitian: Y where both bits are set.
Bit q of a mask, and of a basis state, belongs to qubit q; in a written word the leftmost letter is the highest qubit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

LETTERS = {"I": (0, 0), "X": (1, 0), "Y": (1, 1), "Z": (0, 1)}
_NAMES = {bits: letter for letter, bits in LETTERS.items()}
_POWERS_OF_I = (1, 1j, -1, -1j)

LARGEST = 1e12
"""Of a coefficient (arbitrary: squares and sums of such numbers stay far from overflow)."""

ROUND_OFF = 1e-12
"""Coefficients (hartree) not above this are what rounding left of zero."""


class Word(NamedTuple):
    """A Pauli word: where it flips, and where it signs."""

    x: int
    z: int

    @classmethod
    def parse(cls, letters: str) -> Word:
        """The word written "XIZ", leftmost letter on the highest qubit."""
        bits = [LETTERS[letter] for letter in reversed(letters)]
        return cls(sum(x << q for q, (x, _) in enumerate(bits)), sum(z << q for q, (_, z) in enumerate(bits)))

    def letters(self, qubits: int) -> str:
        """The word written out."""
        return "".join(_NAMES[self.x >> q & 1, self.z >> q & 1] for q in reversed(range(qubits)))

    @property
    def support(self) -> int:
        """The qubits that it acts on, as a mask."""
        return self.x | self.z


IDENTITY = Word(0, 0)

Combination = Mapping[Word, complex]
"""A linear combination of words, Hermitian or not."""


def times(a: Word, b: Word) -> tuple[Word, complex]:
    """a · b as a word and a phase."""
    word = Word(a.x ^ b.x, a.z ^ b.z)
    quarter_turns = _ys(a) + _ys(b) - _ys(word) + 2 * (a.z & b.x).bit_count()
    return word, _POWERS_OF_I[quarter_turns % 4]


def commute(a: Word, b: Word) -> bool:
    """Whether a b = b a."""
    return ((a.x & b.z).bit_count() + (a.z & b.x).bit_count()) % 2 == 0


def product(a: Combination, b: Combination) -> dict[Word, complex]:
    """The product of two linear combinations."""
    return total((word, p * q * phase) for u, p in a.items() for v, q in b.items() for word, phase in [times(u, v)])


def total(terms: Iterable[tuple[Word, complex]]) -> dict[Word, complex]:
    """The sum of terms, in which words may repeat."""
    out: dict[Word, complex] = {}
    for word, coefficient in terms:
        out[word] = out.get(word, 0) + coefficient
    return out


class Hermitian(Protocol):
    """A Hermitian operator on so many qubits."""

    @property
    def qubits(self) -> int: ...

    def __hash__(self) -> int: ...

    def diagonals(self, states: NDArray[np.int64] | None = None) -> Iterator[tuple[int, NDArray[np.complex128]]]:
        """The operator as  H = Σ_x X^x D_x:  pairs of a flip mask x and the diagonal entries of D_x, of some states or all 2ⁿ."""
        ...


class Observable(NamedTuple):
    """A real sum of Pauli words, each word once and in order: a Hermitian operator on so many qubits."""

    qubits: int
    words: tuple[Word, ...]
    coefficients: tuple[float, ...]

    @classmethod
    def of(cls, qubits: int, combination: Combination) -> Observable:
        """The Hermitian operator of a combination, without what rounding left of zero.

        Raises:
            ValueError: the combination is not Hermitian.
        """
        if any(abs(complex(c).imag) > 1e-9 for c in combination.values()):  # arbitrary, far above rounding
            raise ValueError("a Hermitian operator has real coefficients")
        kept = sorted((word, complex(c).real) for word, c in combination.items() if abs(c) > ROUND_OFF)
        return cls(qubits, tuple(word for word, _ in kept), tuple(c for _, c in kept))

    @property
    def constant(self) -> float:
        """The coefficient of the identity."""
        return dict(zip(self.words, self.coefficients, strict=True)).get(IDENTITY, 0.0)

    @property
    def varies(self) -> bool:
        """Whether it has a word that is not the identity: else every state has the same energy."""
        return any(word != IDENTITY for word in self.words)

    def diagonals(self, states: NDArray[np.int64] | None = None) -> Iterator[tuple[int, NDArray[np.complex128]]]:
        """The operator as  H = Σ_x X^x D_x:  pairs of a flip mask x and the diagonal entries of D_x, of some states or all 2ⁿ."""
        basis = np.arange(2**self.qubits) if states is None else states
        terms = zip(self.words, self.coefficients, strict=True)  # sorted by x
        for x, alike in groupby(terms, key=lambda term: term[0].x):
            diagonal = np.zeros(len(basis), dtype=np.complex128)
            for word, coefficient in alike:
                diagonal += coefficient * _POWERS_OF_I[_ys(word) % 4] * signs(basis, word.z)
            yield x, diagonal


def signs(states: NDArray[np.int64], mask: int) -> NDArray[np.float64]:
    """(-1) to the number of set bits of each state under the mask, the shape of states."""
    odd: NDArray[np.bool_] = np.bitwise_count(states & mask) % 2 == 1
    return np.where(odd, -1.0, 1.0)


def _ys(word: Word) -> int:
    return (word.x & word.z).bit_count()
