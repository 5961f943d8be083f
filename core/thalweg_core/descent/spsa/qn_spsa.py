"""QN-SPSA: simultaneous perturbation, preconditioned by a metric that four overlaps a step show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from thalweg_core.descent.spsa.simultaneous_perturbation import Perturbation, SpsaProgress, capped, signs
from thalweg_core.landscape import (
    ALLOCATIONS,
    FLAT,
    STATES,
    VALUE,
    Capabilities,
    Cost,
    Evaluation,
    Landscape,
    Samples,
    allocated,
    must_offer,
    unsloped,
)
from thalweg_core.method import FEWER_FIRST, Goal, Info, Method
from thalweg_core.noise.averaging import Average, averaged, begin_average
from thalweg_core.noise.natural_units import natural_units
from thalweg_core.noise.sample_sizes import SampleSize
from thalweg_core.numbers.rows import per_row, row_sum
from thalweg_core.numbers.trees import choose
from thalweg_core.ranges import not_negative, one_of, positive, share
from thalweg_core.streams import Stream


class QnSpsaState(NamedTuple):
    x: Tensor  # (B, P) where the replicas stand
    seen: Evaluation  # the energy there; no gradient
    perturbing: SpsaProgress  # gain, steps and samples
    metric: Tensor  # (B, P, P) mean of all evaluations, in natural units; at first the identity
    average: Average | None  # of the iterates: the answer; None where it is x


@dataclass(frozen=True)
class QnSpsa(Method):
    """Quantum natural SPSA: SPSA's slopes in a metric that is measured as they are, along random directions.

        x <- x - a_k u [sqrt(F̄²) + β]⁻¹ s Δ,      F̄_k = (k F̄_(k-1) + F̂) / (k + 1)
        F̂ = -¼ [p(v + w) - p(v) - p(w - v) + p(-v)] (Δ'Δ''ᵀ + Δ''Δ'ᵀ) / 2c_k²,   v = c_k uΔ',  w = c_k uΔ''
        p(d) = |⟨ψ(x)|ψ(x + d)⟩|²

    s, Δ, u, the gains and blocking are those of method.spsa. Everything is charged, overlaps too.

    Constants are those of method.spsa but for first_step and β, from coarse grids on a small
    molecule: evaluations by few shots ask for a large β.

    Args:
        first_step: length of first steps in each coordinate, in its natural unit: sets the gain.
        perturbation: c, in natural units.
        gain_decay: by which power of the steps gains fall.
        perturbation_decay: by which power of the steps c falls.
        stability: about the number of steps before gains fall.
        regularization: β, with the metric in natural units.
        resamplings: slopes, and looks at the metric, averaged for a step.
        calibration: slopes of the pilot.
        max_step: longest step of a coordinate, in its natural unit; 0: no cap.
        blocking: standard errors by which the energy may rise in a step that is kept; 0: every step is.
        first_samples: samples of each energy and of each overlap at first, such as shots per circuit.
        growth: steps for which all samples spent so far would pay: samples grow as soon as it is less; 0: they stay.
        allocation: how samples are divided over what is measured separately: "measured", by the spread seen, or "equal".
        averaging: last part of the budget spent so far over which the iterate is averaged; 0: the answer is the last iterate.

    Source: Gacon, Zoufal, Carleo & Woerner, Quantum 5 (2021) 567.
    """

    first_step: float = 0.01
    perturbation: float = 0.2
    gain_decay: float = 0.602
    perturbation_decay: float = 0.101
    stability: float = 50.0
    regularization: float = 0.3
    resamplings: int = 1
    calibration: int = 25
    max_step: float = 0.3
    blocking: float = 0.0
    first_samples: int = 8
    growth: float = 3000.0
    allocation: str = "measured"
    averaging: float = 0.2

    cheaper: ClassVar[str] = FEWER_FIRST
    needs: ClassVar[Capabilities] = frozenset({VALUE, STATES, FLAT})
    goal: ClassVar[Goal] = Goal.MINIMUM
    State: ClassVar[type] = QnSpsaState

    def __post_init__(self) -> None:
        _ = self._rule  # which checks its own fields
        positive("regularization", self.regularization)
        not_negative("max_step", self.max_step)
        one_of("allocation", self.allocation, ALLOCATIONS)
        share("averaging", self.averaging)

    def carries(self, size: int) -> int:
        """Numbers beside x and the evaluation there: the metric, the average, and counts."""
        return size**2 + size + 11

    def init(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None) -> QnSpsaState:
        seen, perturbing = self._rule.begin(allocated(landscape, self.allocation), x, rng)
        metric = torch.eye(x.shape[1], dtype=x.dtype, device=x.device).expand(len(x), -1, -1).clone()
        average = begin_average(x, seen.cost) if landscape.noisy and self.averaging else None
        return QnSpsaState(x, seen, perturbing, metric, average)

    def step(self, landscape: Landscape, state: QnSpsaState, rng: Stream) -> tuple[QnSpsaState, Info]:
        place, rule = allocated(landscape, self.allocation), self._rule
        slopes = rule.slopes(place, state.x, rng, state.perturbing)
        look, paid = self._look(landscape, state, rng)
        looks = (state.perturbing.steps + 1).to(state.x)
        metric = state.metric + (look - state.metric) / per_row(looks + 1, look)
        uphill = _preconditioned(metric, self.regularization, slopes.uphill)
        step = capped(-per_row(rule.rate(state.perturbing), uphill) * uphill, self.max_step)
        x = state.x + natural_units(landscape, state.x) * step
        here = rule.look(place, x, rng.named("here"), state.perturbing)
        cost, good = slopes.cost.plus(paid).plus(here.cost), rule.kept(here, state.seen)
        moved = choose(good, state._replace(x=x, seen=unsloped(here, x)), state)
        average = state.average and averaged(state.average, landscape.manifold, moved.x, cost, self.averaging)
        moved = moved._replace(perturbing=rule.stepped(state.perturbing, cost), metric=metric, average=average)
        return moved, Info.plain(cost, here.value)._replace(acceptance=good.to(here.value))

    def answer(self, state: QnSpsaState) -> Tensor:
        """The average, where there is one."""
        return state.x if state.average is None else state.average.x

    def next_cost(self, landscape: Landscape, state: QnSpsaState) -> Cost:
        """Its energies and overlaps with the samples that have grown."""
        energies, size = self._rule.forecast(state.perturbing), state.perturbing.size
        return energies if size is None else energies._replace(shots=energies.shots + 4 * self.resamplings * size.asked)

    def _look(self, landscape: Landscape, state: QnSpsaState, rng: Stream) -> tuple[Tensor, Cost]:
        """F̂ in natural units, (B, P, P), and what it cost."""
        states = must_offer(landscape, STATES)
        x, unit, length = state.x, natural_units(landscape, state.x), self._rule.length(state.perturbing)
        samples = _samples(landscape, state.perturbing.size)
        metric, cost = torch.zeros_like(state.metric), Cost.none(x)
        for one in range(self.resamplings):
            first, second = (signs(x, rng.named(name, one)) for name in ("first", "second"))
            v, w = per_row(length, x) * unit * first, per_row(length, x) * unit * second
            ends = x[:, None] + torch.stack([v + w, v, w - v, -v], dim=1)
            seen = states.fidelity(x[:, None].expand_as(ends), ends, rng.named("overlaps", one), samples)
            there, first_alone, across, back = seen.value.unbind(dim=1)
            bend = there - first_alone - across + back
            product = first[:, :, None] * second[:, None, :]
            metric = metric - per_row(bend / (8 * length * length), metric) * (product + product.transpose(1, 2))
            cost = cost.plus(seen.cost)
        return metric / self.resamplings, cost

    @property
    def _rule(self) -> Perturbation:
        return Perturbation.of(self)


def _samples(landscape: Landscape, size: SampleSize | None) -> Samples:
    """Of an overlap: as many as an energy takes of each circuit; on an exact landscape any number will do."""
    return 1 if size is None else size.asked


def _preconditioned(metric: Tensor, regularization: float, right: Tensor) -> Tensor:
    """[sqrt(F²) + β]⁻¹ g, row by row, each from memory of its own: no bit depends on the batch."""
    out = torch.empty_like(right)
    for row, (f, g) in enumerate(zip(metric, right, strict=True)):
        values, axes = torch.linalg.eigh(f.clone())
        out[row] = row_sum(axes * (row_sum((axes * g[:, None]).T) / (values.abs() + regularization)))
    return out
