"""Landscapes that grow: walked in pieces, resumed to the bit, judged only once they have grown up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from tests.core.valleys import Normal
from torch import Tensor

from thalweg_core.descent.adam.adam import Adam
from thalweg_core.descent.adam.textbook_adam import TextbookAdam
from thalweg_core.descent.gradient_descent import GradientDescent
from thalweg_core.errors import Mismatch
from thalweg_core.landscape import FLAT, GRADIENT, VALUE, Capabilities, Cost, Evaluation, Landscape, Offers, Samples
from thalweg_core.manifold import Euclidean, Manifold
from thalweg_core.method import Method
from thalweg_core.numbers.rows import row_sum
from thalweg_core.numbers.trees import take_rows
from thalweg_core.problem import Traits, require
from thalweg_core.sampling.ula import Ula
from thalweg_core.streams import Stream
from thalweg_core.walking.account import Budget
from thalweg_core.walking.checkpoint import flatten
from thalweg_core.walking.growth import GROWTH, Grown, begin_growing, walk_growing
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.stopping import Stop
from thalweg_core.walking.walk import Frame, Rules

LOOK = 10  # shots of an evaluation for every coordinate, and of a growth


@dataclass(frozen=True)
class Staircase(Offers):
    """U = Σ_k (x_k - 1)²/2 over the coordinates that a replica has, one more at every growth; a fresh one has slope -1.

    Even replicas grow up with all coordinates, odd ones with one less.
    """

    offers: ClassVar[Capabilities] = frozenset({GROWTH})

    size: int = 3
    have: Tensor = torch.zeros(0, dtype=torch.int64)  # noqa: RUF009
    noisy: ClassVar[bool] = False
    width: ClassVar[int] = 1
    every: ClassVar[int] = 5
    manifold: ClassVar[Manifold] = Euclidean()

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        there = torch.arange(self.size) < self._have(rng.rows)[:, None]
        off = torch.where(there, x - 1, 0.0)
        cost = Cost.of(x, evaluations=1, gradients=1)._replace(shots=LOOK * self._have(rng.rows))
        return Evaluation(0.5 * row_sum(off * off), off, torch.zeros_like(x[:, 0]), torch.zeros_like(x), cost)

    @property
    def memory(self) -> dict[str, Tensor]:
        return {"have": self.have}

    def with_memory(self, memory: Mapping[str, Tensor]) -> Staircase:
        return replace(self, **memory)

    def growing(self, rows: Tensor) -> Tensor:
        return self._have(rows) < self.size - rows % 2

    def price(self, x: Tensor) -> Cost:
        return Cost.of(x, shots=LOOK)

    def grown(self, x: Tensor, rng: Stream) -> Grown:
        have = self._have(torch.arange(max(len(self.have), int(rng.rows.max()) + 1)))
        have[rng.rows] += 1
        dearer = have[rng.rows] / (have[rng.rows] - 1).clamp_min(1)
        new = -(torch.arange(self.size) == have[rng.rows][:, None] - 1).to(x)
        return Grown(replace(self, have=have), new, torch.zeros_like(x), dearer.double(), self.price(x))

    def _have(self, rows: Tensor) -> Tensor:
        beyond = int(rows.max()) + 1 - len(self.have)
        return torch.cat([self.have, self.have.new_zeros(max(0, beyond))])[rows]


def go(rows: int, steps: int, rules: Rules | None = None, method: Method | None = None) -> list[tuple[Landscape, Frame]]:
    method, rng, x = method or Adam(0.2), Stream.of(1, rows), torch.zeros(rows, 3, dtype=torch.float64)
    place, position = begin_growing(method, Staircase(), x, rng, rules)
    return list(walk_growing(method, place, position, rng, range(1, steps + 1), rules))


def same(a: object, b: object) -> bool:
    left, right = flatten(a), flatten(b)
    return left.keys() == right.keys() and all(torch.equal(left[k].nan_to_num(7.0), right[k].nan_to_num(7.0)) for k in left)


def test_it_grows_before_the_first_look_and_then_after_every_so_many_steps() -> None:
    frames = go(2, 20)
    assert [place.memory["have"].tolist() for place, _ in frames][3:11] == [[1, 1]] + [[2, 2]] * 5 + [[3, 2]] * 2
    assert [frame.step for _, frame in frames] == list(range(1, 21))
    assert frames[-1][1].position.outcome.tolist() == [Outcome.STEPS] * 2


def test_looks_and_growths_are_all_charged() -> None:
    spent = go(2, 12)[-1][1].position.spent.shots
    assert spent.tolist() == [LOOK * (6 * 1 + 5 * 2 + 2 * 3 + 3), LOOK * (6 * 1 + 7 * 2 + 2)]  # looks, then growths


def test_a_fresh_coordinate_moves_in_the_very_next_step_and_not_before() -> None:
    frames = go(1, 6, method=GradientDescent(0.1))
    x = torch.stack([frame.position.state.x[0] for _, frame in frames])
    assert (x[:, 0] > 0).all() and (x[:5, 1] == 0).all()
    assert x[5, 1] == pytest.approx(0.1)  # learning rate times slope


def test_a_replica_grows_and_walks_alike_to_the_bit_whatever_grows_beside_it() -> None:
    first, rules, alone = torch.tensor([0]), Rules(Stop(gradient_norm=0.1)), None
    for rows in (1, 4, 32):
        mine = [take_rows(frame.position, first) for _, frame in go(rows, 40, rules)]
        alone = alone or mine
        assert all(same(a, b) for a, b in zip(alone, mine, strict=False))
        assert same(alone[-1], mine[-1])


@pytest.mark.parametrize("cut", [1, 4, 5, 6, 10, 17])
def test_a_walk_cut_anywhere_and_resumed_from_its_memory_equals_an_unbroken_one(cut: int) -> None:
    rules = Rules(Stop(gradient_norm=0.05), Budget(shots=420))
    whole = go(4, 20, rules)
    place = Staircase().with_memory(whole[cut - 1][0].memory)
    rest = list(walk_growing(Adam(0.2), place, whole[cut - 1][1].position, Stream.of(1, 4), range(cut + 1, 21), rules))
    assert [frame.step for _, frame in rest] == list(range(cut + 1, 21))
    assert len(set(whole[-1][1].position.outcome.tolist())) > 1  # a budget ended some
    for (_, again), (_, frame) in zip(rest, whole[cut:], strict=True):
        assert same(again.position, frame.position)


@pytest.mark.parametrize("stop", [Stop(gradient_norm=100.0), Stop(value=100.0), Stop(plateau=4)])
def test_stop_rules_wait_until_a_replica_has_grown_up(stop: Stop) -> None:
    """Where nothing moves every rule fires at once, but for the plateau, which then needs its two windows."""
    position = go(2, 60, Rules(stop), GradientDescent(1e-17))[-1][1].position
    patience = 8 if stop.plateau else 1
    assert position.stopped_at.tolist() == [10 + patience, 5 + patience]
    assert set(position.outcome.tolist()) <= {Outcome.GRADIENT, Outcome.VALUE, Outcome.PLATEAU}


@pytest.mark.parametrize("budget", range(40, 301, 10))
@pytest.mark.parametrize("forecasts", [False, True])
def test_a_budget_ends_the_walk_before_a_growth_or_a_dearer_step_would_exceed_it(budget: int, forecasts: bool) -> None:
    class Forecasting(Adam):
        def next_cost(self, landscape: Landscape, state: object) -> Cost:
            return state.seen.cost  # type: ignore[attr-defined, no-any-return]

    method = Forecasting(0.2) if forecasts else TextbookAdam(0.2)
    position = go(1, 60, Rules(Stop(), Budget(shots=budget)), method)[-1][1].position
    assert budget - 4 * LOOK < position.spent.shots[0] <= budget  # a growth and a step with three coordinates
    assert position.outcome[0] == Outcome.SHOTS


def test_a_budget_of_gradients_is_kept_too() -> None:
    position = go(1, 60, Rules(Stop(), Budget(gradients=8)))[-1][1].position
    assert position.spent.gradients[0] == 8 and position.outcome[0] == Outcome.GRADIENTS


def test_a_method_that_had_finished_begins_anew_on_what_has_grown() -> None:
    class OneStep(GradientDescent):
        def finished(self, state: object) -> Tensor:
            return state.x.amax(dim=1) > 0.5  # type: ignore[attr-defined, no-any-return]

    frames = go(1, 30, method=OneStep(1.0))
    position = frames[-1][1].position
    assert position.outcome[0] == Outcome.METHOD
    assert position.stopped_at[0] == 11  # grown up after step 10
    looks = 6 * 1 + 5 * 2 + 1 * 3 + (2 + 3)  # two growths found it finished, and it looked again
    assert position.spent.shots[0] == LOOK * (looks + 3)


def test_nobody_samples_what_changes_under_way() -> None:
    assert Staircase().offer(GROWTH) is not None and Normal().offer(GROWTH) is None
    traits = Traits(frozenset({VALUE, GRADIENT, FLAT}), 3, 0, 0, grows=True)
    assert traits.fits(Adam()) and not traits.fits(Ula(0.1))
    with pytest.raises(
        Mismatch, match=r"method.ula: draws from one density, but problem.vqe changes as it is walked; use method.adam"
    ):
        require("ula", Ula(0.1), "vqe", traits, ["adam"])
