"""Dry runs: the cost of what comes next is found by the same code, on a landscape of placeholder numbers and true costs.

So no method has to know what its evaluations cost, and where a budget is about to end nobody relies on a forecast.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from thalweg_core.errors import Unaffordable
from thalweg_core.landscape import DRY_RUN, Cost, Landscape
from thalweg_core.method import Method
from thalweg_core.numbers.trees import map_tensors, take_rows
from thalweg_core.streams import Stream
from thalweg_core.walking.account import Account
from thalweg_core.walking.outcomes import Outcome

NEAR = 10
"""The forecast is trusted while at least this many further steps fit in the budget. Arbitrary; a step may take ten times the
samples of the one before."""


def dry_run(landscape: Landscape) -> Landscape | None:
    """The dry run of a landscape; None where evaluations are exact: there it would cost as much time, and nothing varies."""
    dry = landscape.offer(DRY_RUN) if landscape.noisy else None
    return None if dry is None else dry.dry_run()


def first_cost(method: Method, place: Landscape, x: Tensor, rng: Stream) -> Cost:
    """The least that the first state costs; place: a dry run."""
    cost: Cost = method.init(place, x, rng, torch.zeros(len(x), dtype=torch.int64, device=x.device)).seen.cost
    return cost


def step_cost(method: Method, place: Landscape, state: Any, rng: Stream) -> Cost:
    """What the next step costs; place: a dry run. The state is left as it is."""
    return method.step(place, map_tensors(torch.clone, state), rng)[1].cost


def stopped_in_time(
    method: Method,
    landscape: Landscape,
    state: Any,
    rng: Stream,
    outcome: Tensor,
    account: Account,
    forecast: Cost,
) -> Tensor:
    """The outcomes (B,), where replicas that still walk stop if they could not pay for their next step, whatever was forecast.

    There is a dry run of the step only where the budget ends within `NEAR` steps.
    """
    near = (outcome == Outcome.WALKING) & (account.cannot_pay(forecast.times(NEAR)) > 0)
    rows = torch.nonzero(near).flatten()
    place = dry_run(landscape) if len(rows) else None
    if place is None:
        return outcome
    cost = step_cost(method, place, take_rows(state, rows), rng.take(rows))
    return outcome.index_copy(0, rows, account.of(rows).cannot_pay(cost))


def refuse_unaffordable(method: Method, first: Cost | None, account: Account) -> None:
    """Where the first evaluation and the measurement at the end cannot both be paid, before anything is.

    first: what the first evaluation costs with all that comes before it, at least; None where only looking tells.

    Raises:
        Unaffordable: with the path below the plan.
    """
    budget, reserve = account.budget, account.reserve
    gradients, shots = (0, 0) if first is None else (int(first.gradients.max()), int(first.shots.max()))
    if budget.gradients is not None and gradients > budget.gradients:
        raise Unaffordable(
            "budget.gradients", f"wanted at least {gradients}, as many as the first evaluation takes, got {budget.gradients}"
        )
    if budget.shots is None or (reserve + shots <= budget.shots and reserve < budget.shots):
        return
    if first is None:
        taken = f"the measurement at the end alone takes {reserve} shots of each replica, and the budget is {budget.shots}"
        raise Unaffordable("budget.shots", f"{taken}; raise it, or take fewer shots at the end")
    end = f" and {reserve} for the measurement at the end" if reserve else ""
    taken = f"a replica takes {shots} shots before its first step{end}"
    fewer = "let the measurement at the end take fewer" if reserve > shots else method.cheaper
    raise Unaffordable("budget.shots", f"wanted at least {shots + reserve}: {taken}; got {budget.shots}; raise it, or {fewer}")
