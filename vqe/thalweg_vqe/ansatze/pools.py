"""Pools: the operators that an adaptive circuit can take, each a rotation by commuting Pauli words.

"uccsd" and "generalized" are excitations exp[θ (T - T†)] of electrons, "qubit" are rotations exp(-iθP/2) by single words. All
are real: what they prepare from a real state has real amplitudes, as the ground states of molecules and most models have.
Single words break symmetries: from a state that has them all, such as the filled lattice of a Hubbard model, none may have a
slope; excitations have.

Sources: Grimsley, Economou, Barnes & Mayhall, Nat. Commun. 10 (2019) 3007; Tang et al., PRX Quantum 2 (2021) 020310 ("qubit").
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations, permutations
from typing import NamedTuple

from thalweg_core.errors import BadInput
from thalweg_vqe.ansatze.excitations import Moves, doubles, orbitals_of, singles
from thalweg_vqe.hamiltonians.encoding import Leaves
from thalweg_vqe.hamiltonians.excitation import excitation
from thalweg_vqe.hamiltonians.hamiltonian import Electrons, Register
from thalweg_vqe.pauli.words import Word

POOLS = ("uccsd", "generalized", "qubit")

MOST = 20_000
"""Operators of a pool (arbitrary: to write down so many takes half a minute, and each is looked at in every growth)."""


MANY = 4000
"""Operators of a pool that are not written down when a job is checked (arbitrary: about two seconds)."""


class Operator(NamedTuple):
    """One member of a pool."""

    name: str
    turns: tuple[tuple[Word, float], ...]  # words and their scales: the product of exp(-i scale θ P/2)


@lru_cache(maxsize=4)  # a job's checks and its landscape ask for the same one
def operators(pool: str, register: Register) -> tuple[Operator, ...]:
    """The pool of this name on a register.

    Raises:
        BadInput: it has no operator there; the field is below the ansatz.
    """
    found = {"uccsd": _uccsd, "generalized": _generalized, "qubit": _words}[pool](register)
    if not found:
        raise BadInput("pool", "holds no operator here: every orbital is filled, or forbidden by symmetry; use another ansatz")
    return found


def many(pool: str, register: Register) -> bool:
    """Whether to write it down, and to look at the frequencies of its operators, takes long."""
    electrons = register.electrons()
    if electrons is None:
        return False  # words of up to three spins are soon written down
    m, alpha, beta = electrons.orbitals, electrons.alpha, electrons.beta
    if pool != "uccsd":
        return len(_all_moves(m)) > MANY
    pairs = [math.comb(filled, 2) * math.comb(m - filled, 2) for filled in (alpha, beta)]
    return sum(pairs) + alpha * (m - alpha) * beta * (m - beta) > MANY


def most_turns(pool: str) -> int:
    """Words of an operator, at most."""
    return 1 if pool == "qubit" else 8  # those of two electrons that move


def _uccsd(register: Register) -> tuple[Operator, ...]:
    electrons = orbitals_of(register, 'adapt with pool = "uccsd"')
    return _excitations(electrons, [*singles(electrons), *doubles(electrons)])


def _generalized(register: Register) -> tuple[Operator, ...]:
    """From every orbital or site to every other, filled or empty; spins are kept."""
    electrons = register.electrons()
    if electrons is None:
        raise BadInput("pool", '"generalized" moves electrons, and there are none here; use "qubit"')
    return _excitations(electrons, _all_moves(electrons.orbitals))


def _excitations(electrons: Electrons, moves: Sequence[Moves]) -> tuple[Operator, ...]:
    """Without what a tapered symmetry forbids."""
    found: list[Operator] = []
    for filled, emptied in moves:
        try:
            turns = tuple((turn.word, turn.scale) for turn in excitation(electrons, filled, emptied, 0))
        except Leaves:
            continue
        if turns:
            found.append(Operator(f"{_orbitals(emptied, electrons)} -> {_orbitals(filled, electrons)}", turns))
    return tuple(found)


def _orbitals(spin_orbitals: Iterable[int], electrons: Electrons) -> str:
    """Spin orbitals as people write them: "0a 2b"."""
    m = electrons.orbitals
    return " ".join(f"{q % m}{'ab'[q // m]}" for q in spin_orbitals)


def _all_moves(m: int) -> list[Moves]:
    up, down = range(m), range(m, 2 * m)
    orbitals: list[list[tuple[int, ...]]] = [[(q,) for q in up], [(q,) for q in down]]
    pairs: list[list[tuple[int, ...]]] = [
        [*combinations(up, 2)],
        [*combinations(down, 2)],
        [(p, q) for p in up for q in down],
    ]
    count = sum(len(kind) * (len(kind) - 1) // 2 for kind in orbitals + pairs)
    if count > MOST:
        raise BadInput("pool", f'"generalized" has {count} operators on {m} orbitals, wanted at most {MOST}; use "uccsd"')
    return [(filled, emptied) for kind in orbitals + pairs for emptied, filled in combinations(kind, 2)]


def _words(register: Register) -> tuple[Operator, ...]:
    """The words of the generalized excitations without the Z's that only sign; of spins real turns of up to three."""
    if register.electrons() is None:
        found = _spin_words(register.qubits)
    else:
        every = (word for operator in operators("generalized", register) for word, _ in operator.turns)
        found = (Word(word.x, word.z & word.x) for word in every)
    return tuple(Operator(word.letters(register.qubits), ((word, 1.0),)) for word in dict.fromkeys(found))


def _spin_words(qubits: int) -> Iterator[Word]:
    """Y_p, Y_p Z_q, Y_p X_q, Y_p X_q Z_r: turns of one spin, of two, and of three as [H, A] of a Heisenberg chain needs them."""
    for p in range(qubits):
        yield Word(1 << p, 1 << p)
    for p, q in permutations(range(qubits), 2):
        yield Word(1 << p, 1 << p | 1 << q)
        yield Word(1 << p | 1 << q, 1 << p)
    for p, q, r in permutations(range(qubits), 3):
        yield Word(1 << p | 1 << q, 1 << p | 1 << r)
