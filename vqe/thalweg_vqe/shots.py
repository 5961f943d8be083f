"""Shots on an ideal device: outcomes drawn from the exact distributions of one pass through the circuit.

Nothing is approximated: each shifted state is measured in each group by its own multinomial draw, on outcomes pooled as far
as the group can tell them apart. A replica draws from a generator of its own, keyed by its stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thalweg_core.streams import Stream
from thalweg_vqe.grouping import groups
from thalweg_vqe.patterns import Pattern, pairwise
from thalweg_vqe.pauli import Observable
from thalweg_vqe.program import Program
from thalweg_vqe.statevector import AT_MOST, CPU, TOGETHER, tangents

Counts = NDArray[np.int64]


class Seen(NamedTuple):
    """What shots show of the energy and of its slopes along the angles of the rotations."""

    value: Tensor  # (B,)   U (Ha)
    value_var: Tensor  # (B,)   variance of that estimate (Ha²)
    slopes: Tensor  # (B, R) ∂U/∂φ
    slopes_var: Tensor  # (B, R)

    @classmethod
    def of_points(cls, mean: Tensor, variance: Tensor) -> Seen:
        """From U at φ, then at every φ_j + π/2, then at every φ_j - π/2, (B, 2R + 1) each:

            ∂U/∂φ_j = [U(φ + π/2 e_j) - U(φ - π/2 e_j)] / 2

        Source: Schuld et al., Phys. Rev. A 99 (2019) 032331.
        """
        turned = mean.shape[1] // 2
        up, down = slice(1, 1 + turned), slice(1 + turned, None)
        return cls(mean[:, 0], variance[:, 0], (mean[:, up] - mean[:, down]) / 2, (variance[:, up] + variance[:, down]) / 4)


@dataclass(frozen=True)
class StatevectorSampler:
    """Energies and slopes from multinomial draws.

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
        return len(self._patterns)

    def energies(self, angles: Tensor, shots: int, rng: Stream) -> tuple[Tensor, Tensor]:
        """U and the variance of the estimate: (B, R) -> (B,), (B,)."""
        mean, variance = self._points(angles, shots, rng, 0)
        return mean[:, 0], variance[:, 0]

    def gradients(self, angles: Tensor, shots: int, rng: Stream) -> Seen:
        """U and its slopes, with their variances: (B, R) -> (B,), (B,), (B, R), (B, R)."""
        return Seen.of_points(*self._points(angles, shots, rng, angles.shape[1]))

    def _points(self, angles: Tensor, shots: int, rng: Stream, turned: int) -> tuple[Tensor, Tensor]:
        together = max(1, TOGETHER // ((1 + turned) << self.program.qubits))
        keys = rng.words(4).tolist()
        parts = [
            self._replicas(angles[first : first + together].to(self.device), shots, keys[first : first + together], turned)
            for first in range(0, len(angles), together)
        ]
        mean, variance = (torch.cat(column) for column in zip(*parts, strict=True))
        return mean.to(angles.device), variance.to(angles.device)

    def _replicas(self, angles: Tensor, shots: int, keys: list[list[int]], turned: int) -> tuple[Tensor, Tensor]:
        draws = [
            np.random.Generator(np.random.Philox(key=np.array([a << 32 | b, c << 32 | d], dtype=np.uint64)))
            for a, b, c, d in keys
        ]
        mean = torch.full((len(angles), 1 + 2 * turned), self.observable.constant, dtype=torch.float64)
        variance = torch.zeros_like(mean)
        for place, rows in self._rows(angles, turned):
            for pattern, order in self._patterns:
                p = pattern.probabilities(rows, order).cpu().numpy()
                counts = np.stack([draw.multinomial(shots, q) for draw, q in zip(draws, p, strict=True)])
                group_mean, group_variance = statistics(counts, pattern.energies, shots)
                first = 0 if place[0] == 0 else 1  # ψ itself was measured with the first tangents
                mean[:, place[first:]] += group_mean[:, first:]
                variance[:, place[first:]] += group_variance[:, first:]
        return mean, variance

    def _rows(self, angles: Tensor, turned: int) -> Iterator[tuple[list[int], Tensor]]:
        """States and tangents as many at a time as memory allows, with the places of the points that they stand for."""
        width = max(1, (AT_MOST >> self.program.qubits) - 1)
        for first in range(0, max(1, turned), width):
            last = min(turned, first + width)
            shifts = range(1 + first, 1 + last)
            yield [0 if first == 0 else -1, *shifts, *(turned + k for k in shifts)], tangents(self.program, angles, first, last)

    @cached_property
    def _patterns(self) -> list[tuple[Pattern, Tensor]]:
        found = [Pattern.of(group) for group in groups(self.observable, self.grouping)]
        return [(pattern, torch.from_numpy(pattern.order(1 << self.program.qubits)).to(self.device)) for pattern in found]


def statistics(counts: Counts, energies: NDArray[np.float64], shots: int) -> tuple[Tensor, Tensor]:
    """Sample mean of the energy and the variance of that mean, one shot alone having none known: (…, C) -> (…), (…)."""
    weight, energy = torch.from_numpy(counts).double(), torch.from_numpy(energies)
    mean = pairwise(weight * energy) / shots
    if shots == 1:
        return mean, torch.full_like(mean, torch.inf)
    spread = pairwise(weight * (energy - mean[..., None]) ** 2)
    return mean, spread / (shots * (shots - 1))


def tangent_bytes(qubits: int, turned: int) -> int:
    """What a gradient by shots takes at most: rows, their turned and pooled copies, probabilities and counts."""
    rows = min((1 + turned) << qubits, max(AT_MOST, 2 << qubits))
    return 16 * 8 * max(TOGETHER, rows)
