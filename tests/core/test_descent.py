"""Optimizers against closed forms and torch.optim."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import pytest
import torch
from scipy import stats
from tests.core.valleys import NoisyNormal, Normal, NormalSlope, Quartic, Sampling, Spins, spins
from torch import Tensor

from thalweg_core.descent.adam.adam import Adam
from thalweg_core.descent.adam.moments import Moments, no_moments, tempered
from thalweg_core.descent.adam.textbook_adam import TextbookAdam
from thalweg_core.descent.gradient_descent import GradientDescent
from thalweg_core.landscape import HARMONICS, LIPSCHITZ, Capabilities, Evaluation, Harmonics, Landscape, Samples
from thalweg_core.manifold import Euclidean
from thalweg_core.method import Method
from thalweg_core.streams import Stream
from thalweg_core.walking.account import Budget
from thalweg_core.walking.walk import Rules, begin, walk


def run(method: Method, place: Landscape, x: Tensor, steps: int) -> Any:
    rng = Stream.of(0, len(x))
    state = method.init(place, x, rng)
    for step in range(1, steps + 1):
        state, _ = method.step(place, state, rng.at(step))
    return state


def test_steepest_descent_shrinks_each_direction_by_its_own_factor() -> None:
    scales, rate = (0.5, 1.0, 3.0), 0.1
    x = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
    end = run(GradientDescent(rate), Normal(scales), x, 20).x
    exact = [value * (1 - rate / s**2) ** 20 for value, s in zip(x[0].tolist(), scales, strict=True)]
    torch.testing.assert_close(end[0], torch.tensor(exact, dtype=torch.float64), rtol=1e-13, atol=0)


def test_steepest_descent_under_noise_ends_as_high_above_the_bottom_as_its_learning_rate_says() -> None:
    """η v / (2 (2 - η h)) for each direction, from the stationary variance of the walk; v = 1."""
    rate, scales, replicas = 0.3, (0.7, 1.0, 2.0), 4000
    end = run(GradientDescent(rate), NoisyNormal(scales), torch.zeros(replicas, 3, dtype=torch.float64), 100).x
    energy = Normal(scales).evaluate(end, Stream.of(0, replicas)).value
    expected = sum(rate / (2 * (2 - rate / scale**2)) for scale in scales)
    assert abs(energy.mean() - expected) < 4 * energy.std() / math.sqrt(replicas)


def test_steepest_descent_left_to_itself_takes_the_step_that_a_known_bound_allows() -> None:
    class Steep(Normal):
        offers: ClassVar[Capabilities] = Normal.offers | {LIPSCHITZ}

        lipschitz = 4.0

    assert GradientDescent().resolved(Steep((0.5,))) == GradientDescent(0.25)
    assert GradientDescent().resolved(Normal((0.5,))) == GradientDescent(0.01)
    x = torch.ones(1, 1, dtype=torch.float64)
    assert float(run(GradientDescent(), Steep((0.5,)), x, 1).x) == 0.0  # one step to the bottom


def test_steepest_descent_of_a_spin_in_a_field_follows_the_tangent_map() -> None:
    angle, rate = 2.0, 0.3
    m = torch.tensor([[[math.sin(angle), 0.0, math.cos(angle)]]], dtype=torch.float64)
    end = run(GradientDescent(rate), Spins(field=1.0), m, 10).x
    for _ in range(10):
        angle -= math.atan(rate * math.sin(angle))  # a step along the tangent of length rate · sin(angle), then back
    assert abs(float(end[0, 0, 2]) - math.cos(angle)) < 1e-14


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9), (0.0, 0.99)])
def test_adam_in_flat_space_takes_the_steps_of_torch_optim(betas: tuple[float, float], amsgrad: bool) -> None:
    place = Quartic()
    x = Stream.of(1, 3).normal((4,))
    theirs = x.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([theirs], lr=0.05, betas=betas, eps=1e-8, amsgrad=amsgrad)
    method, rng = Adam(0.05, *betas, amsgrad=amsgrad), Stream.of(0, 3)
    state = method.init(place, x, rng)
    for step in range(1, 101):  # later, near the minimum, quotients of small numbers magnify the rounding
        optimizer.zero_grad()
        (0.25 * theirs**4 + 0.5 * theirs**2).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        state, _ = method.step(place, state, rng.at(step))
        torch.testing.assert_close(state.x, theirs.detach(), rtol=0, atol=1e-13 * step)


def test_adam_left_to_itself_is_plain_adam_in_flat_space() -> None:
    x = Stream.of(1, 3).normal((4,))
    default, plain = run(Adam(0.05), Quartic(), x, 50), run(Adam(0.05, amsgrad=False), Quartic(), x, 50)
    assert torch.equal(default.x, plain.x)


def test_adam_on_spheres_turns_no_spin_by_more_than_the_learning_rate_at_first() -> None:
    m = spins(3, 6)
    rate = 0.02
    end = run(Adam(rate), Spins(field=2.0, coupling=1.5), m, 1).x
    turned = torch.atan2(torch.linalg.cross(m, end).norm(dim=-1), (m * end).sum(-1))
    torch.testing.assert_close(turned.amax(dim=1), torch.full((3,), math.atan(rate), dtype=torch.float64), rtol=1e-6, atol=0)


def test_adam_on_spheres_knows_no_preferred_frame() -> None:
    m = spins(2, 5)
    turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)  # about the field
    place = Spins(field=1.0, coupling=0.8)
    torch.testing.assert_close(run(Adam(0.05), place, m @ turn, 40).x, run(Adam(0.05), place, m, 40).x @ turn)


@pytest.mark.parametrize("rate", [0.1, 0.3, 1.0])
def test_adam_on_spheres_comes_to_rest_at_the_minimum(rate: float) -> None:
    place = Spins(field=0.5, coupling=2.0)
    m = spins(4, 12)
    end = run(Adam(rate), place, m, 3000)
    assert float(place.manifold.site_norm(place.manifold.tangent(end.x, end.seen.grad)).max()) < 1e-9
    lowest = -0.5 * 12 - 2.0 * 11  # all spins along the field
    torch.testing.assert_close(end.seen.value, torch.full((4,), lowest, dtype=torch.float64), rtol=1e-12, atol=0)


def test_optimizers_are_not_misled_by_a_landscape_that_can_do_more() -> None:
    x = Stream.of(1, 2).normal((3,))
    for method in (GradientDescent(0.1), Adam(0.1)):
        assert torch.equal(run(method, Normal((1.0, 2.0, 3.0)), x, 9).x, run(method, NormalSlope((1.0, 2.0, 3.0)), x, 9).x)


SHOTS = Sampling((0.7, 1.0, 1.5, 2.0))
CURVATURES = 1 / torch.tensor(SHOTS.scales, dtype=torch.float64) ** 2


def excess(method: Method, budget: int, rows: int = 100) -> tuple[float, float]:
    """Mean of U above its minimum where the answers lie, over what nothing can undercut, and the standard error of that.

    From N gradients of variance σ² in each coordinate the minimum of Σ h_k x_k²/2 is known to variance σ²/(N h_k²) at best,
    an excess of Σ σ²/(2 N h_k).
    """
    rng, rules = Stream.of(5, rows), Rules(budget=Budget(shots=budget))
    position = begin(method, SHOTS, rng.named("start").normal((4,)), rng, rules)
    for frame in walk(method, SHOTS, position, rng, range(1, 10**6), rules):
        position = frame.position
    answer = method.answer(position.state)
    above = 0.5 * (CURVATURES * answer * answer).sum(dim=1)
    gradients = position.spent.shots.double().mean() / 3  # a sample charges three shots
    least = (SHOTS.spread**2 / (2 * CURVATURES * gradients)).sum()
    return float(above.mean() / least), float(above.std() / rows**0.5 / least)


@pytest.mark.parametrize("budget", [30_000, 300_000])
def test_adam_under_noise_needs_no_more_than_its_averaging_costs(budget: int) -> None:
    """An average with weights 5 s⁴ over all that was spent, 0 < s < 1, has ∫ (5 s⁴)² ds = 25/9 of the least variance."""
    ratio, error = excess(Adam(), budget)
    assert 1 - 4 * error < ratio < 25 / 9 + 4 * error


@pytest.mark.slow
def test_each_remedy_of_adam_is_worth_something_where_samples_are_many() -> None:
    best, error = excess(Adam(), 100_000)
    for without in (Adam(averaging=0), Adam(averaging=0, growth=0), TextbookAdam()):
        ratio, its = excess(without, 100_000)
        assert ratio - 4 * its > best + 4 * error, without


def test_adam_spends_its_budget_and_no_more_though_its_steps_get_dearer() -> None:
    rng, rules = Stream.of(6, 20), Rules(budget=Budget(shots=50_000), reserve=4_000)
    position = begin(Adam(), SHOTS, rng.named("start").normal((4,)), rng, rules)
    steps: list[Tensor] = []
    for frame in walk(Adam(), SHOTS, position, rng, range(1, 10**6), rules):
        steps.append(frame.info.cost.shots)
        position = frame.position
    spent = position.spent.shots + 4_000
    assert bool((spent <= 50_000).all()) and bool((spent > 50_000 - 1.02 * 50_000 / 200 - 3).all())
    assert bool((steps[-1] > 3 * steps[0])[steps[-1] > 0].all())


def test_replicas_of_a_noisy_adam_have_numbers_of_samples_of_their_own() -> None:
    rows = 400
    x = torch.zeros(rows, 4, dtype=torch.float64)
    x[: rows // 2] = 30.0  # on a slope; the others lie at the bottom
    size = Adam(first_samples=8).init(SHOTS, x, Stream.of(7, rows)).size
    assert size is not None and size.asked[: rows // 2].unique().tolist() == [4]
    # there Σ g² over its variance follows χ² of 4, and more samples than the pilot's are asked for if it is below 4 (1 + 1/4)
    more, chance = int((size.asked[rows // 2 :] > 8).sum()), stats.chi2.cdf(5, 4)
    assert abs(more - chance * rows / 2) < 4 * math.sqrt(chance * (1 - chance) * rows / 2)


def test_no_coordinate_goes_further_than_the_cap() -> None:
    rng = Stream.of(8, 5)
    method = Adam(learning_rate=5.0, max_step=0.25)
    state = method.init(SHOTS, rng.named("start").normal((4,)), rng)
    for step in range(1, 6):
        moved, _ = method.step(SHOTS, state, rng.at(step))
        assert float((moved.x - state.x).abs().max()) <= 0.25 + 1e-12
        state = moved


def test_tempered_steps_are_inversely_as_the_second_moment_down_to_a_tenth_of_its_mean() -> None:
    x = torch.zeros(2, 4, dtype=torch.float64)
    square = torch.tensor([[4.0, 1.0, 2.0, 1.0], [4e-9, 1e-9, 2e-9, 0.0]], dtype=torch.float64)
    slope = torch.tensor([1.0, -2.0, 3.0, 0.5], dtype=torch.float64)
    moments = no_moments(Euclidean(), x)._replace(square=square, largest=square)
    ones = torch.ones(4, dtype=torch.float64)
    step = tempered(slope / square.clamp_min(1e-10).sqrt(), moments, ones, 1.0)
    torch.testing.assert_close(step[0], math.sqrt(2.0) * slope / square[0])  # the mean is 2
    torch.testing.assert_close(step[1, :3], math.sqrt(1.75e-9) * slope[:3] / square[1, :3])
    torch.testing.assert_close(step[1, 3], math.sqrt(10.0) * slope[3] / math.sqrt(1e-10))
    assert torch.equal(tempered(step, moments, ones, 0.0), step)
    unit = torch.tensor([1.0, 2.0, 2**0.5, 2.0], dtype=torch.float64)  # in which all shake alike
    first = Moments(*(part[:1] for part in moments))
    torch.testing.assert_close(tempered(slope.expand(1, 4), first, unit, 1.0)[0], slope)


@pytest.mark.parametrize("power", [0.3, 0.5, 1.0])
def test_a_tempered_step_is_the_formula_and_does_not_see_its_neighbours(power: float) -> None:
    step, square = Stream.of(4, 67).normal((5,)), Stream.of(5, 67).uniform((5,)) + 1e-3
    ones, moments = torch.ones(5, dtype=torch.float64), no_moments(Euclidean(), step)._replace(square=square, largest=square)
    whole = tempered(step, moments, ones, power)
    mean = square.mean(1, keepdim=True)
    torch.testing.assert_close(whole, step * (mean / torch.maximum(square, 0.1 * mean)) ** (power / 2), rtol=1e-13, atol=0)
    for rows in (1, 2, 3, 7, 33):
        for first in range(5):
            part = slice(first, first + rows)
            some = Moments(*(field[part].clone() for field in moments))
            assert torch.equal(tempered(step[part].clone(), some, ones, power), whole[part])


def test_steps_are_in_the_natural_unit_of_each_coordinate() -> None:
    """The same landscape in coordinates x/2 of twice the frequency: steps half as long, the same energies to rounding."""

    class Whole(Sampling):
        offers: ClassVar[Capabilities] = Sampling.offers | {HARMONICS}

        harmonics = Harmonics(torch.ones(4), torch.ones(4, dtype=torch.int64))

    class Halved(Sampling):
        offers: ClassVar[Capabilities] = Sampling.offers | {HARMONICS}

        harmonics = Harmonics(torch.full((4,), 2.0), torch.ones(4, dtype=torch.int64))

        def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
            seen = super().evaluate(2 * x, rng, samples)
            return seen._replace(grad=2 * seen.grad, grad_var=4 * seen.grad_var)

    x = Stream.of(9, 3).normal((4,))
    whole = run(Adam(epsilon=1e-300), Whole(SHOTS.scales), x, 60)
    halved = run(Adam(epsilon=1e-300), Halved(SHOTS.scales), x / 2, 60)
    torch.testing.assert_close(2 * halved.x, whole.x, rtol=1e-9, atol=1e-9)
    assert halved.size is not None and torch.equal(halved.size.number, whole.size.number)
