"""Parametrized circuits as every engine reads them: a basis state, Pauli rotations, CX gates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_vqe.pauli.words import Word


class Rotation(NamedTuple):
    """exp(-i φ P/2),  φ = scale · θ_parameter + offset;  without a parameter a fixed turn by the offset.

    Any fixed Clifford gate is a product of such turns by multiples of π/2 and of CX gates, up to a global phase.
    """

    word: Word  # P
    parameter: int | None
    scale: float = 1.0
    offset: float = 0.0  # rad


class Cx(NamedTuple):
    """Flips the target where the control is 1."""

    control: int
    target: int


Gate = Rotation | Cx


def rx(qubit: int, parameter: int | None, scale: float = 1.0, offset: float = 0.0) -> Rotation:
    """exp(-i φ X/2) on a qubit."""
    return Rotation(Word(1 << qubit, 0), parameter, scale, offset)


def ry(qubit: int, parameter: int | None, scale: float = 1.0, offset: float = 0.0) -> Rotation:
    """exp(-i φ Y/2) on a qubit."""
    return Rotation(Word(1 << qubit, 1 << qubit), parameter, scale, offset)


def rz(qubit: int, parameter: int | None, scale: float = 1.0, offset: float = 0.0) -> Rotation:
    """exp(-i φ Z/2) on a qubit."""
    return Rotation(Word(0, 1 << qubit), parameter, scale, offset)


@dataclass(frozen=True)
class Program:
    """The state that a circuit prepares:  A(θ) |start⟩ = G_m ⋯ G_1 |start⟩.

    Parameters may be tied (one parameter in many rotations) and scaled; a parameter may also turn nothing. Engines see
    one angle φ_j for each rotation that has a parameter, R in all; the chain rule leads back:

        φ_j = a_j θ_{k(j)} + b_j,      ∂U/∂θ_k = Σ_{j: k(j) = k} a_j ∂U/∂φ_j

    Args:
        qubits: n.
        parameters: P.
        gates: the circuit, first gate first.
        start: the basis state that it starts from, bit q on qubit q.
    """

    qubits: int
    parameters: int
    gates: tuple[Gate, ...]
    start: int = 0

    def __post_init__(self) -> None:
        everywhere = (1 << self.qubits) - 1
        if self.start & ~everywhere:
            raise ValueError(f"the start {self.start:b} has bits beyond {self.qubits} qubits")
        for gate in self.gates:
            if isinstance(gate, Cx):
                good = 0 <= gate.control < self.qubits and 0 <= gate.target < self.qubits and gate.control != gate.target
            else:
                known = gate.parameter is None or 0 <= gate.parameter < self.parameters
                good = known and gate.word.support != 0 and not gate.word.support & ~everywhere
            if not good:
                raise ValueError(f"{gate} is no gate on {self.qubits} qubits with {self.parameters} parameters")

    @cached_property
    def turned(self) -> tuple[Rotation, ...]:
        """The rotations that have a parameter, in the order of the circuit; R of them."""
        return tuple(gate for gate in self.gates if isinstance(gate, Rotation) and gate.parameter is not None)

    @cached_property
    def tied(self) -> bool:
        """Whether the angles are anything but the parameters themselves, each once and in order."""
        return [(r.parameter, r.scale, r.offset) for r in self.turned] != [(k, 1.0, 0.0) for k in range(self.parameters)]

    @property
    def untied(self) -> Program:
        """The same rotations, each by a parameter of its own: its parameters are the angles φ."""
        numbers = iter(range(len(self.turned)))
        free = [
            gate._replace(parameter=next(numbers), scale=1.0, offset=0.0)
            if isinstance(gate, Rotation) and gate.parameter is not None
            else gate
            for gate in self.gates
        ]
        return Program(self.qubits, len(self.turned), tuple(free), self.start)

    def angles(self, theta: Tensor) -> Tensor:
        """φ (rad), one for each rotation that has a parameter: (B, P) -> (B, R)."""
        if not self.tied:
            return theta
        index = torch.tensor([r.parameter for r in self.turned], dtype=torch.int64, device=theta.device)
        scale, offset = (theta.new_tensor(column) for column in ([r.scale for r in self.turned], [r.offset for r in self.turned]))
        return theta[:, index] * scale + offset

    def pull_back(self, grad: Tensor, power: int = 1) -> Tensor:
        """∂U/∂θ from ∂U/∂φ, (B, R) -> (B, P); with power = 2 the variances of independent estimates of the same."""
        if not self.tied:
            return grad
        out = grad.new_zeros(len(grad), self.parameters)
        for index, parameters, scales in self._rounds:  # elementwise, in one order: no bit depends on the batch
            out[:, parameters] += grad[:, index] * grad.new_tensor(scales) ** power
        return out

    @cached_property
    def _rounds(self) -> list[tuple[list[int], list[int], list[float]]]:
        """The rotations dealt out so that no parameter comes twice in a round: their numbers, parameters and scales."""
        rounds: list[tuple[list[int], list[int], list[float]]] = []
        seen = [0] * self.parameters
        for number, rotation in enumerate(self.turned):
            k = rotation.parameter
            assert k is not None
            if seen[k] == len(rounds):
                rounds.append(([], [], []))
            numbers, parameters, scales = rounds[seen[k]]
            numbers.append(number)
            parameters.append(k)
            scales.append(rotation.scale)
            seen[k] += 1
        return rounds
