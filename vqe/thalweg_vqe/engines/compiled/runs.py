"""Gates in runs that go together: each gate as early in the circuit as it commutes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple

from thalweg_vqe.pauli.program import Cx, Gate, Rotation
from thalweg_vqe.pauli.words import Word, commute

LOOK_BACK = 64
"""Runs that a gate is compared with at most (arbitrary: building stays linear in the length of the circuit)."""

Alike = Callable[[Rotation], Hashable]
"""What rotations of a run have in common."""


class Run(NamedTuple):
    """Rotations that commute and are alike, or (where alike is None) CX gates one after the other."""

    alike: Hashable
    rotations: tuple[Rotation, ...]
    chain: tuple[Cx, ...] = ()


def runs(gates: Iterable[Gate], alike: Alike) -> list[Run]:
    """A product of runs equal to that of the gates, first acting first."""
    kinds: list[Hashable] = []
    members: list[list[Gate]] = []
    for gate in gates:
        kind = None if isinstance(gate, Cx) else alike(gate)
        home = len(kinds) - 1 if isinstance(gate, Cx) else _home(kinds, members, gate, kind)
        if home >= 0 and kinds[home] == kind:
            members[home].append(gate)
        else:
            kinds.append(kind)
            members.append([gate])
    return [
        Run(kind, tuple(g for g in found if isinstance(g, Rotation)), tuple(g for g in found if isinstance(g, Cx)))
        for kind, found in zip(kinds, members, strict=True)
    ]


def _home(kinds: list[Hashable], members: list[list[Gate]], gate: Rotation, kind: Hashable) -> int:
    """The earliest run that a rotation may join, -1 where there is none.

    One that flips several qubits looks at the last run only: the words of an excitation belong together, and none may run
    ahead of the others.
    """
    home, last = -1, len(kinds) - 1
    several = gate.word.x & (gate.word.x - 1) != 0
    for place in range(last, max(-1, last - (1 if several else LOOK_BACK)), -1):
        if kinds[place] is None or not _passes(gate.word, members[place]):
            break
        if kinds[place] == kind:
            home = place
    return home


def _passes(word: Word, gates: Iterable[Gate]) -> bool:
    return all(commute(word, gate.word) for gate in gates if isinstance(gate, Rotation))
