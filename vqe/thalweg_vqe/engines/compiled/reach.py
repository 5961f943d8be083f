"""The basis states that a circuit can reach from its start, and circuit and operator as tables over them.

Circuits that keep numbers of electrons or of flipped spins reach few: LiH in 5 orbitals 25 of 1024. A run of commuting words
that flip the same qubits turns pairs of states (b, b xor x) by an angle that is a linear form of the parameters,

    α_c(θ) = Σ_k a_ck θ_k + b_c,

the same for all pairs of a class c, and most often zero; a run of diagonal words turns phases in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from thalweg_vqe.engines.compiled.kernels.subspace import IMAGINARY, PHASE, REAL
from thalweg_vqe.engines.compiled.runs import runs
from thalweg_vqe.pauli.program import Cx, Program, Rotation
from thalweg_vqe.pauli.words import Hermitian, signs

Ints = NDArray[np.int64]
Places = NDArray[np.int32]
Floats = NDArray[np.float64]

S = TypeVar("S", bound=np.generic)

ROUND_OFF = 1e-14
"""A coefficient of an angle not above this part of the largest is what rounding left of zero."""


class Steps(NamedTuple):
    """The circuit: runs of classes of pairs. A class's linear form and its pairs lie between its firsts."""

    kinds: Ints  # of each run
    class_firsts: Ints
    offsets: Floats  # of each class (rad)
    term_firsts: Ints
    parameters: Ints  # of each term
    coefficients: Floats
    pair_firsts: Ints
    ones: Places  # states of each pair
    others: Places


class Matrix(NamedTuple):
    """The operator among the states, row by row."""

    firsts: Ints
    columns: Places
    real: Floats
    imaginary: Floats  # empty where all are real


class Reach(NamedTuple):
    """What is reached, and what happens there."""

    states: Ints  # labels at the end of the circuit, in the order in which they were reached
    steps: Steps
    matrix: Matrix

    @property
    def real(self) -> bool:
        """Whether all amplitudes are."""
        return bool((self.steps.kinds == REAL).all()) and not len(self.matrix.imaginary)


def reach(program: Program, observable: Hermitian, most: int, pairs: int) -> Reach | None:
    """The tables; None where more than so many states are reached, or so many pairs turned."""
    walk = _Walk(program)
    for run in runs(program.gates, lambda rotation: rotation.word.x):
        if run.chain:
            walk.relabel(run.chain)
        else:
            walk.turn(run.rotations[0].word.x, run.rotations)
        if len(walk.labels) > most or walk.pairs > pairs:
            return None
    found = matrix(observable, walk.labels)
    return None if len(found.columns) > pairs else Reach(walk.labels, walk.steps(), found)


class _Class(NamedTuple):
    offset: float
    parameters: list[int]
    coefficients: Floats
    ones: Places
    others: Places


class _Walk:
    """Goes through the circuit and notes which states are met; a state keeps its place when CX gates give it a new label."""

    def __init__(self, program: Program) -> None:
        self.labels = np.array([program.start], dtype=np.int64)
        self.pairs = 0
        self._places = np.full(1 << program.qubits, -1, dtype=np.int32)
        self._places[program.start] = 0
        self._kinds: list[int] = []
        self._runs: list[list[_Class]] = []

    def relabel(self, chain: tuple[Cx, ...]) -> None:
        """CX gates: no amplitude moves."""
        self._places[self.labels] = -1
        for gate in chain:
            self.labels = self.labels ^ ((self.labels >> gate.control & 1) << gate.target)
        self._places[self.labels] = np.arange(len(self.labels))

    def turn(self, x: int, rotations: tuple[Rotation, ...]) -> None:
        """Commuting rotations that all flip x."""
        ones = np.unique(np.where(self.labels & _top(x), self.labels ^ x, self.labels)) if x else self.labels
        parameters, forms = _forms(ones, x, rotations)
        alive = np.flatnonzero((forms != 0).any(axis=0))
        if not len(alive):
            return
        ones, forms = ones[alive], forms[:, alive]
        self._meet(ones)
        self._meet(ones ^ x)
        kinds, order = np.unique(forms, axis=1, return_inverse=True)
        members = np.split(np.argsort(order.ravel(), kind="stable"), np.cumsum(np.bincount(order.ravel()))[:-1])
        first, second = self._places[ones], self._places[ones ^ x]
        self._kinds.append(_kind(x, rotations))
        self._runs.append([_class(form, parameters, first[m], second[m]) for form, m in zip(kinds.T, members, strict=True)])
        self.pairs += len(ones)

    def _meet(self, labels: Ints) -> None:
        new = labels[self._places[labels] < 0]
        self._places[new] = np.arange(len(self.labels), len(self.labels) + len(new))
        self.labels = np.concatenate([self.labels, new])

    def steps(self) -> Steps:
        classes = [c for run in self._runs for c in run]
        return Steps(
            np.array(self._kinds, dtype=np.int64),
            _firsts(self._runs),
            np.array([c.offset for c in classes], dtype=np.float64),
            _firsts([c.parameters for c in classes]),
            np.array([k for c in classes for k in c.parameters], dtype=np.int64),
            _joined([c.coefficients for c in classes], np.float64),
            _firsts([c.ones for c in classes]),
            _joined([c.ones for c in classes], np.int32),
            _joined([c.others for c in classes], np.int32),
        )


