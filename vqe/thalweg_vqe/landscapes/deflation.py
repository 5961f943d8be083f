"""Excited states: the energy with a penalty for every lower state that a circuit overlaps with (VQD).

    U(θ) = ⟨ψ(θ)| H |ψ(θ)⟩ + Σ_i β_i |⟨ψ(θ_i)|ψ(θ)⟩|²

Where the ψ(θ_i) are the lowest k eigenstates and every β_i is above the gap E_k - E_i, the minimum is the next one.

Source: Higgott, Wang & Brierley, Quantum 3 (2019) 156.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from thalweg_core.errors import BadInput
from thalweg_core.ranges import no_more_than, positive
from thalweg_core.streams import Stream
from thalweg_vqe.engines.choosing import overlapping
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.engines.noiseless import NoiselessEngine
from thalweg_vqe.engines.sampler import GroupEnergies, Sampler
from thalweg_vqe.hamiltonians.diagonalization import lowest_energies, particle_sector, spread
from thalweg_vqe.hamiltonians.hamiltonian import Electrons
from thalweg_vqe.landscapes.circuit import VqeLandscape
from thalweg_vqe.pauli.words import IDENTITY, LARGEST, Hermitian, Observable

CHEAP = 2**14
"""Basis states up to which levels and spectra are computed (arbitrary: some seconds)."""


@dataclass(frozen=True)
class Deflation:
    """A lower state that the circuit is kept away from: the end of an earlier search with the same ansatz.

    Args:
        angles: its parameters (rad), in the order of the circuit.
        weight: β (Ha, or the unit of the Hamiltonian). By default the width of the spectrum, E_max - E_min over all basis
            states (above 14 qubits its bound 2 Σ|c|), which always is enough; twice the gap is easier to minimize.
        job: an earlier job whose end it is, in place of angles: a service looks them up.
    """

    angles: tuple[float, ...] = ()
    weight: float | None = None
    job: str | None = None

    def __post_init__(self) -> None:
        for number, angle in enumerate(self.angles):
            no_more_than(f"angles[{number}]", angle, 1e6)
        if self.weight is not None:
            positive("weight", self.weight)
            no_more_than("weight", self.weight, LARGEST)

    def check(self, parameters: int) -> None:
        """Raises BadInput unless there is an angle for every parameter."""
        if self.job is not None and not self.angles:
            raise BadInput("job", "only a service knows other jobs: give angles in its place")
        if len(self.angles) != parameters and self.job is not None:
            raise BadInput("job", f"job {self.job} ended with {len(self.angles)} angles, and this circuit has {parameters}")
        if len(self.angles) != parameters:
            raise BadInput("angles", f"wanted {parameters} angles, one a parameter, got {len(self.angles)}")


def enough(observable: Observable) -> float:
    """A weight that is enough for every state: the width of the spectrum, or where that is dear a bound of it."""
    if 1 << observable.qubits <= CHEAP:
        return spread(observable)
    return 2 * sum(abs(c) for word, c in zip(observable.words, observable.coefficients, strict=True) if word != IDENTITY)


def level(observable: Observable, electrons: Electrons | None, number: int) -> float:
    """The energy of level `number`, the ground state being 0, with the right numbers of electrons; NaN where that is dear."""
    sector = None
    if electrons is not None:
        if math.comb(electrons.orbitals, electrons.alpha) * math.comb(electrons.orbitals, electrons.beta) > CHEAP:
            return math.nan
        sector = electrons.encoding.sector(particle_sector(electrons.orbitals, electrons.alpha, electrons.beta))
    elif 1 << observable.qubits > CHEAP:
        return math.nan
    energies = lowest_energies(observable, number + 1, sector)
    return energies[number] if number < len(energies) else math.nan


def deflated(
    landscape: VqeLandscape, lower: Sequence[Deflation], electrons: Electrons | None, estimator: Estimator
) -> VqeLandscape:
    """The landscape with a penalty for each of the lower states; its exact energy is that of the level above them."""
    if not lower:
        return landscape
    program, observable = landscape.program, landscape.observable
    safe = enough(observable) if any(one.weight is None for one in lower) else 0.0
    weights = [safe if one.weight is None else one.weight for one in lower]
    angles = program.angles(torch.tensor([one.angles for one in lower], dtype=torch.float64)).tolist()
    pairs = [overlapping(program, phi, weight, estimator) for phi, weight in zip(angles, weights, strict=True)]
    exact, samplers = zip(*pairs, strict=True)
    return replace(
        landscape,
        exact=DeflatedExact(landscape.exact, exact, weights),
        sampler=DeflatedSampler(landscape.sampler, samplers),
        reference=landscape.reference._replace(exact_energy=level(observable, electrons, len(lower))),
        without_penalty=landscape,
        overlaps=exact,
    )


@dataclass(frozen=True)
class DeflatedExact:
    """U without noise: a `noiseless.NoiselessEngine`.

    Args:
        energy: what computes ⟨H⟩.
        overlaps: what computes the overlap with each lower state.
        weights: β of each (Ha).
    """

    energy: NoiselessEngine
    overlaps: Sequence[NoiselessEngine]
    weights: Sequence[float]

    def energies(self, theta: Tensor) -> Tensor:
        value = self.energy.energies(theta)
        for weight, overlap in zip(self.weights, self.overlaps, strict=True):
            value = value + weight * overlap.energies(theta)
        return value

    def gradients(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        value, grad = self.energy.gradients(theta)
        for weight, overlap in zip(self.weights, self.overlaps, strict=True):
            p, along = overlap.gradients(theta)
            value, grad = value + weight * p, grad + weight * along
        return value, grad

    def metric(self, theta: Tensor) -> Tensor:
        """That of the states, which no penalty changes."""
        return self.energy.metric(theta)

    def measuring(self, observable: Hermitian) -> NoiselessEngine:
        """Without penalties."""
        return self.energy.measuring(observable)


@dataclass(frozen=True)
class DeflatedSampler:
    """U by shots, every lower state a group of its own: a `sampler.Sampler`.

    Args:
        energy: what measures ⟨H⟩.
        overlaps: what measures the overlap with each lower state, times its weight.
    """

    energy: Sampler
    overlaps: Sequence[Sampler]

    @property
    def groups(self) -> int:
        """Circuits that one energy takes."""
        return self.energy.groups + len(self.overlaps)

    @property
    def weights(self) -> Tensor:
        """Σ|c| of every group, and the weights of the overlaps (Ha)."""
        return torch.cat([self.energy.weights, *(overlap.weights for overlap in self.overlaps)])

    def points(self, angles: Tensor, shots: Tensor, rng: Stream) -> GroupEnergies:
        """Any points: angles (B, K, R), shots (B, K, G)."""
        return _joined(sampler.points(angles, asked, own) for sampler, asked, own in self._parts(shots, rng))

    def shifted(self, angles: Tensor, shots: Tensor, rng: Stream) -> GroupEnergies:
        """The point and all its turns by ±π/2: angles (B, R), shots (B, 1 + 2R, G)."""
        return _joined(sampler.shifted(angles, asked, own) for sampler, asked, own in self._parts(shots, rng))

    def _parts(self, shots: Tensor, rng: Stream) -> Iterator[tuple[Sampler, Tensor, Stream]]:
        """Who measures, by which of the shots, from which stream."""
        first = self.energy.groups
        yield self.energy, shots[:, :, :first], rng
        for number, overlap in enumerate(self.overlaps):
            yield overlap, shots[:, :, first + number : first + number + 1], rng.named("overlap", number)


def _joined(parts: Iterable[GroupEnergies]) -> GroupEnergies:
    mean, variance = zip(*parts, strict=True)
    return GroupEnergies(torch.cat(mean, dim=2), torch.cat(variance, dim=2))
