"""Landscapes that grow as they are walked: a circuit that takes one gate after the other, where its energy falls most.

A grown landscape is another landscape of the same shape: coordinates that are not there yet stand at 0 and have no slope. So
no method knows of it. It grows between steps, each replica its own; what it has grown goes into the checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from thalweg_core.landscape import Capability, Cost, Landscape
from thalweg_core.method import Method
from thalweg_core.numbers.trees import put_rows, take_rows
from thalweg_core.streams import Stream
from thalweg_core.walking.dry_run import dry_run, first_cost, refuse_unaffordable, stopped_in_time
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.walk import Frame, Position, Rules, begin, position_at, walk


class Grown(NamedTuple):
    """What became of a landscape at some points; its type is the landscape's own."""

    landscape: Grows
    slopes: Tensor  # (B, *E) ∂U/∂x of the coordinates that are new, 0 elsewhere
    slopes_var: Tensor  # (B, *E)
    cost_factor: Tensor  # (B,) float64, by what factor a gradient takes more circuits now
    cost: Cost


class Grows(Landscape, Protocol):
    """A landscape with more and more coordinates to move, each replica its own, told by its number in the stream."""

    @property
    def every(self) -> int:
        """Steps between growths."""
        ...

    @property
    def memory(self) -> dict[str, Tensor]:
        """All that it has grown."""
        ...

    def with_memory(self, memory: Mapping[str, Tensor]) -> Grows:
        """The landscape as it was."""
        ...

    def growing(self, rows: Tensor) -> Tensor:
        """Whether the replicas of these numbers may still grow: (B,) int64 -> (B,) bool."""
        ...

    def price(self, x: Tensor) -> Cost:
        """What it costs to look where to grow, from each point."""
        ...

    def grown(self, x: Tensor, rng: Stream) -> Grown:
        """The landscape after the replicas of the stream, which stand at x (B, *E), have grown."""
        ...


GROWTH = Capability[Grows]("growth", protocol=Grows)


def begin_growing(
    method: Method, landscape: Landscape, x: Tensor, rng: Stream, rules: Rules | None = None
) -> tuple[Landscape, Position]:
    """As `walk.begin`; what grows has grown once before the method looks."""
    if (small := landscape.offer(GROWTH)) is None:
        return landscape, begin(method, landscape, x, rng, rules)
    rules = rules or Rules()
    afford(method, landscape, x, rng, rules)
    grown = small.grown(x, rng.named("growth"))
    state = method.init(grown.landscape, x, rng.named("init"), rules.account(grown.cost).shots_left)
    look, waiting = state.seen.cost, _waiting(rules, grown.landscape, rng)
    return grown.landscape, position_at(method, grown.landscape, state, rng, look.plus(grown.cost), look, waiting)


def afford(method: Method, landscape: Landscape, x: Tensor, rng: Stream, rules: Rules) -> None:
    """Before anything is spent.

    Raises:
        Unaffordable: the budget does not pay for the first evaluation, a growth before it, and the end.
    """
    account = rules.account(Cost.none(x))
    if not account.limited:
        return
    place, init = dry_run(landscape), rng.named("init")
    small = None if place is None else place.offer(GROWTH)
    if small is not None:
        grown = small.grown(x, rng.named("growth"))
        first: Cost | None = grown.cost.plus(first_cost(method, grown.landscape, x, init))
    else:
        first = None if place is None else first_cost(method, place, x, init)
    refuse_unaffordable(method, first, account)


