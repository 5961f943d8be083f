"""Numbers of samples: what a pilot asks for, how they grow, and that no replica's depend on another's."""

from __future__ import annotations

import math

import pytest
import torch
from tests.core.valleys import Normal, Sampling

from thalweg_core.errors import BadInput
from thalweg_core.landscape import HARMONICS, Cost, Harmonics
from thalweg_core.noise.natural_units import natural_units
from thalweg_core.noise.sample_sizes import SampleRule, SampleSize, dearer
from thalweg_core.numbers.trees import map_tensors, take_rows
from thalweg_core.streams import Stream

PLACE = Sampling((1.0, 1.0, 1.0, 1.0))


def begun(distance: float, rows: int = 400, rule: SampleRule | None = None) -> tuple[Cost, SampleSize]:
    """After the first evaluation, at this distance from the minimum along one axis."""
    x = torch.zeros(rows, 4, dtype=torch.float64)
    x[:, 0] = distance
    seen, size = (rule or SampleRule()).begin(PLACE, x, Stream.of(1, rows))
    assert size is not None
    return seen.cost, size


@pytest.mark.parametrize("distance", [2.0, 3.0])
def test_the_first_number_brings_the_noise_to_the_asked_multiple_of_the_signal(distance: float) -> None:
    rule = SampleRule(first_samples=64, pilot_noise=0.01)
    _, size = begun(distance, rule=rule)
    # variance of a gradient from n samples: 4/n; its squared length: distance²; so n₀ = 4 / (ρ distance²) samples
    exact = 4 / (0.01 * distance**2)
    spread = 2 * exact * math.sqrt(1 / 64) / distance  # relative error of |g|² from 64 samples: 2 σ/|g|, σ² = 1/64
    assert abs(float(size.number.mean()) - exact) < 4 * spread / math.sqrt(400) + 3 * exact / (64 * distance**2)


def test_a_flat_place_asks_for_many_more_samples_and_a_steep_one_for_half_as_many() -> None:
    _, flat = begun(0.0, rule=SampleRule(first_samples=8, pilot_noise=1.0))
    assert bool((flat.number <= 8 * 20).all()) and float(flat.number.max()) == pytest.approx(160.0)  # the floor of a twentieth
    _, steep = begun(100.0)
    assert set(steep.asked.tolist()) == {4}


def test_the_pilot_is_charged_and_can_be_left_out() -> None:
    cost, size = begun(100.0)
    assert cost.shots.unique().tolist() == [3 * 8 + 3 * 4] and cost.gradients.unique().tolist() == [2]
    cost, size = begun(100.0, rule=SampleRule(first_samples=17, pilot=False))
    assert cost.shots.unique().tolist() == [3 * 17] == size.spent.unique().tolist() and set(size.asked.tolist()) == {17}
    assert size.price.unique().tolist() == [3.0]


def test_exact_landscapes_have_no_number_of_samples() -> None:
    seen, size = SampleRule().begin(Normal((1.0, 1.0, 1.0, 1.0)), torch.ones(2, 4, dtype=torch.float64), Stream.of(0, 2))
    assert size is None and SampleRule().grown(size, seen.cost) is None and dearer(seen, None) is seen.cost


def test_looks_grow_with_what_was_spent_until_each_is_a_given_part_of_it() -> None:
    rule, rows = SampleRule(pilot=False, growth=50.0), 2
    seen, size = rule.begin(PLACE, torch.ones(rows, 4, dtype=torch.float64), Stream.of(0, rows))
    numbers = []
    for _ in range(400):
        assert size is not None
        cost = dearer(seen, size)
        numbers.append(int(size.asked[0]))
        grown = rule.grown(size, cost)
        assert grown is not None
        assert bool((grown.number >= size.number).all()) and bool((grown.number <= 1.1 * size.number + 1e-9).all())
        size = grown
    spent = 3 * sum(numbers) + 3 * 8
    assert int(size.spent[0]) == spent
    assert float(size.number[0]) == pytest.approx(spent / (50.0 * 3))  # a fiftieth of all
    assert numbers[:40] == [8] * 40  # 8 is more than a fiftieth of what was spent by then


def test_looks_grow_only_where_they_are_wanted_to_and_never_without_a_rate() -> None:
    size = SampleSize(*(torch.full((3,), number, dtype=torch.float64) for number in (8.0, 8.0, 1.0)), torch.tensor([9000] * 3))
    cost = Cost.of(torch.zeros(3, 1), shots=8)
    grown = SampleRule(growth=100.0).grown(size, cost, torch.tensor([True, False, True]))
    assert grown is not None and grown.number.tolist() == pytest.approx([8.8, 8.0, 8.8])
    still = SampleRule(growth=0.0).grown(size, cost)
    assert still is not None and still.number.tolist() == [8.0] * 3 and still.spent.tolist() == [9008] * 3


def test_a_replica_asks_for_the_same_number_whoever_stands_beside_it() -> None:
    x = Stream.of(3, 30).normal((4,))
    _, among = SampleRule().begin(PLACE, x, Stream.of(2, 30))
    _, alone = SampleRule().begin(PLACE, x[:1], Stream.of(2, 1))
    assert among is not None and alone is not None
    first = take_rows(among, torch.tensor([0]))
    assert all(torch.equal(a, b) for a, b in zip(first, alone, strict=True))
    assert map_tensors(torch.clone, alone).number.dtype == torch.float64


def test_natural_units_are_those_of_the_fastest_harmonic() -> None:
    class Waves(Normal):
        offers = frozenset({HARMONICS})
        harmonics = Harmonics(torch.tensor([1.0, 2.0, 1.0]), torch.tensor([1, 3, 0]))

    x = torch.zeros(2, 3, dtype=torch.float64)
    assert natural_units(Waves(), x).tolist() == [1.0, 1 / 6, 1.0]
    assert natural_units(Normal(), x).tolist() == [1.0] * 3


@pytest.mark.parametrize(("field", "value"), [("first_samples", 1), ("pilot_noise", 0.0), ("growth", -1.0), ("growth", math.inf)])
def test_a_rule_that_makes_no_sense_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(BadInput) as refused:
        SampleRule(**{field: value})  # type: ignore[arg-type]
    assert refused.value.field == field
