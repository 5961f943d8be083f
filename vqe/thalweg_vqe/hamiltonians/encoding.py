"""Where the electrons sit: linear maps from spin orbitals to qubits, and qubits left out because a symmetry fixes them.

Every map here sends an occupation n to the bits  b = A n  (mod 2): A is the identity (Jordan-Wigner), a staircase (parity), a
binary tree (Bravyi-Kitaev). As a circuit of CX it takes the Jordan-Wigner image of an operator to the other's:

    X^x Z^z  ->  ± X^(A x) Z^(A⁻ᵀ z)

Where all terms commute with Z^s, the parity of s is a constant: A is given the row s, and its qubit is dropped (tapering).

Sources: Seeley, Richard & Love, J. Chem. Phys. 137 (2012) 224109 (parity, Bravyi-Kitaev);
         Bravyi, Gambetta, Mezzacapo & Temme, arXiv:1701.08213 (tapering).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg_core.errors import BadInput
from thalweg_vqe.pauli.words import Combination, Observable, Word

MAPPINGS = ("jordan_wigner", "parity", "bravyi_kitaev")
TAPERINGS = ("none", "particles", "all")


class Leaves(ValueError):
    """An operator does not commute with a symmetry whose qubit was dropped."""


class Encoding(NamedTuple):
    """b = A n, without the qubits that are fixed.

    `rows[q]` is the mask of the spin orbitals whose parity qubit q shows, `columns[q]` the mask of the qubits whose parity
    spin orbital q shows (the rows of A⁻¹). Masks over qubits count the dropped ones too.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    dropped: int = 0  # mask of the qubits left out
    fixed: int = 0  # what they show

    @classmethod
    def of(cls, rows: Sequence[int]) -> Encoding:
        return cls(tuple(rows), tuple(_inverse(rows)))

    @property
    def qubits(self) -> int:
        """How many are kept."""
        return len(self.rows) - self.dropped.bit_count()

    @property
    def kept(self) -> list[int]:
        return [q for q in range(len(self.rows)) if not self.dropped >> q & 1]

    def word(self, word: Word) -> tuple[Word, int]:
        """The image of a Jordan-Wigner word, and its sign.

        Raises:
            Leaves: it flips a qubit that was dropped.
        """
        x = _apply(self.rows, word.x)
        z = _apply(_transposed(self.columns), word.z)
        if x & self.dropped:
            raise Leaves(f"the word {word} changes a symmetry that was tapered off")
        quarter_turns = (word.x & word.z).bit_count() - (x & z).bit_count() + 2 * (z & self.fixed).bit_count()
        return Word(self._squeeze(x), self._squeeze(z)), 1 - quarter_turns % 4

    def combination(self, terms: Combination) -> dict[Word, complex]:
        """The image of a Jordan-Wigner operator; words that coincide after tapering are added.

        Raises:
            Leaves: the operator does not keep the symmetries.
        """
        out: dict[Word, complex] = {}
        for word, coefficient in terms.items():
            image, sign = self.word(word)
            out[image] = out.get(image, 0) + sign * coefficient
        return out

    def observable(self, operator: Observable) -> Observable:
        """The image of a Jordan-Wigner observable."""
        return Observable.of(self.qubits, self.combination(dict(zip(operator.words, operator.coefficients, strict=True))))

    def state(self, occupation: int) -> int:
        """The basis state of an occupation of the spin orbitals; only its kept qubits."""
        return self._squeeze(_apply(self.rows, occupation))

    def sector(self, occupations: NDArray[np.int64]) -> NDArray[np.int64]:
        """The basis states, in order, of those occupations that show what the dropped qubits are fixed at."""
        bits = np.zeros_like(occupations)
        for q, row in enumerate(self.rows):
            bits |= (np.bitwise_count(occupations & row).astype(np.int64) & 1) << q
        inside = bits[(bits & self.dropped) == self.fixed]
        squeezed = np.zeros_like(inside)
        for place, q in enumerate(self.kept):
            squeezed |= (inside >> q & 1) << place
        return np.sort(squeezed)

    def tapered(self, symmetries: Iterable[int], occupation: int) -> Encoding:
        """Without one qubit for each symmetry: masks of spin orbitals whose parity is that of the occupation for good."""
        rows = list(self.rows)
        dropped = fixed = 0
        in_qubits = [_apply(_transposed(self.columns), s) for s in symmetries]
        for reduced in _echelon(in_qubits):
            q = reduced.bit_length() - 1
            rows[q] = _apply(_transposed(self.rows), reduced)  # back to spin orbitals
            dropped |= 1 << q
            fixed |= ((rows[q] & occupation).bit_count() & 1) << q
        return Encoding(tuple(rows), tuple(_inverse(rows)), dropped, fixed)

    def _squeeze(self, bits: int) -> int:
        if not self.dropped:
            return bits
        return sum((bits >> q & 1) << place for place, q in enumerate(self.kept))


