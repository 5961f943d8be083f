"""The energy of a parametrized circuit, as seen through shots or exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thalweg_core.landscape import Cost, Evaluation, Reading
from thalweg_core.manifold import Euclidean, Manifold
from thalweg_core.streams import Stream
from thalweg_vqe.pauli import Observable
from thalweg_vqe.statevector import Statevector

Floats = NDArray[np.float64]


class Sampler(Protocol):
    """Something that runs measured circuits."""

    @property
    def circuits(self) -> tuple[object, ...]:
        """One for each group of words measured together."""
        ...

    def energies(self, angles: Floats, shots: int, seed: int) -> tuple[Floats, Floats]:
        """Sample means of H and their variances (Ha, Ha²): (K, P) -> (K,), (K,)."""
        ...


class Reference(NamedTuple):
    """What is known of a Hamiltonian without any circuit."""

    exact_energy: float  # the lowest in the sector of interest
    hartree_fock_energy: float | None  # None where there is no mean field
    determinant: list[float] | None  # angles (rad) that prepare the Hartree-Fock determinant; None likewise
    number: Observable | None = None  # of electrons; None for spins


@dataclass(frozen=True)
class VqeLandscape:
    """U(θ) = ⟨0|A(θ)† H A(θ)|0⟩ and its gradient by parameter shift:

        ∂U/∂θ_k = [U(θ + π/2 e_k) - U(θ - π/2 e_k)] / 2,   exact for rotations exp(-iθσ/2)

    Shot noise: every shifted point is measured by its own shots, so Var(∂_k U) = (V₊ + V₋)/4. The charge is (2P+1) G
    circuits for a gradient, G for an energy, G the number of groups of words measured together.

    Shapes: θ (B, P) -> value (B,), gradient (B, P). Units: θ in rad, U in Ha.

    Args:
        exact: expectation values without noise.
        sampler: what runs the circuits.
        shots: per measured circuit; 0 means exact.
        parameters: P.
        reference: energies known without any circuit.
        device: where x lives; circuits run where the sampler runs them.
        dtype: of x; circuits are computed in double precision.

    Source: Schuld et al., Phys. Rev. A 99 (2019) 032331.
    """

    exact: Statevector
    sampler: Sampler
    shots: int
    parameters: int
    reference: Reference
    device: torch.device
    dtype: torch.dtype
    manifold: Manifold = field(default_factory=Euclidean)
    width: int = 1  # every replica is computed by itself

    @property
    def noisy(self) -> bool:
        return self.shots > 0

    def evaluate(self, x: Tensor, rng: Stream, samples: int | None = None) -> Evaluation:
        shots = self.shots if samples is None else samples
        mean, variance = self._look(x, shifted, shots, rng.named("gradient shots"))
        up, down = slice(1, 1 + self.parameters), slice(1 + self.parameters, None)
        return Evaluation(
            mean[:, 0],
            (mean[:, up] - mean[:, down]) / 2,
            variance[:, 0],
            (variance[:, up] + variance[:, down]) / 4,
            self._cost(x, mean.shape[1], shots, gradients=1),
        )

    def measure(self, x: Tensor, rng: Stream, samples: int | None = None) -> Reading:
        """The energy alone."""
        shots = self.shots if samples is None else samples
        mean, variance = self._look(x, alone, shots, rng.named("energy shots"))
        return Reading(mean[:, 0], variance[:, 0], self._cost(x, 1, shots))

    def expectation(self, observable: Observable, x: Tensor) -> Tensor:
        """Expectation values of any operator, without shot noise, (B,)."""
        operator = Statevector.of(self.exact.program, observable)
        return torch.from_numpy(np.concatenate([operator.energies(alone(row)) for row in _angles(x)])).to(x)

    def _look(self, x: Tensor, points: Callable[[Floats], Floats], shots: int, rng: Stream) -> tuple[Tensor, Tensor]:
        """Energies and variances at K points around each replica, (B, K) each: one run for each replica."""
        seeds = rng.seeds(2).tolist()
        looks = [self._run(points(row), shots, high << 31 | low) for row, (high, low) in zip(_angles(x), seeds, strict=True)]
        mean, variance = (torch.from_numpy(np.stack(column)).to(x) for column in zip(*looks, strict=True))
        return mean, variance

    def _run(self, angles: Floats, shots: int, seed: int) -> tuple[Floats, Floats]:
        if shots == 0:
            return self.exact.energies(angles), np.zeros(len(angles))
        return self.sampler.energies(angles, shots, seed)

    def _cost(self, x: Tensor, points: int, shots: int, gradients: int = 0) -> Cost:
        circuits = points * len(self.sampler.circuits) if shots > 0 else 0
        return Cost.of(x, evaluations=1, gradients=gradients, circuits=circuits, shots=circuits * shots)


def _angles(x: Tensor) -> Floats:
    """x as the engines want it, (B, P)."""
    angles: Floats = x.detach().to("cpu", torch.float64).numpy()
    return angles


def alone(angles: Floats) -> Floats:
    """The point itself: (P,) -> (1, P)."""
    return angles[None]


def shifted(angles: Floats) -> Floats:
    """The point, then every angle turned by +π/2, then every angle turned by -π/2: (P,) -> (2P + 1, P)."""
    turns = np.eye(len(angles)) * (math.pi / 2)
    return np.concatenate([angles[None], angles + turns, angles - turns])
