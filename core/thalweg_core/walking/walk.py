"""The one driver: walk a method over a landscape, replica by replica until each has stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from thalweg_core.landscape import Cost, Landscape
from thalweg_core.method import Info, Method
from thalweg_core.numbers.trees import put_rows, take_rows
from thalweg_core.streams import Stream
from thalweg_core.walking import stopping
from thalweg_core.walking.account import Account, Budget
from thalweg_core.walking.dry_run import dry_run, first_cost, refuse_unaffordable, stopped_in_time
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.stopping import Stop, StopState


class Position(NamedTuple):
    """Everything that a walk needs to go on: what a checkpoint keeps, together with the step's number."""

    state: Any  # the method's
    spent: Cost  # (B,) each
    outcome: Tensor  # (B,) int64, an Outcome; 0 while walking
    stopped_at: Tensor  # (B,) int64, step at which it stopped
    memory: StopState


class Frame(NamedTuple):
    """One step of the walk, as the caller's loop sees it. Rows of replicas that had stopped before are as they were."""

    step: int
    position: Position
    info: Info  # rows of replicas that did not step: cost 0, acceptance NaN
    stepped: Tensor  # (B,) bool


@dataclass(frozen=True)
class Rules:
    """What ends a walk before its last step.

    Args:
        stop: rules of the state.
        budget: what may be spent.
        reserve: shots of the budget that each replica keeps for the measurement at the end.
        growing: (B,) bool, replicas that may still grow: only a budget may end them yet; none by default.
    """

    stop: Stop = field(default_factory=Stop)
    budget: Budget = field(default_factory=Budget)
    reserve: int = 0
    growing: Tensor | None = None

    def account(self, spent: Cost) -> Account:
        """Of replicas that have spent so much."""
        return Account(self.budget, self.reserve, spent)

    def of(self, rows: Tensor) -> Rules:
        """The rules of some of the replicas."""
        return self if self.growing is None else replace(self, growing=self.growing[rows])


def begin(method: Method, landscape: Landscape, x: Tensor, rng: Stream, rules: Rules | None = None) -> Position:
    """The position before the first step, with the rules already asked once: who starts converged takes no step.

    Raises:
        Unaffordable: the budget does not pay for the first evaluation and the end; nothing has been spent.
    """
    rules, init, place = rules or Rules(), rng.named("init"), dry_run(landscape)
    account = rules.account(Cost.none(x))
    if account.limited:
        first = None if place is None else first_cost(method, place, x, init)
        refuse_unaffordable(method, first, account)
    state = method.init(landscape, x, init, account.shots_left)
    spent = state.seen.cost
    return position_at(method, landscape, state, rng, spent, spent, rules)


def position_at(
    method: Method, landscape: Landscape, state: Any, rng: Stream, spent: Cost, newest: Cost, rules: Rules
) -> Position:
    """The position at step 0 of a walk from a state that has cost so much, `newest` of it in the last evaluation."""
    memory = stopping.begin(rules.stop, state.x)
    outcome, memory = _judged(method, landscape, state, memory.after(newest), spent, rules, rng.at(1))
    return Position(state, spent, outcome, torch.zeros_like(outcome), memory)


def walk(
    method: Method,
    landscape: Landscape,
    position: Position,
    rng: Stream,
    steps: range,
    rules: Rules | None = None,
) -> Iterator[Frame]:
    """Steps from a position until every replica has stopped or `steps` is through; a resumed walk passes the rest of it.

    The step number is the counter of the random numbers, so a walk that goes on from a checkpoint equals an unbroken one
    bit for bit. Recording, checkpointing, cancelling are plain lines in the caller's loop.
    """
    rules = rules or Rules()
    for step in steps:
        walking = torch.nonzero(position.outcome == Outcome.WALKING).flatten()
        if len(walking) == 0:
            return
        everyone = len(walking) == len(position.outcome)
        here = position if everyone else take_rows(position, walking)
        row_rng = rng if everyone else rng.take(walking)
        row_rules = rules if everyone else rules.of(walking)
        moved, info = _step(method, landscape, here, row_rng, row_rules, last=step == steps[-1], step=step)
        if not everyone:
            moved, info = put_rows(position, walking, moved), _spread(info, position, walking)
        position = moved
        stepped = torch.zeros_like(position.outcome, dtype=torch.bool)
        stepped[walking] = True
        yield Frame(step, position, info, stepped)


def _step(
    method: Method, landscape: Landscape, here: Position, rng: Stream, rules: Rules, last: bool, step: int
) -> tuple[Position, Info]:
    state, info = method.step(landscape, here.state, rng.at(step))
    spent = here.spent.plus(info.cost)
    memory = here.memory.after(info.cost)
    outcome, memory = _judged(method, landscape, state, memory, spent, rules, None if last else rng.at(step + 1))
    if last:
        outcome = torch.where(outcome == Outcome.WALKING, int(Outcome.STEPS), outcome)
    return Position(state, spent, outcome, torch.full_like(outcome, step), memory), info


def _judged(
    method: Method,
    landscape: Landscape,
    state: Any,
    memory: StopState,
    spent: Cost,
    rules: Rules,
    coming: Stream | None,
) -> tuple[Tensor, StopState]:
    """What the rules say, and the method where it has its own mind. coming: the numbers of the next step, if there is one."""
    forecast = method.next_cost(landscape, state)
    account, growing = rules.account(spent), rules.growing
    outcome, memory = stopping.check_stop_rules(rules.stop, account, landscape.manifold, state, memory, forecast, growing)
    if (done := method.finished(state)) is not None:
        done = done if growing is None else done & ~growing
        outcome = torch.where((outcome == Outcome.WALKING) & done, int(Outcome.METHOD), outcome)
    if account.limited and coming is not None:
        forecast = memory.largest_cost if forecast is None else forecast
        outcome = stopped_in_time(method, landscape, state, coming, outcome, account, forecast)
    return outcome, memory


def _spread(info: Info, position: Position, walking: Tensor) -> Info:
    """The info of the rows that stepped, among those that did not."""
    value = position.state.seen.value
    return put_rows(Info.unknown(Cost.none(value), value), walking, info)
