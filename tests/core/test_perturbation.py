"""SPSA and QN-SPSA: what two energies and four overlaps show on average, and what steps they lead to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from tests.core.valleys import Normal, Qubits, SampledQubits, Sampling, Spins, spins
from torch import Tensor

from thalweg_core.descent.spsa.qn_spsa import QnSpsa
from thalweg_core.descent.spsa.simultaneous_perturbation import signs
from thalweg_core.descent.spsa.spsa import Spsa
from thalweg_core.landscape import Evaluation, Offers, Samples
from thalweg_core.manifold import Euclidean, Manifold
from thalweg_core.numbers.rows import row_sum
from thalweg_core.streams import Stream
from thalweg_core.walking.account import Budget
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.walk import Rules, begin, walk

MIXING = ((1.0, 0.2, 0.0), (0.0, 0.7, -0.4), (0.5, 0.0, 1.3))


@dataclass(frozen=True)
class Tilted(Offers):
    """U = g · x: all slopes along signs of one coordinate are ±g."""

    steepness: float
    noisy: ClassVar[bool] = False
    width: ClassVar[int] = 1
    manifold: ClassVar[Manifold] = Euclidean()

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        return Evaluation.exact(self.steepness * row_sum(x), torch.full_like(x, self.steepness))


def test_signs_are_fair_coins_each_by_itself() -> None:
    drawn = signs(torch.zeros(4000, 6, dtype=torch.float64), Stream.of(1, 4000))
    assert set(drawn.unique().tolist()) == {-1.0, 1.0}
    products = drawn.T @ drawn / 4000  # those of two coordinates are coins again
    assert bool((drawn.mean(dim=0).abs() < 4 / math.sqrt(4000)).all())
    assert bool(((products - torch.eye(6)).abs() < 4 / math.sqrt(4000)).all())


def test_slopes_show_the_gradient_on_average() -> None:
    place, rows = Normal((0.5, 1.0, 2.0)), 4000
    x = torch.tensor([[0.3, -1.0, 2.0]], dtype=torch.float64).expand(rows, 3).clone()
    method, rng = Spsa(), Stream.of(2, rows)
    state = method.init(place, x, rng)
    uphill = method._rule.slopes(place, x, rng.at(1), state.perturbing).uphill
    truth = place.evaluate(x[:1], rng).grad  # central differences of a quadratic have no error
    error = uphill.std(dim=0) / math.sqrt(rows)
    assert bool(((uphill.mean(dim=0) - truth[0]).abs() < 4 * error).all())


@pytest.mark.parametrize("steepness", [1e-3, 1.0, 1e3])
def test_first_steps_are_as_long_as_asked_for_and_later_ones_fall_by_their_power(steepness: float) -> None:
    method, x = Spsa(first_step=0.1, gain_decay=0.6, stability=20, max_step=0), torch.zeros(1, 1, dtype=torch.float64)
    state, rng = method.init(Tilted(steepness), x, Stream.of(1, 1)), Stream.of(1, 1)
    for step in range(1, 60):
        before = state.x
        state, _ = method.step(Tilted(steepness), state, rng.at(step))
        assert float(before - state.x) == pytest.approx(0.1 * (21 / (20 + step)) ** 0.6, rel=1e-9)


@pytest.mark.parametrize("blocking", [0.5, 2.0])
def test_exact_energies_never_rise_where_steps_are_taken_back(blocking: float) -> None:
    place, x = Qubits(MIXING), Stream.of(3, 16).normal((3,))
    method, rng = Spsa(first_step=1.0, max_step=0, blocking=blocking), Stream.of(4, 16)
    state = method.init(place, x, rng)
    refused = 0
    for step in range(1, 100):
        last = state.seen.value
        state, info = method.step(place, state, rng.at(step))
        assert bool((state.seen.value <= last).all())
        refused += int((info.acceptance == 0).sum())
    assert refused > 0


def test_on_spheres_it_stays_there_and_spins_turn_into_their_field() -> None:
    m, rng = spins(4, 3), Stream.of(5, 4)
    method = Spsa(first_step=0.03, averaging=0)
    state = method.init(Spins(field=1.0), m, rng)
    for step in range(1, 800):
        state, _ = method.step(Spins(field=1.0), state, rng.at(step))
    torch.testing.assert_close(state.x.norm(dim=-1), torch.ones(4, 3, dtype=torch.float64), rtol=0, atol=1e-12)
    assert bool((state.seen.value < -2.99).all())  # the lowest is -3


def test_all_energies_are_charged_and_no_walk_spends_more_than_its_budget() -> None:
    place, rows, limit = Sampling((0.5, 1.0, 2.0)), 5, 30_000
    method, rng = Spsa(resamplings=3, calibration=7, first_samples=10, growth=50), Stream.of(6, rows)
    rules = Rules(budget=Budget(shots=limit))
    position = begin(method, place, Stream.of(1, rows).normal((3,)), rng, rules)
    assert position.spent.shots.unique().tolist() == [(1 + 2 * 7) * 10 * 3]
    assert position.spent.evaluations.unique().tolist() == [1 + 2 * 7]
    for frame in walk(method, place, position, rng, range(1, 3000), rules):
        position = frame.position
    assert set(position.outcome.tolist()) == {int(Outcome.SHOTS)}
    assert bool((position.spent.shots <= limit).all()) and bool((position.spent.shots > 0.9 * limit).all())


def test_noise_holds_a_walk_of_constant_gain_where_a_quadratic_bottom_says() -> None:
    """U = |x|²/2: x <- x - a (x·Δ + ε) Δ with Var(ε) = V/2c²n, so ⟨|x|²⟩ = a P V / 2c²n / (2 - a P) when it is stationary."""
    place, rows, a, c, n = Sampling((1.0, 1.0, 1.0)), 4000, 0.1, 0.5, 25
    method = Spsa(perturbation=c, gain_decay=0, perturbation_decay=0, max_step=0, first_samples=n, growth=0, averaging=0)
    rng = Stream.of(10, rows)
    state = method.init(place, torch.zeros(rows, 3, dtype=torch.float64), rng)
    state = state._replace(perturbing=state.perturbing._replace(gain=torch.full_like(state.perturbing.gain, a)))
    for step in range(1, 101):  # 0.83 a step: what it began with is forgotten
        state, _ = method.step(place, state, rng.at(step))
    square = row_sum(state.x.square())
    error = float(square.std()) / math.sqrt(rows)
    assert abs(float(square.mean()) - a * 3 * place.spread**2 / (2 * c * c * n) / (2 - a * 3)) < 4 * error


def test_overlaps_show_the_metric_on_average() -> None:
    place, rows = Qubits(MIXING), 4000
    method, rng = QnSpsa(perturbation=0.01), Stream.of(7, rows)
    state = method.init(place, torch.zeros(rows, 3, dtype=torch.float64), rng)
    look, _ = method._look(place, state, rng.at(1))
    error = look.std(dim=0) / math.sqrt(rows)
    off = (look.mean(dim=0) - place.metric(state.x)[0]).abs()
    assert bool((off < 4 * error + 1e-4).all())  # the fourth order: c² of the metric


@pytest.mark.parametrize(("blocking", "own"), [(2.0, 10), (0.0, 2)])  # a quarter where no step is judged by it
def test_overlaps_are_charged_with_energies(blocking: float, own: int) -> None:
    place, rows = SampledQubits(MIXING), 3
    method, rng = QnSpsa(resamplings=2, blocking=blocking, first_samples=10, growth=0), Stream.of(8, rows)
    state = method.init(place, Stream.of(1, rows).normal((3,)), rng)
    coming = method.next_cost(place, state)
    _, info = method.step(place, state, rng.at(1))
    assert info.cost.shots.unique().tolist() == coming.shots.unique().tolist() == [(4 * 10 + own) * 3 + 2 * 4 * 10]


@pytest.mark.slow
@pytest.mark.parametrize("method", [Spsa(), QnSpsa()])
def test_under_noise_the_answer_nears_the_bottom(method: Spsa | QnSpsa) -> None:
    """Nothing is known of its error but that it falls: a hundredth of the start's after 2 · 10⁵ shots (arbitrary)."""
    place, rows = SampledQubits(((1.0, 0.0), (0.0, 1.0))), 32
    x, rng = 1.0 + 0.3 * Stream.of(1, rows).normal((2,)), Stream.of(9, rows)
    rules = Rules(budget=Budget(shots=200_000))
    position = begin(method, place, x, rng, rules)
    for frame in walk(method, place, position, rng, range(1, 5000), rules):
        position = frame.position
    exact = Qubits(place.mixing)
    start, end = (2.0 + exact.evaluate(points, rng).value.median() for points in (x, method.answer(position.state)))
    assert float(end) < 0.01 * float(start)
