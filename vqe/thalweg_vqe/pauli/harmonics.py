"""The energy along one parameter is a trigonometric polynomial: of which frequencies, the circuit tells.

Rotations of a parameter that commute and can be brought together are one turn by  G = Σ_j a_j P_j/2;  they leave frequencies
that are differences of the eigenvalues of G, or fewer if it is known which words the energy holds behind them. Those of
several turns add up.

Source: Wierichs, Izaac, Wang & Lin, Quantum 6 (2022) 677.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from thalweg_vqe.pauli.grouping import Group
from thalweg_vqe.pauli.heisenberg import Words, frequencies, reached
from thalweg_vqe.pauli.patterns import Pattern
from thalweg_vqe.pauli.program import Cx, Program, Rotation
from thalweg_vqe.pauli.words import IDENTITY, Observable, Word, commute

MOST_WORDS = 16
"""Words of one turn whose joint eigenvalues are enumerated (arbitrary: 2¹⁶ of them)."""

MOST_HARMONICS = 100
"""Beyond so many, frequencies have no common divisor (arbitrary)."""

ROUNDED = 1e-6
"""How far from a whole number a multiple may be, for rounding (arbitrary)."""


class Spectrum(NamedTuple):
    """Frequencies l ω, l ≤ R."""

    base: float  # ω; the largest frequency where they have no common divisor
    number: int  # R; 0 where they have none


NOTHING = Spectrum(1.0, 1)
"""Of a constant: any period will do."""


def spectra(program: Program, observable: Observable | None, ideal: bool = True) -> tuple[Spectrum, ...]:
    """The spectrum of every parameter; the operator, if it is all that is measured, may narrow those of tied ones.

    On a device with noise, rotations that should act as one do not, and each counts for itself: ideal = False.
    """
    places = _places(program)
    tied = ideal and any(len(alike) > 1 for alike in places)
    seen = reached(program, observable) if tied and observable is not None else [None] * len(program.gates)
    out: list[Spectrum] = []
    for alike in places:
        turns = _together(program, alike) if ideal else [_alone(program, place) for place in alike]
        known = [seen[turn.place] if len(alike) > 1 else None for turn in turns]
        out.append(_common([_frequencies(turn.scales, words, program.qubits) for turn, words in zip(turns, known, strict=True)]))
    return tuple(out)


def looks(program: Program) -> int:
    """At how many gates `spectra` looks to bring the rotations of each parameter together, at most."""
    return sum(place - alike[0] for alike in _places(program) for place in alike)


class Turn(NamedTuple):
    """Commuting rotations of one parameter, brought to the place of the first."""

    place: int  # number of the gate
    scales: dict[Word, float]


def _places(program: Program) -> list[list[int]]:
    """The gates of every parameter."""
    out: list[list[int]] = [[] for _ in range(program.parameters)]
    for place, gate in enumerate(program.gates):
        if isinstance(gate, Rotation) and gate.parameter is not None:
            out[gate.parameter].append(place)
    return out


def _together(program: Program, places: list[int]) -> list[Turn]:
    """The rotations in few turns: each joins the one before it if it can be brought there."""
    found: list[Turn] = []
    for place in places:
        moved = _brought(program, place, found[-1].place) if found else None
        if moved is None:
            found.append(_alone(program, place))
        else:
            word, scale = moved
            found[-1].scales[word] = found[-1].scales.get(word, 0.0) + scale
    return found


def _alone(program: Program, place: int) -> Turn:
    word, scale = _rotation(program, place)
    return Turn(place, {word: scale})


def _rotation(program: Program, place: int) -> tuple[Word, float]:
    gate = program.gates[place]
    assert isinstance(gate, Rotation)
    return gate.word, gate.scale


def _brought(program: Program, place: int, to: int) -> tuple[Word, float] | None:
    """The word and scale of a rotation brought before all gates from `to` on, None where one of them does not commute."""
    word, scale = _rotation(program, place)
    for other in reversed(program.gates[to:place]):
        if isinstance(other, Cx):
            word, sign = _conjugated(word, other)
            scale *= sign
        elif not commute(word, other.word):
            return None
    return word, scale


def _conjugated(word: Word, gate: Cx) -> tuple[Word, float]:
    """CX P CX."""
    xc, zc = word.x >> gate.control & 1, word.z >> gate.control & 1
    xt, zt = word.x >> gate.target & 1, word.z >> gate.target & 1
    moved = Word(word.x ^ xc << gate.target, word.z ^ zt << gate.control)
    return moved, -1.0 if xc and zt and xt == zc else 1.0


def _frequencies(turn: dict[Word, float], seen: Words | None, qubits: int) -> list[float]:
    """What a turn adds: its largest frequency, and so many others that what divides these divides all."""
    scales = {word: scale for word, scale in turn.items() if abs(scale) > ROUNDED}
    words, sizes = tuple(scales), tuple(scales.values())
    if not words:
        return []
    if seen is not None and _most_against(words, seen, qubits) <= MOST_WORDS:
        return frequencies(words, sizes, seen, qubits)
    if len(words) > MOST_WORDS:
        return [*map(abs, sizes), sum(map(abs, sizes))]
    energies = Pattern.of(Group(IDENTITY, words, sizes)).energies / 2
    return [*np.abs(energies - energies[0]).tolist(), float(np.ptp(energies))]


def _most_against(words: tuple[Word, ...], seen: Words, qubits: int) -> int:
    """With how many of the words a seen one anticommutes at most."""
    x, z = seen >> qubits, seen & (1 << qubits) - 1
    against = [np.bitwise_count(x & word.z) + np.bitwise_count(z & word.x) & 1 for word in words]
    return int(np.sum(against, axis=0).max(initial=0))


def _common(turns: list[list[float]]) -> Spectrum:
    """Of turns one after the other, whose largest frequencies add."""
    largest = sum(max(turn, default=0.0) for turn in turns)
    if largest < ROUNDED:
        return NOTHING
    every = np.unique([frequency for turn in turns for frequency in turn])
    for number in range(1, MOST_HARMONICS + 1):
        multiples = every * number / largest
        if (np.abs(multiples - multiples.round()) < ROUNDED).all():
            return Spectrum(largest / number, number)
    return Spectrum(largest, 0)
