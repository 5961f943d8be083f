"""The energy of circuits that grow as they are walked, each replica's its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, lru_cache
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from thalweg_core.landscape import (
    METRIC,
    Capabilities,
    Capability,
    Cost,
    EnergyEstimate,
    Evaluation,
    Harmonics,
    MetricEstimate,
    Offers,
    Samples,
)
from thalweg_core.manifold import Euclidean, Manifold
from thalweg_core.numbers.trees import map_tensors, put_rows
from thalweg_core.streams import Stream
from thalweg_core.walking.growth import GROWTH, Grown
from thalweg_vqe.ansatze.adapt import Adapt, spectrum
from thalweg_vqe.ansatze.pools import Operator
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.hamiltonians.hamiltonian import Register
from thalweg_vqe.landscapes.circuit import OFFERED, Reference, VqeLandscape
from thalweg_vqe.landscapes.growing_choices import NONE, Choices
from thalweg_vqe.measurement.pool_slopes import Commutators, Slopes, exact_slopes
from thalweg_vqe.pauli.program import Program
from thalweg_vqe.pauli.words import Observable

T = TypeVar("T")

OPEN = 64, 2**18
"""Circuits kept open, and amplitudes of all their states together (arbitrary)."""


Opened = Callable[[tuple[int, ...]], VqeLandscape]
"""The landscape of a circuit, by the operators that it has taken."""


def adaptive(
    ansatz: Adapt,
    register: Register,
    estimator: Estimator,
    of: Callable[[Program], VqeLandscape],
    dry: Callable[[Program], VqeLandscape],
) -> AdaptiveLandscape:
    """The landscape of circuits that have taken nothing yet; `of` opens that of a circuit, `dry` its dry run."""
    pool, room = ansatz.from_pool(register), _room(register.qubits)

    def kept(opened: Callable[[Program], VqeLandscape]) -> Opened:
        return lru_cache(maxsize=room)(lambda taken: opened(ansatz.circuit(register, taken)))

    opened = kept(of), kept(dry)
    choices = Choices.none(ansatz.operators, len(pool))
    observable = opened[0](()).observable
    commutators = Commutators.of(observable, pool, estimator.grouping) if estimator.shots else None
    return AdaptiveLandscape(ansatz, pool, *opened, choices, commutators, estimator)


def _room(qubits: int) -> int:
    """Circuits that are kept open."""
    most, amplitudes = OPEN
    return max(2, min(most, amplitudes >> qubits))


@dataclass(frozen=True)
class AdaptiveLandscape(Offers):
    """U(θ) of the circuit that each replica has grown, see `adaptive.Adapt`; told apart by their numbers in the stream.

    Shapes: θ (B, D), D the most operators to take. Units: θ in rad, U in Ha.

    Args:
        ansatz: what grows.
        pool: what it takes from, M operators.
        opened: the landscape of a circuit, by the operators that it has taken.
        dry: its dry run, for which no engine is opened.
        choices: what was taken so far.
        commutators: how the pool's slopes are measured; None where they are exact.
        estimator: what measures them.
    """

    ansatz: Adapt
    pool: tuple[Operator, ...]
    opened: Opened
    dry: Opened
    choices: Choices
    commutators: Commutators | None
    estimator: Estimator
    manifold: Manifold = field(default_factory=Euclidean)
    width: int = 1  # every replica is computed by itself
    without_penalty: None = None  # U is ⟨H⟩, whatever the circuit

    offers: ClassVar[Capabilities] = OFFERED | {GROWTH}

    def offer(self, what: Capability[T]) -> T | None:
        """Metrics without noise are offered where nothing is noisy: else each replica's circuit would have to be simulated."""
        return None if what is METRIC and self.noisy else super().offer(what)

    # --- as any landscape of circuits

    @property
    def shots(self) -> int:
        """Per measured circuit; 0 means exact."""
        return self._first.shots

    @property
    def noisy(self) -> bool:
        return self.shots > 0

    @property
    def groups(self) -> int:
        """Circuits that one energy takes."""
        return self._first.groups

    @property
    def samples(self) -> int:
        """What an evaluation takes."""
        return self._first.samples

    @property
    def fewest(self) -> int:
        return self._first.fewest

    @property
    def parameters(self) -> int:
        """D."""
        return self.ansatz.operators

    @property
    def device(self) -> torch.device:
        return self._first.device

    @property
    def dtype(self) -> torch.dtype:
        return self._first.dtype

    @property
    def observable(self) -> Observable:
        return self._first.observable

    @property
    def reference(self) -> Reference:
        return self._first.reference

    @property
    def program(self) -> Program:
        """The circuit of replica 0."""
        return self._first.program

    @property
    def lipschitz(self) -> float:
        """The same for every circuit."""
        return self._first.lipschitz

    @property
    def harmonics(self) -> Harmonics:
        """Enough for every operator that a coordinate may become the angle of."""
        base, number = spectrum(self.observable.qubits, self.pool, self.estimator.noise is None)
        every = torch.ones(self.parameters, dtype=torch.int64)
        return Harmonics(base * every.double(), number * every)

    def allocated(self, allocation: str) -> AdaptiveLandscape:
        """The same with its shots divided over the groups in another way, see `VqeLandscape`."""
        room = _room(self.observable.qubits)

        def divided(opened: Opened) -> Opened:
            return lru_cache(maxsize=room)(lambda taken: opened(taken).allocated(allocation))

        return replace(self, opened=divided(self.opened), dry=divided(self.dry))

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        return self._each(rng.rows, lambda one, i: one.evaluate(x[i], rng.take(i), _of(samples, i)))

    def evaluate_components(self, x: Tensor, rng: Stream, samples: Tensor) -> Evaluation:
        """The gradient with samples (B, D) int64 of its own for each component; the value is not looked at (NaN)."""
        return self._each(rng.rows, lambda one, i: one.evaluate_components(x[i], rng.take(i), samples[i]))

    def measure(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> EnergyEstimate:
        """The energy alone."""
        return self._each(rng.rows, lambda one, i: one.measure(x[i], rng.take(i), _of(samples, i)))

    def fidelity(self, x: Tensor, y: Tensor, rng: Stream, samples: Samples) -> EnergyEstimate:
        """Of pairs of states of each replica's own circuit, (B, K, D) -> (B, K)."""
        return self._each(rng.rows, lambda one, i: one.fidelity(x[i], y[i], rng.take(i), _some(samples, i)))

    def measure_metric(self, x: Tensor, rng: Stream, samples: Samples, form: str = "block_diagonal") -> MetricEstimate:
        """Of each replica's own circuit; 0 for what it has not taken yet."""
        return self._each(rng.rows, lambda one, i: one.measure_metric(x[i], rng.take(i), _some(samples, i), form))

    def metric(self, x: Tensor) -> Tensor:
        """Without noise, (B, D) -> (B, D, D): replicas that look at it have all taken the same, or all of them look."""
        alike = bool((self.choices.taken == self.choices.taken[:1]).all())
        rows = torch.zeros(len(x), dtype=torch.int64) if alike else torch.arange(len(x))
        return self._each(rows, lambda one, i: one.metric(x[i]))

    def expectation(self, observable: Observable, x: Tensor) -> Tensor:
        """Expectation values of any operator, without shot noise, for x of the replicas 0 … B-1: (B,)."""
        return self._each(torch.arange(len(x)), lambda one, i: one.expectation(observable, x[i]))

    def above_reference(self, x: Tensor) -> list[str]:
        """By the noiseless energy, as one circuit does."""
        return self.reference.above(self.expectation(self.observable, x))

    def overlaps_at(self, x: Tensor) -> list[Tensor]:
        """None: no lower state is known."""
        return []

    # --- as one that grows

    @property
    def every(self) -> int:
        return self.ansatz.steps_per_operator

    @property
    def memory(self) -> dict[str, Tensor]:
        return self.choices._asdict()

    def with_memory(self, memory: Mapping[str, Tensor]) -> AdaptiveLandscape:
        return replace(self, choices=Choices(**{name: tensor.cpu() for name, tensor in memory.items()}))

    def growing(self, rows: Tensor) -> Tensor:
        choices = self.choices.of(rows.cpu())
        return ((choices.looks == choices.depth) & (choices.depth < self.ansatz.operators)).to(rows.device)

    def price(self, x: Tensor) -> Cost:
        circuits = self.commutators.circuits if self.commutators else 0
        return Cost.of(x, gradients=1, circuits=circuits, shots=circuits * self.shots)

    def dry_run(self) -> AdaptiveLandscape:
        """The same with circuits that are not run; what it grows is the dearest that there is."""
        parts = {part.name: getattr(self, part.name) for part in fields(self)}
        return DryRunAdaptiveLandscape(**parts | {"opened": self.dry})

    def grown(self, x: Tensor, rng: Stream) -> Grown:
        """Each replica takes the operator with the largest slope, if that is not below the tolerance."""
        rows = rng.rows.cpu()
        pool = self._each(rows, lambda one, i: self._slopes(one, x[i], rng.take(i)))
        choices = self.choices.upto(int(rows.max()) + 1)
        taken, looked_at = choices.taken.clone(), choices.slopes.clone()
        new, new_var = (torch.zeros(x.shape, dtype=torch.float64) for _ in range(2))
        before = self._looks(rows)
        for place, (row, d) in enumerate(zip(rows.tolist(), choices.of(rows).depth.tolist(), strict=True)):
            looked_at[row, d] = pool.slope[place]
            steepness = pool.slope[place].abs()
            if d > 0:
                steepness[taken[row, d - 1]] = 0.0  # once more would be the same angle
            best = int(steepness.numpy().argmax())
            if steepness[best] >= self.ansatz.gradient:
                taken[row, d] = best
                new[place, d], new_var[place, d] = pool.slope[place, best], pool.variance[place, best]
        landscape = replace(self, choices=Choices(taken, looked_at))
        cost_factor = (landscape._looks(rows) / before).to(x.device)
        return Grown(landscape, new.to(x), new_var.to(x), cost_factor, self.price(x))

    def history(self, x: Tensor) -> list[dict[str, Any]]:
        """What each of the replicas 0 … B-1, standing at x, has taken: names, angles (rad), the slopes it chose by (Ha)."""
        choices = self.choices.of(torch.arange(len(x)))
        return [
            {
                "operators": [self.pool[number].name for number in taken[:count].tolist()],
                "angles": angles[:count].tolist(),
                "pool_gradients": slopes[:looks].tolist(),
            }
            for taken, count, slopes, looks, angles in zip(
                choices.taken, choices.depth.tolist(), choices.slopes, choices.looks.tolist(), x.double().cpu(), strict=True
            )
        ]

    # --- circuit by circuit

    def _looks(self, rows: Tensor) -> Tensor:
        """Points that a gradient of each replica is read from, (B,) float64."""
        return self._each(rows, lambda one, i: torch.full((len(i),), one.rule.looks, dtype=torch.float64))

    def _slopes(self, one: VqeLandscape, x: Tensor, rng: Stream) -> Slopes:
        theta = x.to("cpu", torch.float64)
        if self.commutators is None:
            return exact_slopes(one.program, one.observable, self.pool, theta)
        angles, shots = one.program.angles(theta), torch.full((len(x),), self.shots)
        return self.commutators.slopes(one.program, self.estimator, angles, shots, rng.named("pool shots"))

    def _each(self, rows: Tensor, look: Callable[[VqeLandscape, Tensor], T]) -> T:
        """What every replica sees of its own circuit, put together: look(landscape, places of its rows)."""
        places: dict[tuple[int, ...], list[int]] = {}
        for place, taken in enumerate(self.choices.of(rows.cpu()).taken.tolist()):
            places.setdefault(tuple(number for number in taken if number != NONE), []).append(place)
        seen = [(torch.tensor(alike), look(self.opened(taken), torch.tensor(alike))) for taken, alike in places.items()]
        whole = map_tensors(lambda t: t.new_empty((len(rows), *t.shape[1:])), seen[0][1])
        for index, part in seen:
            whole = put_rows(whole, index, part)
        return whole

    @property
    def _first(self) -> VqeLandscape:
        taken = self.choices.of(torch.zeros(1, dtype=torch.int64)).taken[0].tolist()
        return self.opened(tuple(number for number in taken if number != NONE))


class DryRunAdaptiveLandscape(AdaptiveLandscape):
    """The landscape with circuits that are not run."""

    def dry_run(self) -> AdaptiveLandscape:
        return self

    def grown(self, x: Tensor, rng: Stream) -> Grown:
        """Each replica takes the operator with which a gradient is read from the most points."""
        rows = rng.rows.cpu()
        before, choices = self._looks(rows), self.choices.upto(int(rows.max()) + 1)
        for row, depth in zip(rows.tolist(), self.choices.of(rows).depth.tolist(), strict=True):
            choices.taken[row, depth] = self._dearest
        landscape = replace(self, choices=choices)
        cost_factor = (landscape._looks(rows) / before).to(x.device)
        return Grown(landscape, torch.zeros_like(x), torch.zeros_like(x), cost_factor, self.price(x))

    @cached_property
    def _dearest(self) -> int:
        return max(range(len(self.pool)), key=lambda number: self.opened((number,)).rule.looks)


def _of(samples: Samples | None, index: Tensor) -> Samples | None:
    return None if samples is None else _some(samples, index)


def _some(samples: Samples, index: Tensor) -> Samples:
    return samples[index] if isinstance(samples, Tensor) else samples
