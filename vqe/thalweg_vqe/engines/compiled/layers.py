"""A program and an operator over all basis states, as the tables that `adjoint` runs through."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg_vqe.engines.compiled.kernels.agreed import DIAGONAL, MAP, RUN_Y, WORD
from thalweg_vqe.engines.compiled.kernels.team import ROW
from thalweg_vqe.engines.compiled.runs import Run, runs
from thalweg_vqe.pauli.program import Cx, Gate, Program, Rotation
from thalweg_vqe.pauli.words import Word

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

RANK = 3
"""Independent parities of high bits that a diagonal run may couple to low ones: up to 2³ low tables (arbitrary)."""

LARGE = 14
"""Qubits from which states are worked on in two parts: below, threads would wait for each other longer than they work."""


class Layers(NamedTuple):
    """The circuit in runs of gates that commute. An item is a rotation by the half angle  scale θ_parameter + offset.

    Of a RUN_Y `counts` holds the qubit; of a WORD xs, zs and the number of its letters Y. A DIAGONAL word on high qubits only
    has xs = -1 and its place in the high table in zs; any other its place in the low tables, of which there is one for each
    class of high bits, in xs.
    """

    start: int
    kinds: Ints  # of each run
    firsts: Ints  # item where each run begins, and the end
    numbers: Ints  # of a MAP: which one; of a DIAGONAL: which row of classes
    turn_firsts: Ints  # where its cosines and sines begin, and the end
    low_sizes: Ints  # of a DIAGONAL: the length of its low tables together
    parameters: Ints  # of each item, -1 where it is fixed
    scales: Floats
    offsets: Floats  # rad
    xs: Ints
    zs: Ints
    counts: Ints
    maps_low: NDArray[np.int32]  # (M, 2, low): forwards, backwards
    maps_high: NDArray[np.int32]  # (M, 2, high)
    classes: Ints  # (D, high)


class Workspace(NamedTuple):
    """What a gradient writes over."""

    work: Floats  # (4 or 6, N): ket, bra, spare
    roles: Ints  # (parts, 6): which row is which, for each member of a team
    turns: Floats  # (parts, …)
    sums: Floats  # (2, parts, …): while one is made, the other may still be read
    high_sums: Floats  # (2, …)
    energies: Floats  # (parts,)
    at_gate: Ints  # how often each member has come to a gate, a cache line each

    @classmethod
    def of(cls, layers: Layers, qubits: int) -> Workspace:
        parts = 2 if qubits >= LARGE else 1
        sums = max(64, *layers.low_sizes, 0)
        return cls(
            np.empty((6 if MAP in layers.kinds else 4, 1 << qubits)),
            np.empty((parts, 6), dtype=np.int64),
            np.empty((parts, layers.turn_firsts[-1])),
            np.empty((2, parts, sums)),
            np.empty((2, layers.classes.shape[1])),
            np.empty(parts),
            np.zeros(2 * ROW, dtype=np.int64),
        )


def layers(program: Program) -> Layers:
    """The runs of a program."""
    split = (program.qubits + 1) // 2
    tables = _Tables(program.qubits, split)
    for run in runs(_about_y(program.gates), lambda rotation: _alike(rotation.word)):
        tables.add(run)
    return tables.layers(program.start)


def _about_y(gates: Iterable[Gate]) -> Iterator[Gate]:
    """With each rotation about x as one about y between quarter turns about z, which join the diagonal runs around it."""
    for gate in gates:
        if isinstance(gate, Cx) or gate.word.z or gate.word.x & (gate.word.x - 1):
            yield gate
            continue
        z, y = Word(0, gate.word.x), Word(gate.word.x, gate.word.x)
        yield Rotation(z, None, offset=math.pi / 2)
        yield gate._replace(word=y)
        yield Rotation(z, None, offset=-math.pi / 2)


def _alike(word: Word) -> Hashable:
    if word.x == 0:
        return DIAGONAL
    return RUN_Y if word.x == word.z and word.x & (word.x - 1) == 0 else word


class _Item(NamedTuple):
    rotation: Rotation
    x: int
    z: int
    letter: int


@dataclass
class _Tables:
    """Collects runs."""

    qubits: int
    split: int
    kinds: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    low_sizes: list[int] = field(default_factory=list)
    items: list[list[_Item]] = field(default_factory=list)
    maps: list[tuple[tuple[Ints, Ints], tuple[Ints, Ints]]] = field(default_factory=list)
    classes: list[Ints] = field(default_factory=list)

    def add(self, run: Run) -> None:
        if run.chain:
            self._append(MAP, len(self.maps), [])
            forwards, backwards = (_linear(chain, self.qubits, self.split) for chain in (run.chain[::-1], run.chain))
            self.maps.append(((forwards[0], backwards[0]), (forwards[1], backwards[1])))
        elif run.alike == RUN_Y:
            for rotations in _apart(run.rotations):
                self._append(RUN_Y, 0, [_Item(r, 0, 0, r.word.x.bit_length() - 1) for r in rotations])
        elif run.alike == DIAGONAL:
            self._diagonal(_merged(run.rotations))
        else:
            for rotation in run.rotations:
                self._word(rotation)

    def _word(self, rotation: Rotation) -> None:
        x, z = rotation.word
        self._append(WORD, 0, [_Item(rotation, x, z, (x & z).bit_count())])

    def _diagonal(self, rotations: list[Rotation]) -> None:
        """Words on low qubits, on high ones, and on both as far as few parities of high ones come in; the others alone."""
        parities: list[int] = []
        codes = {0: 0}  # of masks of high bits: which parities they add up from
        items: list[_Item] = []
        rest: list[Rotation] = []
        low = (1 << self.split) - 1
        for rotation in rotations:
            below, above = rotation.word.z & low, rotation.word.z >> self.split
            if not below:
                items.append(_Item(rotation, -1, above, 0))
                continue
            if above not in codes and len(parities) < RANK:
                codes |= {other ^ above: code | 1 << len(parities) for other, code in codes.items()}
                parities.append(above)
            if above in codes:
                items.append(_Item(rotation, codes[above] << self.split | below, -1, 0))
            else:
                rest.append(rotation)
        if items:
            high = np.arange(1 << self.qubits - self.split)
            class_ = sum(((np.bitwise_count(high & p) & 1).astype(np.int64) << k for k, p in enumerate(parities)), 0 * high)
            self._append(DIAGONAL, len(self.classes), items, 1 << self.split + len(parities))
            self.classes.append(class_)
        for rotation in rest:
            self._word(rotation)

    def _append(self, kind: int, number: int, items: list[_Item], low_size: int = 0) -> None:
        self.kinds.append(kind)
        self.numbers.append(number)
        self.items.append(items)
        self.low_sizes.append(low_size)

    def layers(self, start: int) -> Layers:
        items = [item for found in self.items for item in found]
        high = 1 << self.qubits - self.split
        sizes = [2 * (low + high) if low else 2 * len(found) for low, found in zip(self.low_sizes, self.items, strict=True)]
        maps = [[np.array(halves) for halves in chosen] for chosen in self.maps]
        return Layers(
            start,
            _ints(self.kinds),
            np.cumsum([0, *map(len, self.items)], dtype=np.int64),
            _ints(self.numbers),
            np.cumsum([0, *sizes], dtype=np.int64),
            _ints(self.low_sizes),
            _ints([-1 if item.rotation.parameter is None else item.rotation.parameter for item in items]),
            np.array([item.rotation.scale / 2 for item in items], dtype=np.float64),
            np.array([item.rotation.offset / 2 for item in items], dtype=np.float64),
            _ints([item.x for item in items]),
            _ints([item.z for item in items]),
            _ints([item.letter for item in items]),
            np.array([low for low, _ in maps], dtype=np.int32).reshape(len(maps), 2, 1 << self.split),
            np.array([top for _, top in maps], dtype=np.int32).reshape(len(maps), 2, high),
            np.array(self.classes, dtype=np.int64).reshape(-1, high),
        )


def _ints(numbers: list[int]) -> Ints:
    return np.array(numbers, dtype=np.int64)


def _apart(rotations: tuple[Rotation, ...]) -> list[list[Rotation]]:
    """RY on different qubits, ascending; a second one on a qubit goes into a run of its own."""
    found: list[list[Rotation]] = []
    for _, alike in groupby(sorted(rotations, key=lambda r: r.word.x), key=lambda r: r.word.x):
        for place, rotation in enumerate(alike):
            if place == len(found):
                found.append([])
            found[place].append(rotation)
    return found


def _merged(rotations: tuple[Rotation, ...]) -> list[Rotation]:
    """Fixed turns by the same word as one; those that cancel are left out."""
    total: dict[Word, float] = {}
    for rotation in rotations:
        if rotation.parameter is None:
            total[rotation.word] = total.get(rotation.word, 0.0) + rotation.offset
    fixed = [Rotation(word, None, offset=offset) for word, offset in total.items() if offset != 0.0]
    return [r for r in rotations if r.parameter is not None] + fixed


def _linear(chain: Iterable[Cx], qubits: int, split: int) -> tuple[Ints, Ints]:
    """Where basis states go through CX gates, first gate first: a map of the low bits, and one of the high bits."""
    low, high = np.arange(1 << split), np.arange(1 << qubits - split) << split
    for gate in chain:
        low = low ^ ((low >> gate.control & 1) << gate.target)
        high = high ^ ((high >> gate.control & 1) << gate.target)
    return low, high
