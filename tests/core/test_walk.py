"""The driver: every replica walks until it has stopped, and then stays as it is to the bit."""

from __future__ import annotations

import pytest
import torch
from tests.core.valleys import NoisyNormal, Normal, Spins, spins

from thalweg_core.descent.adam.adam import Adam
from thalweg_core.descent.gradient_descent import GradientDescent
from thalweg_core.landscape import Cost, Landscape
from thalweg_core.method import Method
from thalweg_core.numbers.trees import take_rows
from thalweg_core.sampling.hmc import Hmc
from thalweg_core.sampling.mala import Mala
from thalweg_core.sampling.ula import Ula
from thalweg_core.streams import Stream
from thalweg_core.walking.account import Budget
from thalweg_core.walking.checkpoint import flatten
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.stopping import Stop
from thalweg_core.walking.walk import Frame, Rules, begin, walk

PLACE = Normal((1.0, 2.0, 0.5))
REACHED = Rules(Stop(value=0.6))


def go(method: Method, rows: int, steps: int, rules: Rules, place: Landscape = PLACE) -> list[Frame]:
    rng = Stream.of(4, rows)
    x = spins(rows, 4) if isinstance(place, Spins) else 2 * rng.named("start").normal((3,))
    return list(walk(method, place, begin(method, place, x, rng, rules), rng, range(1, steps + 1), rules))


def equal(a: object, b: object) -> bool:
    left, right = flatten(a), flatten(b)
    return left.keys() == right.keys() and all(torch.equal(left[k].nan_to_num(7.0), right[k].nan_to_num(7.0)) for k in left)


KERNELS = [GradientDescent(0.1), Adam(0.1), Ula(0.1), Mala(0.3), Hmc(0.5, leapfrog_steps=4)]


@pytest.mark.parametrize("method", KERNELS, ids=lambda method: type(method).__name__)
def test_a_replica_that_has_stopped_keeps_its_rows_to_the_bit_while_others_go_on(method: Method) -> None:
    frames = go(method, 32, 25, REACHED)
    last = frames[-1].position
    stopped = last.outcome == Outcome.VALUE
    assert int(stopped.sum()) > 3
    for row in torch.nonzero(stopped).flatten().tolist():
        at = int(last.stopped_at[row])
        one = torch.tensor([row])
        then = frames[at - 1].position if at else None
        if then is not None:
            assert equal(take_rows(then, one), take_rows(last, one))
        for frame in frames[at:]:
            assert not bool(frame.stepped[row])
            assert int(frame.info.cost.gradients[row]) == 0 and bool(frame.info.acceptance[row].isnan())
    assert frames[-1].step == 25 or bool(stopped.all())


@pytest.mark.parametrize("method", KERNELS, ids=lambda method: type(method).__name__)
def test_replica_0_walks_and_stops_alike_to_the_bit_beside_0_3_or_31_others(method: Method) -> None:
    first = torch.tensor([0])
    alone = go(method, 1, 25, REACHED)
    for rows in (4, 32):
        among = go(method, rows, 25, REACHED)
        for a, b in zip(alone, among, strict=False):
            assert equal(take_rows(b.position, first), a.position) and equal(take_rows(b.info, first), a.info)
        assert equal(take_rows(among[-1].position, first), alone[-1].position)


@pytest.mark.parametrize("place", [PLACE, NoisyNormal((1.0, 2.0, 0.5)), Spins(1.0, 2.0)])
def test_a_walk_cut_anywhere_and_resumed_equals_an_unbroken_one(place: Landscape) -> None:
    rules = Rules(Stop(plateau=4, gradient_norm=0.05), Budget(gradients=18))
    whole = go(Adam(0.2), 6, 20, rules, place)
    rng = Stream.of(4, 6)
    for cut in (1, 7, 13):
        if cut >= len(whole):
            continue
        rest = list(walk(Adam(0.2), place, whole[cut - 1].position, rng, range(cut + 1, 21), rules))
        assert len(rest) == len(whole) - cut
        for again, frame in zip(rest, whole[cut:], strict=True):
            assert again.step == frame.step and equal(again.position, frame.position) and equal(again.info, frame.info)


def test_who_starts_converged_takes_no_step() -> None:
    rng = Stream.of(0, 2)
    rules = Rules(Stop(gradient_norm=1e-3))
    position = begin(Adam(), PLACE, torch.zeros(2, 3, dtype=torch.float64), rng, rules)
    assert position.outcome.tolist() == [Outcome.GRADIENT] * 2 and position.stopped_at.tolist() == [0, 0]
    assert list(walk(Adam(), PLACE, position, rng, range(1, 9), rules)) == []


def test_a_walk_ends_with_its_steps_and_says_so() -> None:
    frames = go(GradientDescent(1e-4), 3, 5, Rules())
    assert [f.step for f in frames] == [1, 2, 3, 4, 5]
    assert frames[-2].position.outcome.tolist() == [0] * 3
    assert frames[-1].position.outcome.tolist() == [Outcome.STEPS] * 3
    assert frames[-1].position.stopped_at.tolist() == [5] * 3


def test_what_is_spent_adds_up_and_stays_within_the_budget() -> None:
    rules = Rules(budget=Budget(shots=130))
    frames = go(Adam(), 4, 50, rules, NoisyNormal((1.0, 1.0, 1.0)))
    spent = frames[-1].position.spent
    assert spent.shots.tolist() == [120] * 4 and frames[-1].position.outcome.tolist() == [Outcome.SHOTS] * 4
    assert [int(t[0]) for t in spent] == [6, 6, 12, 120]
    total = Cost.of(torch.zeros(4, 1), evaluations=1, gradients=1, circuits=2, shots=20)
    for frame in frames:
        total = total.plus(frame.info.cost)
    assert all(torch.equal(a, b) for a, b in zip(total, spent, strict=True))


def test_a_budget_holds_for_steps_of_changing_length() -> None:
    frames = go(Hmc(0.1, leapfrog_steps=6), 3, 200, Rules(budget=Budget(gradients=60)))
    assert int(frames[-1].position.spent.gradients.max()) <= 60
    assert frames[-1].position.outcome.tolist() == [Outcome.GRADIENTS] * 3


def test_a_replica_that_runs_away_is_lost_and_the_others_are_not() -> None:
    rng = Stream.of(0, 2)
    x = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1e-3]], dtype=torch.float64)
    method = GradientDescent(1.0)  # stable along the first coordinate, not along the third, whose scale is a half
    *_, frame = walk(method, PLACE, begin(method, PLACE, x, rng), rng, range(1, 1001))
    assert frame.position.outcome.tolist() == [Outcome.STEPS, Outcome.LOST]
    assert "smaller step" in Outcome.LOST.sentence
