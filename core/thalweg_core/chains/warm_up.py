"""Finding a step size: a warm-up that is itself a method, walked and checkpointed like any other.

All chains share one step size, found from the mean acceptance of the first few of them, the panel: one update a step,
never one per chain, which would swing the step over orders of magnitude. Pooling makes a chain depend on its neighbours
while it lasts. So whoever wants replica 0 to be the same whatever runs beside it warms up at least `panel` rows, numbered
from 0, and keeps as many of them as were asked for: the panel is then always rows 0 … panel-1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from thalweg_core.chains.metropolis import accept
from thalweg_core.errors import BadInput
from thalweg_core.landscape import EXACT_VALUE, FLAT, Capabilities, Cost, Evaluation, Landscape
from thalweg_core.manifold import Euclidean
from thalweg_core.method import Goal, Info, Method, Tunable, state_numbers
from thalweg_core.numbers.rows import row_sum
from thalweg_core.numbers.trees import take_rows
from thalweg_core.streams import Stream

PANEL = 32
"""Chains whose mean acceptance sets the step: its standard error is then below 0.09. Arbitrary beyond that."""

_DOUBLINGS = 100  # of the first step size, either way: more would leave the range of any sensible unit


def needs(method: Method) -> Capabilities:
    """What the method asks of a landscape, its warm-up included."""
    tunable = method.adaptation()
    return method.needs if tunable is None or tunable.adjusted else method.needs | {EXACT_VALUE, FLAT}


class DualAverage(NamedTuple):
    """Nesterov's dual averaging of ln(step size): pooled numbers, the same in every row."""

    log_step: Tensor  # (B,) to be tried next
    log_mean: Tensor  # (B,) weighted mean of what was tried: what to sample with
    shortfall: Tensor  # (B,) mean of target minus acceptance, early steps forgotten
    centre: Tensor  # (B,) where log_step is pulled to
    updates: Tensor  # (B,) int64, how many so far


class WarmUpState(NamedTuple):
    inner: Any  # the sampler's own state
    average: DualAverage
    moving: Tensor  # (B,) acceptance of each chain, averaged over its last steps

    @property
    def x(self) -> Tensor:
        return self.inner.x  # type: ignore[no-any-return]

    @property
    def seen(self) -> Evaluation:
        return self.inner.seen  # type: ignore[no-any-return]


