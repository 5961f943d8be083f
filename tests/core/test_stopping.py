"""Rules that end a walk: what they promise, and how often the plateau rule is wrong."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest
import torch
from scipy import stats
from tests.core.valleys import Normal, Spins, spins
from torch import Tensor

from thalweg_core.descent.adam.adam import Adam
from thalweg_core.errors import BadInput
from thalweg_core.landscape import Cost, Evaluation, Landscape
from thalweg_core.streams import Stream
from thalweg_core.walking import stopping
from thalweg_core.walking.account import Account, Budget
from thalweg_core.walking.outcomes import CONVERGED, Outcome
from thalweg_core.walking.stopping import Stop, StopState
from thalweg_core.walking.walk import Rules, begin, walk


class State(NamedTuple):
    x: Tensor
    seen: Evaluation


FLAT = Normal((1.0, 1.0))


def looked(value: Tensor, variance: float = 0.0, grad: Tensor | None = None, grad_variance: float = 0.0) -> State:
    """A state in the plane with these energies and gradients."""
    grad = torch.zeros(len(value), 2, dtype=torch.float64) if grad is None else grad
    seen = Evaluation.exact(value, grad)
    seen = seen._replace(value_var=torch.full_like(value, variance), grad_var=torch.full_like(grad, grad_variance))
    return State(torch.zeros_like(grad), seen)


def judged(
    stop: Stop,
    budget: Budget,
    place: Landscape,
    state: State,
    memory: StopState,
    spent: Cost,
    cost: Cost,
    forecast: Cost | None = None,
    reserve: int = 0,
) -> tuple[Tensor, StopState]:
    """After a step that cost so much."""
    return stopping.check_stop_rules(stop, Account(budget, reserve, spent), place.manifold, state, memory.after(cost), forecast)


def judge(stop: Stop, budget: Budget, state: State, spent: Cost | None = None, place: Landscape = FLAT) -> list[int]:
    nothing = Cost.none(state.x)
    outcome, _ = judged(stop, budget, place, state, stopping.begin(stop, state.x), spent or nothing, nothing)
    return outcome.tolist()


def stops(course: Tensor, window: int, variance: float = 0.0) -> Tensor:
    """Number of looks after which the plateau rule first fires on each course (B, S); 0 where it never does."""
    stop = Stop(plateau=window)
    memory = stopping.begin(stop, course[:, :1])
    fired = torch.zeros(len(course), dtype=torch.int64)
    for number, value in enumerate(course.unbind(dim=1), start=1):
        state = looked(value, variance)
        nothing = Cost.none(state.x)
        outcome, memory = judged(stop, Budget(), FLAT, state, memory, nothing, nothing)
        flat = outcome == (Outcome.NOISE if variance else Outcome.PLATEAU)
        fired = torch.where((fired == 0) & flat, number, fired)
    return fired


def flat_now(course: Tensor, variance: float = 0.0) -> tuple[float, float]:
    """Part of the courses (B, 2 · window) on which the rule fires at their last look, and its standard error."""
    stop = Stop(plateau=course.shape[1] // 2)
    before = torch.cat([course[:, :1], course[:, :-1]], dim=1)  # the first is pushed out by the last look
    memory = stopping.begin(stop, course)
    memory = memory._replace(plateau=memory.plateau._replace(values=before, variances=torch.full_like(before, variance)))
    outcome, _ = judged(stop, Budget(), FLAT, looked(course[:, -1], variance), memory, Cost.none(course), Cost.none(course))
    part = float((outcome == (Outcome.NOISE if variance else Outcome.PLATEAU)).double().mean())
    return part, math.sqrt(max(part * (1 - part), 1 / len(course)) / len(course))


ROWS = 10_000


@pytest.mark.parametrize(("slope", "window"), [(0.0, 8), (0.1, 16), (0.2, 16), (0.3, 8)])
def test_the_plateau_rule_fires_as_often_as_the_normal_law_says_where_the_noise_is_declared(slope: float, window: int) -> None:
    noise = Stream.of(1, ROWS).normal((2 * window,))
    course = noise - slope * torch.arange(2 * window)
    part, error = flat_now(course, variance=4.0)  # declared twice the true spread: it outweighs the scatter
    gain, spread, limit = slope * window, math.sqrt(2 / window), 2 * math.sqrt(2 * 4.0 / window)
    assert abs(part - stats.norm.cdf((limit - gain) / spread)) < 4 * error


@pytest.mark.parametrize("window", [4, 8, 32])
def test_on_pure_noise_of_unknown_size_the_rule_fires_at_the_rate_of_student_s_law(window: int) -> None:
    part, error = flat_now(Stream.of(2, ROWS).normal((2 * window,)))
    assert abs(part - stats.t.cdf(2.0, df=2 * (window - 2))) < 4 * error


@pytest.mark.parametrize(("slope", "window"), [(0.5, 8), (0.2, 16)])
def test_a_trend_under_noise_of_unknown_size_stops_at_the_rate_of_the_noncentral_law(slope: float, window: int) -> None:
    course = Stream.of(3, ROWS).normal((2 * window,)) - slope * torch.arange(2 * window)
    part, error = flat_now(course)
    gain = slope * window / math.sqrt(2 / window)  # in standard errors; the trend inside each window is taken out
    assert abs(part - stats.nct.cdf(2.0, df=2 * (window - 2), nc=gain)) < 4 * error


def test_an_exact_descent_is_never_called_flat_and_an_exact_standstill_at_once() -> None:
    t = torch.arange(60, dtype=torch.float64)
    slow = torch.exp(-0.05 * t)
    falling = torch.stack([slow, -t, 1 / (1 + t), 100 * torch.exp(-3 * t) + slow, torch.where(t < 5, 1e30, slow)])
    for window in (4, 5, 10, 20):
        assert stops(falling, window).tolist() == [0] * 5
    assert stops(torch.full((1, 30), 3.0, dtype=torch.float64), 5).tolist() == [10]


@pytest.mark.parametrize(("rate", "window"), [(0.05, 5), (0.05, 40), (1.0, 5), (0.3, 12)])
def test_a_decay_to_nothing_is_called_flat_once_it_could_not_be_seen_beside_its_first_energies(rate: float, window: int) -> None:
    """U = exp(-rate t) never rests. Beside H, the energy after two windows, 4 ε H is the smallest decrease that counts."""
    course = torch.exp(-rate * torch.arange(1500, dtype=torch.float64))[None]
    height = math.exp(-rate * (2 * window - 1))
    # the mean of a window that begins with energy U is U (1 - q^n) / (n (1 - q)), q = exp(-rate); that of the next, q^n of it
    q = math.exp(-rate)
    gained = (1 - q**window) ** 2 / (window * (1 - q))
    first = math.log(gained / (4 * 2**-52 * height)) / rate  # number of the older window's first energy
    assert abs(int(stops(course, window)) - (first + 2 * window)) <= 1


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_adam_on_an_exact_valley_comes_to_a_plateau(dtype: torch.dtype) -> None:
    place, rng, rules = Normal((1.0, 0.5, 2.0)), Stream.of(1, 4), Rules(Stop(plateau=20))
    position = begin(Adam(0.1), place, rng.named("start").normal((3,)).to(dtype), rng, rules)
    first = position.state.seen.value
    for frame in walk(Adam(0.1), place, position, rng, range(1, 5000), rules):
        position = frame.position
    assert position.outcome.tolist() == [Outcome.PLATEAU] * 4
    assert bool((position.state.seen.value < 1e3 * torch.finfo(dtype).eps * first).all())


def test_a_descent_is_called_flat_once_it_has_drowned_in_its_noise() -> None:
    t = torch.arange(300, dtype=torch.float64)
    course = 100 * torch.exp(-0.1 * t) + 0.1 * Stream.of(4, 200).normal((300,))
    fired = stops(course, 10, variance=0.01)
    drowned = 10 * math.log(100 / 0.1)  # where the decay falls under one standard deviation: step 69
    assert bool((fired > drowned - 15).all()) and float(fired.double().median()) < drowned + 25


def test_the_plateau_rule_waits_for_two_full_windows_and_ignores_what_is_not_known() -> None:
    known = torch.full((2, 12), 1.0, dtype=torch.float64)
    known[1, :5] = torch.nan
    assert stops(known, 4).tolist() == [8, 0]
    known = torch.full((1, 14), 1.0, dtype=torch.float64)
    known[0, :5] = torch.nan
    assert stops(known, 4).tolist() == [13]


def test_a_replica_is_judged_alike_to_the_bit_whoever_is_judged_beside_it() -> None:
    course = Stream.of(5, 40).normal((30,)) * 1e3
    stop = Stop(plateau=7)

    def memory(rows: int) -> StopState:
        kept = stopping.begin(stop, course[:rows, :1])
        for value in course[:rows].unbind(dim=1):
            nothing = Cost.none(value[:, None])
            _, kept = judged(stop, Budget(), FLAT, looked(value), kept, nothing, nothing)
        return kept

    assert torch.equal(memory(40).plateau.values[:3], memory(3).plateau.values)
    assert torch.equal(stops(course, 7)[:3], stops(course[:3], 7))


def test_an_energy_is_reached_once_it_stands_out_of_its_noise() -> None:
    values = torch.tensor([-1.0, -1.3, -0.9], dtype=torch.float64)
    assert judge(Stop(value=-1.0), Budget(), looked(values)) == [Outcome.VALUE, Outcome.VALUE, 0]
    assert judge(Stop(value=-1.0), Budget(), looked(values, variance=0.01)) == [0, Outcome.VALUE, 0]


def test_noise_alone_reaches_an_energy_in_fewer_walks_than_two_standard_errors_would_in_one_look() -> None:
    walks, looks = 4000, 500
    noise, stop = Stream.of(6, walks).normal((looks,)), Stop(value=0.0)
    memory, fooled = stopping.begin(stop, noise[:, :1]), torch.zeros(walks, dtype=torch.bool)
    for value in noise.unbind(dim=1):  # the truth stands exactly at the energy asked for
        nothing = Cost.none(value[:, None])
        outcome, memory = judged(stop, Budget(), FLAT, looked(value, variance=1.0), memory, nothing, nothing)
        fooled |= outcome == Outcome.VALUE
    alarm = stats.norm.sf(2.0)
    assert int(fooled.sum()) < walks * alarm + 4 * math.sqrt(walks * alarm)
    assert int((noise.amin(dim=1) < -2).sum()) > 0.99 * walks  # what a test of two errors in each look would have said


def test_noise_is_never_called_convergence() -> None:
    assert Outcome.NOISE not in CONVERGED and Outcome.METHOD not in CONVERGED
    noisy = Stream.of(7, 50).normal((40,))
    memory = stopping.begin(Stop(plateau=8), noisy[:, :1])
    for value in noisy.unbind(dim=1):
        nothing = Cost.none(value[:, None])
        outcome, memory = judged(Stop(plateau=8), Budget(), FLAT, looked(value, variance=1.0), memory, nothing, nothing)
        assert not CONVERGED.intersection(outcome.tolist())
    assert Outcome.NOISE in outcome.tolist()


def test_the_gradient_is_small_when_its_noise_allows_to_say_so() -> None:
    grad = torch.tensor([[0.1, 0.0], [0.0, -0.4]], dtype=torch.float64)
    values = torch.zeros(2, dtype=torch.float64)
    assert judge(Stop(gradient_norm=0.2), Budget(), looked(values, grad=grad)) == [Outcome.GRADIENT, 0]
    assert judge(Stop(gradient_norm=0.2), Budget(), looked(values, grad=grad, grad_variance=0.01)) == [0, 0]


def test_the_torque_is_that_of_the_worst_spin_and_knows_no_radial_part() -> None:
    m, place = spins(2, 3), Spins(field=2.0)
    m[0] = torch.tensor([0.0, 0.0, 1.0])  # along the field: no torque, though the gradient has length 2
    state = State(m, place.evaluate(m, Stream.of(0, 2)))
    assert judge(Stop(max_torque=1e-12), Budget(), state, place=place) == [Outcome.TORQUE, 0]
    worst = torch.linalg.cross(m, -state.seen.grad).norm(dim=-1).amax(dim=1)
    torch.testing.assert_close(stopping.gradient_norm(place.manifold, state), worst)


def test_a_budget_stops_before_it_is_exceeded() -> None:
    x = torch.zeros(1, 2, dtype=torch.float64)
    stop, budget, memory, spent = Stop(), Budget(gradients=20, shots=1000), stopping.begin(Stop(), x), Cost.none(x)
    state = looked(torch.zeros(1, dtype=torch.float64))
    for gradients in (3, 7, 2, 2):  # the dearest step so far is the forecast of the next
        cost = Cost.of(x, gradients=gradients, shots=10)
        spent = spent.plus(cost)
        outcome, memory = judged(stop, budget, FLAT, state, memory, spent, cost)
    assert (int(spent.gradients), outcome.tolist()) == (14, [Outcome.GRADIENTS])
    assert judge(stop, Budget(shots=99), state, Cost.of(x, shots=100)) == [Outcome.SHOTS]


def test_a_budget_keeps_what_the_end_takes_and_believes_a_forecast() -> None:
    x = torch.zeros(1, 2, dtype=torch.float64)
    stop, memory, spent = Stop(), stopping.begin(Stop(), x), Cost.of(x, shots=600)
    state, last, coming = looked(torch.zeros(1, dtype=torch.float64)), Cost.of(x, shots=100), Cost.of(x, shots=150)

    def outcome(forecast: Cost | None, reserve: int) -> int:
        return int(judged(stop, Budget(shots=1000), FLAT, state, memory, spent, last, forecast, reserve)[0])

    assert [outcome(None, 300), outcome(None, 301)] == [0, Outcome.SHOTS]
    assert [outcome(coming, 250), outcome(coming, 251)] == [0, Outcome.SHOTS]


def test_what_overflowed_is_lost_and_what_is_unknown_is_not() -> None:
    values = torch.tensor([math.inf, math.nan, 0.0, 0.0], dtype=torch.float64)
    grad = torch.zeros(4, 2, dtype=torch.float64)
    grad[2, 1] = math.nan
    assert judge(Stop(), Budget(), looked(values, grad=grad)) == [Outcome.LOST, 0, Outcome.LOST, 0]


def test_every_outcome_is_a_sentence() -> None:
    sentences = [outcome.sentence for outcome in Outcome]
    assert len(set(sentences)) == len(sentences) and all(len(s.split()) > 1 for s in sentences)
    assert Outcome.STEPS not in CONVERGED and Outcome.LOST not in CONVERGED


WRONG = [
    (Stop, {"max_torque": 0.0}),
    (Stop, {"gradient_norm": -1.0}),
    (Stop, {"value": math.nan}),
    (Stop, {"plateau": 3}),
    (Stop, {"plateau": 2**31}),
    (Budget, {"shots": 0}),
    (Budget, {"gradients": -5}),
    (Budget, {"seconds": math.nan}),
]


@pytest.mark.parametrize(("kind", "fields"), WRONG)
def test_a_rule_that_makes_no_sense_is_refused_by_name(kind: type, fields: dict[str, float]) -> None:
    with pytest.raises(BadInput) as refused:
        kind(**fields)
    assert refused.value.field == next(iter(fields))


@pytest.mark.parametrize("field", ["shots", "gradients"])
def test_a_budget_is_no_larger_than_sums_of_64_bits_can_hold(field: str) -> None:
    assert getattr(Budget(**{field: 2**62}), field) == 2**62
    with pytest.raises(BadInput, match="wanted at most 4611686018427387904, got 9223372036854775808"):
        Budget(**{field: 2**63})
