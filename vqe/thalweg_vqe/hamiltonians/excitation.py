"""The excitation operator of fermions as Pauli words."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg_vqe.hamiltonians.hamiltonian import Electrons
from thalweg_vqe.hamiltonians.jordan_wigner import lower, raise_
from thalweg_vqe.pauli import words as pauli_words
from thalweg_vqe.pauli.program import Rotation
from thalweg_vqe.pauli.words import IDENTITY, Combination


def excitation(
    electrons: Electrons, filled: Sequence[int], emptied: Sequence[int], parameter: int | None, angle: float = 0.0
) -> list[Rotation]:
    """exp[θ (T - T†)],  T = Π a†_filled Π a_emptied, as rotations of commuting words; without a parameter θ is the angle (rad).

    Raises:
        Leaves: T breaks a symmetry that was tapered off.
    """
    up: Combination = {IDENTITY: 1.0}
    for operator in [raise_(q) for q in filled] + [lower(q) for q in reversed(emptied)]:
        up = pauli_words.product(up, operator)
    # T - T† = i Σ c P, with c twice the imaginary part of what T has
    words = electrons.encoding.combination({word: 2 * complex(c).imag for word, c in up.items() if complex(c).imag})
    sizes = sorted((word, -2 * complex(c).real) for word, c in words.items() if abs(c) > pauli_words.ROUND_OFF)
    if parameter is None:
        return [Rotation(word, None, offset=size * angle) for word, size in sizes]
    return [Rotation(word, parameter, scale=size) for word, size in sizes]
