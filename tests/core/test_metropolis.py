"""The one rule by which proposals are kept."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from tests.core.valleys import Box, Cliff, Normal, Quartic
from torch import Tensor

from thalweg_core.chains.metropolis import accept, langevin_log_ratio
from thalweg_core.sampling.hmc import Hmc
from thalweg_core.sampling.mala import Mala
from thalweg_core.streams import Stream


class Place(NamedTuple):
    x: Tensor


def test_proposals_are_kept_as_often_as_their_ratio_says() -> None:
    rows = 40_000
    zero, one = torch.zeros(rows), torch.ones(rows)
    for ratio in (0.1, 0.7, 1.0, 3.0):
        log_ratio = torch.full((rows,), math.log(ratio), dtype=torch.float64)
        verdict = accept(Place(zero), Place(one), log_ratio, Stream.of(0, rows))
        chance = min(1.0, ratio)
        torch.testing.assert_close(verdict.acceptance, torch.full_like(log_ratio, chance))
        assert abs(float(verdict.state.x.mean()) - chance) <= 4 * math.sqrt(chance * (1 - chance) / rows)


def test_what_is_not_a_number_is_refused_and_counted_and_what_is_impossible_is_refused() -> None:
    log_ratio = torch.tensor([math.nan, math.inf, -math.inf, 0.0])
    verdict = accept(Place(torch.zeros(4)), Place(torch.ones(4)), log_ratio, Stream.of(0, 4))
    assert verdict.state.x.tolist() == [0, 0, 0, 1]
    assert verdict.acceptance.tolist() == [0, 0, 0, 1]
    assert verdict.rejected_nan.tolist() == [True, True, False, False]


def test_the_langevin_ratio_is_energies_and_proposal_densities() -> None:
    h, temperature, rng = 0.3, 1.7, Stream.of(2, 20)
    x, kick = rng.normal((3,)), rng.at(1).normal((3,))
    here = Quartic().evaluate(x, rng)
    move = math.sqrt(2 * h * temperature) * kick - h * here.grad
    there = Quartic().evaluate(x + move, rng)

    def log_density(to: Tensor, mean: Tensor) -> Tensor:
        return -((to - mean) ** 2).sum(dim=1) / (4 * h * temperature)

    forward, backward = log_density(x + move, x - h * here.grad), log_density(x, x + move - h * there.grad)
    exact = -(there.value - here.value) / temperature + backward - forward
    torch.testing.assert_close(langevin_log_ratio(here, there, move, h, temperature), exact, rtol=1e-11, atol=1e-11)


def test_samplers_stay_off_ground_where_the_energy_is_not_a_number() -> None:
    for method in (Mala(step_size=0.8), Hmc(step_size=1.0, leapfrog_steps=3)):
        rng = Stream.of(1, 50)
        state, refused = method.init(Cliff(), 0.5 * rng.uniform((1,)), rng), 0
        for step in range(1, 101):
            state, info = method.step(Cliff(), state, rng.at(step))
            assert bool((info.acceptance[info.rejected_nan] == 0).all())
            refused += int(info.rejected_nan.sum())
        assert float(state.x.abs().max()) <= 1 and bool(state.seen.value.isfinite().all())
        assert refused > 100


def test_a_support_that_ends_is_kept_without_counting_numbers_lost() -> None:
    rng = Stream.of(1, 4000)
    method = Mala(step_size=0.3)
    state = method.init(Box(), 2 * rng.uniform((1,)) - 1, rng)
    for step in range(1, 31):
        state, info = method.step(Box(), state, rng.at(step))
        assert not bool(info.rejected_nan.any())
    square = state.x.square()
    assert abs(float(square.mean()) - 1 / 3) < 4 * float(square.std()) / math.sqrt(4000)  # started, and stays, uniform


def test_a_refused_chain_stays_to_the_bit() -> None:
    rng = Stream.of(3, 200)
    method = Mala(step_size=3.0)
    state = method.init(Normal((1.0, 1.0)), rng.normal((2,)), rng)
    moved, info = method.step(Normal((1.0, 1.0)), state, rng.at(1))
    stayed = (moved.x == state.x).all(dim=1)
    assert 0 < int(stayed.sum()) < 200
    assert torch.equal(moved.seen.value[stayed], state.seen.value[stayed])
    assert float(info.acceptance.min()) < 0.5
