"""The Fubini-Study metric of a circuit's states, measured by shots.

    F_ij = Re⟨∂_i ψ|∂_j ψ⟩ - ⟨∂_i ψ|ψ⟩⟨ψ|∂_j ψ⟩

Rotations in a row whose words commute are a block: just before it, F_ij = (⟨P_i P_j⟩ - ⟨P_i⟩⟨P_j⟩)/4, a covariance of words that
one circuit shows together. A parameter's rotations act as one sum  Σ a_i P_i  in every block, and blocks add up. Between two
blocks it takes four pairs of states turned by ±π/2:

    F_ij = -[p(+,+) - p(+,-) - p(-,+) + p(-,-)]/8,   p(s,t) = |⟨ψ(φ)|ψ(φ + s π/2 e_i + t π/2 e_j)⟩|²

Sources: Stokes, Izaac, Killoran & Carleo, Quantum 4 (2020) 269; Mari, Bromley & Killoran, Phys. Rev. A 103 (2021) 012405.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thalweg_core.streams import Stream
from thalweg_vqe.engines.choosing import counter, exact
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.engines.noiseless import NoiselessEngine
from thalweg_vqe.engines.outcomes import Counter, Counts, MeasuredCircuit
from thalweg_vqe.engines.overlap import Projector
from thalweg_vqe.measurement.fidelity import Fidelity
from thalweg_vqe.pauli.grouping import IDEAL, Readings
from thalweg_vqe.pauli.program import Gate, Program, Rotation
from thalweg_vqe.pauli.words import commute

Floats = NDArray[np.float64]

TABLE = 2**20
"""Numbers up to which a table is written down: what every outcome says, angles of pairs (arbitrary: 8 MiB)."""


@dataclass(frozen=True)
class Block:
    """Rotations in a row whose words commute.

    Args:
        rotations: their numbers among those that have a parameter.
        shown: the circuit before them, and their words.
        parameters: of these rotations, each once: K of them.
        weights: (K, W) half the scale of each word in each parameter's sum.
    """

    rotations: tuple[int, ...]
    shown: MeasuredCircuit
    parameters: tuple[int, ...]
    weights: Floats

    @classmethod
    def of(cls, before: Program, first: int, row: Sequence[Rotation]) -> Block:
        """Of a row of rotations behind a circuit, the first of them with this number."""
        parameters = tuple(dict.fromkeys(_parameter(rotation) for rotation in row))
        weights = np.zeros((len(parameters), len(row)))
        for column, rotation in enumerate(row):
            weights[parameters.index(_parameter(rotation)), column] = rotation.scale / 2
        shown = MeasuredCircuit.of(before, tuple(rotation.word for rotation in row))
        return cls(tuple(range(first, first + len(row))), shown, parameters, weights)

    @cached_property
    def place(self) -> tuple[NDArray[np.int64], ...]:
        """Where its entries stand in the metric."""
        return np.ix_(self.parameters, self.parameters)

    @cached_property
    def unseen(self) -> Floats:
        """Variance times shots² of an entry that was missed: (K, K)."""
        largest = np.abs(self.weights).sum(axis=1) ** 2
        return np.outer(largest, largest)

    def sums(self, outcomes: NDArray[np.int64], readings: Readings) -> Floats:
        """What outcomes say of the parameters' sums of words, (N,) -> (K, N)."""
        if readings != IDEAL or len(self.parameters) << self.shown.program.qubits > TABLE:
            return self.weights @ self.shown.readings(outcomes, readings)
        return self._every[:, outcomes]

    @cached_property
    def _every(self) -> Floats:
        """What every outcome says."""
        return self.weights @ self.shown.readings(np.arange(1 << self.shown.program.qubits))

    def mended(self, outcomes: NDArray[np.int64], readings: Readings) -> Floats:
        """What pairs of words say after the readout's flips are undone, less the product of what both say: (K, K, N)."""
        words = self.shown.readings(outcomes, readings)
        off = np.zeros((len(words), *words.shape))
        for i, j in np.ndindex(off.shape[:2]):
            off[i, j] = self.shown.pair_readings(i, j, outcomes, readings) - words[i] * words[j]
        out: Floats = np.einsum("ki,lj,ijn->kln", self.weights, self.weights, off)
        return out

    def covariance(self, seen: Counts, readings: Readings) -> tuple[Floats, Floats]:
        """Of the parameters' sums, unbiased, with the variance of each entry: (K, K) each.

        Var = [⟨(xy)²⟩ - ⟨xy⟩²]/n + (⟨xy⟩² + ⟨x²⟩⟨y²⟩)/(n (n - 1)) for deviations x, y from the mean. The scatter of xy about
        sample means is too large by twice the second term, which is taken off; where only that term is left, as for ⟨P⟩ = 0,
        the estimate is some two times too large. Where all shots agree, one that differs may have been missed.
        """
        shots = int(seen.times.sum())
        weight = seen.times / shots
        x = self.sums(seen.outcomes, readings)
        x = x - (x * weight).sum(axis=1)[:, None]
        products = x[:, None] * x
        covariance = (products * weight).sum(axis=2)
        mean = covariance
        if readings != IDEAL:
            products = products + self.mended(seen.outcomes, readings)
            mean = (products * weight).sum(axis=2)
        scatter = ((products - mean[..., None]) ** 2 * weight).sum(axis=2) / (shots - 1)
        spread = covariance.diagonal()
        few = (covariance**2 + spread[:, None] * spread) / (shots * (shots - 1))
        variance = np.maximum(np.maximum(scatter - few, few), self.unseen / shots**2)
        return mean + covariance / (shots - 1), variance


