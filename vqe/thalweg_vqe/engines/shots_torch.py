"""Shots on an ideal device: outcomes drawn from the exact distributions of one pass through the circuit.

Nothing is approximated: each state is measured in each group by its own multinomial draw, on outcomes pooled as far as the
group can tell them apart. A replica draws from a generator of its own, keyed by its stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thalweg_core.streams import Stream
from thalweg_vqe.engines.sampler import GroupEnergies, sampled
from thalweg_vqe.engines.statevector import AT_MOST, CPU, TOGETHER, tangents
from thalweg_vqe.pauli.grouping import Group, groups, sizes
from thalweg_vqe.pauli.patterns import Pattern, pairwise
from thalweg_vqe.pauli.program import Program
from thalweg_vqe.pauli.words import Observable

Part = tuple[list[int], Callable[[Pattern, Tensor], Tensor]]
"""The places of some points, and the probabilities of a pattern's outcomes there, (B, K, C)."""


@dataclass(frozen=True)
class StatevectorSampler:
    """Energies of groups from multinomial draws: a `sampler.Sampler`.

    Args:
        program: the circuit.
        observable: H.
        device: where the states are computed; counts are drawn on the processor.
        grouping: which words one circuit measures: "qubit_wise" or "commuting".
    """

    program: Program
    observable: Observable
    device: torch.device = CPU
    grouping: str = "qubit_wise"

    @property
    def groups(self) -> int:
        """Circuits that one energy takes."""
        return len(self._groups)

    @property
    def weights(self) -> Tensor:
        """Σ|c| of every group."""
        return sizes(self._groups)

    def points(self, angles: Tensor, shots: Tensor, rng: Stream) -> GroupEnergies:
        """Any points: angles (B, K, R), shots (B, K, G)."""
        return self._looks(self._states, angles, shots, rng)

    def shifted(self, angles: Tensor, shots: Tensor, rng: Stream) -> GroupEnergies:
        """The point and all its turns by ±π/2, from the tangents of one pass: angles (B, R), shots (B, 1 + 2R, G)."""
        return self._looks(self._turns, angles, shots, rng)

    def _looks(
        self, parts: Callable[[Tensor, Tensor], Iterator[Part]], angles: Tensor, shots: Tensor, rng: Stream
    ) -> GroupEnergies:
        """As many replicas at a time as go well together, each with a generator of its own."""
        together, keys, wanted = max(1, TOGETHER // (shots.shape[1] << self.program.qubits)), rng.words(4).tolist(), shots.cpu()
        mean = torch.full(shots.shape, torch.nan, dtype=torch.float64)
        variance = torch.full_like(mean, torch.inf)
        for first in range(0, len(angles), together):
            some = slice(first, first + together)
            draws = [generator(key) for key in keys[some]]
            for places, probabilities in parts(angles[some].to(self.device), wanted[some]):
                for group, (pattern, order) in enumerate(self._patterns):
                    p, asked = probabilities(pattern, order).cpu().numpy(), wanted[some, places, group]
                    counts = [draw.multinomial(n, q) for draw, n, q in zip(draws, asked.numpy(), p, strict=True)]
                    mean[some, places, group], variance[some, places, group] = statistics(
                        np.stack(counts), pattern.energies, asked
                    )
        return GroupEnergies(mean.to(angles.device), variance.to(angles.device))

    def _states(self, angles: Tensor, shots: Tensor) -> Iterator[Part]:
        """As many points at a time as memory allows."""
        width = max(1, AT_MOST >> self.program.qubits)
        for first in range(0, angles.shape[1], width):
            some = angles[:, first : first + width]
            states = tangents(self.program, some.flatten(0, 1), 0, 0)
            yield [*range(first, first + some.shape[1])], partial(_plain, states.reshape(*some.shape[:2], 2, -1))

    def _turns(self, angles: Tensor, shots: Tensor) -> Iterator[Part]:
        """ψ and as many of its tangents at a time as memory allows, left out where nobody measures them."""
        turned = angles.shape[1]
        width = max(1, (AT_MOST >> self.program.qubits) - 1)
        for first in range(0, max(1, turned), width):
            last = min(turned, first + width)
            shifts = range(1 + first, 1 + last)
            places = [*([0] if first == 0 else []), *shifts, *(turned + k for k in shifts)]
            if shots[:, places].any():
                yield places, partial(_shifted, tangents(self.program, angles, first, last), first == 0)

    @cached_property
    def _groups(self) -> tuple[Group, ...]:
        return groups(self.observable, self.grouping)

    @cached_property
    def _patterns(self) -> list[tuple[Pattern, Tensor]]:
        found = [Pattern.of(group) for group in self._groups]
        return [(pattern, torch.from_numpy(pattern.order(1 << self.program.qubits)).to(self.device)) for pattern in found]


def statistics(counts: NDArray[np.int64], energies: NDArray[np.float64], shots: Tensor) -> GroupEnergies:
    """Of counts of the outcomes with these energies: counts (…, C), shots (…) -> (…), (…)."""
    weight, energy = torch.from_numpy(counts).double(), torch.from_numpy(energies)
    total = pairwise(weight * energy)
    return sampled(total, pairwise(weight * (energy - (total / shots)[..., None]) ** 2), shots)


def tangent_bytes(qubits: int, turned: int) -> int:
    """What a gradient by shots takes at most: rows, their turned and pooled copies, probabilities and counts; angles of points.

    The compiled engine takes less.
    """
    rows = min((1 + turned) << qubits, max(AT_MOST, 2 << qubits))
    return 16 * 16 * max(TOGETHER, rows) + 32 * turned**2


def _plain(states: Tensor, pattern: Pattern, order: Tensor) -> Tensor:
    return pattern.probabilities(states, order)


def _shifted(rows: Tensor, here: bool, pattern: Pattern, order: Tensor) -> Tensor:
    """With the state itself or without."""
    return pattern.shifted_probabilities(rows, order)[:, 0 if here else 1 :]


def generator(key: list[int]) -> np.random.Generator:
    """NumPy's, keyed by four words of a stream."""
    a, b, c, d = key
    return np.random.Generator(np.random.Philox(key=np.array([a << 32 | b, c << 32 | d], dtype=np.uint64)))
