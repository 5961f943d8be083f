"""One budget: of every method on every noisy landscape. What is paid is known before, and is never more than was granted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from thalweg.server.spec import catalog
from thalweg_core.descent.adam.textbook_adam import TextbookAdam
from thalweg_core.errors import Unaffordable
from thalweg_core.landscape import DRY_RUN, Cost, Landscape, must_offer
from thalweg_core.method import Method
from thalweg_core.problem import Problem
from thalweg_core.streams import Stream
from thalweg_core.walking.account import Budget
from thalweg_core.walking.dry_run import dry_run, first_cost, step_cost
from thalweg_core.walking.growth import GROWTH, afford, begin_growing, walk_growing
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.walk import Rules
from thalweg_physics.densities.logistic.logistic_regression import LogisticRegression
from thalweg_vqe.problem import (
    Adapt,
    Deflation,
    EfficientSu2,
    Estimator,
    HamiltonianVariational,
    PauliSum,
    PauliTerm,
    TransverseFieldIsing,
    Uniform,
    Vqe,
    Zeros,
)

WORDS = PauliSum(tuple(PauliTerm(word, c) for word, c in (("ZZ", 1.0), ("XI", 0.5), ("IX", 0.4), ("YY", 0.1))))
CHAIN = TransverseFieldIsing(3)


def circuit(shots: int = 20, engine: str = "statevector", allocation: str = "equal") -> Vqe:
    return Vqe(WORDS, EfficientSu2(reps=1), Estimator(shots, engine, allocation=allocation), Uniform(0.5))


PROBLEMS: dict[str, Problem] = {
    "circuit": circuit(),
    "circuit on aer": circuit(engine="aer"),
    "circuit whose parameters turn many rotations": Vqe(CHAIN, HamiltonianVariational(layers=2), Estimator(10), Uniform(0.5)),
    "circuit that grows": Vqe(CHAIN, Adapt("qubit", operators=3, steps_per_operator=2), Estimator(10), Zeros()),
    "excited state": replace(circuit(), deflation=(Deflation((0.1,) * 8, 2.0),)),
    "mini-batches": LogisticRegression("breast_cancer", batch_size=40),
}
FIELDS: dict[str, dict[str, Any]] = {"ula": {"step_size": 1e-3}}


def methods(problem: Problem) -> Iterator[tuple[str, Method]]:
    """Every method of the catalogue that fits."""
    for name, entry in catalog.METHODS.items():
        method = catalog.load(entry.where)
        if problem.traits().fits(method):
            yield name, method(**FIELDS.get(name, {}))


PAIRS = [
    pytest.param(problem, method, id=f"{name} on {where}")
    for where, problem in PROBLEMS.items()
    for name, method in methods(problem)
]


WALKS = [pair for pair in PAIRS if "aer" not in str(pair.id)]  # which engine is asked does not matter to what it is asked for


@cache
def opened(problem: Problem) -> Landscape:
    return problem.open(torch.device("cpu"), torch.float64)


def start(problem: Problem, rows: int) -> tuple[Landscape, Tensor, Stream]:
    landscape, rng = opened(problem), Stream.of(5, rows)
    return landscape, problem.start(landscape, rng.named("start")), rng


def charged(cost: Cost) -> list[list[int]]:
    return [cost.gradients.tolist(), cost.shots.tolist()]


def least(problem: Problem, method: Method) -> int:
    """The number in the sentence of a refusal."""
    landscape, x, rng = start(problem, 2)
    rules = Rules(budget=Budget(shots=1), reserve=problem.final_shots(landscape))
    with pytest.raises(Unaffordable) as refused:
        begin_growing(method, landscape, x, rng, rules)
    assert refused.value.field == "budget.shots"
    found = re.match(r"wanted at least (\d+): ", refused.value.sentence)
    assert found is not None
    return int(found[1])


@pytest.mark.slow
@pytest.mark.parametrize(("problem", "method"), PAIRS)
def test_a_dry_run_costs_what_is_then_charged(problem: Problem, method: Method) -> None:
    landscape, x, rng = start(problem, 3)
    if (small := landscape.offer(GROWTH)) is not None:
        landscape = small.grown(x, rng).landscape
    place, none = must_offer(landscape, DRY_RUN).dry_run(), torch.zeros(3, dtype=torch.int64)
    assert must_offer(place, DRY_RUN).dry_run() is place
    state = method.init(landscape, x, rng.named("init"), none)
    assert charged(first_cost(method, place, x, rng.named("init"))) == charged(state.seen.cost)
    for step in range(1, 7):
        expected = step_cost(method, place, state, rng.at(step))
        state, info = method.step(landscape, state, rng.at(step))
        assert charged(expected) == charged(info.cost)


@pytest.mark.parametrize("engine", ["statevector", "aer"])
@pytest.mark.parametrize("allocation", ["equal", "measured", "random"])
@pytest.mark.parametrize("shots", [2, 3, 7, 64])
def test_every_evaluation_costs_its_dry_run_however_shots_are_divided(engine: str, allocation: str, shots: int) -> None:
    landscape, x, rng = start(circuit(50, engine, allocation), 2)
    place = dry_run(landscape)
    asked = torch.tensor([shots, shots + 5])
    components = asked[:, None] + torch.arange(x.shape[1])
    pairs = torch.stack([x, x + 1], dim=1)

    def looks(at: Any) -> list[Cost]:
        return [
            at.evaluate(x, rng).cost,
            at.evaluate(x, rng, asked).cost,
            at.evaluate_components(x, rng, components).cost,
            at.measure(x, rng, asked).cost,
            at.fidelity(pairs, pairs + 0.1, rng, asked).cost,
            *(at.measure_metric(x, rng, asked, form).cost for form in ("full", "block_diagonal", "diagonal")),
        ]

    for paid, dry in zip(looks(landscape), looks(place), strict=True):
        assert charged(paid) == charged(dry)
        assert allocation != "equal" or paid.circuits.tolist() == dry.circuits.tolist()


@pytest.mark.parametrize(("problem", "method"), WALKS)
def test_whatever_the_budget_no_more_is_spent_and_the_least_is_as_the_refusal_says(problem: Problem, method: Method) -> None:
    landscape, x, rng = start(problem, 2)
    reserve, enough = problem.final_shots(landscape), least(problem, method)
    for budget in (enough - 1, (enough + reserve) // 2, reserve):
        with pytest.raises(Unaffordable):
            begin_growing(method, landscape, x, rng, Rules(budget=Budget(shots=budget), reserve=reserve))
    first = enough - reserve
    for more in (0, 1, first // 3, first, 2 * first + 1, 5 * first, 17 * first):
        rules = Rules(budget=Budget(shots=enough + more), reserve=reserve)
        place, position = begin_growing(method, landscape, x, rng, rules)
        assert (position.spent.shots > 0).all() and (position.spent.shots + reserve <= enough + more).all()
        for _, frame in walk_growing(method, place, position, rng, range(1, 41), rules):
            position = frame.position
            assert (position.spent.shots + reserve <= enough + more).all()
        assert more != 0 or set(position.outcome.tolist()) <= {Outcome.SHOTS, Outcome.METHOD}


@pytest.mark.parametrize(("problem", "method"), WALKS)
def test_the_least_is_known_before_anything_is_opened(problem: Problem, method: Method) -> None:
    place, enough = problem.dry_run(), least(problem, method)
    assert place is not None
    x, rng = torch.zeros(1, problem.traits().dimension, dtype=torch.float64), Stream.of(0, 1)
    reserve = problem.final_shots(place)
    afford(method, place, x, rng, Rules(budget=Budget(shots=enough), reserve=reserve))
    with pytest.raises(Unaffordable, match=f"wanted at least {enough}: "):
        afford(method, place, x, rng, Rules(budget=Budget(shots=enough - 1), reserve=reserve))


class Restless(TextbookAdam):
    """It has always finished."""

    def finished(self, state: Any) -> Tensor:
        return torch.ones(len(state.x), dtype=torch.bool)


def test_a_method_that_begins_anew_where_a_circuit_has_grown_does_so_within_the_budget() -> None:
    problem, method = PROBLEMS["circuit that grows"], Restless()
    landscape, x, rng = start(problem, 2)
    reserve, enough = problem.final_shots(landscape), least(problem, method)
    looks = set()
    for more in range(0, 8 * (enough - reserve), (enough - reserve) // 4):
        rules = Rules(budget=Budget(shots=enough + more), reserve=reserve)
        place, position = begin_growing(method, landscape, x, rng, rules)
        for _, frame in walk_growing(method, place, position, rng, range(1, 21), rules):
            position = frame.position
        assert (position.spent.shots + reserve <= enough + more).all()
        looks.update((position.spent.gradients - position.stopped_at).tolist())  # those of steps aside
    assert len(looks) > 2  # it did begin anew
