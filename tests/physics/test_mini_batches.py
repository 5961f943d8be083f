"""A posterior seen by mini-batches against the whole data, and optimizers that know nothing of circuits on it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from tests.core.valleys import NoisyNormal

from thalweg_core.descent.adam.adam import Adam
from thalweg_core.descent.adam.textbook_adam import TextbookAdam
from thalweg_core.descent.gradient_descent import GradientDescent
from thalweg_core.descent.lbfgs.lbfgs import Lbfgs
from thalweg_core.descent.natural_gradient.natural_gradient import NaturalGradient
from thalweg_core.descent.natural_gradient.textbook_natural_gradient import TextbookNaturalGradient
from thalweg_core.descent.shot_frugal.icans import Icans
from thalweg_core.errors import BadInput
from thalweg_core.landscape import COMPONENTS, EXACT_VALUE, MEASURED_METRIC, SAMPLES
from thalweg_core.method import Method
from thalweg_core.numbers.trees import take_rows
from thalweg_core.sampling.hmc import Hmc
from thalweg_core.sampling.ula import Ula
from thalweg_core.streams import Stream
from thalweg_core.walking.account import Budget
from thalweg_core.walking.walk import Rules, begin, walk
from thalweg_physics.densities.logistic.logistic_regression import LogisticRegression

CPU = torch.device("cpu")
WHOLE = LogisticRegression("breast_cancer").open(CPU, torch.float64)
BATCHES = LogisticRegression("breast_cancer", batch_size=32)


def test_the_natural_gradient_of_all_rows_is_at_scipys_mode_within_twenty_looks() -> None:
    def look(x: np.ndarray) -> tuple[float, np.ndarray]:
        seen = WHOLE.evaluate(torch.tensor(x[None]), Stream.of(0, 1))
        return seen.value.item(), seen.grad[0].numpy()

    mode = minimize(look, np.zeros(31), jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-9})
    rng, method = Stream.of(0, 1), NaturalGradient()
    position = begin(method, WHOLE, torch.zeros(1, 31, dtype=torch.float64), rng)
    for frame in walk(method, WHOLE, position, rng, range(1, 20)):
        position = frame.position
    assert position.state.seen.value.item() == pytest.approx(mode.fun, abs=1e-3)


def test_batches_are_unbiased_and_their_declared_variances_are_those_of_repeats() -> None:
    looks, landscape = 3000, BATCHES.open(CPU, torch.float64)
    x = 0.3 * Stream.of(1, 1).normal((31,)).expand(looks, -1)
    seen, exact = landscape.evaluate(x, Stream.of(2, looks)), WHOLE.evaluate(x[:1], Stream.of(0, 1))
    pairs = ((seen.value[:, None], seen.value_var[:, None], exact.value), (seen.grad, seen.grad_var, exact.grad[0]))
    for estimate, declared, truth in pairs:
        spread = estimate.var(dim=0)
        assert ((estimate.mean(dim=0) - truth).abs() < 4.5 * (spread / looks).sqrt()).all()
        # relative error of a variance: sqrt((kurtosis - 1) / looks), the kurtosis of a mean of 32 rows being below 6 here
        wrong = math.sqrt(5 / looks) + declared.std(dim=0) / declared.mean(dim=0) / math.sqrt(looks)
        assert ((declared.mean(dim=0) / spread - 1).abs() < 4.5 * wrong).all()
    assert seen.cost.shots.tolist() == [32] * looks
    assert seen.curvature is not None
    off = seen.curvature.mean(dim=0) - WHOLE.metric(x[:1])[0].diagonal()
    assert (off.abs() < 4.5 * seen.curvature.std(dim=0) / math.sqrt(looks)).all()


def test_a_batch_of_all_rows_is_exact_and_more_cannot_be_drawn() -> None:
    landscape = BATCHES.open(CPU, torch.float64)
    x, rng = Stream.of(3, 4).normal((31,)), Stream.of(4, 4)
    seen, exact = landscape.evaluate(x, rng, torch.tensor([569, 600, 10**9, 2])), WHOLE.evaluate(x, rng)
    torch.testing.assert_close(seen.value[:3], exact.value[:3], rtol=1e-12, atol=1e-10)
    torch.testing.assert_close(seen.grad[:3], exact.grad[:3], rtol=1e-10, atol=1e-10)
    assert not seen.value_var[:3].any() and not seen.grad_var[:3].any() and float(seen.value_var[3]) > 0
    assert seen.cost.shots.tolist() == [569, 569, 569, 2]


def test_replica_0_draws_the_same_rows_to_the_bit_beside_any_others() -> None:
    landscape, x = BATCHES.open(CPU, torch.float64), Stream.of(5, 40).normal((31,))
    among = landscape.evaluate(x, Stream.of(6, 40), torch.arange(2, 42))
    alone = landscape.evaluate(x[:1], Stream.of(6, 1), torch.tensor([2]))
    assert all(torch.equal(a, b) for a, b in zip(take_rows(among, torch.tensor([0]))[:4], alone[:4], strict=True))


def excess(method: Method, rows: int, budget: int) -> tuple[np.ndarray, int]:
    """U above its minimum, found by SciPy, where eight replicas end; and the most that one has spent."""
    best = minimize(
        lambda b: float(WHOLE.energy(torch.from_numpy(b)[None])),
        np.zeros(31),
        jac=lambda b: WHOLE.gradient(torch.from_numpy(b)[None])[0].numpy(),
        method="BFGS",
    )
    landscape, rng = BATCHES.open(CPU, torch.float64), Stream.of(8, rows)
    rules = Rules(budget=Budget(shots=budget), reserve=BATCHES.final_shots(landscape))
    position = begin(method, landscape, BATCHES.start(landscape, rng), rng, rules)
    for frame in walk(method, landscape, position, rng, range(1, 10**6), rules):
        position = frame.position
    ends = BATCHES.final(landscape, method.answer(position.state), rng)
    return (ends.value - best.fun).numpy(), int((position.spent.shots + ends.cost.shots).max())


@pytest.mark.slow
def test_adam_made_for_noise_finds_the_mode_from_batches_and_the_textbook_s_moves_about_it() -> None:
    budget = 60_000  # 105 passes through the data
    ours, spent = excess(Adam(), 8, budget)
    theirs, _ = excess(TextbookAdam(), 8, budget)
    assert 0.95 * budget < spent <= budget
    assert (ours > -1e-6).all() and np.median(ours) < 0.2  # the posterior is exp(-U): a tenth of its own width
    assert np.median(theirs) > 10 * np.median(ours)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "budget"),
    [(Lbfgs(), 300_000), (NaturalGradient(), 100_000), (GradientDescent(learning_rate=1e-3), 150_000)],
    ids=["l-bfgs", "natural gradient", "gradient descent"],
)
def test_optimizers_of_circuits_find_the_mode_from_batches(method: Method, budget: int) -> None:
    above, spent = excess(method, 8, budget)
    assert 0.95 * budget < spent <= budget and (above > -1e-6).all()
    assert np.median(above) < 31 / 2 / 20  # draws of a posterior of 31 dimensions lie 31/2 above its mode


def test_langevin_steps_with_a_noisy_gradient_are_as_hot_as_they_say() -> None:
    """U = x²/2 seen with a gradient of variance 1: the stationary variance is (2 T + h v)/(2 - h) exactly."""
    h, chains, place = 0.2, 4000, NoisyNormal((1.0,))
    rng = Stream.of(9, chains)
    state = Ula(step_size=h).init(place, rng.named("start").normal((1,)), rng)
    for step in range(1, 60):  # (1 - h)^120 of the start's variance is left
        state, _ = Ula(step_size=h).step(place, state, rng.at(step))
    truth = (2 + h) / (2 - h)
    assert abs(float(state.x.var()) - truth) < 4 * truth * math.sqrt(2 / chains)
    assert truth * (1 - 4 * math.sqrt(2 / chains)) > 2 / (2 - h)  # without the noise it is colder than that


def test_a_problem_of_batches_says_that_it_is_noisy_and_what_its_end_takes() -> None:
    landscape, traits = BATCHES.open(CPU, torch.float64), BATCHES.traits()
    assert landscape.noisy and landscape.offer(SAMPLES) is landscape and EXACT_VALUE not in traits.knows
    assert EXACT_VALUE in Hmc.needs and traits.why_not(EXACT_VALUE) == "with batch_size = 32 is noisy; leave it out"
    assert BATCHES.final_shots(landscape) == 569
    assert LogisticRegression("breast_cancer").final_shots(WHOLE) == 0


@pytest.mark.parametrize("size", [0, 1, 570])
def test_a_batch_that_cannot_be_is_refused(size: int) -> None:
    with pytest.raises(BadInput) as refused:
        LogisticRegression("breast_cancer", batch_size=size)
    assert refused.value.field == "batch_size" and "569" in refused.value.sentence


def test_the_metric_is_the_second_derivative_and_that_of_batches_is_right_on_average_with_its_declared_variance() -> None:
    looks, landscape = 2000, BATCHES.open(CPU, torch.float64)
    x = 0.3 * Stream.of(1, 1).normal((31,))
    exact, ends = WHOLE.metric(x)[0], 1e-5 * torch.eye(31, dtype=torch.float64)
    hessian = (WHOLE.gradient(x + ends) - WHOLE.gradient(x - ends)) / 2e-5
    torch.testing.assert_close(exact, hessian, rtol=1e-6, atol=1e-6)
    assert landscape.offer(MEASURED_METRIC) is landscape and landscape.width == WHOLE.width
    seen = landscape.measure_metric(x.expand(looks, -1), Stream.of(2, looks), 32)
    spread = seen.metric.var(dim=0)
    assert ((seen.metric.mean(dim=0) - exact).abs() < 5 * (spread / looks).sqrt()).all()  # of 496 entries
    wrong = math.sqrt(5 / looks) + seen.variance.std(dim=0) / seen.variance.mean(dim=0) / math.sqrt(looks)
    assert ((seen.variance.mean(dim=0) / spread - 1).abs() < 5 * wrong).all()
    assert seen.cost.shots.tolist() == [32] * looks
    free = landscape.measure_metric(x, Stream.of(3, 1), 0, "diagonal")
    assert torch.equal(free.metric[0], torch.diag(exact.diagonal())) and not free.cost.shots.any() and not free.variance.any()
    every = landscape.measure_metric(x, Stream.of(3, 1), 569)
    torch.testing.assert_close(every.metric[0], exact, rtol=1e-12, atol=1e-10)
    among = landscape.measure_metric(x.expand(40, -1), Stream.of(6, 40), torch.arange(2, 42))
    alone = landscape.measure_metric(x, Stream.of(6, 1), torch.tensor([2]))
    assert torch.equal(among.metric[0], alone.metric[0]) and torch.equal(among.variance[0], alone.variance[0])


@pytest.mark.parametrize("problem", [LogisticRegression("breast_cancer"), BATCHES], ids=["all rows", "batches"])
def test_what_follows_a_metric_is_let_in_and_what_wants_samples_of_each_component_is_told_why_not(
    problem: LogisticRegression,
) -> None:
    traits = problem.traits()
    assert traits.fits(NaturalGradient) and traits.fits(TextbookNaturalGradient)
    assert not traits.fits(Icans) and traits.why_not(COMPONENTS) == "shows all components of the gradient by the same rows"
