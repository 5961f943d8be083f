"""What landscapes offer: as much as their problems say, and as the protocols want; wrappers answer for what they wrap."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from tests.contracts.test_budgets import PROBLEMS as BUDGETED
from tests.core.valleys import Qubits, SampledQubits
from torch import Tensor

from thalweg.server.spec import catalog
from thalweg.server.spec.describe import examples_of
from thalweg_core import landscape as contract
from thalweg_core.descent.adam.adam import Adam
from thalweg_core.descent.natural_gradient.natural_gradient import NaturalGradient
from thalweg_core.landscape import (
    MEASURED_METRIC,
    METRIC,
    SAMPLES,
    Capability,
    Evaluation,
    Landscape,
    Offers,
    Samples,
    T,
    must_offer,
)
from thalweg_core.manifold import Manifold
from thalweg_core.problem import Problem
from thalweg_core.streams import Stream
from thalweg_core.walking.growth import GROWTH
from thalweg_core.walking.walk import begin, walk
from thalweg_physics.magnet.dynamics.spins import PRECESSION, SPINS
from thalweg_vqe.engines.estimator import Estimator

CAPABILITIES: list[Capability[Any]] = [
    *(value for value in vars(contract).values() if isinstance(value, Capability)),
    GROWTH,
    PRECESSION,
    SPINS,
]
_GROWING: Any = BUDGETED["circuit that grows"]
GROWING = [replace(_GROWING, estimator=Estimator(shots=shots)) for shots in (0, 10)]
PROBLEMS = [pytest.param(problem, id=f"{name} {n}") for name in catalog.PROBLEMS for n, problem in enumerate(examples_of(name))]
PROBLEMS += [pytest.param(problem, id=name) for name, problem in BUDGETED.items()]
PROBLEMS += [pytest.param(problem, id=f"growing circuit, {problem.estimator.shots} shots") for problem in GROWING]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_landscape_offers_what_its_problem_says_and_what_it_offers_has_all_that_the_protocol_wants(
    problem: Problem[Any],
) -> None:
    landscape, knows = problem.open(torch.device("cpu"), torch.float64), problem.traits().knows
    offered = {what for what in CAPABILITIES if landscape.offer(what) is not None}
    for what in knows - offered:
        assert what.protocol is None or (what is METRIC and MEASURED_METRIC in offered), f"it does not offer {what.name}"
    for what in offered:
        wanted = {name for base in what.protocol.__mro__ for name in vars(base) if not name.startswith("_")}
        assert not {name for name in wanted if not hasattr(landscape.offer(what), name)}
    for what in (what for what in CAPABILITIES if what.protocol is not None and what not in offered):
        members = [name for base in what.protocol.__mro__ for name in vars(base) if not name.startswith("_")]
        forgotten = all(hasattr(landscape, name) for name in members)
        assert not forgotten or (what is METRIC and landscape.noisy), f"it has all of {what.name}, and does not offer it"


@dataclass(frozen=True)
class Doubled(Offers):
    """2 U, of which all else is as of U."""

    of: Landscape

    def __getattr__(self, name: str) -> Any:
        return getattr(self.of, name)

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        seen = self.of.evaluate(x, rng, samples)
        return seen._replace(value=2 * seen.value, grad=2 * seen.grad, value_var=4 * seen.value_var, grad_var=4 * seen.grad_var)

    def offer(self, what: Capability[T]) -> T | None:
        return self.of.offer(what)


@pytest.mark.parametrize("inner", [Qubits(), SampledQubits()])
def test_a_landscape_around_a_landscape_answers_for_it_in_one_line(inner: Landscape) -> None:
    method, place, rng = NaturalGradient(), Doubled(inner), Stream.of(1, 3)
    assert place.offer(METRIC) is inner.offer(METRIC) and place.offer(SAMPLES) is inner.offer(SAMPLES)
    x = torch.full((3, 2), 1.0, dtype=torch.float64)
    position = begin(method, place, x, rng)
    first = position.state.seen.value
    for frame in walk(method, place, position, rng, range(1, 30)):
        position = frame.position
    assert (position.state.seen.value < first - 1).all()


@dataclass(frozen=True)
class Many(Offers):
    """K copies of a landscape on an axis of their own, x (B, K, *E), whose energies add: what interacts lives on that axis."""

    of: Landscape
    copies: int

    @property
    def manifold(self) -> Manifold:
        return self.of.manifold

    @property
    def noisy(self) -> bool:
        return self.of.noisy

    @property
    def width(self) -> int:
        return self.of.width

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        seen = [self.of.evaluate(x[:, k], rng.named("copy", k), samples) for k in range(self.copies)]
        cost = seen[0].cost.times(self.copies)
        value, grad, value_var, grad_var = zip(*(one[:4] for one in seen), strict=True)
        return Evaluation(sum(value), torch.stack(grad, 1), sum(value_var), torch.stack(grad_var, 1), cost)  # type: ignore[arg-type]


def test_a_method_walks_on_copies_along_an_axis_of_their_own() -> None:
    method, rng, x = Adam(), Stream.of(1, 3), torch.full((3, 4, 2), 1.0, dtype=torch.float64)
    ends = []
    for landscape, start in ((Many(Qubits(), 4), x), (Qubits(), x[:, 0])):
        position = begin(method, landscape, start, rng)
        for frame in walk(method, landscape, position, rng, range(1, 40)):
            position = frame.position
        ends.append(position.state)
    torch.testing.assert_close(ends[0].x, ends[1].x[:, None].expand(3, 4, 2), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(ends[0].seen.value, 4 * ends[1].seen.value, rtol=1e-12, atol=0)


def test_a_promise_that_a_landscape_breaks_is_an_error_that_names_both() -> None:
    with pytest.raises(TypeError, match="Qubits does not offer a metric by samples"):
        must_offer(Qubits(), MEASURED_METRIC)
