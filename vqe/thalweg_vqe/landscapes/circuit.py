"""The energy of a parametrized circuit, as seen through shots or exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from thalweg_core.errors import BadInput
from thalweg_core.landscape import (
    COMPONENTS,
    DRY_RUN,
    ENERGY_ALONE,
    HARMONICS,
    LIPSCHITZ,
    MEASURED_METRIC,
    METRIC,
    METRIC_FORMS,
    PENALTY,
    REFERENCE,
    SAMPLES,
    STATES,
    STRATA,
    Capabilities,
    Cost,
    EnergyEstimate,
    Evaluation,
    Harmonics,
    MetricEstimate,
    Offers,
    Samples,
)
from thalweg_core.manifold import Euclidean, Manifold
from thalweg_core.streams import Stream
from thalweg_vqe.engines.blank import BlankEngine, BlankSampler
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.engines.noiseless import NoiselessEngine
from thalweg_vqe.engines.sampler import GroupEnergies, Sampler
from thalweg_vqe.measurement.allocation import Energies, Ints, measured
from thalweg_vqe.measurement.fidelity import Fidelity
from thalweg_vqe.measurement.measured_metric import MeasuredMetric
from thalweg_vqe.measurement.shift_rules import ShiftRule
from thalweg_vqe.pauli.program import Program
from thalweg_vqe.pauli.words import Observable

FEWEST_SHOTS = 2
"""Per circuit: one shot alone shows no variance."""


class Reference(NamedTuple):
    """What is known of a Hamiltonian without any circuit."""

    exact_energy: float  # the lowest in the sector of interest; NaN where that would take too long
    hartree_fock_energy: float | None  # None where there is no mean field
    determinant: list[float] | None  # angles (rad) that prepare the Hartree-Fock determinant; None likewise
    number: Observable | None = None  # of electrons; None for spins
    unit: str = ""  # of energies

    def above(self, energy: Tensor) -> list[str]:
        """How far energies (B,) lie above the exact one, such as "87 mHa"; "" where that is not known."""
        return ["" if math.isnan(gap) else self._words(gap) for gap in (energy - self.exact_energy).tolist()]

    def _words(self, gap: float) -> str:
        scale, unit = (1e3, "mHa") if self.unit == "Ha" else (1.0, self.unit)
        return f"{float(f'{scale * gap:.2g}'):g} {unit}".rstrip()  # 650, not 6.5e+02


OFFERED = frozenset(
    {
        METRIC,
        MEASURED_METRIC,
        HARMONICS,
        LIPSCHITZ,
        COMPONENTS,
        STATES,
        ENERGY_ALONE,
        SAMPLES,
        STRATA,
        DRY_RUN,
        REFERENCE,
        PENALTY,
    }
)
"""What the energy of a circuit can be asked."""

TOGETHER = 2**20
"""Points times groups, or angles, that are worked on together, as far as there are replicas enough (arbitrary: 8 MiB each)."""


@dataclass(frozen=True)
class VqeLandscape(Offers):
    """U(θ) = ⟨start| A(θ)† H A(θ) |start⟩, its gradient and curvature from energies at shifted parameters, see `shift_rules`.

    Shot noise: every point is measured by its own shots in every group, so variances add: Var(∂U) = Σ_μ w_μ² V_μ. A gradient
    takes `samples` shots a circuit on average: the points of a component share theirs in proportion to |w_μ|, at least 2 each;
    groups share those of a point as `allocation` says. Every circuit is charged with every shot that it took.

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
        estimator: the device, for what is measured beside the energy, fidelities and the metric; how shots are divided over
            groups, see `allocation`; whether rotations that should act as one do, on a device without noise.
        without_penalty: the landscape of ⟨H⟩ alone, where U holds more.
        overlaps: what computes the overlaps with lower states, where U holds them.
    """

    program: Program
    observable: Observable
    exact: NoiselessEngine
    sampler: Sampler
    shots: int
    reference: Reference
    device: torch.device
    dtype: torch.dtype
    manifold: Manifold = field(default_factory=Euclidean)
    width: int = 1  # every replica is computed by itself
    estimator: Estimator = field(default_factory=Estimator)
    without_penalty: VqeLandscape | None = None
    overlaps: tuple[NoiselessEngine, ...] = ()

    offers: ClassVar[Capabilities] = OFFERED

    @property
    def noisy(self) -> bool:
        return self.shots > 0

    @property
    def groups(self) -> int:
        """Circuits that one energy takes."""
        return self.sampler.groups

    @property
    def parameters(self) -> int:
        """P."""
        return self.program.parameters

    @property
    def samples(self) -> int:
        """Default samples of an evaluation: shots per circuit; with allocation "random", shots per energy."""
        return self.shots * self.groups if self.estimator.allocation == "random" else self.shots

    @property
    def fewest(self) -> int:
        """The least samples that show a variance."""
        return FEWEST_SHOTS

    @property
    def harmonics(self) -> Harmonics:
        """Of U along every parameter."""
        return self.rule.harmonics

    @property
    def lipschitz(self) -> float:
        """Σ|c| without the identity's: U differs from a constant by no more, nor then ∂²U in natural units (Bernstein)."""
        return float(self.sampler.weights.sum())

    def allocated(self, allocation: str) -> VqeLandscape:
        """The same with its shots divided over the groups in another way: "equal", "measured" or "random"."""
        if allocation not in self._divided:
            self._divided[allocation] = self._of_rule(replace(self, estimator=replace(self.estimator, allocation=allocation)))
        return self._divided[allocation]

    def dry_run(self) -> VqeLandscape:
        """The same with circuits that are not run: every evaluation costs what it costs, its numbers are placeholders."""
        return self._dry_run

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        asked = self._asked(x, samples)
        if asked is None:
            value, grad = self.exact.gradients(_double(x))
            return Evaluation.exact(value.to(x), grad.to(x))
        here: Ints = asked.numpy()
        return self._look(x, rng.named("gradient shots"), np.repeat(here[:, None], self.parameters, axis=1), here)

    def evaluate_components(self, x: Tensor, rng: Stream, samples: Tensor) -> Evaluation:
        """The gradient at x (B, P) with samples (B, P) int64 of its own, 1 or more, for each component; the value is not measured
        (NaN)."""
        asked: Ints = samples.to("cpu", torch.int64).numpy()
        return self._look(x, rng.named("component shots"), asked, np.zeros_like(asked[:, 0]))._replace(curvature=None)

    def measure(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> EnergyEstimate:
        """The energy at x (B, P) alone."""
        asked = self._asked(x, samples)
        if asked is None:
            value = self.exact.energies(_double(x))
            return EnergyEstimate(value.to(x), torch.zeros_like(x[:, 0]), Cost.of(x, evaluations=1))
        angles = self._angles(x)[:, None]

        def take(shots: Tensor, rng: Stream) -> GroupEnergies:
            return self.sampler.points(angles, shots, rng)

        seen = measured(take, asked[:, None].numpy(), self.sampler.weights, self.estimator.allocation, rng.named("energy shots"))
        value = torch.from_numpy(seen.mean[:, 0] + self._constant)
        return EnergyEstimate(value.to(x), torch.from_numpy(seen.variance[:, 0]).to(x), _charged(x, seen))

    def metric(self, x: Tensor) -> Tensor:
        """The exact Fubini-Study metric of the parameters, (B, P) -> (B, P, P)."""
        return self.exact.metric(_double(x)).to(x)

    def measure_metric(self, x: Tensor, rng: Stream, samples: Samples, form: str = "block_diagonal") -> MetricEstimate:
        """The metric by samples of every circuit, at least 2, see `measured_metric`; exact on a landscape without noise.

        Blocks are rows of commuting rotations: one circuit each. In full, also four circuits for every two rotations that
        stand in different blocks.
        """
        if form not in METRIC_FORMS:
            raise BadInput("form", f"wanted {' or '.join(METRIC_FORMS)}, got {form}")
        angles, shots = self._angles(x), self._asked(x, samples)
        if not self.noisy or shots is None:
            metric = self.metric(x) if form == "full" else self._metric.exact(angles).to(x)
            metric = torch.diag_embed(metric.diagonal(dim1=1, dim2=2)) if form == "diagonal" else metric
            return MetricEstimate(metric, torch.zeros_like(metric), Cost.none(x))
        shots = shots.clamp_min(FEWEST_SHOTS)
        seen = self._metric.measured(angles, shots, rng.named("metric shots"), form)
        return MetricEstimate(seen.metric.to(x), seen.variance.to(x), _shots_of(x, seen.circuits, shots))

    def fidelity(self, x: Tensor, y: Tensor, rng: Stream, samples: Samples) -> EnergyEstimate:
        """|⟨ψ(x)|ψ(y)⟩|² of K pairs (B, K, P), each by samples of one circuit, forwards at x and backwards at y: (B, K).

        Exact on a landscape without noise.
        """
        rows, pairs = x.shape[:2]
        shots = self._asked(x, samples)
        if not self.noisy or shots is None:
            p = self._fidelity.between(_double(x).flatten(0, 1), _double(y).flatten(0, 1)).reshape(rows, pairs).to(x)
            return EnergyEstimate(p, torch.zeros_like(p), Cost.none(x))
        there, back = (self._angles(side.flatten(0, 1)).reshape(rows, pairs, -1) for side in (x, y))
        every = shots[:, None].expand(-1, pairs)
        seen = self._fidelity.measured(there, back, every, rng.named("fidelity shots"))
        return EnergyEstimate(seen.mean.to(x), seen.variance.to(x), _shots_of(x, pairs, shots))

    def expectation(self, observable: Observable, x: Tensor) -> Tensor:
        """Expectation values of any operator, without shot noise, (B,)."""
        if self.without_penalty is not None:
            return self.without_penalty.expectation(observable, x)
        engine = self.exact if observable is self.observable else self.exact.measuring(observable)
        return engine.energies(_double(x)).to(x)

    def above_reference(self, x: Tensor) -> list[str]:
        """By the noiseless energy, which only a simulator knows; nothing is charged for it."""
        return self.reference.above(self.expectation(self.observable, x))

    def overlaps_at(self, x: Tensor) -> list[Tensor]:
        """Overlaps with the lower states of a deflation, without shot noise, (B,) each."""
        return [overlap.energies(_double(x)).to(x) for overlap in self.overlaps]

    def history(self, x: Tensor) -> list[dict[str, Any]]:
        """How the circuit of each replica came about; empty where it was given."""
        return []

    @cached_property
    def _dry_run(self) -> VqeLandscape:
        parts = {part.name: getattr(self, part.name) for part in fields(self)}
        blank = {"exact": BlankEngine(), "sampler": BlankSampler(self.sampler.weights)}
        return self._of_rule(DryRunVqeLandscape(**parts | blank))

    def _of_rule(self, other: VqeLandscape) -> VqeLandscape:
        """The other, which looks at the same points: the rule of the points is dear to find."""
        vars(other)["rule"] = self.rule
        return other

    @cached_property
    def _divided(self) -> dict[str, VqeLandscape]:
        """Kept, for a method asks in every step."""
        return {self.estimator.allocation: self}

    @cached_property
    def _metric(self) -> MeasuredMetric:
        return MeasuredMetric(self.program, self.estimator)

    @cached_property
    def _fidelity(self) -> Fidelity:
        return Fidelity.of(self.program, self.estimator)

    @cached_property
    def rule(self) -> ShiftRule:
        """Which points show the gradient: what the circuit allows, and the operator where U holds nothing else."""
        return ShiftRule.of(self.program, self.observable if self.without_penalty is None else None, self.estimator.noise is None)

    def _angles(self, x: Tensor) -> Tensor:
        return self.program.angles(_double(x))

    @cached_property
    def _constant(self) -> float:
        return self.observable.constant

    def _asked(self, x: Tensor, samples: Samples | None) -> Tensor | None:
        """Samples of every replica, (B,); None where exact values are asked for."""
        asked = self.samples if samples is None else samples
        if isinstance(asked, int):
            return torch.full((len(x),), asked) if asked else None
        return asked.to("cpu", torch.int64)

    def _look(self, x: Tensor, rng: Stream, samples: Ints, here: Ints) -> Evaluation:
        """By samples (B, P) of every component, (B,) of θ itself."""
        rule, theta = self.rule, _double(x)
        asked = rule.samples(samples, here)
        together = max(1, TOGETHER // (asked.shape[1] * max(1, self.groups, len(self.program.turned))))
        rows = [slice(first, first + together) for first in range(0, len(theta), together)]
        parts = [self._measured(theta[some], asked[some], replace(rng, rows=rng.rows[some])) for some in rows]
        seen = parts[0] if len(parts) == 1 else Energies(*map(np.concatenate, zip(*parts, strict=True)))
        mean = seen.mean + self._constant
        grad, grad_var, curvature = torch.from_numpy(rule.seen(mean, seen.variance)).to(x)
        value, value_var = torch.from_numpy(np.stack([mean[:, 0], seen.variance[:, 0]])).to(x)
        return Evaluation(value, grad, value_var, grad_var, _charged(x, seen, gradients=1), curvature)

    def _measured(self, theta: Tensor, samples: Ints, rng: Stream) -> Energies:
        """All points of the rule, by the sampler's two ways."""
        rule, angles = self.rule, self.program.angles(theta)
        before, points = rule.in_pass, rule.further(theta)

        def take(shots: Tensor, rng: Stream) -> GroupEnergies:
            if not rule.turns:
                return self.sampler.points(points, shots, rng)
            turned = self.sampler.shifted(angles, shots[:, :before], rng.named("turns"))
            if points.shape[1] == 1:
                return turned
            asked = torch.cat([torch.zeros_like(shots[:, :1]), shots[:, before:]], dim=1)  # θ itself is among the turns
            others = self.sampler.points(points, asked, rng.named("points"))
            return GroupEnergies(*(torch.cat([a, b[:, 1:]], dim=1) for a, b in zip(turned, others, strict=True)))

        return measured(take, samples, self.sampler.weights, self.estimator.allocation, rng)


class DryRunVqeLandscape(VqeLandscape):
    """The landscape with circuits that are not run, see `dry_run`."""

    def dry_run(self) -> VqeLandscape:
        return self

    def measure_metric(self, x: Tensor, rng: Stream, samples: Samples, form: str = "block_diagonal") -> MetricEstimate:
        shots, metric = self._asked(x, samples), self.metric(x)
        cost = Cost.none(x)
        if self.noisy and shots is not None:
            cost = _shots_of(x, self._metric.circuits(form), shots.clamp_min(FEWEST_SHOTS))
        return MetricEstimate(metric, torch.zeros_like(metric), cost)

    def fidelity(self, x: Tensor, y: Tensor, rng: Stream, samples: Samples) -> EnergyEstimate:
        shots, p = self._asked(x, samples), x.new_zeros(x.shape[:2])
        cost = Cost.none(x) if not self.noisy or shots is None else _shots_of(x, x.shape[1], shots)
        return EnergyEstimate(p, torch.zeros_like(p), cost)


def _double(x: Tensor) -> Tensor:
    """As the engines take it."""
    return x.detach().to("cpu", torch.float64)


def _charged(x: Tensor, seen: Energies, gradients: int = 0) -> Cost:
    """What an evaluation cost each replica."""
    once = np.ones_like(seen.shots)
    return Cost(*torch.from_numpy(np.stack([once, gradients * once, seen.circuits, seen.shots])).to(x.device))


def _shots_of(x: Tensor, circuits: int, shots: Tensor) -> Cost:
    """So many circuits, each with shots (B,)."""
    return Cost.of(x, circuits=circuits)._replace(shots=(circuits * shots).to(x.device))
