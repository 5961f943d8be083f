"""Natural gradient against closed forms: what it does with an exact metric, and how it damps, caps and pays under noise."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from tests.core.valleys import Qubits, SampledQubits
from torch import Tensor

from thalweg_core.descent.natural_gradient.natural_gradient import NaturalGradient, damped_solution
from thalweg_core.descent.natural_gradient.running_metric import MetricRule
from thalweg_core.landscape import HARMONICS, Capabilities, Cost, Evaluation, Harmonics, Landscape, Samples
from thalweg_core.noise.sample_sizes import SampleSize
from thalweg_core.numbers.rows import row_sum
from thalweg_core.streams import Stream
from thalweg_core.walking.account import Budget
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.walk import Rules, begin, walk

MIXING = ((1.0, 0.2, 0.0), (0.0, 0.7, -0.4), (0.5, 0.0, 1.3))
PLAIN = NaturalGradient(
    learning_rate=0.05, adapting=False, metric="full", damping=0, noise_damping=0, filtering=False, max_distance=0, max_step=0
)


def run(method: NaturalGradient, place: Landscape, x: Tensor, steps: int) -> Any:
    rng = Stream.of(3, len(x))
    state = method.init(place, x, rng)
    for step in range(1, steps + 1):
        state, _ = method.step(place, state, rng.at(step))
    return state


def test_undamped_its_way_through_the_states_does_not_depend_on_the_coordinates() -> None:
    """A qubit turned by φ in a field has the metric 1/4: dφ = -4 η sin φ, whatever mixes the coordinates."""
    place = Qubits(MIXING)
    x = Stream.of(1, 4).normal((3,))
    phi = place.turns(x)
    for _ in range(30):
        phi = phi - 4 * 0.05 * phi.sin()
    torch.testing.assert_close(place.turns(run(PLAIN, place, x, 30).x), phi, rtol=0, atol=1e-12)


def test_the_damped_solution_is_that_of_the_linear_system_without_what_noise_made_negative() -> None:
    frame = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    values, right = np.array([2.0, 0.5, 0.0, -0.3]), np.array([1.0, -2.0, 0.5, 0.3])
    metric = torch.from_numpy(frame * values @ frame.T)[None]
    solution, length = damped_solution(metric, torch.tensor([0.1], dtype=torch.float64), torch.from_numpy(right)[None])
    kept = frame * values.clip(0) @ frame.T
    expected = np.linalg.solve(kept + 0.1 * np.eye(4), right)
    np.testing.assert_allclose(solution[0].numpy(), expected, rtol=0, atol=1e-13)
    assert abs(float(length) - math.sqrt(expected @ kept @ expected)) < 1e-13


def test_without_any_damping_directions_without_a_metric_are_left_out() -> None:
    metric = torch.diag(torch.tensor([0.25, 0.0], dtype=torch.float64))[None]
    right = torch.tensor([[1.0, 1.0]], dtype=torch.float64)
    solution, _ = damped_solution(metric, torch.zeros(1, dtype=torch.float64), right)
    assert solution.tolist() == [[4.0, 0.0]]


@pytest.mark.slow
def test_the_damping_that_noise_asks_for_errs_least() -> None:
    """Gradients drawn with the covariance s² F, seen with noise v: of all λ, v/s² gives the least error in the metric."""
    generator = torch.Generator().manual_seed(2)
    spread, noise, draws = 0.7, 0.2, 4000
    metric = torch.diag(torch.logspace(0, -2, 6, dtype=torch.float64))
    truth = spread * torch.randn(draws, 6, generator=generator, dtype=torch.float64) @ metric.sqrt()
    seen = truth + math.sqrt(noise) * torch.randn(draws, 6, generator=generator, dtype=torch.float64)
    many = metric.expand(draws, -1, -1)
    exact, _ = damped_solution(many, torch.zeros(draws, dtype=torch.float64), truth)
    errors = []
    for damping in (0.25, 1.0, 4.0):
        step, _ = damped_solution(many, torch.full((draws,), damping * noise / spread**2, dtype=torch.float64), seen)
        off = ((step - exact).square() @ metric.diagonal()) / 6
        errors.append((float(off.mean()), float(off.std()) / math.sqrt(draws)))
    (less, e1), (right, e2), (more, e3) = errors
    assert right < less - 4 * math.hypot(e1, e2) and right < more - 4 * math.hypot(e2, e3)


class Turning(Qubits):
    """The same, which says how many harmonics U has in each coordinate: two, of frequency 1 or more."""

    offers: ClassVar[Capabilities] = Qubits.offers | {HARMONICS}

    @property
    def harmonics(self) -> Harmonics:
        return Harmonics(torch.ones(3, dtype=torch.float64), torch.full((3,), 2))


def test_no_step_is_longer_than_its_caps() -> None:
    place, x = Turning(MIXING), 2.0 + Stream.of(1, 8).normal((3,))
    for method, reached in (
        (NaturalGradient(learning_rate=100.0, adapting=False, metric="full", max_step=0, max_distance=0.1), "distance"),
        (NaturalGradient(learning_rate=100.0, adapting=False, metric="full", max_step=0.2, max_distance=0), "step"),
    ):
        step = run(method, place, x, 1).x - x
        distance = (step[:, None] @ place.metric(x) @ step[..., None]).flatten().sqrt()
        longest = step.abs().amax(dim=1)
        bound = {"distance": (distance, 0.1), "step": (longest, 0.2 / 2)}[reached]
        torch.testing.assert_close(bound[0], torch.full((8,), bound[1], dtype=torch.float64), rtol=1e-12, atol=0)


@pytest.mark.parametrize("rate", [1e-3, 0.4, 1e3])
@pytest.mark.parametrize("metric", ["full", "diagonal"])
def test_exact_energies_never_rise_whatever_the_learning_rate_and_end_at_the_bottom(rate: float, metric: str) -> None:
    place, x = Qubits(MIXING), Stream.of(5, 16).normal((3,))
    method, rng = NaturalGradient(learning_rate=rate, metric=metric), Stream.of(0, 16)
    position = begin(method, place, x, rng)
    last = position.state.seen.value
    for frame in walk(method, place, position, rng, range(1, 200)):
        now = frame.position.state.seen.value
        assert bool((now <= last + 1e-14).all())
        last = now
    torch.testing.assert_close(last, torch.full((16,), -3.0, dtype=torch.float64), rtol=0, atol=1e-12)


class Bowl(Qubits):
    """U = κ xᵀF x / 2: along every step it bends by κ for each unit of the metric."""

    bend: ClassVar[float] = 7.0

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        grad = self.bend * (self.metric(x) @ x[..., None])[..., 0]
        return Evaluation.exact(0.5 * row_sum(x * grad), grad)


@pytest.mark.parametrize("rate", [0.03, 0.1, 0.25, 1.0])
def test_where_the_energy_bends_alike_for_every_unit_of_the_metric_the_second_step_ends_at_the_bottom(rate: float) -> None:
    """Whether the first step was too short, too long, or taken back."""
    place, x = Bowl(MIXING), Stream.of(5, 16).normal((3,))
    method = NaturalGradient(learning_rate=rate, damping=0, max_step=0)
    far = 1 - rate * Bowl.bend  # of the way back, in each coordinate alike
    kept = far**2 <= 1 - 0.1 * 2 * rate * Bowl.bend
    torch.testing.assert_close(run(method, place, x, 1).x, far * x if kept else x, rtol=0, atol=1e-12)
    torch.testing.assert_close(run(method, place, x, 2).x, torch.zeros_like(x), rtol=0, atol=1e-12)


def size_of(number: float, price: float) -> SampleSize:
    one = torch.ones(1, dtype=torch.float64)
    return SampleSize(number * one, number * one, price * one, torch.zeros(1, dtype=torch.int64))


def test_looks_at_the_metric_cost_their_share_and_are_averaged_over_their_memory() -> None:
    place, rows, memory = SampledQubits(MIXING), 500, 8.0
    rule = MetricRule(form="diagonal", share=0.5, memory=memory)
    x, rng = torch.zeros(rows, 3, dtype=torch.float64), Stream.of(2, rows)
    size = SampleSize(*(t.expand(rows) for t in size_of(120.0, 3.0)))
    metric, paid = rule.begin(place, x, rng, samples=10, gradient=Cost.none(x))
    assert paid.shots.unique().tolist() == [10 * 3 * 2]
    for step in range(60):
        coming = rule.forecast(metric, place, size)
        metric, paid = rule.renewed(metric, place, x, rng.at(step), size)
        assert paid.shots.unique().tolist() == coming.unique().tolist() == [30 * 3 * 2]  # half of 120 · 3
    error = (metric.mean - place.metric(x)).diagonal(dim1=1, dim2=2).square().mean(dim=1)
    # looks of variance v = 1/30, each with the weight 1/τ and forgotten by 1 - 1/τ: v / (2 τ - 1); and what is declared is v/τ
    expected = 1 / 30 / (2 * memory - 1)
    assert abs(float(error.mean()) - expected) < 4 * float(error.std()) / math.sqrt(rows)
    declared = metric.variance.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(declared, torch.full_like(declared, 1 / 30 / memory), rtol=1e-2, atol=0)


SAME = ((1.0, 1.0, 1.0, 1.0, 1.0, 1.0),)
"""Six coordinates of one qubit: off the diagonal there are five times as many entries, as large."""

APART = ((1.0, 0.0, 0.0, 0.1), (0.0, 1.0, 0.2, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.3, 0.0, 1.0))


@pytest.mark.slow
@pytest.mark.parametrize(("mixing", "whole"), [(SAME, True), (APART, False)])
def test_the_whole_metric_is_measured_where_coordinates_do_the_same_thing(mixing: Any, whole: bool) -> None:
    place, rows, samples, p = SampledQubits(mixing), 100, 1000, len(mixing[0])
    x, rng = torch.zeros(rows, p, dtype=torch.float64), Stream.of(3, rows)
    dear, cheap = (Cost.none(x)._replace(shots=torch.full((rows,), shots)) for shots in (10**6, 10))
    metric, paid = MetricRule().begin(place, x, rng, samples, gradient=dear)
    assert bool((metric.whole == whole).all())
    assert paid.shots.unique().tolist() == [samples * p * 2 + 4 * samples * p**2]  # what the choice costs is charged
    assert metric.price.unique().tolist() == [p**2 if whole else p * 2]
    untried, less = MetricRule().begin(place, x, rng, samples, gradient=cheap)
    assert not untried.whole.any() and less.shots.unique().tolist() == [samples * p * 2]


def test_each_replica_looks_at_its_own_metric_in_its_own_way_to_the_bit() -> None:
    place, rows = SampledQubits(APART), 5
    x, rng, size = (
        torch.zeros(rows, 4, dtype=torch.float64),
        Stream.of(3, rows),
        SampleSize(*(t.expand(rows) for t in size_of(50.0, 3.0))),
    )
    rule = MetricRule(share=1.0)
    metric, _ = rule.begin(place, x, rng, 10, gradient=Cost.none(x))
    mixed = torch.tensor([True, False, False, True, False])
    seen, paid = rule.renewed(metric._replace(whole=mixed), place, x, rng.at(1), size)
    for way in (True, False):
        alone, cost = rule.renewed(metric._replace(whole=torch.full((rows,), way)), place, x, rng.at(1), size)
        rows_of = mixed == way
        assert all(torch.equal(a[rows_of], b[rows_of]) for a, b in zip(seen[:3], alone[:3], strict=True))
        assert torch.equal(paid.shots[rows_of], cost.shots[rows_of])


def test_a_metric_that_is_free_is_taken_whole() -> None:
    x = torch.zeros(2, 3, dtype=torch.float64)
    for place, rule in ((Qubits(MIXING), MetricRule()), (SampledQubits(MIXING), MetricRule(measured=False))):
        metric, paid = rule.begin(place, x, Stream.of(1, 2), samples=10, gradient=Cost.none(x))
        assert torch.equal(metric.mean, place.metric(x)) and not paid.shots.any()


def test_noise_moves_no_coordinate_further_than_asked_for_however_small_the_metric() -> None:
    """On a coordinate that turns next to nothing the step is η m/λ, and m is noise: of η sqrt(w)/λ = δ where λ is so limited."""
    place, rows, delta = SampledQubits(((1.0, 0.0), (0.0, 1e-4))), 4000, 0.02
    method = NaturalGradient(
        0.1, metric="diagonal", measured=False, filtering=False, damping=0, noise_damping=1e9, noise_step=delta
    )
    method = dataclasses.replace(method, max_step=0, max_distance=0, pilot=False, first_samples=100)
    x = torch.zeros(rows, 2, dtype=torch.float64)
    step = run(method, place, x, 1).x[:, 1]
    assert abs(float(step.square().mean().sqrt()) / delta - 1) < 4 / math.sqrt(2 * rows)


def test_an_exact_metric_is_taken_as_it_is_and_costs_nothing() -> None:
    place, x = SampledQubits(MIXING), torch.zeros(2, 3, dtype=torch.float64)
    rule = MetricRule(form="full", measured=False)
    metric, paid = rule.begin(place, x, Stream.of(1, 2), samples=10, gradient=Cost.none(x))
    metric, more = rule.renewed(metric, place, x, Stream.of(1, 2).at(1), size_of(10.0, 3.0))
    assert torch.equal(metric.mean, place.metric(x)) and not metric.variance.any()
    assert all(torch.equal(a, b) for cost in (paid, more) for a, b in zip(cost, Cost.none(x), strict=True))


def test_no_walk_spends_more_than_its_budget_and_every_shot_is_counted() -> None:
    place, rows, limit = SampledQubits(MIXING), 6, 20_000
    method, rng = NaturalGradient(metric="full", metric_share=0.5, growth=20), Stream.of(4, rows)
    position = begin(method, place, 0.5 * Stream.of(1, rows).normal((3,)), rng, Rules(budget=Budget(shots=limit)))
    for frame in walk(method, place, position, rng, range(1, 2000), Rules(budget=Budget(shots=limit))):
        position = frame.position
    assert set(position.outcome.tolist()) == {int(Outcome.SHOTS)}
    assert bool((position.spent.shots <= limit).all()) and bool((position.spent.shots > 0.8 * limit).all())
    assert torch.equal(position.state.size.spent, position.spent.shots)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["full", "diagonal"])
def test_under_noise_its_answer_is_about_as_good_as_all_its_samples_at_the_bottom_allow(metric: str) -> None:
    """At the bottom U is Σ φ²/2. N samples there tell the bottom no better than E U = Σ_i v_i / (2 h_i): in coordinates
    x of curvature AᵀA and noise 1/N, that is tr (AᵀA)⁻¹ / (2 N)."""
    place, rows = SampledQubits(MIXING), 64
    method, rng = NaturalGradient(metric=metric), Stream.of(6, rows)
    rules = Rules(budget=Budget(shots=300_000))
    position = begin(method, place, Stream.of(1, rows).normal((3,)), rng, rules)
    for frame in walk(method, place, position, rng, range(1, 3000), rules):
        position = frame.position
    excess = 3.0 + super(SampledQubits, place).evaluate(method.answer(position.state), rng).value
    mixing = np.array(MIXING)
    best = np.trace(np.linalg.inv(mixing.T @ mixing)) / (2 * 100_000)
    # the last fifth of the budget is averaged: five times the best, if all was spent at the bottom; and twice as much again
    assert best < float(excess.mean()) + 4 * float(excess.std()) / 8 and float(excess.median()) < 10 * best
