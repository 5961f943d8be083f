"""The compiled states and shots: what `outcomes.TorchStates` and `shots.StatevectorSampler` compute, on one core."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thalweg_core.streams import Stream
from thalweg_vqe.engines.compiled.kernels.agreed import MAP
from thalweg_vqe.engines.compiled.kernels.sampling import vqe_points_shots, vqe_shifted_shots
from thalweg_vqe.engines.compiled.kernels.tangents import vqe_tangent_rows
from thalweg_vqe.engines.compiled.table import Table, table
from thalweg_vqe.engines.sampler import GroupEnergies
from thalweg_vqe.pauli.grouping import groups, sizes
from thalweg_vqe.pauli.patterns import Pattern
from thalweg_vqe.pauli.program import Program
from thalweg_vqe.pauli.words import Observable

LANES = 16
"""States propagated side by side (8 to 32 differ by a tenth)."""

SIDE_BY_SIDE = 2**24
"""Amplitudes of all lanes, at most, as long as there are two of them (arbitrary: 800 MiB with what is moved about)."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CompiledStates:
    """The states of a circuit: `outcomes.States`.

    Args:
        program: the circuit.
    """

    program: Program

    def states(self, angles: Tensor) -> Tensor:
        """Real and imaginary part: (B, R) -> (B, 2, N)."""
        t, none = self._table, np.zeros(0, dtype=np.int64)
        rows = np.empty((len(angles), 1, 2, 1 << self.program.qubits))
        for row, phi in zip(rows, _all_angles(angles, t), strict=True):
            vqe_tangent_rows(phi, 1, row, t.start, t.split, none, *_runs(t))
        return torch.from_numpy(rows[:, 0])

    def tangents(self, angles: Tensor) -> Tensor:
        """The state ψ and every χ_j = 2 ∂ψ/∂φ_j of one replica: (R,) -> (1 + R, 2, N)."""
        t = self._table
        rows = np.empty((1 + len(angles), 2, 1 << self.program.qubits))
        vqe_tangent_rows(_all_angles(angles[None], t)[0], LANES, rows, t.start, t.split, self._run_of, *_runs(t))
        return torch.from_numpy(rows)

    @cached_property
    def _table(self) -> Table:
        return table(self.program)

    @cached_property
    def _run_of(self) -> NDArray[np.int64]:
        return _run_of(self._table, len(self.program.turned))


class Groups(NamedTuple):
    """What is measured, group after group."""

    turner_firsts: NDArray[np.int64]
    turner_words: NDArray[np.int64]  # (turners, 3): x, z, qubit
    class_firsts: NDArray[np.int64]
    energies: Floats  # of all classes
    class_low: NDArray[np.int64]  # (G, low), (G, high): a basis state's class is the xor of its halves'
    class_high: NDArray[np.int64]

    @classmethod
    def of(cls, patterns: list[Pattern], qubits: int) -> Groups:
        split = (qubits + 1) // 2
        halves = np.arange(1 << split), np.arange(1 << qubits - split) << split
        low, high = (_rows([pattern.classes(half) for pattern in patterns], len(half)) for half in halves)
        words = [(turner.word.x, turner.word.z, turner.qubit) for pattern in patterns for turner in pattern.turners]
        return cls(
            np.cumsum([0, *(len(pattern.turners) for pattern in patterns)], dtype=np.int64),
            np.array(words, dtype=np.int64).reshape(-1, 3),
            np.cumsum([0, *(len(pattern.energies) for pattern in patterns)], dtype=np.int64),
            np.concatenate([pattern.energies for pattern in patterns] or [np.zeros(0)]),
            low,
            high,
        )


@dataclass(frozen=True)
class CompiledSampler:
    """Energies of groups from multinomial draws: a `sampler.Sampler`.

    Args:
        program: the circuit.
        groups: circuits that one energy takes.
        weights: Σ|c| of every group.
    """

    program: Program
    groups: int
    weights: Tensor
    _groups: Groups
    _table: Table

    @classmethod
    def of(cls, program: Program, observable: Observable, grouping: str = "qubit_wise") -> CompiledSampler:
        weights, measured = _measured(observable, grouping)
        return cls(program, len(weights), weights, measured, table(program))

    def points(self, angles: Tensor, shots: Tensor, rng: Stream) -> GroupEnergies:
        """Any points: angles (B, K, R), shots (B, K, G); each is propagated from where it leaves the replica's first."""
        b, k, turned = angles.shape
        phi = _all_angles(angles.reshape(b * k, turned), self._table).reshape(b, k, -1)
        return self._looks(vqe_points_shots, phi, min(k, self._lanes), shots, rng)

    def shifted(self, angles: Tensor, shots: Tensor, rng: Stream) -> GroupEnergies:
        """The point and all its turns by ±π/2, from the tangents of one pass: angles (B, R), shots (B, 1 + 2R, G)."""
        return self._looks(vqe_shifted_shots, _all_angles(angles, self._table), self._lanes, shots, rng)

    @property
    def _lanes(self) -> int:
        return max(2, min(LANES, SIDE_BY_SIDE >> self.program.qubits))

    def _looks(self, kernel: Any, phi: Floats, width: int, shots: Tensor, rng: Stream) -> GroupEnergies:
        words = rng.words(4).cpu().numpy().astype(np.uint64)
        seeds = words[:, ::2] << np.uint64(32) | words[:, 1::2]
        mean, variance = np.full(shots.shape, np.nan), np.full(shots.shape, np.inf)
        t = self._table
        asked = np.ascontiguousarray(shots.numpy())
        kernel(phi, asked, seeds, width, mean, variance, t.start, t.split, self._run_of, *self._groups, *_runs(t))
        return GroupEnergies(torch.from_numpy(mean), torch.from_numpy(variance))

    @cached_property
    def _run_of(self) -> NDArray[np.int64]:
        return _run_of(self._table, len(self.program.turned))


def _rows(rows: list[NDArray[np.int64]], width: int) -> NDArray[np.int64]:
    """As a matrix; an operator without words has none of them."""
    return np.array(rows, dtype=np.int64).reshape(-1, width)


@lru_cache(maxsize=2)  # circuits that grow have one operator
def _measured(observable: Observable, grouping: str) -> tuple[Tensor, Groups]:
    """Σ|c| of every group, and what is measured."""
    found = groups(observable, grouping)
    return sizes(found), Groups.of([Pattern.of(group) for group in found], observable.qubits)


def _all_angles(angles: Tensor, t: Table) -> Floats:
    """Those of the rotations with a parameter, then the fixed ones."""
    given: Floats = angles.numpy()
    if not len(t.fixed):
        return np.ascontiguousarray(given)
    return np.concatenate([given, np.broadcast_to(t.fixed, (len(given), len(t.fixed)))], axis=1)


def _runs(t: Table) -> tuple[Any, ...]:
    return t.kinds, t.firsts, t.numbers, t.xs, t.zs, t.counts, t.maps_low, t.maps_high


def _run_of(t: Table, turned: int) -> NDArray[np.int64]:
    """The run that each rotation with a parameter is in, (R,)."""
    out = np.zeros(turned, dtype=np.int64)
    for run, kind in enumerate(t.kinds):
        items = t.numbers[t.firsts[run] : t.firsts[run + 1]]
        if kind != MAP:
            out[items[items < turned]] = run
    return out
