"""A program and an operator as the tables that the compiled kernels run through."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg_vqe.engines.compiled.kernels.agreed import DIAGONAL, MAP, RUN_Y, WORD
from thalweg_vqe.pauli.program import Cx, Program, Rotation
from thalweg_vqe.pauli.words import Hermitian

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Table(NamedTuple):
    """The circuit in runs of gates that commute. An item is a rotation; that of a MAP is the map itself.

    Rotations with a parameter have the numbers 0 … R-1, fixed ones follow, with their angles in `fixed`.
    """

    start: int
    split: int  # qubits in the low half of a half table
    kinds: Ints  # of each run
    firsts: Ints  # item where each run begins, and the end
    numbers: Ints  # of each item: which angle; of a map: which one
    xs: Ints
    zs: Ints
    counts: Ints  # the qubit of an item of a RUN_Y, else how many letters Y its word has
    maps_low: NDArray[np.int32]  # (M, 2, low): forwards, backwards
    maps_high: NDArray[np.int32]  # (M, 2, high)
    fixed: Floats


class Diagonals(NamedTuple):
    """H = Σ_x X^x D_x; a D_x that is constant takes no room."""

    flips: Ints
    constants: Floats
    rows: Ints  # which dense row, -1 where constant
    real: Floats  # (rows, N)
    imaginary: Floats  # (rows, N), or (1, 1) where all are real


def table(program: Program) -> Table:
    """The runs of a program, kept in order: a gate joins the last run if it can."""
    split = (program.qubits + 1) // 2
    kinds: list[int] = []
    runs: list[list[tuple[int, Rotation | None]]] = []
    chains: list[list[Cx]] = []
    fixed: list[float] = []
    turned = 0
    for gate in program.gates:
        if isinstance(gate, Cx):
            if not kinds or kinds[-1] != MAP:
                kinds.append(MAP)
                runs.append([(len(chains), None)])
                chains.append([])
            chains[-1].append(gate)
            continue
        if gate.parameter is None:
            number = len(program.turned) + len(fixed)
            fixed.append(gate.offset)
        else:
            number, turned = turned, turned + 1
        kind = _kind(gate, split)
        if kind == WORD or not kinds or kinds[-1] != kind or (kind == RUN_Y and _meets(runs[-1], gate)):
            kinds.append(kind)
            runs.append([])
        runs[-1].append((number, gate))
    for kind, run in zip(kinds, runs, strict=True):
        if kind == RUN_Y:
            run.sort(key=lambda item: 0 if item[1] is None else item[1].word.x)
    items = [item for run in runs for item in run]
    words = [(0, 0) if gate is None else gate.word for _, gate in items]
    forwards = [_linear([*reversed(chain)], program.qubits, split) for chain in chains]
    backwards = [_linear(chain, program.qubits, split) for chain in chains]
    pairs = [[(f[half], b[half]) for f, b in zip(forwards, backwards, strict=True)] for half in (0, 1)]
    return Table(
        program.start,
        split,
        np.array(kinds, dtype=np.int64),
        np.cumsum([0, *map(len, runs)], dtype=np.int64),
        np.array([number for number, _ in items], dtype=np.int64),
        np.array([x for x, _ in words], dtype=np.int64),
        np.array([z for _, z in words], dtype=np.int64),
        np.array([_count(kind, gate) for kind, run in zip(kinds, runs, strict=True) for _, gate in run], dtype=np.int64),
        np.array(pairs[0], dtype=np.int32).reshape(len(chains), 2, 1 << split),
        np.array(pairs[1], dtype=np.int32).reshape(len(chains), 2, 1 << program.qubits - split),
        np.array(fixed, dtype=np.float64),
    )


@lru_cache(maxsize=2)  # circuits that grow have one operator
def diagonals(observable: Hermitian) -> Diagonals:
    """The operator by what it flips."""
    flips: list[int] = []
    constants: list[float] = []
    rows: list[int] = []
    dense: list[NDArray[np.complex128]] = []
    for x, diagonal in observable.diagonals():
        constant = bool((diagonal == diagonal[0].real).all())
        flips.append(x)
        constants.append(diagonal[0].real if constant else 0.0)
        rows.append(-1 if constant else len(dense))
        if not constant:
            dense.append(diagonal)
    stack = np.array(dense, dtype=np.complex128).reshape(len(dense), 1 << observable.qubits)
    imaginary = np.concatenate([stack.imag, 0 * stack.imag[:1]]) if stack.imag.any() else np.zeros((1, 1))
    return Diagonals(
        np.array(flips, dtype=np.int64),
        np.array(constants, dtype=np.float64),
        np.array(rows, dtype=np.int64),
        np.ascontiguousarray(stack.real),
        np.ascontiguousarray(imaginary),
    )


def _kind(gate: Rotation, split: int) -> int:
    x, z = gate.word
    if x == z and x & (x - 1) == 0:
        return RUN_Y
    return DIAGONAL if x == 0 and (z >> split == 0 or z & (1 << split) - 1 == 0) else WORD


def _meets(run: list[tuple[int, Rotation | None]], gate: Rotation) -> bool:
    return any(other is not None and other.word == gate.word for _, other in run)


def _count(kind: int, gate: Rotation | None) -> int:
    if gate is None:
        return 0
    return gate.word.x.bit_length() - 1 if kind == RUN_Y else (gate.word.x & gate.word.z).bit_count()


def _linear(chain: list[Cx], qubits: int, split: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where basis states go through CX gates, first gate first: a map of the low bits, and one of the high bits."""
    low, high = np.arange(1 << split), np.arange(1 << qubits - split) << split
    for gate in chain:
        low = low ^ ((low >> gate.control & 1) << gate.target)
        high = high ^ ((high >> gate.control & 1) << gate.target)
    return low, high
