"""Groups of Pauli words that one measured circuit shows at once: words that agree on every qubit, or all that commute."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thalweg_vqe.pauli.words import IDENTITY, Observable, Word, commute, signs

Readings = tuple[tuple[float, float], ...]
"""What the bits 0 and 1 say of Z, for each bit."""

IDEAL: Readings = ()
"""Every bit says what it is: 0 that Z is 1, and 1 that it is -1."""


class Group(NamedTuple):
    """Words measured together.

    `basis` is a word itself: its letter on a qubit is the Pauli measured there, Z where no word cares.
    """

    basis: Word
    words: tuple[Word, ...]
    coefficients: tuple[float, ...]

    @property
    def size(self) -> float:
        """Σ_j |c_j|."""
        return sum(map(abs, self.coefficients))

    def energies(self, outcomes: NDArray[np.int64], readings: Readings = IDEAL) -> NDArray[np.float64]:
        """What single shots say of Σ_j c_j P_j: outcomes as integers, bit q read on qubit q; (N,) -> (N,).

        `readings` are what its bits say of Z.
        """
        energy = np.zeros(len(outcomes))
        for word, coefficient in zip(self.words, self.coefficients, strict=True):  # no BLAS, so no rounding by width
            shown = signs(outcomes, word.support) if readings == IDEAL else _read(outcomes, word, readings)
            energy += coefficient * shown
        return energy


class Sized(Protocol):
    """What a shot shows is at most so large."""

    @property
    def size(self) -> float: ...


def sizes(groups: Iterable[Sized]) -> Tensor:
    """Of every group (Ha), (G,) float64."""
    return torch.tensor([group.size for group in groups], dtype=torch.float64)


def _read(outcomes: NDArray[np.int64], word: Word, readings: Readings) -> NDArray[np.float64]:
    """The product of the readings of a word's bits."""
    value = np.ones(len(outcomes))
    for q in range(word.support.bit_length()):
        if word.support >> q & 1:
            value *= np.where(outcomes >> q & 1, readings[q][1], readings[q][0])
    return value


GROUPINGS = ("qubit_wise", "commuting")


def groups(observable: Observable, grouping: str) -> tuple[Group, ...]:
    """The words but the identity in groups that one circuit measures, by the name of how they must agree."""
    return qubit_wise(observable) if grouping == "qubit_wise" else commuting(observable)


def qubit_wise(observable: Observable) -> tuple[Group, ...]:
    """Groups whose words agree on every qubit."""
    return tuple(_group(members, observable.qubits) for members in _inserted(_sorted(observable), agree))


def commuting(observable: Observable) -> tuple[Group, ...]:
    """Groups of commuting words; their basis is Z everywhere, after turns that make all of them diagonal."""
    everywhere = Word(0, (1 << observable.qubits) - 1)
    found = _inserted(_sorted(observable), commute)
    return tuple(Group(everywhere, tuple(w for w, _ in members), tuple(c for _, c in members)) for members in found)


def commuting_parts(observable: Observable) -> tuple[Observable, ...]:
    """Sums of commuting words: the diagonal ones in the first, none of the identity."""
    terms = sorted(_sorted(observable), key=lambda term: term[0].x != 0)  # stable: large coefficients stay first
    return tuple(Observable.of(observable.qubits, dict(members)) for members in _inserted(terms, commute))


Terms = list[tuple[Word, float]]


def _sorted(observable: Observable) -> Terms:
    """All but the identity, large coefficients first."""
    terms = zip(observable.words, observable.coefficients, strict=True)
    return sorted(((w, c) for w, c in terms if w != IDENTITY), key=lambda term: (-abs(term[1]), term[0]))


def _inserted(terms: Terms, fit: Callable[[Word, Word], bool]) -> list[Terms]:
    """Each word into the first group in which it fits all others.

    Source: Crawford et al., Quantum 5 (2021) 385 ("sorted insertion").
    """
    found: list[Terms] = []
    for word, coefficient in terms:
        home = next((members for members in found if all(fit(word, other) for other, _ in members)), None)
        if home is None:
            found.append([(word, coefficient)])
        else:
            home.append((word, coefficient))
    return found


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
