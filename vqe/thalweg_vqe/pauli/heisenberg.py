"""Which Pauli words the energy can turn into on its way back through a circuit, and the harmonics that this leaves.

In Heisenberg's picture a rotation by P turns a word Q that anticommutes with it into  cos φ Q + sin φ iPQ,  and leaves all
others alone. Where few words are ever reached, as in chains that are free fermions in disguise, or where the light cone of
the energy is narrow, a tied parameter has far fewer harmonics than its generator would allow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from thalweg_vqe.pauli.grouping import Group
from thalweg_vqe.pauli.patterns import Pattern
from thalweg_vqe.pauli.program import Cx, Program, Rotation
from thalweg_vqe.pauli.words import IDENTITY, Observable, Word

Words = NDArray[np.int64]
"""Distinct words as x · 2ⁿ + z, sorted."""

MOST = 2**14
"""Words that are followed (arbitrary: a few milliseconds a gate)."""


def reached(program: Program, observable: Observable) -> list[Words | None]:
    """For each gate the words that may stand in the energy just after it; None where they are too many."""
    n = program.qubits
    seen: Words | None = np.array(sorted(word.x << n | word.z for word in observable.words if word != IDENTITY), dtype=np.int64)
    out: list[Words | None] = []
    for gate in reversed(program.gates):
        out.append(seen)
        if seen is not None:
            seen = _through(seen, gate, n)
            seen = seen if len(seen) <= MOST else None
    return out[::-1]


def frequencies(words: tuple[Word, ...], scales: tuple[float, ...], seen: Words, qubits: int) -> list[float]:
    """Frequencies of  U(θ)  that are not 0, for commuting rotations by  scale_j θ  of the words P_j, in front of the words seen:

        Q -> Q exp(-iθ Σ_j scale_j P_j),   j over the words that anticommute with Q

    so they are the eigenvalues of these sums. Equal to rounding are one.
    """
    against = np.array([_anticommute(seen, word, qubits) for word in words]).reshape(len(words), -1)
    found: set[float] = set()
    for column in np.unique(against, axis=1).T:
        chosen = [j for j in range(len(words)) if column[j]]
        if chosen:
            group = Group(IDENTITY, tuple(words[j] for j in chosen), tuple(scales[j] for j in chosen))
            found.update(np.abs(Pattern.of(group).energies).round(ROUNDED).tolist())
    return sorted(found - {0.0})


ROUNDED = 12
"""Decimals in which frequencies are told apart (arbitrary)."""


def _through(seen: Words, gate: Cx | Rotation, qubits: int) -> Words:
    """The words just before a gate that may become those after it."""
    if isinstance(gate, Rotation):
        moved = seen[_anticommute(seen, gate.word, qubits)] ^ (gate.word.x << qubits | gate.word.z)
        return np.union1d(seen, moved)
    x, z = seen >> qubits, seen & (1 << qubits) - 1
    x = x ^ (x >> gate.control & 1) << gate.target
    z = z ^ (z >> gate.target & 1) << gate.control
    return np.sort(x << qubits | z)


def _anticommute(seen: Words, word: Word, qubits: int) -> NDArray[np.bool_]:
    x, z = seen >> qubits, seen & (1 << qubits) - 1
    odd: NDArray[np.bool_] = (np.bitwise_count(x & word.z) + np.bitwise_count(z & word.x)) % 2 == 1
    return odd