def walk_growing(
    method: Method, landscape: Landscape, position: Position, rng: Stream, steps: range, rules: Rules | None = None
) -> Iterator[tuple[Landscape, Frame]]:
    """As `walk`, each frame with the landscape as it is after it: what grows does so after every so many steps.

    While a replica may still grow, only the budget stops it; a method that had converged starts again after a growth.
    """
    place = landscape.offer(GROWTH)
    if place is None:
        for frame in walk(method, landscape, position, rng, steps, rules):
            yield landscape, frame
        return
    while steps:
        step = steps.stop
        for frame in walk(method, place, position, rng, steps, _waiting(rules, place, rng)):
            step = frame.step
            if step % place.every == 0 and step != steps[-1]:
                place, position = _grow(method, place, frame.position, rng, rules, step)
                yield place, frame._replace(position=position)
                break
            yield place, frame
        else:
            return
        steps = range(step + 1, steps.stop)


def _waiting(rules: Rules | None, landscape: Grows, rng: Stream) -> Rules:
    return replace(rules or Rules(), growing=landscape.growing(rng.rows))


def _grow(
    method: Method, landscape: Grows, position: Position, rng: Stream, rules: Rules | None, step: int
) -> tuple[Grows, Position]:
    """After a step: the replicas that still walk grow, if they may and can pay for it."""
    rules = rules or Rules()
    may = (position.outcome == Outcome.WALKING) & landscape.growing(rng.rows)
    account = rules.account(position.spent).after(landscape.price(position.state.x))
    over = account.cannot_pay(_coming(method, landscape, position))
    position = _ended(position, torch.where(may, over, 0), step)
    index = torch.nonzero(may & (over == 0)).flatten()
    if len(index) == 0:
        return landscape, position
    here, rng = take_rows(position, index), rng.take(index)
    grown = landscape.grown(here.state.x, rng.at(step).named("growth"))
    seen = here.state.seen
    state = here.state._replace(seen=seen._replace(grad=seen.grad + grown.slopes, grad_var=seen.grad_var + grown.slopes_var))
    here = here._replace(state=state, spent=here.spent.plus(grown.cost))
    here = _anew(method, grown.landscape, here, rng.at(step).named("growth"), rules, step)
    coming = _coming(method, grown.landscape, here)
    coming = coming._replace(shots=(coming.shots * grown.cost_factor).ceil().to(torch.int64))
    account = rules.account(here.spent)
    outcome = torch.where(here.outcome == Outcome.WALKING, account.cannot_pay(coming), here.outcome)
    outcome = stopped_in_time(method, grown.landscape, here.state, rng.at(step + 1), outcome, account, coming)
    return grown.landscape, put_rows(position, index, _ended(here, outcome, step))


def _anew(method: Method, landscape: Landscape, here: Position, rng: Stream, rules: Rules, step: int) -> Position:
    """A method that had finished looks again, where that can be paid."""
    finished = method.finished(here.state)
    if finished is None:
        return here
    done, place = torch.nonzero(finished).flatten(), dry_run(landscape)
    account = rules.account(take_rows(here.spent, done))
    if len(done) and place is not None and account.limited:
        over = account.cannot_pay(first_cost(method, place, here.state.x[done], rng.take(done).named("init")))
        here = _ended(here, torch.zeros_like(here.outcome).index_copy(0, done, over), step)
        done, account = done[over == 0], account.of(torch.nonzero(over == 0).flatten())
    if len(done) == 0:
        return here
    state = method.init(landscape, here.state.x[done], rng.take(done).named("init"), account.shots_left)
    cost = put_rows(Cost.none(here.state.x), done, state.seen.cost)
    return here._replace(state=put_rows(here.state, done, state), spent=here.spent.plus(cost))


def _coming(method: Method, landscape: Landscape, here: Position) -> Cost:
    """What the next step will cost, on the landscape as the method knows it."""
    forecast = method.next_cost(landscape, here.state)
    return here.memory.largest_cost if forecast is None else forecast


def _ended(here: Position, why: Tensor, step: int) -> Position:
    """The replicas stopped for which there is an outcome: (B,) int64."""
    outcome = torch.where(why > 0, why, here.outcome)
    return here._replace(outcome=outcome, stopped_at=torch.where(why > 0, step, here.stopped_at))
