"""The pooled warm-up: what it aims at, and that it makes no replica depend on how many there are."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from tests.core.valleys import Cliff, NoisyNormal, Normal, NormalSlope, Spins, spins
from torch import Tensor

from thalweg_core.chains import warm_up
from thalweg_core.chains.warm_up import PANEL, WarmUp
from thalweg_core.descent.adam.adam import Adam
from thalweg_core.errors import BadInput
from thalweg_core.landscape import EXACT_VALUE, FLAT, Evaluation, Landscape, Samples
from thalweg_core.numbers.trees import take_rows
from thalweg_core.sampling.hmc import Hmc
from thalweg_core.sampling.mala import Mala
from thalweg_core.sampling.ula import Ula
from thalweg_core.streams import Stream
from thalweg_core.walking.account import Budget
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.walk import Rules, begin, walk

PLACE = NormalSlope((0.2, 1.0, 1.0, 3.0))


def warmed(method: Any, place: Landscape, rows: int, steps: int, seed: int = 1) -> tuple[WarmUp, Any]:
    rng = Stream.of(seed, rows)
    x = spins(rows, 5, seed) if isinstance(place, Spins) else rng.named("start").normal((4,))
    warm_up = WarmUp(method)
    position = begin(warm_up, place, x, rng)
    for frame in walk(warm_up, place, position, rng, range(1, steps + 1)):
        position = frame.position
    return warm_up, position


def acceptance(method: Any, place: Landscape, state: Any, steps: int, seed: int = 9) -> tuple[float, float]:
    """Mean over chains and steps, and its standard error from the chains."""
    rng, seen = Stream.of(seed, len(state.x)), []
    for step in range(1, steps + 1):
        state, info = method.step(place, state, rng.at(step))
        seen.append(info.acceptance)
    chains = torch.stack(seen).mean(dim=0)
    return float(chains.mean()), float(chains.std()) / math.sqrt(len(chains))


@pytest.mark.parametrize(
    ("method", "place", "target", "noise"),
    [
        (Mala(), PLACE, 0.574, 0.3 / math.sqrt(PANEL)),  # noise: of the pooled acceptance from step to step
        (Mala(target_acceptance=0.8), PLACE, 0.8, 0.3 / math.sqrt(PANEL)),
        (Hmc(leapfrog_steps=8), PLACE, 0.8, 0.15),  # all chains share a trajectory's length, which the panel cannot average
        (Hmc(leapfrog_steps=8, temperature=0.3), Spins(2.0, 3.0), 0.8, 0.15),
        (Ula(), PLACE, 0.98, 0.1 / math.sqrt(PANEL)),
    ],
)
def test_the_tuned_sampler_is_accepted_as_often_as_asked_for(method: Any, place: Landscape, target: float, noise: float) -> None:
    warm_up, position = warmed(method, place, 64, 200)
    found, error = acceptance(warm_up.tuned(position.state), place, warm_up.inner(position.state), 200)
    # the step is set by some thirty of the 200 updates, with a slope of order 1 between ln(step) and acceptance
    assert abs(found - target) < 4 * error + 4 * noise / math.sqrt(30)


@pytest.mark.parametrize("method", [Mala(), Hmc(leapfrog_steps=4), Ula()])
def test_a_panel_makes_the_step_size_and_the_first_chains_independent_of_the_batch(method: Any) -> None:
    warm_up, alone = warmed(method, PLACE, PANEL, 30)
    _, among = warmed(method, PLACE, 80, 30)
    assert warm_up.tuned(alone.state) == warm_up.tuned(among.state)
    first = torch.arange(PANEL)
    assert torch.equal(take_rows(among, first).state.x, alone.state.x)
    assert torch.equal(take_rows(among, first).spent.gradients, alone.spent.gradients)


def test_every_row_carries_the_same_pooled_numbers() -> None:
    _, position = warmed(Mala(), PLACE, 40, 10)
    assert all(bool((t == t[0]).all()) for t in position.state.average)
    assert int(position.state.average.updates[0]) == 10


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_the_first_step_size_is_found_in_any_unit(unit: float) -> None:
    place = Normal((unit, unit))
    rng = Stream.of(0, PANEL)
    for method, exponent in ((Mala(), 2), (Hmc(leapfrog_steps=1), 1)):
        state = WarmUp(method).init(place, unit * rng.normal((2,)), rng)
        first = math.exp(float(state.average.log_step[0])) / unit**exponent
        assert 0.5 < first < 10  # where half of the proposals pass, for two normal coordinates
        assert int(state.seen.cost.evaluations[0]) > 1  # the trials are charged


def test_dual_averaging_is_that_of_hoffman_and_gelman() -> None:
    warm_up = WarmUp(Mala())
    rng = Stream.of(0, PANEL)
    state = warm_up.init(PLACE, rng.normal((4,)), rng)
    first = float(state.average.log_step[0])
    centre, shortfall, mean = math.log(10) + first, 0.0, first
    for t in range(1, 20):
        state, info = warm_up.step(PLACE, state, rng.at(t))
        assert float(state.moving.min()) > 0.05  # no chain stands still, or its vote would be in the mean
        shortfall += (0.574 - float(info.acceptance.mean()) - shortfall) / (t + 10)  # t0 = 10
        log_step = centre - math.sqrt(t) / 0.05 * shortfall  # gamma = 0.05
        mean += t**-0.75 * (log_step - mean)  # kappa = 0.75
        assert abs(float(state.average.log_step[0]) - log_step) < 1e-11
        assert abs(float(state.average.log_mean[0]) - mean) < 1e-11


def test_proposals_that_are_not_numbers_shorten_the_step() -> None:
    place = Cliff((100.0, 100.0, 100.0, 100.0))  # all but flat inside: only the cliff at 1 refuses, and it does so by NaN
    warm_up, position = warmed(Mala(target_acceptance=0.7), place, 64, 150)
    step = warm_up.tuned(position.state).step_size
    assert step is not None and step < 1  # counted as accepted, they would have driven it towards the width of 100


class Slope(Normal):
    """U = exp(3 x_0) + exp(-3 x_0) + |x|² / 2: the further out, the steeper, beyond any step that suits the middle."""

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        seen, up, down = super().evaluate(x, rng), torch.exp(3 * x[:, 0]), torch.exp(-3 * x[:, 0])
        grad = seen.grad.clone()
        grad[:, 0] += 3 * (up - down)
        return Evaluation.exact(seen.value + up + down, grad)


@pytest.mark.parametrize("method", [Mala(), Hmc(leapfrog_steps=4)])
def test_chains_that_start_on_steep_slopes_come_down_before_the_warm_up_ends(method: Any) -> None:
    place, rng = Slope((1.0, 1.0)), Stream.of(1, 64)
    x = rng.named("start").normal((2,))
    x[::8, 0] = 3.0  # curvature 70 000 there, 18 in the middle
    warm_up = WarmUp(method)
    state = warm_up.init(place, x, rng)
    for step in range(1, 151):
        state, _ = warm_up.step(place, state, rng.at(step))
    assert float(state.x[:, 0].abs().max()) < 1.5
    found, _ = acceptance(warm_up.tuned(state), place, state.inner, 100)
    assert 0.4 < found < 0.95


def test_a_chain_that_nothing_frees_does_not_hold_up_the_others() -> None:
    place, rng = Cliff((1.0, 1.0)), Stream.of(1, 64)
    x = 0.3 * rng.named("start").normal((2,))
    x[3, 0] = 5.0  # where the energy is not a number
    warm_up = WarmUp(Mala())
    state = warm_up.init(place, x, rng)
    for step in range(1, 401):
        state, _ = warm_up.step(place, state, rng.at(step))
    found, _ = acceptance(warm_up.tuned(state), place, state.inner, 100)
    assert abs(found - 0.574) < 0.1 and float(state.x[3, 0]) == 5.0


def test_a_step_size_that_was_given_is_kept_and_the_walk_is_the_sampler_s_own() -> None:
    method = Ula(step_size=0.01)
    warm_up, position = warmed(method, PLACE, 3, 7)
    rng = Stream.of(1, 3)
    plain = begin(method, PLACE, rng.named("start").normal((4,)), rng)
    for frame in walk(method, PLACE, plain, rng, range(1, 8)):
        plain = frame.position
    assert warm_up.tuned(position.state) is method
    assert torch.equal(warm_up.inner(position.state).x, plain.state.x)


def test_an_unadjusted_sampler_cannot_run_away_while_it_warms_up() -> None:
    _, position = warmed(Ula(), Normal((1e-3, 1.0, 1.0, 1.0)), 64, 100)
    assert bool(position.state.x.isfinite().all()) and float(position.state.x.abs().max()) < 10


def test_who_needs_a_warm_up_and_what_it_needs_of_a_landscape() -> None:
    assert [k.adaptation() is not None for k in (Ula(), Mala(), Hmc(), Ula(0.1), Mala(0.1), Hmc(0.1), Adam())] == [True] * 3 + [
        False
    ] * 4
    assert warm_up.needs(Ula()) == Ula.needs | {FLAT, EXACT_VALUE} and warm_up.needs(Ula(0.1)) == Ula.needs
    assert warm_up.needs(Hmc()) == Hmc.needs and warm_up.needs(Adam()) == Adam.needs


@pytest.mark.parametrize("place", [NoisyNormal((1.0, 1.0, 1.0, 1.0)), Spins()])
def test_a_step_size_that_no_acceptance_can_tell_must_be_given(place: Landscape) -> None:
    with pytest.raises(BadInput, match="give one"):
        warmed(Ula(), place, PANEL, 1)


def test_a_warm_up_spends_no_more_gradients_than_its_budget() -> None:
    """A trajectory may be longer than any before it: of many early ends, some show whether the longest is reckoned with."""
    method, rules = WarmUp(Hmc(step_size=0.5, leapfrog_steps=16)), Rules(budget=Budget(gradients=25))
    for seed in range(60):
        rng = Stream.of(seed, 2)
        position = begin(method, PLACE, rng.named("start").normal((4,)), rng, rules)
        for frame in walk(method, PLACE, position, rng, range(1, 100), rules):
            position = frame.position
        assert (position.outcome == Outcome.GRADIENTS).all()
        assert (position.spent.gradients <= 25).all() and (position.spent.gradients > 25 - 16).all()
