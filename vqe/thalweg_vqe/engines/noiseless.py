"""What it is to compute energies of circuits without noise."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from thalweg_vqe.pauli.words import Hermitian


class NoiselessEngine(Protocol):
    """An engine without noise. Parameters θ (B, P) in rad, on the processor."""

    def energies(self, theta: Tensor) -> Tensor:
        """U (Ha), (B,)."""
        ...

    def gradients(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """U and ∂U/∂θ, (B,) and (B, P)."""
        ...

    def metric(self, theta: Tensor) -> Tensor:
        """The Fubini-Study metric, (B, P, P)."""
        ...

    def measuring(self, observable: Hermitian) -> NoiselessEngine:
        """The same circuit with another operator."""
        ...
