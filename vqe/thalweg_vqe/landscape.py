"""The energy of a parametrized circuit, as seen through shots or exactly."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_core.errors import BadInput
from thalweg_core.landscape import METRIC_FORMS, Cost, Evaluation, MetricReading, Reading, Samples
from thalweg_core.manifold import Euclidean, Manifold
from thalweg_core.rows import row_sum
from thalweg_core.streams import Stream
from thalweg_vqe.estimator import Estimator
from thalweg_vqe.expectations import Exact
from thalweg_vqe.fidelity import Fidelity
from thalweg_vqe.measured_metric import MeasuredMetric
from thalweg_vqe.pauli import Observable
from thalweg_vqe.program import Program
from thalweg_vqe.readable import Readable
from thalweg_vqe.sampler import Looks, Sampler

FEWEST_SHOTS = 2
"""Per circuit: one shot alone shows no variance."""


class Reference(NamedTuple):
    """What is known of a Hamiltonian without any circuit."""

    exact_energy: float  # the lowest in the sector of interest
    hartree_fock_energy: float | None  # None where there is no mean field
    determinant: list[float] | None  # angles (rad) that prepare the Hartree-Fock determinant; None likewise
    number: Observable | None = None  # of electrons; None for spins


@dataclass(frozen=True)
class VqeLandscape:
    """U(θ) = ⟨start| A(θ)† H A(θ) |start⟩ and its gradient, by parameter shift in each of the R rotations:

        ∂U/∂θ_k = Σ_j a_j [U(φ_j + π/2) - U(φ_j - π/2)] / 2,   φ_j = a_j θ_k + b_j,   exact for rotations exp(-iφP/2)

    Shot noise: every shifted point is measured by its own shots, so Var(∂U/∂φ_j) = (V₊ + V₋)/4. The charge is (2R+1) G
    circuits for a gradient, G for an energy, G the number of groups of words measured together.

    Shapes: θ (B, P) -> value (B,), gradient (B, P). Units: θ in rad, U in Ha.

    Args:
        program: the circuit A.
        observable: the operator H.
        exact: expectation values without noise.
        sampler: what measures.
        shots: per measured circuit; 0 means exact.
        reference: energies known without any circuit.
        device: where x lives; circuits run where the engines run them.
        dtype: of x; circuits are computed in double precision.
        estimator: the device, for what is measured beside the energy: fidelities and the metric.
        alone: the landscape of ⟨H⟩ alone, where U holds more.
        overlaps: what computes the overlaps with lower states, where U holds them.

    Source: Schuld et al., Phys. Rev. A 99 (2019) 032331.
    """

    program: Program
    observable: Observable
    exact: Exact
    sampler: Sampler
    shots: int
    reference: Reference
    device: torch.device
    dtype: torch.dtype
    manifold: Manifold = field(default_factory=Euclidean)
    width: int = 1  # every replica is computed by itself
    estimator: Estimator = field(default_factory=Estimator)
    alone: VqeLandscape | None = None
    overlaps: tuple[Exact, ...] = ()

    @property
    def noisy(self) -> bool:
        return self.shots > 0

    @property
    def groups(self) -> int:
        """Circuits that one energy takes."""
        return self.sampler.groups

    @property
    def samples(self) -> int:
        """Shots per measured circuit."""
        return self.shots

    @property
    def fewest(self) -> int:
        return FEWEST_SHOTS

    @property
    def parameters(self) -> int:
        """P."""
        return self.program.parameters

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        asked = self._asked(x, samples)
        if asked is None:
            value, grad = self.exact.gradients(_double(x))
            return Evaluation.exact(value.to(x), grad.to(x))
        angles = self._angles(x)
        turned = angles.shape[1]
        shots = asked[:, None, None].expand(-1, 1 + 2 * turned, self.sampler.groups)
        mean, variance = self._energies(self.sampler.shifted(angles, shots, rng.named("gradient shots")))
        up, down = slice(1, 1 + turned), slice(1 + turned, None)
        grad = self.program.pull_back((mean[:, up] - mean[:, down]) / 2)
        grad_var = self.program.pull_back((variance[:, up] + variance[:, down]) / 4, power=2)
        cost = _charged(x, shots, gradients=1)
        return Evaluation(mean[:, 0].to(x), grad.to(x), variance[:, 0].to(x), grad_var.to(x), cost)

    def measure(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Reading:
        """The energy alone."""
        asked = self._asked(x, samples)
        if asked is None:
            value = self.exact.energies(_double(x))
            return Reading(value.to(x), torch.zeros_like(x[:, 0]), Cost.of(x, evaluations=1))
        angles = self._angles(x)
        shots = asked[:, None, None].expand(-1, 1, self.sampler.groups)
        mean, variance = self._energies(self.sampler.points(angles[:, None], shots, rng.named("energy shots")))
        return Reading(mean[:, 0].to(x), variance[:, 0].to(x), _charged(x, shots))

    def metric(self, x: Tensor) -> Tensor:
        """The exact Fubini-Study metric of the parameters, (B, P) -> (B, P, P)."""
        return self.exact.metric(_double(x)).to(x)

    def measure_metric(self, x: Tensor, rng: Stream, samples: Samples, form: str = "block_diagonal") -> MetricReading:
        """The metric by samples of every circuit, 2 or more, see `measured_metric`; exact on a landscape without noise.

        Blocks are rows of commuting rotations: one circuit each. In full, also four circuits for every two rotations that
        stand in different blocks.
        """
        if form not in METRIC_FORMS:
            raise BadInput("form", f"wanted {' or '.join(METRIC_FORMS)}, got {form}")
        angles, shots = self._angles(x), self._asked(x, samples)
        if not self.noisy or shots is None:
            metric = self.metric(x) if form == "full" else self._metric.exact(angles).to(x)
            metric = torch.diag_embed(metric.diagonal(dim1=1, dim2=2)) if form == "diagonal" else metric
            return MetricReading(metric, torch.zeros_like(metric), Cost.none(x))
        seen = self._metric.measured(angles, shots, rng.named("metric shots"), form)
        return MetricReading(seen.metric.to(x), seen.variance.to(x), _shots_of(x, seen.circuits, shots))

    def fidelity(self, x: Tensor, y: Tensor, rng: Stream, samples: Samples) -> Reading:
        """|⟨ψ(x)|ψ(y)⟩|² by samples of one circuit, forwards at x and backwards at y; exact on a landscape without noise."""
        shots = self._asked(x, samples)
        if not self.noisy or shots is None:
            p = self._fidelity.between(_double(x), _double(y)).to(x)
            return Reading(p, torch.zeros_like(p), Cost.none(x))
        there, back = self._angles(x), self._angles(y)
        seen = self._fidelity.measured(there[:, None], back[:, None], shots[:, None], rng.named("fidelity shots"))
        return Reading(seen.mean[:, 0].to(x), seen.variance[:, 0].to(x), _shots_of(x, 1, shots))

    def expectation(self, observable: Observable, x: Tensor) -> Tensor:
        """Expectation values of any operator, without shot noise, (B,)."""
        if self.alone is not None:
            return self.alone.expectation(observable, x)
        engine = self.exact if observable is self.observable else Readable(self.program, observable)
        return engine.energies(_double(x)).to(x)

    def overlaps_at(self, x: Tensor) -> list[Tensor]:
        """Overlaps with the lower states of a deflation, without shot noise, (B,) each."""
        return [overlap.energies(_double(x)).to(x) for overlap in self.overlaps]

    @cached_property
    def _metric(self) -> MeasuredMetric:
        return MeasuredMetric(self.program, self.estimator)

    @cached_property
    def _fidelity(self) -> Fidelity:
        return Fidelity.of(self.program, self.estimator)

    def _angles(self, x: Tensor) -> Tensor:
        return self.program.angles(_double(x))

    def _asked(self, x: Tensor, samples: Samples | None) -> Tensor | None:
        """Shots per circuit, (B,); None where exact values are asked for."""
        asked = self.shots if samples is None else samples
        if isinstance(asked, int):
            return torch.full((len(x),), asked) if asked else None
        return asked.cpu()

    def _energies(self, looks: Looks) -> tuple[Tensor, Tensor]:
        """U and the variance of the estimate, (B, K) each."""
        mean, variance = (row_sum(part.flatten(0, 1)).reshape(part.shape[:2]) for part in looks)
        return mean + self.observable.constant, variance


def _double(x: Tensor) -> Tensor:
    """As the engines take it."""
    return x.detach().to("cpu", torch.float64)


def _charged(x: Tensor, shots: Tensor, gradients: int = 0) -> Cost:
    """What the shots (B, K, G) cost each replica."""
    none = torch.zeros(len(x), dtype=torch.int64)
    circuits, repetitions = (shots > 0).sum(dim=(1, 2)), shots.sum(dim=(1, 2))
    return Cost(*(count.to(x.device) for count in (none + 1, none + gradients, circuits, repetitions)))


def _shots_of(x: Tensor, circuits: int, shots: Tensor) -> Cost:
    """So many circuits, each with shots (B,)."""
    return Cost.of(x, circuits=circuits)._replace(shots=(circuits * shots).to(x.device))
