"""Groups of Pauli words that one measured circuit shows at once: on every qubit their letters agree or are the identity."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg_vqe.pauli import IDENTITY, Observable, Word, commute, signs

IDEAL = (1.0, -1.0)
"""What the bits 0 and 1 say of Z."""


class Group(NamedTuple):
    """Words measured together.

    `basis` is a word itself: its letter on a qubit is the Pauli measured there, Z where no word cares.
    """

    basis: Word
    words: tuple[Word, ...]
    coefficients: tuple[float, ...]

    def energies(self, outcomes: NDArray[np.int64], readings: tuple[float, float] = IDEAL) -> NDArray[np.float64]:
        """What single shots say of Σ_j c_j P_j: outcomes as integers, bit q read on qubit q; (N,) -> (N,).

        `readings` are what the bits 0 and 1 say of Z.
        """
        energy = np.zeros(len(outcomes))
        for word, coefficient in zip(self.words, self.coefficients, strict=True):  # no BLAS, so no rounding by width
            shown = signs(outcomes, word.support) if readings == IDEAL else _read(outcomes, word, readings)
            energy += coefficient * shown
        return energy


def _read(outcomes: NDArray[np.int64], word: Word, readings: tuple[float, float]) -> NDArray[np.float64]:
    """The product of the readings of a word's bits."""
    value = np.ones(len(outcomes))
    for q in range(word.support.bit_length()):
        if word.support >> q & 1:
            value *= np.where(outcomes >> q & 1, readings[1], readings[0])
    return value


def qubit_wise(observable: Observable) -> tuple[Group, ...]:
    """The words but the identity in groups, each word put into the first group it fits, large coefficients first.

    Source of the greedy order: Crawford et al., Quantum 5 (2021) 385 ("sorted insertion").
    """
    terms = zip(observable.words, observable.coefficients, strict=True)
    order = sorted(((w, c) for w, c in terms if w != IDENTITY), key=lambda term: (-abs(term[1]), term[0]))
    found: list[list[tuple[Word, float]]] = []
    for word, coefficient in order:
        home = next((group for group in found if all(agree(word, other) for other, _ in group)), None)
        if home is None:
            found.append([(word, coefficient)])
        else:
            home.append((word, coefficient))
    return tuple(_group(members, observable.qubits) for members in found)


def commuting(observable: Observable) -> tuple[Observable, ...]:
    """The words but the identity in sums of commuting ones, by the same greedy order; the diagonal ones first, in one sum."""
    terms = [(w, c) for w, c in zip(observable.words, observable.coefficients, strict=True) if w != IDENTITY]
    order = sorted(terms, key=lambda term: (term[0].x != 0, -abs(term[1]), term[0]))
    found: list[list[tuple[Word, float]]] = []
    for word, coefficient in order:
        home = next((group for group in found if all(commute(word, other) for other, _ in group)), None)
        if home is None:
            found.append([(word, coefficient)])
        else:
            home.append((word, coefficient))
    return tuple(Observable.of(observable.qubits, dict(group)) for group in found)


def agree(a: Word, b: Word) -> bool:
    """Whether on every qubit the letters are equal or one is the identity: qubit-wise commutation."""
    both = a.support & b.support
    return ((a.x ^ b.x) & both) == 0 and ((a.z ^ b.z) & both) == 0


def _group(members: list[tuple[Word, float]], qubits: int) -> Group:
    x = z = 0
    for word, _ in members:
        x, z = x | word.x, z | word.z
    idle = (1 << qubits) - 1 & ~(x | z)
    return Group(Word(x, z | idle), tuple(word for word, _ in members), tuple(c for _, c in members))