@dataclass(frozen=True)
class WarmUp(Method):
    """A sampler that learns its step size as it walks; `tuned` and `inner` hand over to the sampler proper.

    A first step size is found by doubling or halving until the mean acceptance of the panel at the start crosses 1/2.
    Then one dual-averaging update a step [1]. A refused proposal that was not a number counts as acceptance 0. Chains
    that start on steep slopes may stand still at a step that suits the others: while one of the panel does, in the first
    hundred updates, the panel's counts as 0 like its own, so that the step shrinks until all have come down. An unadjusted
    sampler is walked with its twin's refusals, so that a step tried too long cannot throw a chain away.
    A step size that was given is kept: then the warm-up only forgets the start.

    Args:
        sampler: the method that is walked after it.
        panel: number of chains, the first ones, whose mean acceptance sets the step.

    Source: [1] Hoffman & Gelman, J. Mach. Learn. Res. 15 (2014) 1593, section 3.2.
    """

    sampler: Tunable
    panel: int = PANEL

    goal: ClassVar[Goal] = Goal.DRAWS
    State: ClassVar[type] = WarmUpState

    @property
    def needs(self) -> Capabilities:  # type: ignore[override]
        return needs(self.sampler)

    def states(self, path: str) -> dict[str, type]:
        """Its own, and the sampler's in it."""
        return {path: self.State, **self.sampler.states(f"{path}.inner")}

    def carries(self, size: int) -> int:
        """Numbers beside x and the evaluation there: the sampler's own, and those of the averages."""
        return state_numbers(self.sampler, size) - state_numbers(None, size) + 6

    def init(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None) -> WarmUpState:
        inner = self.sampler.init(landscape, x, rng)
        if self.sampler.adaptation() is None:
            return self._at(inner, self.sampler.step_size or 1.0)
        if not self.sampler.adjusted and (landscape.noisy or not isinstance(landscape.manifold, Euclidean)):
            raise BadInput("step_size", "wanted a number: warm-up finds it by exact energies in flat space only; give one")
        step_size, cost = self._first_step_size(landscape, inner, rng)
        spent = inner.seen._replace(cost=inner.seen.cost.plus(cost))
        return self._at(inner._replace(seen=spent), step_size)

    def step(self, landscape: Landscape, state: WarmUpState, rng: Stream) -> tuple[WarmUpState, Info]:
        if self.sampler.adaptation() is None:
            moved, info = self.sampler.step(landscape, state.inner, rng)
            return state._replace(inner=moved), info
        moved, info = self._try(math.exp(float(state.average.log_step[0])), landscape, state.inner, rng)
        moving = state.moving + _NEWEST * (info.acceptance.nan_to_num(nan=0.0) - state.moving)
        stuck = _may_shrink(state.average) and bool((moving[: self.panel] < _STUCK).any())
        pooled = 0.0 if stuck else self._pooled(info)
        return WarmUpState(moved, _update(state.average, self.sampler.target_acceptance - pooled), moving), info

    def next_cost(self, landscape: Landscape, state: WarmUpState) -> Cost | None:
        """What the sampler says of its own next step: the step sizes that are tried do not change it."""
        return self.sampler.next_cost(landscape, state.inner)

    def handed_over(self, state: WarmUpState) -> tuple[Tunable, Any]:
        return self.tuned(state), self.inner(state)

    def tuned(self, state: WarmUpState) -> Tunable:
        """The sampler with the step size that the warm-up has found."""
        if self.sampler.adaptation() is None:
            return self.sampler
        return replace(self.sampler, step_size=math.exp(float(state.average.log_mean[0])))  # type: ignore[type-var]

    def inner(self, state: WarmUpState) -> Any:
        """The sampler's state to go on from."""
        return state.inner

    def _at(self, inner: Any, step_size: float) -> WarmUpState:
        value = inner.seen.value
        return WarmUpState(inner, _begin(step_size, value), torch.full_like(value, 0.5))

    def _try(self, step_size: float, landscape: Landscape, inner: Any, rng: Stream) -> tuple[Any, Info]:
        sampler: Tunable = replace(self.sampler, step_size=step_size)  # type: ignore[type-var]
        proposal, info = sampler.step(landscape, inner, rng)
        if self.sampler.adjusted:
            return proposal, info
        verdict = accept(inner, proposal, -info.energy_error, rng)
        return verdict.state, info._replace(acceptance=verdict.acceptance, rejected_nan=verdict.rejected_nan)

    def _pooled(self, info: Info) -> float:
        panel = info.acceptance[: self.panel].nan_to_num(nan=0.0)
        return float(row_sum(panel[None])) / len(panel)

    def _first_step_size(self, landscape: Landscape, inner: Any, rng: Stream) -> tuple[float, Cost]:
        index = torch.arange(min(self.panel, len(inner.x)), device=inner.x.device)
        panel, rows = take_rows(inner, index), rng.take(index)
        step_size, growing, cost = 1.0, None, Cost.none(inner.x)
        for trial in range(_DOUBLINGS):
            _, info = self._try(step_size, landscape, panel, rows.named("first step size", trial))
            cost = Cost(*(total.index_add(0, index, spent) for total, spent in zip(cost, info.cost, strict=True)))
            easy = self._pooled(info) > 0.5
            growing = easy if growing is None else growing
            if easy != growing:
                break
            step_size *= 2.0 if growing else 0.5
        return step_size, cost


# A chain stands still where its acceptance, averaged over about five steps, is below a twentieth: hardly ever so where the
# step is right. After 100 updates, or at 1e-4 of the first step size, chains that stand still are ignored: they must not hold
# up the others. Arbitrary.
_NEWEST, _STUCK, _RESCUES, _SHORTEST = 0.2, 0.05, 100, 1e-4

# Constants of [1]: pull towards the centre, weight of the first steps, forgetting of the mean; the centre is ten times
# the first step size, since trying long steps is cheap.
_PULL, _DELAY, _FORGET, _BOLD = 0.05, 10.0, 0.75, 10.0


def _begin(step_size: float, like: Tensor) -> DualAverage:
    log_step = torch.full_like(like, math.log(step_size), dtype=torch.float64)
    zero = torch.zeros_like(log_step)
    return DualAverage(log_step, log_step.clone(), zero, log_step + math.log(_BOLD), zero.to(torch.int64))


def _may_shrink(average: DualAverage) -> bool:
    """Whether a chain that stands still may still make the others wait."""
    shortest = float(average.centre[0]) + math.log(_SHORTEST / _BOLD)
    return int(average.updates[0]) < _RESCUES and float(average.log_step[0]) > shortest


def _update(average: DualAverage, shortfall: float) -> DualAverage:
    """One update by target minus mean acceptance."""
    count = int(average.updates[0]) + 1
    weight = 1.0 / (count + _DELAY)
    mean_shortfall = (1.0 - weight) * average.shortfall + weight * shortfall
    log_step = average.centre - (math.sqrt(count) / _PULL) * mean_shortfall
    fresh = count**-_FORGET
    log_mean = fresh * log_step + (1.0 - fresh) * average.log_mean
    return DualAverage(log_step, log_mean, mean_shortfall, average.centre, average.updates + 1)
