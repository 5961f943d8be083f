"""L-BFGS: exactly against SciPy's, and under noise against closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize, rosen, rosen_der
from tests.core.valleys import Curved, Sampling, Spins, spins
from torch import Tensor

from thalweg_core.descent.lbfgs.curvature_pairs import inverse_curvature, no_pairs, preconditioned, remembered, stands_out
from thalweg_core.descent.lbfgs.lbfgs import Lbfgs
from thalweg_core.descent.lbfgs.textbook_lbfgs import TextbookLbfgs
from thalweg_core.landscape import Evaluation, Landscape, Offers, Samples
from thalweg_core.manifold import Euclidean, Manifold
from thalweg_core.method import Method
from thalweg_core.streams import Stream
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.stopping import Stop
from thalweg_core.walking.walk import Rules, begin, walk

Array = NDArray[np.float64]
Function = Callable[[Array], tuple[float, Array]]


@dataclass(frozen=True)
class Given(Offers):
    """A landscape made of a function that SciPy can be given too."""

    function: Function
    noisy: ClassVar[bool] = False
    width: ClassVar[int] = 1
    manifold: ClassVar[Manifold] = Euclidean()

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        looks = [self.function(row) for row in x.numpy()]
        value, grad = (torch.from_numpy(np.array(part, dtype=float)) for part in zip(*looks, strict=True))
        return Evaluation.exact(value, grad)


def rosenbrock(x: Array) -> tuple[float, Array]:
    return float(rosen(x)), rosen_der(x)


def stretched(x: Array) -> tuple[float, Array]:
    """A quadratic of condition 10⁴."""
    curvature = np.logspace(0, 4, len(x))
    return float(0.5 * (curvature * x * x).sum()), curvature * x


def waves(x: Array) -> tuple[float, Array]:
    """Not convex, and rough along most lines: searches need several trials."""
    return float((x * x / 40 - np.cos(3 * x)).sum() + math.cos(x.sum())), x / 20 + 3 * np.sin(3 * x) - math.sin(x.sum())


def scipys(function: Function, x: Array, **options: Any) -> tuple[OptimizeResult, list[float]]:
    """L-BFGS-B without bounds, and every value that it looked at."""
    values: list[float] = []

    def looked(x: Array) -> tuple[float, Array]:
        value, grad = function(x)
        values.append(value)
        return value, grad

    return minimize(looked, x, jac=True, method="L-BFGS-B", options=options), values


def ours(method: Method, place: Landscape, x: Tensor, looks: int, gradient: float = 0.0) -> tuple[Any, list[list[float]]]:
    """The state at the end, and for every replica the values at each look until its gradient was small, or it was finished."""
    values: list[list[float]] = [[] for _ in x]
    looked = place.evaluate

    class Watched(Offers):
        noisy, width, manifold = place.noisy, place.width, place.manifold

        def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
            seen = looked(x, rng, samples)
            for row, value in zip(rng.rows.tolist(), seen.value.tolist(), strict=True):
                values[row].append(value)
            return seen

    rules, rng = Rules(Stop(gradient_norm=gradient or None)), Stream.of(0, len(x))
    position = begin(method, Watched(), x, rng, rules)
    for frame in walk(method, Watched(), position, rng, range(1, looks), rules):
        position = frame.position
    return position, values


STARTS = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 6)))


@pytest.mark.slow
@pytest.mark.parametrize("function", [rosenbrock, stretched, waves])
@pytest.mark.parametrize("method", [Lbfgs(memory=4), TextbookLbfgs(memory=4, reduction=0, gradient=0)])
def test_exact_looks_are_those_of_scipy_replica_by_replica(method: Method, function: Function) -> None:
    _, values = ours(method, Given(function), STARTS, 25)
    for x, mine in zip(STARTS.numpy(), values, strict=True):
        _, theirs = scipys(function, x, maxcor=4, ftol=0, gtol=0)
        same = min(25, len(theirs))  # SciPy gives up where values no longer differ; later than that, rounding is magnified
        assert same >= 10
        np.testing.assert_allclose(mine[:same], theirs[:same], rtol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize(("function", "dimension"), [(rosenbrock, 2), (rosenbrock, 30), (stretched, 30), (waves, 30)])
def test_it_converges_in_as_many_looks_as_scipy(function: Function, dimension: int) -> None:
    x = np.random.default_rng(dimension).normal(size=(3, dimension))
    position, values = ours(Lbfgs(), Given(function), torch.from_numpy(x), 2000, gradient=1e-6)
    assert set(position.outcome.tolist()) == {Outcome.GRADIENT}
    theirs = [len(scipys(function, start, ftol=0, gtol=1e-6)[1]) for start in x]
    assert sum(map(len, values)) <= 1.1 * sum(theirs)  # a tenth, because long walks differ by their rounding


def deep(x: Array) -> tuple[float, Array]:
    """Values differ by 1e-10 at least."""
    value, grad = rosenbrock(x)
    return value - 1e6, grad


def test_slopes_lead_on_where_values_are_all_alike() -> None:
    position, _ = ours(Lbfgs(), Given(deep), STARTS, 400, gradient=1e-9)
    assert set(position.outcome.tolist()) == {Outcome.GRADIENT}
    theirs = [scipys(deep, x, ftol=0, gtol=1e-9)[0] for x in STARTS.numpy()]
    assert max(float(abs(result.jac).max()) for result in theirs) > 1e-7  # values alone do not lead there


def test_it_stops_and_says_so_where_nothing_is_lower() -> None:
    method, place = Lbfgs(), Given(deep)
    minimum = torch.ones(1, 6, dtype=torch.float64)
    position, _ = ours(method, place, torch.cat([STARTS[:1], minimum]), 400)
    assert position.outcome.tolist() == [Outcome.METHOD] * 2 and int(position.stopped_at[1]) == 0
    assert float((position.state.x - 1).abs().max()) < 1e-6
    assert all("no energy is lower" in remark for remark in method.remarks(place, position.state))


def test_a_trial_that_is_not_a_number_is_answered_by_a_shorter_one() -> None:
    def walled(x: Array) -> tuple[float, Array]:
        """A slope of -3 up to a wall at x = 1, beyond which there is nothing."""
        return float(-3 * x[0] - np.log(1 - x[0] ** 2)) if abs(x[0]) < 1 else math.nan, 2 * x / (1 - x * x) - 3

    position, (values,) = ours(Lbfgs(), Given(walled), torch.tensor([[0.3]], dtype=torch.float64), 60, gradient=1e-8)
    assert math.isnan(values[1])  # the first trial went to 1.3
    assert float(position.state.x) == pytest.approx((math.sqrt(40) - 2) / 6, abs=1e-8)  # 3 x² + 2 x = 3


def test_on_spheres_all_spins_turn_into_the_field() -> None:
    place, n = Spins(field=0.5, coupling=2.0), 12
    position, values = ours(Lbfgs(), place, spins(4, n), 300, gradient=1e-9)
    assert set(position.outcome.tolist()) == {Outcome.GRADIENT}
    lowest = -0.5 * n - 2.0 * (n - 1)
    torch.testing.assert_close(position.state.seen.value, torch.full((4,), lowest, dtype=torch.float64), rtol=1e-12, atol=0)
    assert max(map(len, values)) < 100  # steepest descent needs 40 times the condition of 30


def test_on_spheres_it_knows_no_preferred_frame() -> None:
    m = spins(2, 5)
    turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)  # about the field
    (here, _), (there, _) = (ours(Lbfgs(), Spins(1.0, 0.8), x, 20) for x in (m, m @ turn))
    torch.testing.assert_close(there.state.x, here.state.x @ turn)


def test_the_two_loops_are_the_inverse_bfgs_update() -> None:
    rng = Stream.of(5, 3)
    square = rng.named("square").normal((4, 4))
    hessian = square @ square.mT + torch.eye(4, dtype=torch.float64)
    pairs, dense = no_pairs(torch.zeros(3, 4, dtype=torch.float64), 3), torch.diag_embed(torch.full((3, 4), 0.7)).double()
    for i in range(3):
        s = rng.named("s", i).normal((4,))
        y = (hessian @ s[..., None])[..., 0]
        pairs = remembered(pairs, s, y, torch.ones(3, dtype=torch.bool))
        rho = 1 / (s * y).sum(1)[:, None, None]
        left = torch.eye(4, dtype=torch.float64) - rho * s[:, :, None] * y[:, None, :]
        dense = left @ dense @ left.mT + rho * s[:, :, None] * s[:, None, :]
    g = rng.named("g").normal((4,))
    torch.testing.assert_close(preconditioned(pairs, g, torch.full((3, 4), 0.7).double()), (dense @ g[..., None])[..., 0])


def test_a_pair_that_is_not_wanted_leaves_no_trace() -> None:
    x = Stream.of(1, 2).normal((3,))
    wanted = torch.tensor([True, False])
    pairs = remembered(no_pairs(x, 2), x, 2 * x, wanted)
    assert inverse_curvature(pairs).tolist() == [0.5, 0.0]
    assert torch.equal(preconditioned(pairs, x, torch.ones_like(x))[1], x[1])


@pytest.mark.parametrize("errors", [1.0, 2.0])
def test_a_flat_valley_passes_the_pair_test_as_often_as_the_normal_law_says(errors: float) -> None:
    rows = 20000
    way, variance = Stream.of(2, rows).named("way").normal((5,)), torch.tensor([0.1, 0.2, 1.0, 3.0, 0.5], dtype=torch.float64)
    change = variance.sqrt() * Stream.of(2, rows).named("noise").normal((5,))
    passed = stands_out(way, change, variance.expand_as(way), errors)
    rate = 0.5 * math.erfc(errors / math.sqrt(2))
    assert abs(float(passed.double().mean()) - rate) < 4 * math.sqrt(rate * (1 - rate) / rows)


def noisy(method: Method, place: Landscape, rows: int, steps: int) -> Any:
    rng = Stream.of(4, rows)
    x = 3 + Stream.of(6, rows).normal((4,))
    position = begin(method, place, x, rng)
    for frame in walk(method, place, position, rng, range(1, steps + 1)):
        position = frame.position
    return position


SCALES = (0.5, 1.0, 1.5, 2.0)


@pytest.mark.parametrize(
    ("place", "fields"),
    [
        (Sampling(SCALES), {}),
        (Curved(SCALES), {}),
        (Sampling(SCALES), {"filtering": False}),
        (Curved(SCALES), {"memory": 0}),
        (Curved(SCALES), {"growth": 0.0}),
    ],
    ids=["gradients", "curvature", "no filter", "no pairs", "no growth"],
)
def test_under_noise_the_average_is_as_good_as_a_mean_over_its_window(place: Sampling, fields: dict[str, Any]) -> None:
    """A Newton step from the mean of n gradients errs by Σ σ²/(2 h n). The weights of the average, growing with the fourth
    power of what was spent, make n = 9/25 of all samples; the filter remembers some looks from before the window."""
    rows, method = 100, Lbfgs(**fields)
    position = noisy(method, place, rows, 250)
    excess = place.evaluate(method.answer(position.state), Stream.of(0, rows), 10**14).value
    samples = position.spent.shots.double() / 3
    ratio = float((excess / (0.5 * sum(scale**2 for scale in SCALES) / (0.36 * samples))).mean())
    error = math.sqrt(2 / 4 / rows)  # of a mean of chi-squares of four degrees
    assert 0.5 * (1 - 4 * error) < ratio < 1 + 4 * error


def test_pairs_lengthen_until_they_tell_the_curvature() -> None:
    position = noisy(Lbfgs(filtering=False), Sampling(SCALES), 64, 100)  # a filter lags, and the error would not be noise alone
    pairs = position.state.estimates.pairs
    known = pairs.weight[:, -1] > 0
    assert float(known.double().mean()) > 0.9
    step, change = pairs.step[known, -1], pairs.change[known, -1]
    curvature = (step * change).sum(1) / step.square().sum(1)
    exact = (step.square() / torch.tensor(SCALES).square()).sum(1) / step.square().sum(1)
    assert float((curvature / exact - 1).abs().max()) < 0.8  # at five standard errors each is a fifth: four of them


def test_the_textbook_form_stops_where_scipy_stops() -> None:
    for x in STARTS:
        result, theirs = scipys(rosenbrock, x.numpy())
        position, values = ours(TextbookLbfgs(), Given(rosenbrock), x[None], 500)
        assert position.outcome.tolist() == [Outcome.METHOD]
        assert abs(len(values[0]) - len(theirs)) <= 1
        assert float(position.state.seen.value) == pytest.approx(result.fun, abs=1e-10)


def test_the_textbook_form_is_fooled_by_noise_and_says_so() -> None:
    place, rows = Sampling(SCALES), 100
    method = TextbookLbfgs()
    position = noisy(method, place, rows, 400)
    assert set(position.outcome.tolist()) == {Outcome.METHOD}
    remarks = method.remarks(place, position.state)
    fooled = [remark for remark in remarks if "not convergence" in remark]
    assert len(fooled) > 0.9 * rows and all("(0.14 of a difference)" in remark for remark in fooled)  # sqrt(2/100)
