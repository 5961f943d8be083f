"""Exact states, energies, gradients and metrics of a program, in torch: the readable engine, on any device.

A state is a pair of real vectors, its real and its imaginary part, and  -iP  is a signed permutation of them. So a rotation
is  cos(φ/2) ψ + sin(φ/2) (-iP) ψ:  sums and products of single numbers, in which no bit depends on what is computed beside.

Shapes: B replicas, R angles, N = 2ⁿ; states (B, K, 2, N), K of them for each replica.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from thalweg_core.numbers.rows import row_sum
from thalweg_vqe.pauli.acting import act, flip
from thalweg_vqe.pauli.program import Cx, Program, Rotation
from thalweg_vqe.pauli.words import Hermitian

CPU = torch.device("cpu")

TOGETHER = 2**18
"""Amplitudes worked on together, as far as there are replicas enough (arbitrary: 4 MiB, about a core's cache)."""

AT_MOST = 2**24
"""Amplitudes that the tangents of one replica may take at a time (arbitrary: 256 MiB)."""


@dataclass(frozen=True)
class Statevector:
    """⟨ψ(φ)|H|ψ(φ)⟩ and what follows from it without noise.

    Args:
        program: the circuit.
        observable: H.
        device: where it is computed.
    """

    program: Program
    observable: Hermitian
    device: torch.device = CPU

    def energies(self, angles: Tensor) -> Tensor:
        """U (Ha): (B, R) -> (B,)."""
        return torch.cat([row_sum(psi * self._h(psi)) for psi in map(self._state, self._chunks(angles))])

    def gradients(self, angles: Tensor) -> tuple[Tensor, Tensor]:
        """U (Ha) and ∂U/∂φ: (B, R) -> (B,), (B, R).

        The adjoint way: with λ = H ψ, both are taken back through the circuit, and just after rotation j

            ∂U/∂φ_j = Re ⟨λ| -iP_j |ψ⟩

        Source: Jones & Gacon, arXiv:2009.02823.
        """
        values, slopes = zip(*map(self._adjoint, self._chunks(angles)), strict=True)
        return torch.cat(values), torch.cat(slopes)

    def metric(self, angles: Tensor) -> Tensor:
        """The Fubini-Study metric  Re⟨∂_jψ|∂_kψ⟩ - ⟨∂_jψ|ψ⟩⟨ψ|∂_kψ⟩:  (B, R) -> (B, R, R).

        Source: Stokes, Izaac, Killoran & Carleo, Quantum 4 (2020) 269.
        """
        turned = len(self.program.turned)
        out = angles.new_empty(len(angles), turned, turned)
        for b, row in enumerate(angles):  # one by one: a matrix product may round differently in a wider batch
            rows = tangents(self.program, row[None].to(self.device), 0, turned)[0]
            psi, chi = rows[0], rows[1:].flatten(1)
            along = chi @ torch.stack([-psi[1], psi[0]]).flatten()
            out[b] = ((chi @ chi.T - torch.outer(along, along)) / 4).to(out)
        return out

    def _chunks(self, angles: Tensor) -> Iterator[Tensor]:
        return iter(torch.split(angles.to(self.device), max(1, TOGETHER >> self.program.qubits)))

    def _state(self, angles: Tensor) -> Tensor:
        return tangents(self.program, angles, 0, 0)

    def _adjoint(self, angles: Tensor) -> tuple[Tensor, Tensor]:
        psi = self._state(angles)
        pair = torch.cat([psi, self._h(psi)], dim=1)
        value, slopes = row_sum(pair[:, 0] * pair[:, 1]), torch.empty_like(angles)
        number = angles.shape[1]
        for gate in reversed(self.program.gates):
            if isinstance(gate, Cx):
                pair = flip_where(pair, gate)
                continue
            turn = act(pair, gate.word, -1)
            if gate.parameter is not None:
                number -= 1
                slopes[:, number] = row_sum(pair[:, 1] * turn[:, 0])
            pair = _turned(pair, turn, -_angle(gate, angles, number))
        return value, slopes

    def _h(self, psi: Tensor) -> Tensor:
        """H ψ = Σ_x X^x D_x ψ."""
        out = torch.zeros_like(psi)
        for x, real, imaginary in self._diagonals:
            weighted = real * psi
            if imaginary is not None:
                weighted += torch.stack([-imaginary * psi[..., 1, :], imaginary * psi[..., 0, :]], dim=-2)
            out += flip(weighted, x)
        return out

    @cached_property
    def _diagonals(self) -> list[tuple[int, Tensor, Tensor | None]]:
        parts = [(x, torch.from_numpy(d).to(self.device)) for x, d in self.observable.diagonals()]
        return [(x, d.real.clone(), d.imag.clone() if d.imag.any() else None) for x, d in parts]


def tangents(program: Program, angles: Tensor, first: int, last: int) -> Tensor:
    """The state ψ, and χ_j = 2 ∂ψ/∂φ_j for the angles first ≤ j < last: (B, R) -> (B, 1 + last - first, 2, N).

    χ_j = -iP_j ψ just after its gate, and goes through the rest of the circuit with ψ. As P² = 1, the states at φ_j ± π/2
    are (ψ ± χ_j)/√2.
    """
    rows = angles.new_zeros(len(angles), 1 + last - first, 2, 2**program.qubits)
    rows[:, 0, 0, program.start] = 1.0
    alive, number = 1, 0
    for gate in program.gates:
        if isinstance(gate, Cx):
            rows[:, :alive] = flip_where(rows[:, :alive], gate)
            continue
        here = rows[:, :alive]
        rows[:, :alive] = _turned(here, act(here, gate.word, -1), _angle(gate, angles, number))
        if gate.parameter is not None:
            if first <= number < last:
                rows[:, alive] = act(rows[:, 0], gate.word, -1)
                alive += 1
            number += 1
    return rows


def flip_where(psi: Tensor, gate: Cx) -> Tensor:
    """The gate CX, which is its own inverse."""
    return psi[..., _moved(psi.shape[-1], gate, psi.device)]


def _turned(psi: Tensor, generated: Tensor, angle: Tensor) -> Tensor:
    half = angle[:, None, None, None] / 2
    return torch.cos(half) * psi + torch.sin(half) * generated


def _angle(gate: Rotation, angles: Tensor, number: int) -> Tensor:
    return angles.new_full((len(angles),), gate.offset) if gate.parameter is None else angles[:, number]


@lru_cache(maxsize=64)
def _moved(states: int, gate: Cx, device: torch.device) -> Tensor:
    basis = torch.arange(states, device=device)
    return basis ^ ((basis >> gate.control & 1) << gate.target)
