"""The compiled engine without noise: over the states that a circuit reaches where these are few, else over all."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thalweg_vqe.engines.compiled.engine import CompiledStates
from thalweg_vqe.engines.compiled.kernels.adjoint import vqe_adjoint
from thalweg_vqe.engines.compiled.kernels.subspace import vqe_subspace, vqe_subspace_rows
from thalweg_vqe.engines.compiled.layers import LARGE, Layers, Workspace, layers
from thalweg_vqe.engines.compiled.reach import Reach, matrix, reach
from thalweg_vqe.engines.compiled.table import Diagonals, diagonals
from thalweg_vqe.pauli.program import Program
from thalweg_vqe.pauli.words import Hermitian

MOST_PAIRS = 2**26
"""Pairs of states that a circuit's runs may turn in lists: 512 MiB (arbitrary). Beyond, all states are worked on."""

WORTH = 1e6
"""Numbers to be turned from which a second thread is worth calling: about half a millisecond (arbitrary)."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CompiledExact:
    """Energies, gradients and metrics without noise, on as many threads as torch is given.

    Threads share the replicas out, or a single large state; no bit depends on how many there are.

    Args:
        program: the circuit.
        observable: H.
    """

    program: Program
    observable: Hermitian

    def energies(self, theta: Tensor) -> Tensor:
        """U (Ha): (B, P) -> (B,)."""
        return self._run(theta, differentiate=False)[0]

    def gradients(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """U (Ha) and ∂U/∂θ: (B, P) -> (B,), (B, P)."""
        return self._run(theta, differentiate=True)

    def metric(self, theta: Tensor) -> Tensor:
        """The Fubini-Study metric: (B, P) -> (B, P, P)."""
        out = np.empty((len(theta), self.program.parameters, self.program.parameters))
        for b, point in enumerate(theta):
            psi, chi = self._engine.tangents(self.program, point)
            along = chi @ np.concatenate([-psi[1], psi[0]])
            out[b] = chi @ chi.T - np.outer(along, along)
        return torch.from_numpy(out)

    def measuring(self, observable: Hermitian) -> CompiledExact:
        """The same circuit with another operator; its tables are shared."""
        other = CompiledExact(self.program, observable)
        other.__dict__["_engine"] = self._engine.measuring(observable)
        return other

    @property
    def states(self) -> int:
        """How many basis states are worked on."""
        return self._engine.states

    def _run(self, theta: Tensor, differentiate: bool) -> tuple[Tensor, Tensor]:
        given = np.ascontiguousarray(theta.numpy())
        values, slopes = np.empty(len(given)), np.empty_like(given)
        self._engine.run(given, values, slopes, differentiate, torch.get_num_threads())
        return torch.from_numpy(values), torch.from_numpy(slopes)

    @cached_property
    def _engine(self) -> _Engine:
        share = 2 if self.program.qubits < LARGE else 4
        found = reach(self.program, self.observable, (1 << self.program.qubits) // share, MOST_PAIRS)
        return _AllStates.of(self.program, self.observable) if found is None else _ReachedStates.of(found)


class _Engine(Protocol):
    @property
    def states(self) -> int: ...

    def measuring(self, observable: Hermitian) -> _Engine: ...

    def run(self, theta: Floats, values: Floats, slopes: Floats, differentiate: bool, threads: int) -> None: ...

    def tangents(self, program: Program, theta: Tensor) -> tuple[Floats, Floats]:
        """ψ (2, M), and ∂ψ/∂θ (P, 2M), at one point (P,)."""
        ...


@dataclass(frozen=True)
class _ReachedStates:
    """Over the states that are reached."""

    reach: Reach
    begin: int  # runs before the first with a parameter, done once
    start: Floats  # (2, M)

    @classmethod
    def of(cls, found: Reach) -> _ReachedStates:
        steps = found.steps
        moving = np.diff(steps.term_firsts)[: len(steps.offsets)] > 0
        first = int(np.argmax(moving)) if moving.any() else len(moving)
        begin = int(np.searchsorted(steps.class_firsts, first, side="right")) - 1
        start = np.zeros((2, len(found.states)))
        start[0, 0] = 1.0
        whole = cls(found, 0, start)
        return cls(found, begin, whole._call(np.zeros((1, 1)), np.empty(1), np.empty((1, 1)), False, begin)) if begin else whole

    @property
    def states(self) -> int:
        return len(self.reach.states)

    def measuring(self, observable: Hermitian) -> _ReachedStates:
        return replace(self, reach=self.reach._replace(matrix=matrix(observable, self.reach.states)))

    def run(self, theta: Floats, values: Floats, slopes: Floats, differentiate: bool, threads: int) -> None:
        def some(rows: slice) -> None:
            self._call(theta[rows], values[rows], slopes[rows], differentiate, len(self.reach.steps.kinds))

        worth = len(theta) * (8 * len(self.reach.steps.ones) + 4 * len(self.reach.matrix.columns)) > WORTH
        share(some, len(theta), threads if worth else 1)

    def tangents(self, program: Program, theta: Tensor) -> tuple[Floats, Floats]:
        steps, parameters = self.reach.steps, len(theta)
        rows = np.zeros((1 + parameters, 2, self.states))
        rows[0] = self.start
        alive = np.zeros(parameters, dtype=np.bool_)
        point = np.ascontiguousarray(theta.numpy())
        vqe_subspace_rows(point, not self.reach.real, self.begin, len(steps.kinds), rows, alive, *steps)
        return rows[0], rows[1:].reshape(parameters, -1)

    def _call(self, theta: Floats, values: Floats, slopes: Floats, differentiate: bool, end: int) -> Floats:
        """The state after the runs up to `end`."""
        found, work = self.reach, np.empty((4, self.states))
        turns = np.empty((2, len(found.steps.offsets)))
        vqe_subspace(
            theta, values, slopes, differentiate, not found.real, self.begin, end, self.start, work, turns,
            *found.steps, *found.matrix,
        )  # fmt: skip
        return work[:2]


@dataclass(frozen=True)
class _AllStates:
    """Over all basis states."""

    layers: Layers
    diagonals: Diagonals
    qubits: int
    begin: int  # runs before the first with a parameter, done once
    initial: Floats  # (2, N), or (2, 0) where the basis state `layers.start` is meant
    rooms: list[Workspace]  # that are not in use

    @classmethod
    def of(cls, program: Program, observable: Hermitian) -> _AllStates:
        found = layers(program)
        free = np.flatnonzero(found.parameters >= 0)
        begin = int(np.searchsorted(found.firsts, free[0], side="right")) - 1 if len(free) else len(found.kinds)
        whole = cls(found, diagonals(observable), program.qubits, 0, np.zeros((2, 0)), [])
        if not begin:
            return whole
        room = Workspace.of(found, program.qubits)
        whole._call(room, np.zeros((1, 1)), np.empty(1), np.empty((1, 1)), False, begin, 0, 1)
        initial = room.work[room.roles[0, :2]]
        return cls(found, whole.diagonals, program.qubits, begin, initial, whole.rooms)

    @property
    def states(self) -> int:
        return 1 << self.qubits

    def measuring(self, observable: Hermitian) -> _AllStates:
        return replace(self, diagonals=diagonals(observable))

    def run(self, theta: Floats, values: Floats, slopes: Floats, differentiate: bool, threads: int) -> None:
        end, worth = len(self.layers.kinds), len(theta) * len(self.layers.xs) * self.states > WORTH
        if len(theta) == 1 and threads > 1 and (room := self._room()).energies.size > 1:
            room.at_gate[:] = 0
            together(lambda member: self._call(room, theta, values, slopes, differentiate, end, member, 2))
            self.rooms.append(room)
            return

        def some(rows: slice) -> None:
            room = self._room()
            self._call(room, theta[rows], values[rows], slopes[rows], differentiate, end, 0, 1)
            self.rooms.append(room)

        share(some, len(theta), threads if worth else 1)

    def tangents(self, program: Program, theta: Tensor) -> tuple[Floats, Floats]:
        phi = program.angles(theta[None])[0]
        rows = CompiledStates(program).tangents(phi).numpy()
        return rows[0], _along_parameters(program, rows[1:].reshape(len(phi), -1)) / 2

    def _room(self) -> Workspace:
        try:
            return self.rooms.pop()
        except IndexError:
            return Workspace.of(self.layers, self.qubits)

    def _call(
        self,
        room: Workspace,
        theta: Floats,
        values: Floats,
        slopes: Floats,
        differentiate: bool,
        end: int,
        member: int,
        members: int,
    ) -> None:
        vqe_adjoint(
            theta, values, slopes, differentiate, self.begin, end, self.initial, member, members,
            *self.layers, *self.diagonals, *room,
        )  # fmt: skip


def _along_parameters(program: Program, chi: Floats) -> Floats:
    """2 ∂ψ/∂θ from 2 ∂ψ/∂φ: (R, 2N) -> (P, 2N)."""
    if not program.tied:
        return chi
    along = np.zeros((program.parameters, chi.shape[1]))
    for rotation, row in zip(program.turned, chi, strict=True):
        along[rotation.parameter] += rotation.scale * row
    return along


def share(work: Callable[[slice], None], rows: int, threads: int) -> None:
    """Rows dealt out to threads; which thread has which row changes nothing in it."""
    members = min(rows, threads)
    if members < 2:
        work(slice(0, rows))
        return
    bounds = [rows * k // members for k in range(members + 1)]
    others = [_pool(os.getpid()).submit(work, slice(a, b)) for a, b in pairwise(bounds[1:])]
    work(slice(0, bounds[1]))
    for other in others:
        other.result()


def together(work: Callable[[int], None]) -> None:
    """Two members of a team, each on a thread of its own; both must run at the same time."""
    other = _pool(os.getpid()).submit(work, 1)
    work(0)
    other.result()


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Threads of this process: a fork has none of its parent's."""
    return ThreadPoolExecutor(max(1, (os.cpu_count() or 2)), thread_name_prefix="circuits")
