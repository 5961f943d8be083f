"""iCANS, gCANS and Rosalin against the formulas of their papers, written out, and against numeric maxima of the gain."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from tests.core.components import Components
from tests.core.valleys import Normal, Sampling
from torch import Tensor

from thalweg_core.descent.gradient_descent import GradientDescent
from thalweg_core.descent.shot_frugal.gcans import Gcans, GlobalRule
from thalweg_core.descent.shot_frugal.icans import Icans
from thalweg_core.descent.shot_frugal.rosalin import Rosalin
from thalweg_core.descent.shot_frugal.rules import FrugalState, IndividualRule, Statistics, best_samples
from thalweg_core.errors import BadInput
from thalweg_core.landscape import LIPSCHITZ, Landscape
from thalweg_core.streams import Stream
from thalweg_core.walking.account import Budget
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.walk import Rules, begin, walk

PLACE = Components(scales=(1.0, 0.5, 2.0), spreads=(1.0, 3.0, 0.3))


def statistics(slope: Tensor, variance: Tensor, looks: int = 1, memory: float = 0.9) -> Statistics:
    """Whose means are these."""
    weight = 1 - memory**looks
    return Statistics(weight * slope, weight * variance, torch.full((len(slope),), memory**looks, dtype=slope.dtype))


def drawn(rows: int, coordinates: int) -> tuple[Tensor, Tensor]:
    slope, variance = Stream.of(4, rows).named("means").normal((2, coordinates)).unbind(1)
    return slope, variance.exp()


def gain(samples: float, slope: float, variance: float, rate: float, lipschitz: float) -> float:
    """Expected, of one component."""
    return (rate - lipschitz * rate**2 / 2) * slope**2 - lipschitz * rate**2 / 2 * variance / samples


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.2])
def test_no_number_of_samples_gains_more_for_each_than_the_one_chosen(rate: float) -> None:
    lipschitz = 1.5
    slopes, variances = drawn(40, 1)
    chosen = best_samples(variances, slopes.square(), rate * lipschitz)
    for slope, variance, samples in zip(slopes[:, 0].tolist(), variances[:, 0].tolist(), chosen[:, 0].tolist(), strict=True):
        best = max(gain(s, slope, variance, rate, lipschitz) / s for s in np.geomspace(0.1, 1e7, 20001))
        at, below = (gain(s, slope, variance, rate, lipschitz) / s for s in (samples, max(samples - 1, 1e-9)))
        assert max(at, below) <= best * (1 + 1e-6)
        assert samples - 1 <= 2 * rate * lipschitz / (2 - rate * lipschitz) * variance / slope**2 <= samples
        if samples > 100:
            assert at > best * (1 - 1e-3)


def test_icans_samples_are_those_of_algorithm_1_word_for_word() -> None:
    rate, lipschitz, memory, bias, least, looks = 0.4, 1.7, 0.9, 1e-2, 3, 5
    slopes, variances = drawn(30, 6)
    rule = IndividualRule(rate, lipschitz, memory, bias, least, cautious=False)
    before = statistics(slopes, variances, looks - 1, memory)
    ours = rule.choose(statistics(slopes, variances, looks, memory), before, torch.full_like(slopes, 10)).samples
    for row in range(30):
        s, gamma = [], []
        for chi, xi in zip(slopes[row].tolist(), variances[row].tolist(), strict=True):
            s.append(math.ceil(2 * lipschitz * rate / (2 - lipschitz * rate) * xi / (chi**2 + bias * memory ** (looks - 1))))
            gamma.append(((rate - lipschitz * rate**2 / 2) * chi**2 - xi * lipschitz * rate**2 / (2 * s[-1])) / s[-1])
        most = s[int(np.argmax(gamma))]
        assert ours[row].tolist() == [max(min(one, most), least) for one in s]


def test_gcans_samples_are_those_by_which_the_whole_gradient_gains_most_for_each() -> None:
    rate, lipschitz = 0.5, 1.3
    slopes, variances = drawn(8, 4)
    rule = GlobalRule(rate, lipschitz, 0.9, 1)
    after = statistics(slopes, variances * 1e6)  # so many that rounding up does not matter
    chosen = rule.choose(after, after, torch.full_like(slopes, 10)).samples.double()
    for row in range(8):
        chi, xi = slopes[row].tolist(), (variances[row] * 1e6).tolist()

        def each(logs: np.ndarray, chi: list[float] = chi, xi: list[float] = xi) -> float:
            s = np.exp(logs)
            return -sum(gain(n, c, x, rate, lipschitz) for n, c, x in zip(s, chi, xi, strict=True)) / s.sum() * 1e6

        start = np.log(np.array(xi) / sum(c * c for c in chi)) + 1.0
        best = minimize(
            each, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-14, "maxiter": 20000, "maxfev": 20000}
        )
        torch.testing.assert_close(chosen[row], torch.from_numpy(np.exp(best.x)), rtol=1e-3, atol=0)


def test_gcans_by_common_samples_gains_most_for_each_too() -> None:
    rate, lipschitz = 0.5, 1.3
    slopes, variances = drawn(8, 4)
    after = statistics(slopes, variances * 1e6)
    chosen = GlobalRule(rate, lipschitz, 0.9, 1).choose(after, after, torch.full((8,), 10)).samples
    for row in range(8):
        grid = np.geomspace(0.2, 5.0, 2001) * float(chosen[row])
        each = [
            sum(gain(s, c, 1e6 * x, rate, lipschitz) for c, x in zip(slopes[row].tolist(), variances[row].tolist(), strict=True))
            / s
            for s in grid
        ]
        assert abs(grid[int(np.argmax(each))] / float(chosen[row]) - 1) < 2e-3


def test_the_cautious_variant_shortens_only_the_steps_that_are_expected_to_lose() -> None:
    rate, lipschitz, samples = 0.6, 1.5, 4
    slopes, variances = drawn(200, 3)
    rule = IndividualRule(rate, lipschitz, 0.9, 1e-6, 2, cautious=True)
    after = statistics(slopes, variances)
    rates = rule.choose(after, after, torch.full_like(slopes, samples)).rate
    assert isinstance(rates, Tensor)
    loses = torch.tensor(
        [
            [gain(samples, c, x, rate, lipschitz) < 0 for c, x in zip(row, other, strict=True)]
            for row, other in zip(slopes.tolist(), variances.tolist(), strict=True)
        ]
    )
    assert torch.equal(rates < rate, loses) and 0.2 < loses.double().mean() < 0.9
    for chi, xi, alpha in zip(slopes[loses].tolist(), variances[loses].tolist(), rates[loses].tolist(), strict=True):
        best = max(gain(samples, chi, xi, a, lipschitz) for a in np.linspace(0, rate, 2001))
        assert gain(samples, chi, xi, alpha, lipschitz) >= best
        assert gain(samples, chi, xi, alpha, lipschitz) > 0


def test_running_means_are_corrected_for_their_start() -> None:
    """After k looks χ = Σ μ^(k-j) g_j / Σ μ^(k-j), ξ likewise."""
    method, rng, looks = Icans(memory=0.8), Stream.of(0, 3), 6
    state = method.init(PLACE, torch.ones(3, 3, dtype=torch.float64), rng.named("init"))
    grads, ones = [], []
    for step in range(1, looks + 1):
        assert state.samples is not None
        grads.append(state.seen.grad)
        ones.append(state.seen.grad_var * state.samples)
        state, _ = method.step(PLACE, state, rng.at(step))
    weights = torch.tensor([0.8 ** (looks - 1 - j) for j in range(looks)], dtype=torch.float64)
    weights = (weights / weights.sum())[:, None, None]
    slope, variance = state.statistics.means
    torch.testing.assert_close(slope, (weights * torch.stack(grads)).sum(0))
    torch.testing.assert_close(variance, (weights * torch.stack(ones)).sum(0))
    torch.testing.assert_close(variance, torch.tensor(PLACE.spreads, dtype=torch.float64).square().expand(3, -1))


def test_exact_gcans_is_steepest_descent_with_the_inverse_of_the_lipschitz_constant() -> None:
    class Valley(Normal):
        offers = frozenset({LIPSCHITZ})
        lipschitz = 4.0

    x = Stream.of(2, 3).normal((3,))
    states = []
    for method in (Gcans(learning_rate=0.5), GradientDescent(learning_rate=0.5 / 4.0)):
        state = method.init(Valley((0.5, 1.0, 2.0)), x, Stream.of(0, 3))
        for step in range(1, 20):
            state, _ = method.step(Valley((0.5, 1.0, 2.0)), state, Stream.of(0, 3).at(step))
        states.append(state.x)
    torch.testing.assert_close(*states, rtol=1e-13, atol=0)


@pytest.mark.parametrize("method", [Icans(), Icans(variant=2), Gcans(), Rosalin()])
def test_samples_grow_as_the_slope_fades_and_no_budget_is_overdrawn(method: Icans | Gcans | Rosalin) -> None:
    shots, replicas = 300_000, 6
    rng, rules = Stream.of(3, replicas), Rules(budget=Budget(shots=shots))
    x = 5 * torch.ones(replicas, 3, dtype=torch.float64)
    position = begin(method, PLACE, x, rng, rules)
    start = PLACE.evaluate(x, rng).value
    for frame in walk(method, PLACE, position, rng, range(1, 5000), rules):
        position = frame.position
    state: FrugalState = position.state
    assert (position.outcome == Outcome.SHOTS).all() and (position.spent.shots <= shots).all()
    assert state.samples is not None and (state.samples.sum(dim=1) > 100 * 3 * 2).all()
    assert (Normal(PLACE.scales).evaluate(state.x, rng).value < 1e-3 * start).all()


@pytest.mark.parametrize("method", [Icans(), Gcans(), Rosalin()])
def test_a_slope_that_happens_not_to_show_takes_no_more_than_ten_times_the_samples(method: Icans | Gcans | Rosalin) -> None:
    rng, leaps = Stream.of(1, 300), []
    state = method.init(PLACE, torch.zeros(300, 3, dtype=torch.float64), rng.named("init"))
    for step in range(1, 4):
        before = state.samples
        state, _ = method.step(PLACE, state, rng.at(step))
        assert before is not None and state.samples is not None
        leaps.append(state.samples / before)
    assert torch.stack(leaps).max() == 10 and (torch.stack(leaps) == 10).double().mean() < 0.5


def test_gcans_walks_on_samples_that_show_all_components_at_once() -> None:
    class Batches(Sampling):
        offers = Sampling.offers | {LIPSCHITZ}
        lipschitz = 4.0

    place, rng = Batches((0.5, 1.0, 2.0)), Stream.of(3, 6)
    method = Gcans(learning_rate=1.0)
    state = method.init(place, 5 * torch.ones(6, 3, dtype=torch.float64), rng)
    for step in range(1, 60):
        state, _ = method.step(place, state, rng.at(step))
    assert state.samples is not None and state.samples.shape == (6,) and (state.samples > 10).all()
    assert (Normal(place.scales).evaluate(state.x, rng).value < 0.1).all()


@pytest.mark.parametrize("method", [Icans(), Gcans(), Rosalin()])
def test_a_landscape_without_a_bound_wants_one(method: Icans | Gcans | Rosalin) -> None:
    place: Landscape = Sampling((1.0,))
    state = FrugalState(
        torch.ones(1, 1, dtype=torch.float64),
        place.evaluate(torch.ones(1, 1, dtype=torch.float64), Stream.of(0, 1)),
        statistics(*drawn(1, 1)),
        torch.full((1, 1), 2),
    )
    with pytest.raises(BadInput, match="give one") as refused:
        method.step(place, state, Stream.of(0, 1))
    assert refused.value.field == "lipschitz"
