"""Samplers against laws known in closed form; and that these checks catch a sampler that is wrong.

Chains are independent and start in the law itself, so errors come from the spread over chains: no guess at autocorrelation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from scipy import special
from tests.core.valleys import NoisyNormal, Normal, NormalSlope, Quartic, Spins, spins
from torch import Tensor

from thalweg_core.chains.metropolis import Verdict, accept
from thalweg_core.errors import BadInput
from thalweg_core.landscape import Landscape
from thalweg_core.method import Method
from thalweg_core.sampling.hmc import Hmc, Phase, hamiltonian, leapfrog
from thalweg_core.sampling.mala import Mala
from thalweg_core.sampling.ula import Ula
from thalweg_core.streams import Stream


class Estimate(NamedTuple):
    value: float
    error: float

    def off(self, truth: float) -> float:
        """Distance from the truth in standard errors."""
        return abs(self.value - truth) / self.error


class Course(NamedTuple):
    mean: Callable[[Callable[[Tensor], Tensor]], Estimate]  # of a function of x (B, d) -> (B,), over chains and steps
    boltzmann: Estimate  # mean of exp(-ΔH / T) over all proposals
    acceptance: float


def course(method: Method, place: Landscape, x: Tensor, steps: int, seed: int = 1, skip: int = 0) -> Course:
    rng = Stream.of(seed, len(x))
    state = method.init(place, x, rng)
    draws, factors, kept = [], [], []
    for step in range(1, steps + skip + 1):
        state, info = method.step(place, state, rng.at(step))
        if step > skip:
            draws.append(state.x)
            factors.append(torch.exp(-info.energy_error))
            kept.append(info.acceptance)

    def mean(f: Callable[[Tensor], Tensor]) -> Estimate:
        return over_chains(torch.stack([f(draw) for draw in draws]).mean(dim=0))

    return Course(mean, over_chains(torch.stack(factors).mean(dim=0)), float(torch.stack(kept).mean()))


def over_chains(figure: Tensor) -> Estimate:
    return Estimate(float(figure.mean()), float(figure.std()) / math.sqrt(len(figure)))


def normal_start(scales: tuple[float, ...], chains: int, temperature: float = 1.0) -> Tensor:
    return math.sqrt(temperature) * torch.tensor(scales) * Stream.of(99, chains).named("start").normal((len(scales),))


# --- the unadjusted one, bias included


@pytest.mark.parametrize(("h", "exact"), [(0.01, 1.005025), (0.5, 4 / 3), (1.5, 4.0)])
def test_ula_has_the_variance_of_its_closed_form_bias_included(h: float, exact: float) -> None:
    chains = 20_000
    x = math.sqrt(exact) * normal_start((1.0,), chains)  # its own stationary law: a tenth of the steps would not reach it
    square = course(Ula(step_size=h), Normal(), x, 10).mean(lambda x: x[:, 0].square())
    assert abs(1 / (1 - h / 2) - exact) < 1e-6  # notes of the field and the formula agree
    assert square.off(exact) < 4
    assert square.off(exact * 1.05) > 4  # the check would see five per cent


def test_ula_forgets_its_start_at_the_rate_of_its_closed_form() -> None:
    h, chains, steps, begin = 0.2, 20_000, 8, 3.0
    x = torch.full((chains, 1), begin, dtype=torch.float64)
    rng, method = Stream.of(1, chains), Ula(step_size=h, temperature=2.0)
    state = method.init(Normal(), x, rng)
    for step in range(1, steps + 1):
        state, _ = method.step(Normal(), state, rng.at(step))
    shrink = (1 - h) ** steps
    variance = 2 * h * 2.0 * (1 - shrink**2) / (1 - (1 - h) ** 2)
    assert over_chains(state.x[:, 0]).off(begin * shrink) < 4
    assert over_chains((state.x[:, 0] - begin * shrink).square()).off(variance) < 4


def test_noise_on_the_gradient_widens_ula_as_the_closed_form_says() -> None:
    h, chains = 0.3, 20_000
    exact = (2 * h + h * h) / (1 - (1 - h) ** 2)  # gradient noise of variance 1
    square = course(Ula(step_size=h), NoisyNormal(), math.sqrt(exact) * normal_start((1.0,), chains), 10)
    assert square.mean(lambda x: x[:, 0].square()).off(exact) < 4


def test_ula_at_temperature_zero_is_gradient_descent() -> None:
    x, rng = torch.tensor([[1.0, -2.0]], dtype=torch.float64), Stream.of(0, 1)
    method = Ula(step_size=0.1, temperature=0.0)
    state, info = method.step(Normal((1.0, 2.0)), method.init(Normal((1.0, 2.0)), x, rng), rng.at(1))
    torch.testing.assert_close(state.x, torch.tensor([[0.9, -1.95]], dtype=torch.float64), rtol=1e-15, atol=0)
    assert bool(info.acceptance.isnan())  # nothing was compared
    with pytest.raises(BadInput, match="wanted a number where temperature = 0"):
        Ula(temperature=0.0)


def test_the_gauge_of_ula_is_the_acceptance_of_its_twin() -> None:
    scales = (1.0, 0.5)
    place, x, rng = Normal(scales), normal_start(scales, 50), Stream.of(3, 50).at(1)
    ula, mala = Ula(step_size=0.3), Mala(step_size=0.3)
    _, gauge = ula.step(place, ula.init(place, x, rng), rng)
    _, twin = mala.step(place, mala.init(place, x, rng), rng)
    assert torch.equal(gauge.acceptance, twin.acceptance) and torch.equal(gauge.energy_error, twin.energy_error)
    noisy = NoisyNormal(scales)
    _, unknown = ula.step(noisy, ula.init(noisy, x, rng), rng)
    assert bool(unknown.acceptance.isnan().all())


@pytest.mark.parametrize(("coordinates", "percent"), [(1, 11.0), (10, 4.0), (100, 1.9)])
def test_the_gauge_that_warm_up_aims_at_stands_for_the_bias_that_is_stated(coordinates: int, percent: float) -> None:
    h = 2 * (1 - 1 / (1 + percent / 100))  # from the closed form of the variance
    scales = (1.0,) * coordinates
    found = course(Mala(step_size=h), Normal(scales), normal_start(scales, 2000), 5).acceptance
    assert abs(found - Ula.target_acceptance) < 0.005  # the percentages are rounded


@pytest.mark.parametrize("x", [1.0, 5.0])
def test_ula_on_spheres_tends_to_the_langevin_function_linearly_in_its_step(x: float) -> None:
    def bias(h: float) -> Estimate:
        found = course(Ula(step_size=h), Spins(field=x), aligned(1000, 8, x), 50, skip=30).mean(height)
        return Estimate(found.value - langevin(x), found.error)

    coarse, fine = bias(0.2 / x), bias(0.1 / x)
    assert abs(coarse.value) > 4 * coarse.error  # it is there,
    without = Estimate(2 * fine.value - coarse.value, math.hypot(2 * fine.error, coarse.error))
    assert abs(without.value) < 4 * without.error + 0.1 * abs(coarse.value)  # and halves with the step, up to its square


# --- the exact ones

SCALES = (1.0, 0.5)
MALA_STEP, HMC_STEP = 0.35, 0.75  # long enough that a third or more of the proposals are refused

EXACT = [
    pytest.param(Mala(step_size=MALA_STEP), 1.0, id="mala"),
    pytest.param(Mala(step_size=MALA_STEP, temperature=0.4), 0.4, id="mala, cold"),
    pytest.param(Hmc(step_size=HMC_STEP, leapfrog_steps=4), 1.0, id="hmc"),
    pytest.param(Hmc(step_size=HMC_STEP, leapfrog_steps=4, temperature=3.0), 3.0, id="hmc, hot"),
    pytest.param(Hmc(step_size=HMC_STEP, leapfrog_steps=1), 1.0, id="hmc of one step"),
]


def worst(method: Method, place: Normal, temperature: float) -> float:
    """The largest of the distances from mean, variance, correlation and fourth moment, in standard errors."""
    found = course(method, place, normal_start(SCALES, 4000, temperature), 20)
    variances = [temperature * s * s for s in SCALES]
    checks: list[tuple[Callable[[Tensor], Tensor], float]] = [(lambda x: x[:, 0], 0.0), (lambda x: x[:, 0] * x[:, 1], 0.0)]
    checks += [(lambda x, i=i: x[:, i].square(), v) for i, v in enumerate(variances)]  # type: ignore[misc]
    checks += [(lambda x: x[:, 1] ** 4, 3 * variances[1] ** 2)]
    return max(found.mean(f).off(truth) for f, truth in checks)


@pytest.mark.parametrize(("method", "temperature"), EXACT)
@pytest.mark.parametrize("place", [Normal(SCALES), NormalSlope(SCALES)])
def test_mala_and_hmc_draw_the_normal_law_they_were_given(method: Method, temperature: float, place: Normal) -> None:
    assert worst(method, place, temperature) < 4


@pytest.mark.parametrize(("method", "temperature"), EXACT)
def test_the_mean_of_the_exponential_of_energy_errors_is_one(method: Method, temperature: float) -> None:
    found = course(method, Normal(SCALES), normal_start(SCALES, 4000, temperature), 20)
    assert found.boltzmann.off(1.0) < 4
    assert 0.2 < found.acceptance < 0.9  # else there is nothing to get wrong


@pytest.mark.parametrize(("method", "temperature"), EXACT)
def test_the_checks_above_catch_a_sampler_that_never_refuses(
    method: Method, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def always(state: Any, proposal: Any, log_ratio: Tensor, rng: Stream) -> Verdict[Any]:
        return accept(state, proposal, log_ratio, rng)._replace(state=proposal)

    monkeypatch.setattr("thalweg_core.sampling.mala.accept", always)
    monkeypatch.setattr("thalweg_core.sampling.hmc.accept", always)
    assert worst(method, Normal(SCALES), temperature) > 6


@pytest.mark.parametrize("method", [Mala(step_size=MALA_STEP), Hmc(step_size=HMC_STEP, leapfrog_steps=4)])
def test_the_checks_above_catch_a_sampler_that_leaves_refused_draws_out(method: Method) -> None:
    rng = Stream.of(1, 4000)
    state, place = method.init(Normal(SCALES), normal_start(SCALES, 4000), rng), Normal(SCALES)
    square, moved = torch.zeros(4000, dtype=torch.float64), torch.zeros(4000, dtype=torch.float64)
    for step in range(1, 21):
        before = state.x
        state, _ = method.step(place, state, rng.at(step))
        new = (state.x != before).any(dim=1).double()
        square, moved = square + new * state.x[:, 1].square(), moved + new
    ratio = float(square.sum() / moved.sum())
    error = float((square - ratio * moved).std()) / math.sqrt(4000) / float(moved.mean())
    assert Estimate(ratio, error).off(SCALES[1] ** 2) > 4


@pytest.mark.parametrize("method", [Mala(step_size=0.3), Hmc(step_size=0.6, leapfrog_steps=3)])
def test_a_law_that_is_not_normal_is_drawn_too(method: Method) -> None:
    grid = torch.linspace(-6, 6, 200_001, dtype=torch.float64)
    weight = torch.exp(-(grid**4 / 4 + grid**2 / 2))
    cumulative = torch.cumsum(weight, 0) / weight.sum()
    u = Stream.of(8, 4000).uniform((2,))
    start = grid[torch.searchsorted(cumulative, u.contiguous())]
    found = course(method, Quartic(), start, 20)
    for power in (2, 4):
        truth = float((grid**power * weight).sum() / weight.sum())
        assert found.mean(lambda x, k=power: (x**k).mean(dim=1)).off(truth) < 4  # type: ignore[misc]
    # not the mean of exp(-ΔH): starts far up the wall, one in a billion, make a part of it
    assert 0.2 < found.acceptance < 0.9


@pytest.mark.parametrize("x", [1.0, 2.0, 5.0])
def test_hmc_magnetizes_free_spins_by_the_langevin_function(x: float) -> None:
    found = course(Hmc(step_size=1.2 / math.sqrt(x), leapfrog_steps=3), Spins(field=x), aligned(2000, 3, x), 20)
    assert found.mean(height).off(langevin(x)) < 4
    assert found.mean(lambda m: m[..., 2].square().mean(dim=1)).off(1 - 2 * langevin(x) / x) < 4
    assert found.mean(lambda m: m[..., 0].mean(dim=1)).off(0.0) < 4
    assert found.boltzmann.off(1.0) < 4
    assert found.acceptance < 0.95


def test_hmc_magnetizes_free_spins_at_any_temperature() -> None:
    method = Hmc(step_size=0.6, leapfrog_steps=3, temperature=0.5)
    assert course(method, Spins(field=1.0), aligned(2000, 3, 2.0), 20).mean(height).off(langevin(2.0)) < 4


@pytest.mark.parametrize("coupling", [0.5, 3.0])
def test_hmc_aligns_two_coupled_spins_as_far_as_the_closed_form_says(coupling: float) -> None:
    method = Hmc(step_size=0.7 / math.sqrt(coupling), leapfrog_steps=4)
    found = course(method, Spins(field=0.0, coupling=coupling), spins(3000, 2), 20, skip=40)
    assert found.mean(lambda m: (m[:, 0] * m[:, 1]).sum(-1)).off(langevin(coupling)) < 4


def langevin(x: float) -> float:
    """coth x - 1 / x."""
    return 1 / math.tanh(x) - 1 / x


def height(m: Tensor) -> Tensor:
    return m[..., 2].mean(dim=1)


def aligned(chains: int, sites: int, x: float) -> Tensor:
    """Unit spins drawn from exp(x m_z) exactly, by the inverse of the distribution of m_z."""
    u = Stream.of(5, chains).named("height").uniform((sites,))
    z = 1 + torch.log(u + (1 - u) * math.exp(-2 * x)) / x
    turn = 2 * math.pi * Stream.of(5, chains).named("turn").uniform((sites,))
    r = (1 - z * z).clamp_min(0).sqrt()
    return torch.stack([r * torch.cos(turn), r * torch.sin(turn), z], dim=-1)


# --- the leapfrog


def at_start(place: Landscape, chains: int = 6) -> Phase:
    x = spins(chains, 4) if isinstance(place, Spins) else Stream.of(3, chains).normal((5,))
    p = place.manifold.tangent(x, Stream.of(4, chains).normal_like(x))
    return Phase(x, p, place.evaluate(x, Stream.of(0, chains)))


PLACES = [Quartic(), NormalSlope((1.0, 0.5, 2.0, 1.0, 3.0)), Spins(field=1.0, coupling=2.0)]


@pytest.mark.parametrize("place", PLACES)
def test_a_trajectory_walked_back_ends_where_it_began(place: Landscape) -> None:
    start, rng = at_start(place), Stream.of(0, 6)
    end, _ = leapfrog(place, start, 0.1, 50, rng)
    assert float((end.x - start.x).abs().max()) > 0.5
    back, _ = leapfrog(place, end._replace(p=-end.p), 0.1, 50, rng)
    assert float((back.x - start.x).abs().max()) < 1e-12 and float((back.p + start.p).abs().max()) < 1e-12


@pytest.mark.parametrize("place", PLACES)
def test_half_the_step_makes_a_quarter_of_the_energy_error(place: Landscape) -> None:
    start, rng = at_start(place), Stream.of(0, 6)

    def error(step_size: float) -> Tensor:
        return hamiltonian(leapfrog(place, start, step_size, round(1.28 / step_size), rng)[0]) - hamiltonian(start)

    ratio = float(error(0.02).abs().sum() / error(0.01).abs().sum())
    assert abs(ratio - 4) < 0.2


def test_a_trajectory_keeps_volume() -> None:
    place, rng = Quartic(), Stream.of(0, 1)

    def roll(z: Tensor) -> Tensor:
        x, p = z[None, :3], z[None, 3:]
        end, _ = leapfrog(place, Phase(x, p, place.evaluate(x, rng)), 0.2, 7, rng)
        return torch.cat([end.x, end.p], dim=1)[0]

    jacobian = torch.autograd.functional.jacobian(roll, Stream.of(3, 1).normal((6,))[0])
    assert abs(float(torch.linalg.det(jacobian)) - 1) < 1e-10  # type: ignore[arg-type]


def test_the_energy_error_and_the_acceptance_of_many_coordinates_obey_their_law() -> None:
    d = 400
    x = normal_start((1.0,) * d, 500)
    rng, method = Stream.of(1, 500), Hmc(step_size=0.35, leapfrog_steps=4)
    state, errors, kept = method.init(Normal((1.0,) * d), x, rng), [], []
    for step in range(1, 21):
        state, info = method.step(Normal((1.0,) * d), state, rng.at(step))
        errors.append(info.energy_error.mean())
        kept.append(info.acceptance.mean())
    # trajectories of one length: acceptance = erfc(sqrt(<dH>) / 2), for many coordinates
    law = torch.tensor([special.erfc(math.sqrt(max(float(e), 0.0)) / 2) for e in errors])
    assert float((torch.stack(kept) - law).abs().max()) < 4 * 0.35 / math.sqrt(500)
