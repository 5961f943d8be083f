"""Natural gradient: steepest descent where lengths are distances between states, at its best under noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from thalweg_core.descent.natural_gradient.running_metric import FORMS, MetricRule, RunningMetric
from thalweg_core.landscape import (
    ALLOCATIONS,
    FLAT,
    GRADIENT,
    METRIC,
    Capabilities,
    Cost,
    Evaluation,
    Landscape,
    allocated,
)
from thalweg_core.method import FEWER_FIRST, Goal, Info, Method
from thalweg_core.noise.averaging import Average, averaged, begin_average
from thalweg_core.noise.gradient_filter import FilteredGradient, begin_filter, filtered
from thalweg_core.noise.natural_units import natural_units
from thalweg_core.noise.sample_sizes import SampleRule, SampleSize, dearer, look
from thalweg_core.numbers.rows import per_row, row_dot, row_max, row_sum
from thalweg_core.numbers.trees import choose
from thalweg_core.ranges import more_than_one, not_negative, one_of, positive, share
from thalweg_core.streams import Stream


class NaturalGradientState(NamedTuple):
    x: Tensor  # (B, P) where the replicas stand
    seen: Evaluation  # what the landscape showed there
    gradient: FilteredGradient  # from all evaluations so far
    metric: RunningMetric  # from all evaluations so far
    curvature: Tensor | None  # (B, P) running mean of the second derivatives, in natural units; None where evaluations show none
    rate: Tensor  # (B,) η where evaluations show none
    size: SampleSize | None  # samples of the next evaluation; None where evaluations are exact
    average: Average | None  # of the iterates: the answer; None where it is x


@dataclass(frozen=True)
class NaturalGradient(Method):
    """Steepest descent in the metric F of states, with a damping as large as the noise.

        x <- x - η (F + λ)⁻¹ m,     |step|_F ≤ D,   no coordinate further than c
        λ = ε t + min(ν t Σ v / |m|², η sqrt(Σ w / P) / δ),     t = tr F / P
        η = f / κ,     κ = Σ |h| / tr F,   h the running mean of the second derivatives

    m is the gradient and v the variance of its estimate, both from a Kalman filter, w the variance of the newest evaluation
    alone; coordinates are taken in their natural unit, 1/(ω R) where the landscape is a trigonometric polynomial with R harmonics
    of ω, else 1.

    Why λ grows with the noise: |∂U|² ≤ 4 F Var(H), so a priori the gradient has the covariance s² F, with s² = |m|² P / tr F
    at most. The best linear estimate of the natural gradient F⁻¹ g from an estimate m of g with variance v is then
    (F + v/s²)⁻¹ m: directions in which the metric is small are followed only as far as the gradient there stands out. Once
    the stiff directions are down nothing stands out, and s² is no longer known; then λ need only be so large that noise does
    not move a coordinate by more than δ in a step, however small the metric.

    Why η is divided by κ: along a step of one unit in the metric U bends by κ on average. So f is a pure number, that of a
    Newton step being 1, and no unit of energy enters. Where evaluations do not show second derivatives η is f over the unit of U.

    Under noise: a pilot gradient sets the number of samples of the first evaluation; it grows with what was spent; samples go
    where the spread is; the metric is measured for a part of the gradient's shots, and averaged; the answer is the iterate
    averaged over the last part of the budget. Each of these has a field that switches it off; all vanish with exact evaluations.

    Exact values: κ is how much U bent along the last step s, from the gradients g, g' at its ends [4]:

        η = 1/κ,     κ = s·(g' - g) / |s|²_F,     within a tenth of and five times the η before; five times where κ ≤ 0

    A step that does not lower the energy by a tenth of what its slope promises is taken back, and η falls to 0.6 of itself at
    most. So the energy never rises, and D, the reach of what a metric knows of the energy, is not needed.

    Args:
        learning_rate: f; where evaluations show no second derivatives η itself, in units of 1/U, the first where it adapts.
        curvature: whether η is divided by κ where evaluations show second derivatives.
        adapting: whether η adapts, where values are exact.
        metric: how much of F is used: "full", "block_diagonal", "diagonal" or "auto": "full" where F is free, and where its part
            off the blocks is found to be the heavier one; else "block_diagonal".
        measured: whether F is measured by samples, which are charged, where energies are; else it is known free of charge.
        metric_share: shots of a look at F over those of the gradient's.
        metric_memory: looks at F that are averaged.
        damping: ε.
        noise_damping: ν.
        noise_step: δ, in natural units; 0: λ grows with the noise without a limit.
        filtering: whether earlier gradients count, as far as the gradient has not moved since.
        max_distance: D, the longest step as a distance between states (rad), where steps are not taken back; 0: no cap.
        max_step: c, the longest step of a coordinate, in its natural unit; 0: no cap.
        first_samples: samples of the pilot gradient, such as shots per circuit; of the first look where there is no pilot.
        pilot: whether a pilot gradient sets the samples of the first evaluation.
        pilot_noise: variance over squared length of the gradient that the first evaluation aims at.
        growth: evaluations for which all samples spent so far would pay: they grow as soon as it is less; 0: they stay.
        allocation: how samples are divided over what is measured separately: "measured", by the spread seen, or "equal".
        averaging: last part of the budget spent so far over which the iterate is averaged; 0: the answer is the last iterate.

    Sources: [1] Amari, Neural Comput. 10 (1998) 251. [2] Stokes, Izaac, Killoran & Carleo, Quantum 4 (2020) 269.
             [3] shots of the metric: van Straaten & Koczor, PRX Quantum 2 (2021) 030324. [4] the quotient, in a flat metric:
             Barzilai & Borwein, IMA J. Numer. Anal. 8 (1988) 141.
    """

    learning_rate: float = 0.4
    curvature: bool = True
    adapting: bool = True
    metric: str = "auto"
    measured: bool = True
    metric_share: float = 0.1
    metric_memory: float = 10.0
    damping: float = 0.005
    noise_damping: float = 1.0
    noise_step: float = 0.05
    filtering: bool = True
    max_distance: float = 0.3
    max_step: float = 0.3
    first_samples: int = 8
    pilot: bool = True
    pilot_noise: float = 2.0
    growth: float = 200.0
    allocation: str = "measured"
    averaging: float = 0.2

    cheaper: ClassVar[str] = FEWER_FIRST
    needs: ClassVar[Capabilities] = frozenset({GRADIENT, FLAT, METRIC})
    goal: ClassVar[Goal] = Goal.MINIMUM
    State: ClassVar[type] = NaturalGradientState

    def __post_init__(self) -> None:
        for name in ("learning_rate", "metric_share"):
            positive(name, getattr(self, name))
        one_of("metric", self.metric, FORMS)
        for name in ("damping", "noise_damping", "noise_step", "max_distance", "max_step"):
            not_negative(name, getattr(self, name))
        more_than_one("metric_memory", self.metric_memory)
        SampleRule.of(self)  # checks its fields
        one_of("allocation", self.allocation, ALLOCATIONS)
        share("averaging", self.averaging)

    def carries(self, size: int) -> int:
        """Numbers beside x and the evaluation there: the metric and its variance, the filtered gradient, the average."""
        return 2 * size**2 + 4 * size + 9

    def init(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None) -> NaturalGradientState:
        """With first looks that are paid for, whatever the pilot says; by overlaps only where there is more than enough."""
        rest = shots if shots is None else shots - self._metric.least(landscape, x, rng, self.first_samples)
        seen, size = self._samples.begin(allocated(landscape, self.allocation), x, rng, rest)
        rest = shots if shots is None else shots - seen.cost.shots
        metric, paid = self._metric.begin(landscape, x, rng, self.first_samples, seen.cost, rest)
        seen = seen._replace(cost=seen.cost.plus(paid))
        size = size and size._replace(spent=size.spent + paid.shots)
        average = begin_average(x, seen.cost) if landscape.noisy and self.averaging else None
        bends, rate = self._bends(landscape, x, seen, None), torch.full_like(seen.value, self.learning_rate)
        return NaturalGradientState(x, seen, begin_filter(seen.grad, seen), metric, bends, rate, size, average)

    def step(self, landscape: Landscape, state: NaturalGradientState, rng: Stream) -> tuple[NaturalGradientState, Info]:
        step = self._step(landscape, state)
        x = state.x + step
        seen = look(allocated(landscape, self.allocation), x, rng, state.size)
        metric, paid = self._metric.renewed(state.metric, landscape, x, rng, state.size)
        cost = seen.cost.plus(paid)
        gradient = filtered(state.gradient, step, seen.grad, seen.grad_var) if self.filtering else begin_filter(seen.grad, seen)
        size = self._samples.grown(state.size, cost, newest=seen.cost)
        average = state.average and averaged(state.average, landscape.manifold, x, cost, self.averaging)
        bends = self._bends(landscape, x, seen, state.curvature)
        moved = NaturalGradientState(x, seen, gradient, metric, bends, state.rate, size, average)
        if not self._checks(landscape):
            return moved, Info.plain(cost, seen.value)
        good = seen.value <= state.seen.value + SLOPE * row_dot(step, state.seen.grad) + _rounding(state.seen.value)
        rate = self._adapted(landscape, state, step, seen.grad, good)
        moved = choose(good, moved._replace(rate=rate), state._replace(rate=rate))
        return moved, Info.plain(cost, seen.value)._replace(acceptance=good.to(x.dtype))

    def answer(self, state: NaturalGradientState) -> Tensor:
        """The average, where there is one."""
        return state.x if state.average is None else state.average.x

    def next_cost(self, landscape: Landscape, state: NaturalGradientState) -> Cost:
        """A look at the gradient with the samples that it has grown to, and one at the metric."""
        coming = dearer(state.seen, state.size)
        return coming._replace(shots=coming.shots + self._metric.forecast(state.metric, landscape, state.size))

    def _step(self, landscape: Landscape, state: NaturalGradientState) -> Tensor:
        """(B, P)."""
        unit = natural_units(landscape, state.x)
        mean, metric = unit * state.gradient.mean, state.metric.mean
        noise, signal = row_sum(unit * unit * state.gradient.variance), row_sum(mean * mean)
        scale = row_sum(metric.diagonal(dim1=1, dim2=2)) / mean.shape[1]
        size = state.rate
        if state.curvature is not None:
            bend = _bend(state.curvature, metric)
            size = torch.where(bend > 0, self.learning_rate / bend, size)  # 0: evaluations show nothing, or that nothing bends
        uncertain = self.noise_damping * scale * noise / torch.where(signal > 0, signal, 1.0)
        if self.noise_step:
            newest = row_sum(unit * unit * state.seen.grad_var) / mean.shape[1]
            uncertain = torch.minimum(uncertain, size * newest.sqrt() / self.noise_step)
        direction, length = damped_solution(metric, self.damping * scale + uncertain, mean)
        if self.max_distance and not self._checks(landscape):
            size = torch.minimum(size, self.max_distance / length)
        if self.max_step:
            size = torch.minimum(size, self.max_step / row_max(direction.abs()))
        return -unit * per_row(size, direction) * direction

    def _adapted(self, landscape: Landscape, state: NaturalGradientState, step: Tensor, grad: Tensor, good: Tensor) -> Tensor:
        """η for the next step, (B,), after one to where the gradient is `grad`."""
        moved, bend = step / natural_units(landscape, state.x), row_dot(step, grad - state.seen.grad)
        length = row_sum(state.metric.mean * moved[:, :, None] * moved[:, None, :])
        bent = bend > 0  # what is not a number is not
        rate = torch.where(bent, length / torch.where(bent, bend, 1.0), torch.inf)
        most = torch.where(good, FASTER, SLOWER) * state.rate
        return torch.minimum(torch.maximum(rate, SLOWEST * state.rate), most)

    def _bends(self, landscape: Landscape, x: Tensor, seen: Evaluation, before: Tensor | None) -> Tensor | None:
        """The running mean of the second derivatives in natural units, (B, P)."""
        if seen.curvature is None or not self.curvature or not landscape.noisy:
            return None
        unit = natural_units(landscape, x)
        bends = unit * unit * seen.curvature
        return bends if before is None else before + (bends - before) / MEMORY_OF_CURVATURE

    def _checks(self, landscape: Landscape) -> bool:
        """Whether steps that do not lower the energy are taken back."""
        return self.adapting and not landscape.noisy

    @property
    def _samples(self) -> SampleRule:
        return SampleRule.of(self)

    @property
    def _metric(self) -> MetricRule:
        return MetricRule(self.metric, self.measured, self.metric_share, self.metric_memory)


MEMORY_OF_CURVATURE = 10
"""Looks that second derivatives are averaged over. Arbitrary."""

SLOPE = 0.1
"""Part of the promised decrease that a step must keep. Arbitrary."""

FASTER, SLOWER, SLOWEST = 5.0, 0.6, 0.1
"""How many times its last the rate may be: at most after a step that was kept, at most after one that was not, at least.
Arbitrary: 2 or 20 for the first changes looks on two small molecules by one in a hundred."""


def _bend(curvature: Tensor, metric: Tensor) -> Tensor:
    """κ, (B,): over the coordinates whose second derivative evaluations show."""
    known = torch.isfinite(curvature)
    lengths = torch.where(known, metric.diagonal(dim1=1, dim2=2), 0.0)
    bend = row_sum(torch.where(known, curvature, 0.0).abs())
    return bend / row_sum(lengths).clamp_min(torch.finfo(bend.dtype).tiny)


def damped_solution(metric: Tensor, damping: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """(F + λ)⁻¹ m, and its length in the metric: (B, P, P), (B,), (B, P) -> (B, P), (B,).

    What noise has made negative in F counts as nothing; directions in which F + λ vanishes are left out. Row by row, each
    from memory of its own: no bit depends on the batch.
    """
    solutions, lengths = torch.empty_like(right), torch.empty_like(damping)
    for row, (f, m) in enumerate(zip(metric, right, strict=True)):
        values, axes = torch.linalg.eigh(f.clone())
        values = values.clamp_min(0.0)
        total = values + damping[row]
        kept = total > torch.finfo(total.dtype).eps * len(total) * values.max()
        along = torch.where(kept, row_sum((axes * m[:, None]).T) / torch.where(kept, total, 1.0), 0.0)
        solutions[row] = row_sum(axes * along)
        lengths[row] = row_sum((values * along * along)[None])[0].sqrt()
    return solutions, lengths


def _rounding(value: Tensor) -> Tensor:
    """By how much two equal energies may differ."""
    return 4 * torch.finfo(value.dtype).eps * value.abs()
