"""The readable engine without noise, in terms of the parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from thalweg_vqe.engines.statevector import CPU, Statevector
from thalweg_vqe.pauli.program import Program
from thalweg_vqe.pauli.words import Hermitian


@dataclass(frozen=True)
class TorchNoiseless:
    """What `Statevector` says of the angles φ, by the chain rule of the program's parameters θ.

    Args:
        program: the circuit.
        observable: H.
        device: where it is computed.
    """

    program: Program
    observable: Hermitian
    device: torch.device = CPU

    def energies(self, theta: Tensor) -> Tensor:
        """U (Ha): (B, P) -> (B,)."""
        return self._engine.energies(self.program.angles(theta))

    def gradients(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """U (Ha) and ∂U/∂θ: (B, P) -> (B,), (B, P)."""
        value, slopes = self._engine.gradients(self.program.angles(theta))
        return value, self.program.pull_back(slopes)

    def metric(self, theta: Tensor) -> Tensor:
        """The Fubini-Study metric: (B, P) -> (B, P, P)."""
        pull = self.program.pull_back
        return torch.stack([pull(pull(metric).T.contiguous()) for metric in self._engine.metric(self.program.angles(theta))])

    def measuring(self, observable: Hermitian) -> TorchNoiseless:
        return replace(self, observable=observable)

    @cached_property
    def _engine(self) -> Statevector:
        return Statevector(self.program, self.observable, self.device)
