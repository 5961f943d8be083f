"""When a replica has walked far enough, and the sentence that says so."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_core.errors import BadInput
from thalweg_core.landscape import Cost, Evaluation
from thalweg_core.manifold import Manifold
from thalweg_core.method import Walking
from thalweg_core.numbers.rows import row_sum
from thalweg_core.numbers.trees import choose, take_rows


class Outcome(IntEnum):
    """Why a replica stopped. `sentence` is what the user reads."""

    WALKING = 0
    STEPS = 1
    TORQUE = 2
    GRADIENT = 3
    VALUE = 4
    PLATEAU = 5
    SHOTS = 6
    GRADIENTS = 7
    SECONDS = 8
    LOST = 9
    CANCELLED = 10
    NOISE = 11
    METHOD = 12

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    Outcome.WALKING: "still walking",
    Outcome.STEPS: "all steps of the plan were done",
    Outcome.TORQUE: "the largest torque fell under plan.stop.max_torque",
    Outcome.GRADIENT: "the norm of the gradient fell under plan.stop.gradient_norm",
    Outcome.VALUE: "the energy that was seen reached plan.stop.value, by more than its standard error explains",
    Outcome.PLATEAU: "no decrease stood out of rounding for plan.stop.plateau steps",
    Outcome.SHOTS: "the next step and the measurement at the end would exceed plan.budget.shots",
    Outcome.GRADIENTS: "the next step would exceed plan.budget.gradients",
    Outcome.SECONDS: "plan.budget.seconds of wall clock had passed",
    Outcome.LOST: "the energy stopped being a number; try a smaller step",
    Outcome.CANCELLED: "cancelled on request",
    Outcome.NOISE: "no decrease stood out of the noise for plan.stop.plateau steps, which does not show that there is none",
    Outcome.METHOD: "the method stopped by itself",
}

CONVERGED = frozenset({Outcome.TORQUE, Outcome.GRADIENT, Outcome.VALUE, Outcome.PLATEAU})
"""Outcomes that a test has shown: exact numbers, or estimates beyond their errors. Noise is none of them."""

LONGEST_PLATEAU = 10**6
"""Steps (arbitrary): of each replica two windows take 32 MB."""


@dataclass(frozen=True)
class Stop:
    """Rules that end a replica's walk early; every rule left out never fires.

    Args:
        max_torque: magnets: largest |m × h| over cells, h = H_eff / Ms.
        gradient_norm: largest norm of the gradient over the sites, in units of U / x. Under noise it must fall below
            by two standard errors.
        value: energy to reach, in units of U; in a job, in the unit in which the problem reports it. Under noise, by so
            many standard errors, rising slowly with the number of looks, that a whole walk is fooled in 2.3 % of cases.
        plateau: stop when the mean energy of this many steps is not lower than that of as many steps before by more
            than two of its standard errors; with exact energies that also rise, the scatter about each window's trend is
            the error. Differences below 4 ε |U| are taken for rounding (|U|: the smallest in two windows, the largest such
            so far). Under noise this only says that more steps like these bring nothing that could be seen.
    """

    max_torque: float | None = None
    gradient_norm: float | None = None
    value: float | None = None
    plateau: int | None = None

    def __post_init__(self) -> None:
        for name in ("max_torque", "gradient_norm"):
            bound = getattr(self, name)
            if bound is not None and not (bound > 0 and math.isfinite(bound)):
                raise BadInput(name, f"wanted a positive number, got {bound}")
        if self.value is not None and not math.isfinite(self.value):
            raise BadInput("value", f"wanted a finite energy, got {self.value}")
        if self.plateau is not None and self.plateau < 4:
            raise BadInput("plateau", f"wanted at least 4 steps to tell a trend from noise, got {self.plateau}")
        if self.plateau is not None and self.plateau > LONGEST_PLATEAU:
            raise BadInput("plateau", f"wanted at most {LONGEST_PLATEAU} steps, whose energies are all kept, got {self.plateau}")


MOST = 2**62
"""Of a budget: sums of what was spent and is to come stay within 64 bits."""


@dataclass(frozen=True)
class Budget:
    """What a replica may spend in all: pilots, first look, warm-up, walk, and the measurement at the end.

    What is left out is not limited. A replica stops where its next step and the measurement at the end would not both fit.
    The next step is forecast by the method where its steps get dearer, else to cost as much as the dearest so far, the
    first look among them; where the budget is about to end and the landscape has dry runs, one tells the cost of the step. A
    budget that does not pay for the first look and the end is refused.

    Args:
        shots: shots of a replica, or rows of mini-batches.
        gradients: gradient evaluations of a replica.
        seconds: wall clock of the whole job; a run stopped by it depends on the machine.
    """

    shots: int | None = None
    gradients: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("shots", "gradients", "seconds"):
            limit = getattr(self, name)
            if limit is not None and not limit > 0:
                raise BadInput(name, f"wanted a positive number, got {limit}; leave it out for no limit")
            if limit is not None and limit > MOST:
                raise BadInput(name, f"wanted at most {MOST}, got {limit}; leave it out for no limit")


class Account(NamedTuple):
    """What replicas have spent, against what they may spend and must keep."""

    budget: Budget
    reserve: int  # shots that each replica keeps for the measurement at the end
    spent: Cost  # (B,) each

    @property
    def limited(self) -> bool:
        """Whether an evaluation may cost too much."""
        return self.budget.shots is not None or self.budget.gradients is not None

    @property
    def shots_left(self) -> Tensor | None:
        """Shots for evaluations, (B,) int64; None: no limit."""
        return None if self.budget.shots is None else self.budget.shots - self.reserve - self.spent.shots

    def after(self, cost: Cost) -> Account:
        """Once so much more was spent."""
        return self._replace(spent=self.spent.plus(cost))

    def of(self, rows: Tensor) -> Account:
        """Of some replicas."""
        return self._replace(spent=take_rows(self.spent, rows))

    def cannot_pay(self, coming: Cost) -> Tensor:
        """Which replicas cannot pay for what comes: (B,) int64, an Outcome or 0."""
        outcome, then = torch.zeros_like(self.spent.shots), self.spent.plus(coming)
        for limit, used, code in (
            (self.budget.gradients, then.gradients, Outcome.GRADIENTS),
            (self.budget.shots, then.shots + self.reserve, Outcome.SHOTS),
        ):
            if limit is not None:
                outcome[used > limit] = code
        return outcome


class Plateau(NamedTuple):
    """Energies of the last steps of each replica, newest last; NaN where there was none yet."""

    values: Tensor  # (B, 2 · window)
    variances: Tensor  # (B, 2 · window)
    height: Tensor  # (B,) largest |U| above which the replica stayed for two windows: what rounding is measured by


class StopState(NamedTuple):
    """What the rules remember between steps."""

    plateau: Plateau
    largest_cost: Cost  # (B,) the most that a step has spent: the forecast of the next, where the method has none
    looks: Tensor  # (B,) int64, how often the rules were asked

    def after(self, cost: Cost) -> StopState:
        """Once a step has cost so much."""
        largest_cost = Cost(*(torch.maximum(most, now) for most, now in zip(self.largest_cost, cost, strict=True)))
        return self._replace(largest_cost=largest_cost)


def begin(stop: Stop, x: Tensor) -> StopState:
    """The memory of the rules before the first step."""
    window = 2 * (stop.plateau or 0)
    empty = torch.full((x.shape[0], window), math.nan, dtype=torch.float64, device=x.device)
    height = torch.zeros(x.shape[0], dtype=torch.float64, device=x.device)
    return StopState(Plateau(empty, empty.clone(), height), Cost.none(x), Cost.none(x).evaluations)


def check_stop_rules(
    stop: Stop,
    account: Account,
    manifold: Manifold,
    state: Walking,
    memory: StopState,
    forecast: Cost | None = None,
    growing: Tensor | None = None,
) -> tuple[Tensor, StopState]:
    """Outcome of each replica after a step, (B,) int64, and the new memory. Later rules in this list win over earlier.

    memory: with the cost of the step, see `Judgement.after`. forecast: what the next step will cost; left out, as much as the
    dearest so far. growing: (B,) bool, replicas of which the rules of the state see nothing yet.
    """
    seen = state.seen
    by_budget = account.cannot_pay(memory.largest_cost if forecast is None else forecast)
    outcome, looks, plateau = by_budget.clone(), memory.looks + 1, memory.plateau
    if stop.plateau is not None:
        plateau = _remember(plateau, seen)
        flat = _flat(plateau, stop.plateau, torch.finfo(seen.value.dtype).eps)
        exact = (plateau.variances == 0).all(dim=1)
        outcome[flat & exact], outcome[flat & ~exact] = Outcome.PLATEAU, Outcome.NOISE
    if stop.value is not None:
        outcome[seen.value + _errors(looks).to(seen.value) * seen.value_var.sqrt() <= stop.value] = Outcome.VALUE
    for bound, code in ((stop.gradient_norm, Outcome.GRADIENT), (stop.max_torque, Outcome.TORQUE)):
        if bound is not None:
            outcome[gradient_norm(manifold, state, errors=2.0) <= bound] = code
    if growing is not None:
        outcome = torch.where(growing, by_budget, outcome)
        looks, plateau = choose(growing, memory.looks, looks), choose(growing, memory.plateau, plateau)
    outcome[_lost(seen)] = Outcome.LOST
    return outcome, StopState(plateau, memory.largest_cost, looks)


def gradient_norm(manifold: Manifold, state: Walking, errors: float = 0.0) -> Tensor:
    """Largest norm of the tangent gradient over the sites, plus so many of its standard errors, (B,)."""
    norm = manifold.site_norm(manifold.tangent(state.x, state.seen.grad))
    return norm + errors * manifold.site_norm(state.seen.grad_var.sqrt()) if errors else norm


_ALARM = 0.0228
"""Chance that a whole walk is fooled: that of two standard errors, one-sided, in a single look. Arbitrary."""


def _errors(looks: Tensor) -> Tensor:
    """Standard errors by which the look number k must fall below: 2.7 for the first, 5.9 for the thousandth, (B,) float64.

    Its false alarms, at most exp(-z²/2)/2 = 6 α / (π k)², add up to α over any number of looks.
    """
    number = looks.to(torch.float64)
    return (2 * (2 * torch.log(number) + math.log(math.pi**2 / (12 * _ALARM)))).sqrt()


def _lost(seen: Evaluation) -> Tensor:
    """Whether what is known of the energy and the gradient is not a number. Where both are not known, nothing is."""
    grad, variance = (part.reshape(len(seen.value), -1) for part in (seen.grad, seen.grad_var))
    unknown = torch.isnan(grad) & torch.isinf(variance)
    nothing = torch.isnan(seen.value) & unknown.any(dim=1)
    return torch.isinf(seen.value) | (~torch.isfinite(grad) & ~unknown).any(dim=1) | nothing


def _remember(plateau: Plateau, seen: Evaluation) -> Plateau:
    """The memory with one more look. A start far up, left within two windows, says nothing of how energies round later."""
    values, variances = _push(plateau.values, seen.value), _push(plateau.variances, seen.value_var)
    low = values.abs().amin(dim=1)  # NaN until every place is taken
    return Plateau(values, variances, torch.where(low > plateau.height, low, plateau.height))


def _push(history: Tensor, newest: Tensor) -> Tensor:
    return torch.cat([history[:, 1:], newest.to(history.dtype)[:, None]], dim=1)


_ROUNDING = 4
"""Units of rounding by which two energies may differ for no reason: of a sum whose terms cancel little. Arbitrary."""


def _flat(plateau: Plateau, window: int, eps: float) -> Tensor:
    """Whether the newer half lies no lower than the older by two standard errors of the difference of their means."""
    older, newer = plateau.values[:, :window], plateau.values[:, window:]
    declared = row_sum(plateau.variances) / window**2
    scatter = (_scatter(older) + _scatter(newer)) / window
    rose = (plateau.values.diff(dim=1) > 0).any(dim=1)  # where never, the scatter is the bend of a descent
    error = torch.maximum(declared, torch.where(rose, scatter, 0.0)).sqrt()
    gain = (row_sum(older) - row_sum(newer)) / window
    return torch.isfinite(gain) & (gain <= torch.maximum(2 * error, _ROUNDING * eps * plateau.height))


def _scatter(window: Tensor) -> Tensor:
    """Variance about the straight line through a window, (B,)."""
    n = window.shape[1]
    t = torch.arange(n, dtype=window.dtype, device=window.device) - (n - 1) / 2
    centred = window - row_sum(window)[:, None] / n
    slope = row_sum(centred * t)[:, None] / (n * (n * n - 1) / 12)
    return row_sum((centred - slope * t) ** 2) / (n - 2)
