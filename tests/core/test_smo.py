"""Sequential minimal optimization against dense scans, closed forms, and the walk of its paper."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import pytest
import torch
from tests.core.waves import SampledWaves, Waves, through_samples
from torch import Tensor

from thalweg_core.descent.smo.smo import Smo
from thalweg_core.errors import BadInput
from thalweg_core.landscape import HARMONICS, Capabilities, Evaluation, Harmonics, Landscape, Samples
from thalweg_core.method import Info
from thalweg_core.streams import Stream
from thalweg_core.walking.account import Budget
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.walk import Rules, begin, walk

CYCLIC = Smo("cyclic")


def run(method: Smo, place: Landscape, x: Tensor, steps: int) -> tuple[Any, list[Info]]:
    rng = Stream.of(0, len(x))
    state, infos = method.init(place, x, rng.named("init")), []
    for step in range(1, steps + 1):
        state, info = method.step(place, state, rng.at(step))
        infos.append(info)
    return state, infos


def scanned(place: Landscape, x: Tensor, coordinate: int, period: float) -> Tensor:
    """The lowest energy along one coordinate, by 2000 looks, to the square of their distance."""
    turns = torch.linspace(0, period, 2001, dtype=torch.float64)
    points = x[None].repeat(len(turns), 1)
    points[:, coordinate] += turns
    return place.evaluate(points, Stream.of(0, len(turns))).value.min()


@pytest.mark.parametrize("bases", [(1.0, 1.0), (2.0, 0.5)])
def test_exact_steps_end_at_the_lowest_point_of_their_coordinate(bases: tuple[float, float]) -> None:
    place = Waves(bases=bases)
    x = 2 * Stream.of(5, 30).normal((2,))
    for coordinate in range(2):
        before, moved = x.clone(), run(CYCLIC, place, x, 1 + coordinate)[0]
        if coordinate:
            before = run(CYCLIC, place, x, coordinate)[0].x
        assert torch.equal(moved.x[:, 1 - coordinate], before[:, 1 - coordinate])
        for row in range(30):
            lowest = scanned(place, before[row], coordinate, 2 * math.pi / bases[coordinate])
            assert lowest - 1e-5 < float(moved.seen.value[row]) < lowest + 1e-12


def test_one_harmonic_in_each_coordinate_goes_the_way_of_the_paper() -> None:
    """Eq. (9) of Nakanishi, Fujii and Todo: from the energies at θ and θ ± π/2 the minimum in closed form."""
    place = Waves(doubles=(0.0, 0.0, 0.0), bases=(1.0, 1.0, 1.0), coupling=0.8)
    x = Stream.of(2, 8).normal((3,))
    theirs, rng = x.clone(), Stream.of(0, 8)
    for step in range(12):
        here, up, down = (
            place.evaluate(theirs + by * torch.eye(3)[step % 3], rng).value for by in (0.0, math.pi / 2, -math.pi / 2)
        )
        theirs[:, step % 3] += torch.atan2(-(up - down), -(2 * here - up - down))
    ours = run(CYCLIC, place, x, 12)[0]
    torch.testing.assert_close(ours.seen.value, place.evaluate(theirs, rng).value, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.cos(ours.x - theirs), torch.ones_like(theirs), rtol=0, atol=1e-12)


def test_a_sweep_in_random_order_visits_every_coordinate_once_and_every_replica_has_its_own() -> None:
    place = Waves(bases=(1.0,) * 6, doubles=(0.3,) * 6)
    x = Stream.of(5, 7).normal((6,))
    state = Smo().init(place, x, Stream.of(0, 7))
    orders = []
    for step in range(1, 13):
        before = state.x.clone()
        state, _ = Smo().step(place, state, Stream.of(0, 7).at(step))
        moved = (state.x != before).sum(dim=1)
        assert (moved <= 1).all()
        orders.append(state.order.clone())
        assert torch.equal(state.order.sort(dim=1).values, torch.arange(6).expand(7, -1))
    assert torch.equal(orders[0], orders[5]) and not torch.equal(orders[5], orders[6])
    assert len({tuple(row) for row in orders[0].tolist()}) > 1


def test_the_charge_is_two_looks_for_each_harmonic_and_one_where_it_arrives() -> None:
    x = torch.zeros(2, 2, dtype=torch.float64)
    _, infos = run(CYCLIC, Waves(), x, 4)
    assert [info.cost.evaluations.tolist() for info in infos] == [[5, 5], [3, 3], [5, 5], [3, 3]]
    method = Smo("cyclic", first_samples=16, growth=0)
    _, infos = run(method, SampledWaves(), x, 2)
    assert infos[1].cost.shots.tolist() == [3 * (2 * 16 + 4)] * 2


class TwoValleys(SampledWaves):
    """One coordinate with two valleys, of which the one at -π is 0.02 deeper than that at 0, seen with a standard error of
    1/sqrt(samples):  U = 0.01 cos x - cos 2x."""

    def __init__(self) -> None:
        super().__init__(bases=(1.0,), doubles=(1.0,), coupling=0.0)

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        value = 0.01 * torch.cos(x[:, 0]) - torch.cos(2 * x[:, 0])
        grad = -0.01 * torch.sin(x) + 2 * torch.sin(2 * x)
        return through_samples(Evaluation.exact(value, grad), x, rng, self.samples if samples is None else samples)


def test_noise_does_not_choose_among_valleys() -> None:
    """A bottom that is lower by a fifth of a standard error is taken half of the time without the test, and as good as never
    with it: by chance in 0.13 % of steps for three standard errors."""
    replicas, steps = 400, 5
    x = torch.zeros(replicas, 1, dtype=torch.float64)
    rules = {"first_samples": 100, "growth": 0.0, "averaging": 0.0, "max_step": 0.3}
    held, fooled = (run(Smo(jump_test=z, **rules), TwoValleys(), x, steps)[0].x for z in (3.0, 0.0))
    left = [int((torch.cos(end) < 0).sum()) for end in (held, fooled)]
    expected = replicas * steps * 0.00135
    assert left[0] <= expected + 4 * math.sqrt(expected)
    assert abs(left[1] / replicas - 0.5) < 0.15  # it comes and goes


def test_a_deeper_valley_is_jumped_to_as_soon_as_it_stands_out() -> None:
    x = torch.zeros(20, 1, dtype=torch.float64)
    method = Smo(first_samples=4_000_000, growth=0.0)  # a depth of 20 standard errors
    state = run(method, TwoValleys(), x, 1)[0]
    assert (torch.cos(state.x) < -0.99).all()
    assert torch.equal(method.answer(state), state.x)  # the average begins anew


def test_a_step_within_a_valley_is_capped_in_the_natural_unit() -> None:
    place = SampledWaves(bases=(2.0, 1.0), doubles=(0.7, 0.0))
    x = Stream.of(5, 50).normal((2,))
    method = Smo("cyclic", max_step=0.1, jump_test=1e9, averaging=0.0)
    moved = (run(method, place, x, 2)[0].x - x).abs()
    caps = torch.tensor([0.1 / 4, 0.1], dtype=torch.float64)
    assert (moved < caps + 1e-12).all() and (moved.amax(dim=0) > 0.9 * caps).all()


def test_under_noise_the_answer_comes_as_near_to_the_bottom_as_the_samples_allow() -> None:
    """One coordinate, U = cos x: slope b and bend a of the fit have the variances v/2 and v + v₀, so a step from near the
    bottom ends at b/a, with a variance of v/2 to first order: the mean energy lies v/4 above the bottom."""
    place = SampledWaves(bases=(1.0,), doubles=(0.0,), coupling=0.0)
    replicas, samples = 4000, 400
    x = torch.full((replicas, 1), math.pi, dtype=torch.float64)
    method = Smo(first_samples=samples, growth=0.0, averaging=0.0, max_step=0.0)
    above = 1 + torch.cos(run(method, place, x, 1)[0].x[:, 0])
    expected = 1 / samples / 4
    assert abs(above.mean() - expected) < 4 * above.std() / math.sqrt(replicas) + 4 * expected / samples * 10


def test_samples_grow_with_what_was_spent_and_no_budget_is_overdrawn() -> None:
    place, replicas, shots = SampledWaves(), 6, 200_000
    x, rng = Stream.of(5, replicas).normal((2,)), Stream.of(1, replicas)
    rules = Rules(budget=Budget(shots=shots))
    method = Smo(growth=5.0)
    position = begin(method, place, x, rng, rules)
    for frame in walk(method, place, position, rng, range(1, 10_000), rules):
        position = frame.position
    assert (position.outcome == Outcome.SHOTS).all()
    assert (position.spent.shots <= shots).all() and (position.spent.shots > 0.9 * shots).all()
    sweep = 3 * (4 + 2 + 2 * 0.25)  # shots for each sample
    share = position.state.size.number * sweep / position.spent.shots
    assert ((share > 0.9 / 5) & (share < (1 + 1e-12) / 5)).all()  # but for rounding


def test_frequencies_without_a_common_divisor_are_refused() -> None:
    class Incommensurate(Waves):
        offers: ClassVar[Capabilities] = Waves.offers | {HARMONICS}

        @property
        def harmonics(self) -> Harmonics:
            return Harmonics(torch.ones(2, dtype=torch.float64), torch.tensor([1, 0]))

    with pytest.raises(BadInput, match="coordinate 1 has frequencies without a common divisor"):
        Smo().init(Incommensurate(), torch.zeros(1, 2, dtype=torch.float64), Stream.of(0, 1))
