"""How much states of circuits overlap: |⟨ψ(θ')|ψ(θ)⟩|² is the probability that the one circuit undoes the other.

    |⟨ψ(θ')|ψ(θ)⟩|² = |⟨start| A(θ')† A(θ) |start⟩|²

Run forwards with the one set of angles and backwards with the other, a circuit ends where it started with this probability;
a shot is one trial.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thalweg_core.numbers.rows import row_sum
from thalweg_core.streams import Stream
from thalweg_vqe.engines.outcomes import States
from thalweg_vqe.engines.sampler import GroupEnergies, sampled, shifted_angles
from thalweg_vqe.engines.shots_torch import generator
from thalweg_vqe.engines.statevector import AT_MOST
from thalweg_vqe.pauli.grouping import IDEAL, Readings
from thalweg_vqe.pauli.program import Cx, Gate, Program, Rotation


class Projector(NamedTuple):
    """|b⟩⟨b| of a basis state."""

    qubits: int
    state: int  # b

    def diagonals(self, states: NDArray[np.int64] | None = None) -> Iterator[tuple[int, NDArray[np.complex128]]]:
        """As a sum of X^x D_x, see `Observable.diagonals`."""
        basis = np.arange(1 << self.qubits) if states is None else states
        yield 0, (basis == self.state).astype(np.complex128)


class Return(NamedTuple):
    """Whether a shot came back to where it started: measured as a group of words is."""

    qubits: int
    state: int
    weight: float = 1.0  # what such a shot says (Ha)

    @property
    def size(self) -> float:
        return self.weight

    def energies(self, outcomes: NDArray[np.int64], readings: Readings = IDEAL) -> NDArray[np.float64]:
        """What single shots say, (N,) -> (N,); `readings` are what their bits say of Z.

        The projector on a bit b is (1 + (-1)^b Z)/2.
        """
        value = np.full(len(outcomes), self.weight)
        for q in range(self.qubits):
            sign = -1.0 if self.state >> q & 1 else 1.0
            zero, one = readings[q] if readings else (1.0, -1.0)
            value *= (1.0 + sign * np.where(outcomes >> q & 1, one, zero)) / 2.0
        return value


def followed_by_inverse(program: Program, angles: Sequence[float]) -> Program:
    """A(θ) and then A(θ')† at fixed angles φ' (rad), one for each rotation with a parameter."""
    back = [rotation._replace(parameter=None, scale=1.0, offset=-angle) for rotation, angle in _with_angles(program, angles)]
    return Program(program.qubits, program.parameters, (*program.gates, *_backwards(program, back)), program.start)


def forth_and_back(program: Program) -> Program:
    """A(θ) and then A(θ')†, with the parameters θ, then θ'."""
    back = [
        rotation._replace(parameter=rotation.parameter + program.parameters, scale=-rotation.scale, offset=-rotation.offset)
        for rotation in program.turned
        if rotation.parameter is not None
    ]
    return Program(program.qubits, 2 * program.parameters, (*program.gates, *_backwards(program, back)), program.start)


def _with_angles(program: Program, angles: Sequence[float]) -> Iterator[tuple[Rotation, float]]:
    return zip(program.turned, angles, strict=True)


def _backwards(program: Program, turned: Sequence[Rotation]) -> Iterator[Gate]:
    """The gates' inverses in reverse order, with these in the place of the rotations that have a parameter."""
    left = list(turned)
    for gate in reversed(program.gates):
        if isinstance(gate, Cx):
            yield gate
        else:
            yield gate._replace(offset=-gate.offset) if gate.parameter is None else left.pop()


@dataclass(frozen=True)
class OverlapSampler:
    """The overlap with one state, by binomial draws, each replica by a generator of its own: a `sampler.Sampler`.

    Args:
        states: what computes the states of the circuit.
        other: (2, N) real and imaginary part of the state that they are compared with.
        weight: what the overlap is multiplied by (Ha).
    """

    states: States
    other: Tensor
    weight: float = 1.0

    groups = 1

    @property
    def weights(self) -> Tensor:
        """The most that a shot says."""
        return torch.tensor([self.weight], dtype=torch.float64)

    def points(self, angles: Tensor, shots: Tensor, rng: Stream) -> GroupEnergies:
        """Any points: angles (B, K, R), shots (B, K, 1)."""
        some = max(1, AT_MOST // self.other.shape[-1])
        parts = [self._overlap(part) for part in torch.split(angles.flatten(0, 1), some)]
        return self._drawn(torch.cat(parts).reshape(angles.shape[:2]), shots, rng)

    def shifted(self, angles: Tensor, shots: Tensor, rng: Stream) -> GroupEnergies:
        """The point and all its turns by ±π/2: angles (B, R), shots (B, 1 + 2R, 1).

        The states there are (ψ ± χ_j)/√2, with the tangents χ_j of one pass.
        """
        if (1 + angles.shape[1]) * self.other.shape[-1] > AT_MOST:
            return self.points(shifted_angles(angles), shots, rng)
        return self._drawn(torch.stack([self._turned(phi) for phi in angles]), shots, rng)

    def _overlap(self, angles: Tensor) -> Tensor:
        """(K, R) -> (K,)."""
        psi = self.states.states(angles)
        other = self.other.to(psi)
        real, imaginary = row_sum(psi * other), row_sum(psi[:, 1] * other[0] - psi[:, 0] * other[1])
        return (real**2 + imaginary**2).cpu()

    def _turned(self, angles: Tensor) -> Tensor:
        """(R,) -> (1 + 2R,)."""
        rows = self.states.tangents(angles)
        other = self.other.to(rows)
        real, imaginary = row_sum(rows * other), row_sum(rows[:, 1] * other[0] - rows[:, 0] * other[1])
        here = real[0] ** 2 + imaginary[0] ** 2
        mean = (here + real[1:] ** 2 + imaginary[1:] ** 2) / 2
        half = real[0] * real[1:] + imaginary[0] * imaginary[1:]
        return torch.cat([here[None], mean + half, mean - half]).cpu()

    def _drawn(self, overlap: Tensor, shots: Tensor, rng: Stream) -> GroupEnergies:
        p, asked = overlap.clamp(0.0, 1.0).numpy(), shots[:, :, 0].cpu()
        rows = zip(rng.words(4).tolist(), asked.numpy(), p, strict=True)
        hits = torch.from_numpy(np.stack([generator(key).binomial(n, q) for key, n, q in rows])).double()
        looks = sampled(self.weight * hits, self.weight**2 * hits * (asked - hits) / asked, asked)
        return GroupEnergies(looks.mean[:, :, None], looks.variance[:, :, None])