def blocks(program: Program) -> tuple[Block, ...]:
    """All rotations that have a parameter; any other gate ends a block."""
    found: list[Block] = []
    before: list[Gate] = []
    here: list[Rotation] = []
    first = 0

    def close() -> None:
        if here:
            found.append(Block.of(Program(program.qubits, program.parameters, tuple(before), program.start), first, here))

    for gate in program.gates:
        turned = gate if isinstance(gate, Rotation) and gate.parameter is not None else None
        if turned is None or not all(commute(turned.word, other.word) for other in here):
            close()
            before += here
            first += len(here)
            here.clear()
        if turned is None:
            before.append(gate)
        else:
            here.append(turned)
    close()
    return tuple(found)


class Estimate(NamedTuple):
    """Of a metric, with what it took."""

    metric: Tensor  # (B, P, P)
    variance: Tensor  # (B, P, P) of each entry
    circuits: int


@dataclass(frozen=True)
class MeasuredMetric:
    """What measures the metric of a circuit's parameters.

    Args:
        program: the circuit.
        estimator: the device.
    """

    program: Program
    estimator: Estimator

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        return blocks(self.program)

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Rotations that no block shows together."""
        home = {number: place for place, block in enumerate(self.blocks) for number in block.rotations}
        return tuple((i, j) for i, j in combinations(sorted(home), 2) if home[i] != home[j])

    def exact(self, angles: Tensor) -> Tensor:
        """What the blocks show, without noise: (B, R) -> (B, P, P)."""
        pull, seen = self.program.pull_back, torch.zeros(2 * angles.shape[1:], dtype=torch.float64)
        for block in self.blocks:
            some = slice(block.rotations[0], block.rotations[-1] + 1)
            seen[some, some] = 1.0
        return torch.stack([pull(pull(one * seen).T.contiguous()) for one in self._free.metric(angles)])

    def circuits(self, form: str) -> int:
        """How many are measured for a form, see METRIC_FORMS."""
        return len(self.blocks) + (4 * len(self.pairs) if form == "full" else 0)

    def measured(self, angles: Tensor, shots: Tensor, rng: Stream, form: str) -> Estimate:
        """By shots (B,) of every circuit, 2 or more, at these angles (B, R). form: see METRIC_FORMS."""
        size = self.program.parameters
        metric, variance = np.zeros((2, len(angles), size, size))
        if not self.blocks:
            return Estimate(torch.from_numpy(metric), torch.from_numpy(variance), self.circuits(form))
        for replica, row in enumerate(self._counter.counts(angles, shots, rng.named("blocks"))):
            for block, seen, readings in zip(self.blocks, row, self._counter.readings, strict=True):
                entries, errors = block.covariance(seen, readings)
                metric[replica][block.place] += entries
                variance[replica][block.place] += errors
        out = Estimate(torch.from_numpy(metric), torch.from_numpy(variance), self.circuits(form))
        if form == "diagonal":
            keep = torch.eye(size, dtype=torch.float64)
            return out._replace(metric=out.metric * keep, variance=out.variance * keep)
        return out if form == "block_diagonal" else self._with_pairs(out, angles, shots, rng)

    def _with_pairs(self, out: Estimate, angles: Tensor, shots: Tensor, rng: Stream) -> Estimate:
        """And what stands between the blocks."""
        metric, variance = out.metric.clone(), out.variance.clone()
        together = max(1, TABLE // (16 * max(1, angles.shape[1])))
        for first in range(0, len(self.pairs), together):
            some = self.pairs[first : first + together]
            entries, errors = self._between(some, angles, shots, rng.named("pairs", first))
            for place, (i, j) in enumerate(some):
                (k, a), (m, b) = ((_parameter(self.program.turned[n]), self.program.turned[n].scale) for n in (i, j))
                for row, column in ((k, m), (m, k)):
                    metric[:, row, column] += a * b * entries[:, place]
                    variance[:, row, column] += (a * b) ** 2 * errors[:, place] * (2 if row == column else 1)
        return Estimate(metric, variance, out.circuits)

    def _between(self, pairs: Sequence[tuple[int, int]], angles: Tensor, shots: Tensor, rng: Stream) -> tuple[Tensor, Tensor]:
        """F_ij of some pairs of rotations, and the variance of each: (B, pairs) each."""
        turns = _turns(pairs, angles)
        looks = self._fidelity.measured(turns, angles[:, None].expand_as(turns), shots[:, None].expand(-1, turns.shape[1]), rng)
        mean, variance = (part.reshape(len(angles), len(pairs), 4) for part in looks)
        variance = torch.maximum(variance, 1.0 / shots[:, None, None] ** 2)  # of what could have been missed
        entries = -(mean[..., 0] - mean[..., 1] - mean[..., 2] + mean[..., 3]) / 8
        return entries, (variance[..., 0] + variance[..., 1] + variance[..., 2] + variance[..., 3]) / 64

    @cached_property
    def _free(self) -> NoiselessEngine:
        """The metric of all rotations; it belongs to the states, whatever is measured on them."""
        free = self.program.untied
        return exact(free, Projector(free.qubits, free.start))

    @cached_property
    def _counter(self) -> Counter:
        return counter([block.shown for block in self.blocks], self.estimator)

    @cached_property
    def _fidelity(self) -> Fidelity:
        return Fidelity.of(self.program, self.estimator)


def _turns(pairs: Sequence[tuple[int, int]], angles: Tensor) -> Tensor:
    """Angles of every pair turned by (+,+), (+,-), (-,+), (-,-) quarters: (B, R) -> (B, 4 pairs, R)."""
    turns = torch.zeros(len(pairs), 4, angles.shape[1], dtype=angles.dtype)
    signs = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=angles.dtype) * (math.pi / 2)
    for place, (i, j) in enumerate(pairs):
        turns[place, :, i], turns[place, :, j] = signs[:, 0], signs[:, 1]
    return angles[:, None] + turns.flatten(0, 1)


def _parameter(rotation: Rotation) -> int:
    assert rotation.parameter is not None
    return rotation.parameter