def matrix(observable: Hermitian, states: Ints) -> Matrix:
    """What an operator does among these states; it may lead out of them."""
    place = np.full(1 << observable.qubits, -1, dtype=np.int32)
    place[states] = np.arange(len(states))
    terms: list[tuple[Places, Places, NDArray[np.complex128]]] = []
    for x, diagonal in observable.diagonals(states):  # H = Σ X^x D_x: column s, row s xor x
        to = place[states ^ x]
        inside = np.flatnonzero((to >= 0) & (diagonal != 0))
        terms.append((to[inside], inside.astype(np.int32), diagonal[inside]))
    free = np.zeros(len(states) + 1, dtype=np.int64)  # where the next entry of each row goes
    for rows, _, _ in terms:
        free[rows + 1] += 1
    firsts = np.cumsum(free)
    free = firsts[:-1].copy()
    columns, real = np.empty(firsts[-1], dtype=np.int32), np.empty(firsts[-1])
    imaginary = np.empty(firsts[-1] if any(value.imag.any() for _, _, value in terms) else 0)
    for rows, column, value in terms:
        columns[free[rows]], real[free[rows]] = column, value.real
        if len(imaginary):
            imaginary[free[rows]] = value.imag
        free[rows] += 1
    return Matrix(firsts, columns, real, imaginary)


def _forms(ones: Ints, x: int, rotations: tuple[Rotation, ...]) -> tuple[list[int], Floats]:
    """The parameters of a run, and the linear form of the angle of each pair: a row for each parameter, one for the offset.

    -iP takes b to (-i)^(ys+1) (-1)^|z∧b| b', so that in the pair the generator is the same up to that sign.
    """
    parameters = sorted({r.parameter for r in rotations if r.parameter is not None})
    row = {k: place for place, k in enumerate(parameters)}
    forms = np.zeros((len(parameters) + 1, len(ones)))
    for rotation in rotations:
        ys = (x & rotation.word.z).bit_count()
        sign = (-0.5 if ys % 4 in (1, 2) else 0.5) * signs(ones, rotation.word.z)
        if rotation.parameter is not None:
            forms[row[rotation.parameter]] += rotation.scale * sign
        forms[-1] += rotation.offset * sign
    largest = max(max(abs(r.scale) if r.parameter is not None else 0.0, abs(r.offset)) for r in rotations)
    forms[np.abs(forms) <= ROUND_OFF * largest] = 0.0
    return parameters, forms


def _kind(x: int, rotations: tuple[Rotation, ...]) -> int:
    if x == 0:
        return PHASE
    return REAL if (x & rotations[0].word.z).bit_count() % 2 else IMAGINARY


def _class(form: Floats, parameters: list[int], ones: Places, others: Places) -> _Class:
    turning = np.flatnonzero(form[:-1])
    return _Class(float(form[-1]), [parameters[k] for k in turning], form[turning], ones, others)


def _top(x: int) -> int:
    return 1 << (x.bit_length() - 1)


def _firsts(parts: list[list[_Class]] | list[list[int]] | list[Places]) -> Ints:
    return np.cumsum([0, *map(len, parts)], dtype=np.int64)


def _joined(parts: Sequence[NDArray[S]], dtype: type[S]) -> NDArray[S]:
    return np.concatenate([np.zeros(0, dtype=dtype), *parts])