def encoding(mapping: str, orbitals: int) -> Encoding:
    """The map of this name on so many spin orbitals."""
    return Encoding.of([_ROWS[mapping](q) for q in range(orbitals)])


_ROWS = {
    "jordan_wigner": lambda q: 1 << q,
    "parity": lambda q: (2 << q) - 1,
    # qubit q sums the last 2^t orbitals up to its own, 2^t the lowest bit of q + 1: the binary tree of Bravyi and Kitaev
    "bravyi_kitaev": lambda q: ((1 << ((q + 1) & -(q + 1))) - 1) << (q + 1 - ((q + 1) & -(q + 1))),
}


def symmetries(operator: Observable) -> list[int]:
    """Independent masks s with Z^s commuting with every word: those orthogonal to all flips."""
    return _kernel([word.x for word in operator.words], operator.qubits)


def check(mapping: str, tapering: str) -> None:
    """Raises BadInput for a name that is none."""
    for field, got, known in (("mapping", mapping, MAPPINGS), ("tapering", tapering, TAPERINGS)):
        if got not in known:
            names = " or ".join(f'"{name}"' for name in known)
            raise BadInput(field, f'wanted {names}, got "{got}"')


def _apply(rows: Sequence[int], bits: int) -> int:
    """The matrix of these rows times a vector, mod 2."""
    return sum((row & bits).bit_count() % 2 << q for q, row in enumerate(rows))


@lru_cache(maxsize=16)  # every word of an operator asks for the same one
def _transposed(rows: tuple[int, ...]) -> list[int]:
    return [sum((row >> q & 1) << p for p, row in enumerate(rows)) for q in range(len(rows))]


def _inverse(rows: Sequence[int]) -> list[int]:
    """The rows of the inverse, by elimination mod 2."""
    n = len(rows)
    work = [row | 1 << (n + q) for q, row in enumerate(rows)]
    for q in range(n):
        pivot = next(p for p in range(q, n) if work[p] >> q & 1)
        work[q], work[pivot] = work[pivot], work[q]
        for p in range(n):
            if p != q and work[p] >> q & 1:
                work[p] ^= work[q]
    return [row >> n for row in work]


def _echelon(vectors: Iterable[int]) -> list[int]:
    """An independent set with the same span; the highest bit of each is in no other."""
    found: list[int] = []
    for vector in vectors:
        for other in found:
            vector = min(vector, vector ^ other)
        if vector:
            top = 1 << (vector.bit_length() - 1)
            found = [other ^ vector if other & top else other for other in found]
            found.append(vector)
    return found


def _kernel(vectors: Iterable[int], width: int) -> list[int]:
    """A basis of all s with an even number of common bits with every vector."""
    reduced = _echelon(vectors)
    pivots = [vector.bit_length() - 1 for vector in reduced]
    free = [q for q in range(width) if q not in pivots]
    return [1 << q | sum(1 << p for p, vector in zip(pivots, reduced, strict=True) if vector >> q & 1) for q in free]
