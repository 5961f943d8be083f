"""The rules that end a replica's walk early."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_core.errors import BadInput
from thalweg_core.landscape import Cost, Evaluation
from thalweg_core.manifold import Manifold
from thalweg_core.method import Walking
from thalweg_core.numbers.trees import choose
from thalweg_core.walking.account import Account
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.plateau import LONGEST_PLATEAU, Plateau, flattened, remember


@dataclass(frozen=True)
class Stop:
    """Rules that end a replica's walk early; every rule left out never fires.

    Args:
        max_torque: magnets: largest |m × h| over cells, h = H_eff / Ms.
        gradient_norm: largest norm of the gradient over the sites, in units of U / x. Under noise it must fall below
            by two standard errors.
        value: energy to reach, in units of U; in a job, in the unit in which the problem reports it. Under noise, by so
            many standard errors, rising slowly with the number of evaluations, that a whole walk is fooled in 2.3 % of cases.
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

    memory: with the cost of the step, see `StopState.after`. forecast: what the next step will cost; left out, as much as the
    dearest so far. growing: (B,) bool, replicas of which the rules of the state see nothing yet.
    """
    seen = state.seen
    by_budget = account.cannot_pay(memory.largest_cost if forecast is None else forecast)
    outcome, looks, plateau = by_budget.clone(), memory.looks + 1, memory.plateau
    if stop.plateau is not None:
        plateau = remember(plateau, seen)
        flat = flattened(plateau, stop.plateau, torch.finfo(seen.value.dtype).eps)
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
"""Chance that a whole walk is fooled: that of two standard errors, one-sided, in a single evaluation. Arbitrary."""


def _errors(looks: Tensor) -> Tensor:
    """Standard errors by which the evaluation number k must fall below: 2.7 for the first, 5.9 for the thousandth, (B,) float64.

    Its false alarms, at most exp(-z²/2)/2 = 6 α / (π k)², add up to α over any number of evaluations.
    """
    number = looks.to(torch.float64)
    return (2 * (2 * torch.log(number) + math.log(math.pi**2 / (12 * _ALARM)))).sqrt()


def _lost(seen: Evaluation) -> Tensor:
    """Whether what is known of the energy and the gradient is not a number. Where both are not known, nothing is."""
    grad, variance = (part.reshape(len(seen.value), -1) for part in (seen.grad, seen.grad_var))
    unknown = torch.isnan(grad) & torch.isinf(variance)
    nothing = torch.isnan(seen.value) & unknown.any(dim=1)
    return torch.isinf(seen.value) | (~torch.isfinite(grad) & ~unknown).any(dim=1) | nothing
