"""The running average against its closed form, and what it does to noise."""

from __future__ import annotations

import math

import torch
from tests.core.valleys import spins

from thalweg_core.landscape import Cost
from thalweg_core.manifold import Euclidean, Spheres
from thalweg_core.noise.averaging import averaged, begin_average
from thalweg_core.numbers.trees import take_rows
from thalweg_core.streams import Stream


def test_iterates_of_one_price_are_weighted_by_a_power_of_their_number() -> None:
    x = Stream.of(1, 2).normal((300, 3))
    cost = Cost.of(x, shots=7)
    average = begin_average(x[:, 0], cost)
    for point in x[:, 1:].unbind(dim=1):
        average = averaged(average, Euclidean(), point, cost, 0.2)
    # w_t = 5/t from t = 6 on: the weight of iterate t in the average of T is 5/t · Π_{s=t+1..T} (1 - 5/s)
    weights = torch.zeros(300, dtype=torch.float64)
    for t in range(5, 301):
        weights[t - 1] = min(1.0, 5 / t) * math.prod(1 - 5 / s for s in range(t + 1, 301))
    assert abs(float(weights.sum()) - 1) < 1e-12
    torch.testing.assert_close(average.x, (weights[None, :, None] * x).sum(1), rtol=1e-12, atol=1e-12)
    assert average.spent.tolist() == [2100, 2100]


def test_a_dear_iterate_counts_as_much_as_many_cheap_ones() -> None:
    """Two halves of one price: the weight of the second is 1 - (1 - Δ/(share · spent)) whatever it was cut into, in the limit."""
    x = torch.ones(1, 1, dtype=torch.float64)
    cheap, dear = Cost.of(x, shots=1), Cost.of(x, shots=1000)
    one = averaged(begin_average(0 * x, Cost.of(x, shots=99_000)), Euclidean(), x, dear, 0.2)
    many = begin_average(0 * x, Cost.of(x, shots=99_000))
    for _ in range(1000):
        many = averaged(many, Euclidean(), x, cheap, 0.2)
    assert abs(float(one.x) - float(many.x)) < 0.05**2
    assert abs(float(many.x) - (1 - 0.99**5)) < 1e-4  # the continuous limit: (spent before / spent)^(1/share)


def test_an_iterates_weight_is_its_cost_times_a_power_of_what_was_spent() -> None:
    """Steps of any cost, small against what was spent before: weights ∝ cost · spent^(1/share - 1)."""
    share, steps = 0.25, 2000
    costs = 50 + (1000 * Stream.of(5, 1).uniform((steps,))[0]).to(torch.int64)
    spent = 200_000 + costs.cumsum(0)
    weights = torch.zeros(steps, dtype=torch.float64)
    for marked in range(0, steps, 97):  # the weight of one iterate is the average of a 1 there and zeros elsewhere
        average = begin_average(torch.zeros(1, 1, dtype=torch.float64), Cost.of(costs[:1], shots=200_000))
        for step, cost in enumerate(costs.tolist()):
            x = torch.full((1, 1), float(step == marked), dtype=torch.float64)
            average = averaged(average, Euclidean(), x, Cost.of(x, shots=cost), share)
        weights[marked] = average.x[0, 0]
    some = torch.arange(0, steps, 97)
    law = costs[some] * spent[some].to(torch.float64) ** (1 / share - 1)
    ratio = weights[some] / law
    assert float((ratio / ratio.mean() - 1).abs().max()) < 0.02  # w = Δ/(share spent) is at most 0.02
    wrong = weights[some] / (costs[some] * spent[some].to(torch.float64) ** (1 / share))
    assert float((wrong / wrong.mean() - 1).abs().max()) > 0.2


def test_noise_about_a_point_shrinks_to_its_closed_form() -> None:
    x = Stream.of(2, 500).normal((400, 4))
    average = begin_average(x[:, 0], Cost.of(x, shots=1))
    for point in x[:, 1:].unbind(dim=1):
        average = averaged(average, Euclidean(), point, Cost.of(x, shots=1), 0.2)
    square = average.x.square()
    exact = 25 / (9 * 400)  # ∫ (5 s⁴)² ds = 25/9 of the variance of one, over 400; corrections are of order 1/400
    error = math.sqrt(2 / square.numel()) * exact
    assert abs(float(square.mean()) - exact) < 4 * error + exact * 5 / 400


def test_where_nothing_was_charged_as_shots_gradients_count() -> None:
    x = torch.ones(1, 1, dtype=torch.float64)
    average = averaged(begin_average(0 * x, Cost.of(x, gradients=9)), Euclidean(), x, Cost.of(x, gradients=1), 0.5)
    assert abs(float(average.x) - 0.2) < 1e-15


def test_on_spheres_the_average_stays_there_and_is_the_mean_direction() -> None:
    m = spins(3, 5)
    tangent = Spheres().tangent(m[:, None], 0.05 * Stream.of(3, 3).normal((200, 5, 3)))
    looks = Spheres().retract(m[:, None].expand_as(tangent), tangent)
    average = begin_average(looks[:, 0], Cost.of(m, shots=1))
    for point in looks[:, 1:].unbind(dim=1):
        average = averaged(average, Spheres(), point, Cost.of(m, shots=1), 0.2)
    assert float((average.x.norm(dim=-1) - 1).abs().max()) < 1e-14
    spread = 0.05 * math.sqrt(25 / (9 * 200))
    assert float((average.x - m).abs().max()) < 5 * spread  # the largest of 45 normal numbers
    there = averaged(begin_average(looks[:, 0], Cost.of(m, shots=1)), Spheres(), looks[:, 1], Cost.of(m, shots=1), 0.2)
    torch.testing.assert_close(there.x, looks[:, 1], rtol=0, atol=1e-15)


def test_replica_0_is_averaged_alike_to_the_bit_beside_any_others() -> None:
    x = Stream.of(4, 33).normal((20, 3))
    cost = Cost.of(x, shots=1)._replace(shots=Stream.of(4, 33).named("cost").words(1)[:, 0] % 100 + 1)

    def run(rows: torch.Tensor) -> torch.Tensor:
        spent = take_rows(cost, rows)
        average = begin_average(x[rows, 0], spent)
        for t in range(1, 20):
            average = averaged(average, Euclidean(), x[rows, t], spent, 0.2)
        return average.x

    assert torch.equal(run(torch.arange(33))[:1], run(torch.arange(1)))
