"""L-BFGS: quasi-Newton descent of limited memory, from exact gradients or from noisy ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from thalweg_core.descent.lbfgs.curvature_pairs import (
    MOST_PAIRS,
    Pairs,
    carried,
    no_pairs,
    preconditioned,
    remembered,
    stands_out,
)
from thalweg_core.descent.lbfgs.quasi_newton import Descent, Search, Stage, begin_descent, descended
from thalweg_core.landscape import ALLOCATIONS, GRADIENT, Capabilities, Cost, Evaluation, Landscape, allocated
from thalweg_core.manifold import Manifold
from thalweg_core.method import FEWER_FIRST, Goal, Info, Method
from thalweg_core.noise.averaging import Average, averaged, begin_average
from thalweg_core.noise.gradient_filter import FilteredGradient, begin_filter, filtered
from thalweg_core.noise.natural_units import natural_units
from thalweg_core.noise.sample_sizes import SampleRule, SampleSize, dearer, look
from thalweg_core.numbers.rows import per_row, row_dot, row_max, row_sum
from thalweg_core.numbers.trees import choose
from thalweg_core.ranges import not_negative, one_of, positive, share, whole_between
from thalweg_core.streams import Stream

MEMORY_OF_CURVATURE = 0.9
"""Decay of the running mean of the free curvature: of about the last ten looks. Not tuned."""

LEAST_CURVATURE = 0.1
"""Part of the largest curvature below which none is believed."""


class Base(NamedTuple):
    """Where the next pair begins, seen from where the walk stands."""

    way: Tensor  # (B, *E) from there to here, tangent at x
    grad: Tensor  # (B, *E) the filtered gradient there, carried to x
    variance: Tensor  # (B, *E) of it


class Estimates(NamedTuple):
    """What the looks so far have told, each too noisy by itself."""

    gradient: FilteredGradient  # at x
    base: Base
    pairs: Pairs  # carried to x
    curvature: Tensor | None  # (B, *E) running mean of the second derivatives, NaN where evaluations show none; None if nowhere
    scale: Tensor  # (B,) H₀ in natural units, for coordinates where they do not
    size: SampleSize | None  # samples of the next evaluation; None where evaluations take no number
    average: Average | None  # of the iterates: the answer; None where it is x


class LbfgsState(NamedTuple):
    x: Tensor  # (B, *E) where the replicas stand
    seen: Evaluation  # what the landscape showed there
    search: Search | None  # of exact evaluations
    estimates: Estimates | None  # of noisy ones


@dataclass(frozen=True)
class Lbfgs(Method):
    """Quasi-Newton descent, x <- R_x(-H ∇U), with H from the last m pairs of steps s and changes of the gradient y.

    Exact evaluations: the classical method. Every step of the walk is one evaluation, at the next trial of a line search by the
    strong Wolfe conditions; what the search settles on becomes x. In flat space it takes the steps of L-BFGS-B without bounds
    [1]. Where values differ no more than by rounding, slopes alone decide; where even the gradient leads nowhere, it stops.

    Noisy evaluations: no line search, for it would take the noise for the landscape. Instead

        m, P     the gradient by a Kalman filter, and its variance
        H₀       1 / max(|h|, 0.1 max |h|), h the running mean of the free second derivatives, in natural units u of each
                 coordinate: 1/(ω R) where U is a trigonometric polynomial with R harmonics of ω, else 1. For coordinates whose
                 second derivative evaluations do not show, and where all are 0, s·y / y·y of the newest pair, and before the
                 first pair what makes the first step c u
        pairs    of filtered gradients, if  s·y > z sqrt(Σ s² (P + P'));  else the pair's beginning stays, and s gets longer
        step     -f H m, no coordinate further than c u

    A pilot gradient sets the number of samples of the first evaluation; it grows with what was spent, but only while P outweighs
    m²; samples go where the spread is; the answer is the iterate averaged over the last part of the budget. Noise is never taken
    for convergence. Each of these has a field that switches it off.

    Args:
        memory: m, pairs that are kept; 0: none, then H is H₀.
        step_factor: f, part of the quasi-Newton step that is taken. This and the fields below: noisy evaluations only.
        max_step: c, the longest step of a coordinate, in its natural unit; 0: no cap.
        pair_test: z, standard errors by which s·y of a pair must be positive; 0: it need only be positive.
        filtering: whether m is filtered; else it is what the last evaluation showed.
        curvature: whether H₀ follows the free second derivatives where evaluations show them.
        first_samples: samples of the pilot gradient, such as shots per circuit; of the first look where there is no pilot.
        pilot: whether a pilot gradient sets the samples of the first evaluation.
        pilot_noise: variance over squared length of the gradient that the first evaluation aims at.
        growth: evaluations for which all samples spent so far would pay: samples grow as soon as it is less; 0: they stay.
        allocation: how samples are divided over what is measured separately: "measured", by the spread seen, or "equal".
        averaging: last part of the budget spent so far over which the iterate is averaged; 0: the answer is the last iterate.

    Sources: [1] Byrd, Lu, Nocedal, Zhu, SIAM J. Sci. Comput. 16 (1995) 1190. Differences of the gradient over longer ways
             under noise: Xie, Byrd, Nocedal, SIAM J. Optim. 30 (2020) 182. The constants: coarse grids on small molecules.
    """

    memory: int = 10
    step_factor: float = 0.5
    max_step: float = 0.1
    pair_test: float = 5.0
    filtering: bool = True
    curvature: bool = True
    first_samples: int = 8
    pilot: bool = True
    pilot_noise: float = 2.0
    growth: float = 100.0
    allocation: str = "measured"
    averaging: float = 0.2

    cheaper: ClassVar[str] = FEWER_FIRST
    needs: ClassVar[Capabilities] = frozenset({GRADIENT})
    goal: ClassVar[Goal] = Goal.MINIMUM
    State: ClassVar[type] = LbfgsState

    def __post_init__(self) -> None:
        whole_between("memory", self.memory, 0, MOST_PAIRS)
        positive("step_factor", self.step_factor)
        not_negative("max_step", self.max_step)
        not_negative("pair_test", self.pair_test)
        SampleRule.of(self)  # checks its fields
        one_of("allocation", self.allocation, ALLOCATIONS)
        share("averaging", self.averaging)

    def carries(self, size: int) -> int:
        """Numbers beside x and the evaluation there: the pairs, and what the looks have told, or a search."""
        vectors = 5 + self.curvature + (self.averaging > 0)
        return self.memory * (2 * size + 1) + vectors * size + 19

    def init(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None) -> LbfgsState:
        """With a first evaluation that is paid for, whatever the pilot says."""
        seen, size = self._rule.begin(allocated(landscape, self.allocation), x, rng, shots)
        if not landscape.noisy:
            return LbfgsState(x, seen, begin_descent(landscape.manifold, x, seen, self.memory).search, None)
        return LbfgsState(x, seen, None, self._first(landscape, x, seen, size))

    def step(self, landscape: Landscape, state: LbfgsState, rng: Stream) -> tuple[LbfgsState, Info]:
        if state.search is not None:
            here, trial = descended(landscape, Descent(state.x, state.seen, state.search), rng, to_rounding=True)
            return LbfgsState(*here, None), Info.plain(trial.cost, trial.value)
        assert state.estimates is not None
        told, manifold = state.estimates, landscape.manifold
        step = self._step(landscape, state.x, told)
        x = manifold.retract(state.x, step)
        seen = look(allocated(landscape, self.allocation), x, rng, told.size)
        told = self._learnt(landscape, _carried(manifold, told, state.x, step, x), step, x, seen)
        return LbfgsState(x, seen, None, told), Info.plain(seen.cost, seen.value)

    def answer(self, state: LbfgsState) -> Tensor:
        """The average, where there is one."""
        average = state.estimates and state.estimates.average
        return average.x if average else state.x

    def next_cost(self, landscape: Landscape, state: LbfgsState) -> Cost:
        """An evaluation with the samples that it has grown to."""
        return dearer(state.seen, state.estimates.size if state.estimates else None)

    def finished(self, state: LbfgsState) -> Tensor:
        """Exact evaluations: where the gradient itself leads to no lower energy."""
        if state.search is None:
            return torch.zeros_like(state.seen.value, dtype=torch.bool)
        return state.search.stage == Stage.NOWHERE

    def remarks(self, landscape: Landscape, state: LbfgsState) -> list[str]:
        """Why it finished."""
        why = "stopped by the line search: along the gradient itself no energy is lower by more than rounding"
        return [why if over else "" for over in self.finished(state).tolist()]

    # --- noisy evaluations

    def _first(self, landscape: Landscape, x: Tensor, seen: Evaluation, size: SampleSize | None) -> Estimates:
        """After the first evaluation."""
        grad, unit = landscape.manifold.tangent(x, seen.grad), natural_units(landscape, x)
        steepest = row_max((unit * grad).abs())
        steepest = torch.where(steepest > 0, steepest.clamp_min(torch.finfo(x.dtype).tiny), 1.0)
        return Estimates(
            gradient=begin_filter(grad, seen),
            base=Base(torch.zeros_like(x), grad.clone(), seen.grad_var.clone()),
            pairs=no_pairs(x, self.memory),
            curvature=seen.curvature if self.curvature else None,
            scale=(self.max_step or 1.0) / (self.step_factor * steepest),
            size=size,
            average=begin_average(x, seen.cost) if self.averaging else None,
        )

    def _step(self, landscape: Landscape, x: Tensor, told: Estimates) -> Tensor:
        """-f H m, capped, (B, *E)."""
        unit = natural_units(landscape, x)
        inverse = _inverse(told, unit)
        step = -self.step_factor * preconditioned(told.pairs, told.gradient.mean, inverse * unit * unit)
        cap = self.max_step * unit
        return landscape.manifold.tangent(x, torch.maximum(torch.minimum(step, cap), -cap) if self.max_step else step)

    def _learnt(self, landscape: Landscape, told: Estimates, step: Tensor, x: Tensor, seen: Evaluation) -> Estimates:
        """What a look at x, after a step there, has added."""
        grad = landscape.manifold.tangent(x, seen.grad)
        gradient = filtered(told.gradient, step, grad, seen.grad_var) if self.filtering else begin_filter(grad, seen)
        told = self._paired(told._replace(gradient=gradient), natural_units(landscape, x))
        if told.curvature is not None and seen.curvature is not None:
            mean = MEMORY_OF_CURVATURE * told.curvature + (1 - MEMORY_OF_CURVATURE) * seen.curvature
            told = told._replace(curvature=mean)
        return told._replace(
            size=self._rule.grown(told.size, seen.cost, _drowned(gradient, natural_units(landscape, x))),
            average=told.average and averaged(told.average, landscape.manifold, x, seen.cost, self.averaging),
        )

    def _paired(self, told: Estimates, unit: Tensor) -> Estimates:
        """With a new pair where one stands out of its noise; from there the next begins."""
        base, gradient = told.base, told.gradient
        change = gradient.mean - base.grad
        good = stands_out(base.way, change, gradient.variance + base.variance, self.pair_test)
        square = torch.where(good, row_sum((unit * change).square()), 1.0)
        here = Base(torch.zeros_like(change), gradient.mean, gradient.variance)
        return told._replace(
            pairs=remembered(told.pairs, base.way, change, good),
            base=choose(good, here, base),
            scale=torch.where(good, row_dot(base.way, change) / square, told.scale),
        )

    @property
    def _rule(self) -> SampleRule:
        return SampleRule.of(self)


def _carried(manifold: Manifold, told: Estimates, x: Tensor, step: Tensor, y: Tensor) -> Estimates:
    """The vectors at x, after a step to y by which the way is longer."""
    way = manifold.transport(told.base.way + step, x, y)
    grad = manifold.transport(told.base.grad, x, y)
    mean = manifold.transport(told.gradient.mean, x, y)
    return told._replace(
        gradient=told.gradient._replace(mean=mean),
        base=told.base._replace(way=way, grad=grad),
        pairs=carried(told.pairs, manifold, x, y),
    )


def _inverse(told: Estimates, unit: Tensor) -> Tensor:
    """H₀ in natural units, (B, *E)."""
    like = told.gradient.mean
    inverse = per_row(told.scale, like).expand_as(like)
    if told.curvature is None:
        return inverse
    known = told.curvature.isfinite()
    size = torch.where(known, (told.curvature * unit * unit).abs(), 0.0)
    least = LEAST_CURVATURE * per_row(row_max(size), size)
    return torch.where(known & (least > 0), 1 / torch.maximum(size, least), inverse)


def _drowned(gradient: FilteredGradient, unit: Tensor) -> Tensor:
    """Whether the gradient's variance outweighs its square, (B,) bool."""
    return row_sum(unit * unit * gradient.variance) > row_sum((unit * gradient.mean).square())
