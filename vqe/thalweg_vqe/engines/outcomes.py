"""What shots show bit by bit: how often each outcome of some circuits was seen, words measured together in each.

For all that is more than a mean of H: covariances of words, many sums of the same words, a single outcome's probability.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thalweg_core.streams import Stream
from thalweg_vqe.engines.shots_torch import generator
from thalweg_vqe.engines.statevector import CPU, tangents
from thalweg_vqe.pauli.acting import act
from thalweg_vqe.pauli.grouping import IDEAL, Group, Readings, agree
from thalweg_vqe.pauli.patterns import CliffordTurn, diagonal
from thalweg_vqe.pauli.program import Program
from thalweg_vqe.pauli.words import Word

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Counts(NamedTuple):
    """What one circuit showed."""

    outcomes: Ints  # (N,) the different ones, bit q read on qubit q
    times: Ints  # (N,) how often


class MeasuredCircuit(NamedTuple):
    """A circuit, and commuting words that it shows at its end."""

    program: Program
    turners: tuple[CliffordTurn, ...]  # what makes the words products of Z
    masks: tuple[int, ...]  # the qubits of these products
    signs: tuple[float, ...]

    @classmethod
    def of(cls, program: Program, words: tuple[Word, ...]) -> MeasuredCircuit:
        """Turned qubit by qubit where the words allow it, else all together."""
        if all(agree(a, b) for a in words for b in words):
            letters = {Word(w.x & 1 << q, w.z & 1 << q) for w in words for q in range(program.qubits) if w.x >> q & 1}
            turners = tuple(CliffordTurn(letter, letter.x.bit_length() - 1) for letter in sorted(letters))
            return cls(program, turners, tuple(w.support for w in words), (1.0,) * len(words))
        turners, group = diagonal(Group(words[0], words, (1.0,) * len(words)))
        return cls(program, turners, tuple(w.z for w in group.words), group.coefficients)

    def readings(self, outcomes: Ints, readings: Readings = IDEAL) -> Floats:
        """What single outcomes say of each word: (N,) -> (W, N). `readings` are what their bits say of Z."""
        return np.array(
            [self._reading(mask, sign, outcomes, readings) for mask, sign in zip(self.masks, self.signs, strict=True)]
        )

    def pair_readings(self, i: int, j: int, outcomes: Ints, readings: Readings = IDEAL) -> Floats:
        """What they say of the product of two words, (N,)."""
        return self._reading(self.masks[i] ^ self.masks[j], self.signs[i] * self.signs[j], outcomes, readings)

    @staticmethod
    def _reading(mask: int, sign: float, outcomes: Ints, readings: Readings) -> Floats:
        word = Word(0, mask)
        return Group(word, (word,), (sign,)).energies(outcomes, readings)


class Counter(Protocol):
    """An engine that counts the outcomes of some circuits."""

    @property
    def readings(self) -> tuple[Readings, ...]:
        """What the bits of each circuit say of Z."""
        ...

    def counts(self, angles: Tensor, shots: Tensor, rng: Stream) -> list[list[Counts]]:
        """Of each replica and each circuit: angles (B, R), of which a circuit takes as many as it has, shots (B,) for each."""
        ...


class States(Protocol):
    """An engine that computes the state of a circuit."""

    def states(self, angles: Tensor) -> Tensor:
        """Real and imaginary part: (B, R) -> (B, 2, N)."""
        ...

    def tangents(self, angles: Tensor) -> Tensor:
        """The state ψ and every χ_j = 2 ∂ψ/∂φ_j of one replica: (R,) -> (1 + R, 2, N)."""
        ...


@dataclass(frozen=True)
class TorchStates:
    """The states of a circuit, in torch.

    Args:
        program: the circuit.
        device: where they are computed.
    """

    program: Program
    device: torch.device = CPU

    def states(self, angles: Tensor) -> Tensor:
        return tangents(self.program, angles.to(self.device), 0, 0)[:, 0]

    def tangents(self, angles: Tensor) -> Tensor:
        return tangents(self.program, angles[None].to(self.device), 0, len(angles))[0]


@dataclass(frozen=True)
class StatevectorCounter:
    """Outcomes drawn from the exact distributions, each replica by a generator of its own.

    Args:
        shown: the circuits.
        engines: what computes the state of each different one.
    """

    shown: tuple[MeasuredCircuit, ...]
    engines: Mapping[Program, States]

    @property
    def readings(self) -> tuple[Readings, ...]:
        return (IDEAL,) * len(self.shown)

    def counts(self, angles: Tensor, shots: Tensor, rng: Stream) -> list[list[Counts]]:
        draws = [generator(key) for key in rng.words(4).tolist()]
        columns = [self._drawn(program, list(alike), angles, shots, draws) for program, alike in self._by_program()]
        return [[counts for part in parts for counts in part] for parts in zip(*columns, strict=True)]

    def _by_program(self) -> Iterator[tuple[Program, Iterator[MeasuredCircuit]]]:
        return groupby(self.shown, key=lambda shown: shown.program)

    def _drawn(
        self, program: Program, alike: list[MeasuredCircuit], angles: Tensor, shots: Tensor, draws: list[np.random.Generator]
    ) -> list[list[Counts]]:
        """Of each replica, for circuits that differ only in what they show."""
        psi = self.engines[program].states(angles[:, : len(program.turned)])
        seen: list[list[Counts]] = [[] for _ in draws]
        for shown in alike:
            here = psi
            for g, q in shown.turners:
                here = (act(here, g) + act(here, Word(0, 1 << q))) * math.sqrt(0.5)
            densities = (here[:, 0] ** 2 + here[:, 1] ** 2).cpu().numpy()
            for row, (density, n, draw) in enumerate(zip(densities, shots.tolist(), draws, strict=True)):
                times = draw.multinomial(n, density / density.sum())
                outcomes = np.flatnonzero(times)
                seen[row].append(Counts(outcomes, times[outcomes]))
        return seen
