"""The densities: derivatives, truths by quadrature and by other libraries, bits, starts, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from scipy.special import expit
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression as Scikit
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from thalweg_core.errors import BadInput
from thalweg_core.landscape import EXACT_VALUE, FLAT
from thalweg_core.problem import Problem
from thalweg_core.streams import Stream
from thalweg_physics.densities.density import Density, FlatLandscape
from thalweg_physics.densities.double_well import DoubleWell
from thalweg_physics.densities.gaussian import Gaussian
from thalweg_physics.densities.logistic.logistic_regression import LogisticRegression

CPU = torch.device("cpu")
ROUND = Gaussian((0.5, 2.0, 1.0))
TIGHT = Gaussian((0.5, 2.0, 1.0, 3.0), 0.9)
OPPOSED = Gaussian((1.0, 2.0), -0.8)
POSTERIOR = LogisticRegression("breast_cancer", 1.5)
ALL = [ROUND, TIGHT, OPPOSED, DoubleWell(), POSTERIOR]


def opened(problem: Density) -> FlatLandscape:
    return problem.open(CPU, torch.float64)  # type: ignore[attr-defined, no-any-return]


def points(problem: Density, replicas: int) -> Tensor:
    return problem.start(opened(problem), Stream.of(4, replicas))  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("problem", ALL, ids=str)
def test_the_gradient_is_what_autograd_makes_of_the_energy(problem: Density) -> None:
    landscape = opened(problem)
    x = points(problem, 5).requires_grad_()
    if isinstance(problem, Gaussian):  # its energy is written with its gradient: differences instead
        v = Stream.of(1, 5).normal_like(x)
        slope = (landscape.energy(x.detach() + v) - landscape.energy(x.detach() - v)) / 2
        assert torch.allclose(slope, (landscape.gradient(x.detach()) * v).sum(1), rtol=1e-12, atol=1e-11)
        return
    (slope,) = torch.autograd.grad(landscape.energy(x).sum(), x)
    seen = landscape.evaluate(x.detach(), Stream.of(0, 5))
    scale = float(slope.abs().max())
    assert torch.allclose(seen.grad, slope, rtol=0, atol=1e-13 * scale)
    assert torch.equal(seen.grad, landscape.gradient(x.detach()))
    assert torch.equal(seen.value, landscape.energy(x.detach()))
    assert not seen.value_var.any() and not seen.grad_var.any()


@pytest.mark.parametrize("problem", [ROUND, TIGHT, OPPOSED], ids=str)
def test_the_gaussian_is_scipys_with_its_covariance_and_log_z(problem: Gaussian) -> None:
    truth = problem.truth()
    x = points(problem, 7)
    scipy = stats.multivariate_normal(truth["mean"].numpy(), truth["covariance"].numpy()).logpdf(x.numpy())
    ours = -opened(problem).energy(x) - truth["log_z"]
    assert torch.allclose(ours, torch.from_numpy(scipy), rtol=1e-12, atol=1e-12)
    sd = truth["covariance"].diagonal().sqrt()
    assert torch.allclose(sd, torch.tensor(problem.scales, dtype=torch.float64), rtol=1e-14)
    assert math.isclose(float(truth["covariance"][0, 1] / (sd[0] * sd[1])), problem.correlation, abs_tol=1e-14)


def test_the_double_wells_truth_is_what_scipys_quadrature_finds() -> None:
    landscape, truth = opened(DoubleWell()), DoubleWell().truth()

    def weight(x: float, y: float) -> float:
        return math.exp(-float(landscape.energy(torch.tensor([[x, y]], dtype=torch.float64))))

    def marginal(x: float) -> float:
        """∫ exp(-U) dy by Gauss and Hermite, exact because U is quadratic in y: with y = x/2 + u/√2 it is exp(-u²)."""
        nodes, weights = np.polynomial.hermite.hermgauss(3)
        return sum(
            w * weight(x, x / 2 + u / math.sqrt(2)) * math.exp(u * u) / math.sqrt(2) for u, w in zip(nodes, weights, strict=True)
        )

    def moment(power: int, left: float) -> float:
        return float(integrate.quad(lambda x: x**power * marginal(x), left, 4.0, epsabs=1e-12, epsrel=1e-12, limit=200)[0])

    z, first, second = (moment(power, -4.0) for power in (0, 1, 2))
    first, second = first / z, second / z
    assert math.isclose(float(truth["log_z"]), math.log(z), rel_tol=1e-11)
    assert math.isclose(float(truth["right_probability"]), moment(0, 0.0) / z, rel_tol=1e-11)
    # given x, y has mean x/2 and variance 1/4
    assert np.allclose(truth["mean"], [first, first / 2], rtol=1e-11)
    variance = second - first**2
    assert np.allclose(truth["covariance"], [[variance, variance / 2], [variance / 2, variance / 4 + 0.25]], rtol=1e-10)


def test_the_double_wells_truth_has_its_published_digits() -> None:
    """Computed before by two independent codes (P(x > 0) = 0.673688 there, to six digits)."""
    truth = DoubleWell().truth()
    assert abs(float(truth["log_z"]) - 0.409498677) < 1e-9
    assert abs(float(truth["mean"][0]) - 0.341539779) < 1e-9
    assert abs(float(truth["covariance"][0, 0]) + 0.341539779**2 - 0.903188738) < 2e-9
    assert abs(float(truth["right_probability"]) - 0.673688) < 1e-6


def design_and_labels() -> tuple[np.ndarray, np.ndarray]:
    bunch = load_breast_cancer()
    return np.hstack([np.ones((569, 1)), StandardScaler().fit_transform(bunch.data)]), bunch.target


def test_the_posterior_is_the_binomial_likelihood_times_the_normal_prior() -> None:
    design, labels = design_and_labels()
    beta = points(POSTERIOR, 6)
    ours = opened(POSTERIOR).energy(beta)
    for value, coefficients in zip(ours.tolist(), beta.numpy(), strict=True):
        z = design @ coefficients
        log_likelihood = stats.bernoulli.logpmf(labels, np.clip(expit(z), 1e-300, 1 - 1e-16)).sum()
        log_prior = stats.norm.logpdf(coefficients, scale=1.5).sum() + len(coefficients) * math.log(1.5 * math.sqrt(2 * math.pi))
        if np.abs(z).max() < 30:  # beyond, SciPy's own probabilities round to 1
            assert math.isclose(value, -log_likelihood - log_prior, rel_tol=1e-9)
    z = torch.from_numpy(design) @ beta.T
    softplus = torch.logaddexp(z, torch.zeros_like(z)) - torch.from_numpy(labels)[:, None] * z
    assert torch.allclose(ours, softplus.sum(0) + (beta**2).sum(1) / (2 * 1.5**2), rtol=1e-12)


def test_the_lipschitz_constant_is_the_largest_curvature_which_lies_where_all_labels_are_even_odds() -> None:
    landscape = opened(POSTERIOR)
    steps = 1e-4 * torch.eye(31, dtype=torch.float64)
    largest = [
        torch.linalg.eigvalsh((landscape.gradient(beta + steps) - landscape.gradient(beta - steps)) / 2e-4)[-1]
        for beta in (torch.zeros(31, dtype=torch.float64), *points(POSTERIOR, 4))
    ]
    assert math.isclose(landscape.lipschitz, float(largest[0]), rel_tol=1e-5)  # type: ignore[attr-defined]
    assert max(largest[1:]) < largest[0]


def test_the_energy_is_right_where_exponentials_overflow() -> None:
    landscape = opened(POSTERIOR)
    beta = torch.full((1, 31), 500.0, dtype=torch.float64)
    assert bool(torch.isfinite(landscape.energy(beta)).all())
    z = torch.from_numpy(design_and_labels()[0]) @ beta.T
    assert float(z.abs().max()) > 1000


def test_the_mode_is_where_scikit_learns_ridge_regression_ends() -> None:
    """Without an intercept of its own, C = s², the same objective; its gradient there vanishes for us."""
    design, labels = design_and_labels()
    fitted = Scikit(C=1.5**2, fit_intercept=False, tol=1e-10, max_iter=10_000, solver="newton-cholesky").fit(design, labels)
    mode = torch.from_numpy(fitted.coef_)
    landscape = opened(POSTERIOR)
    seen = POSTERIOR.observe(landscape, mode)
    assert float(seen["gradient_norm"].value) < 1e-6
    assert math.isclose(float(seen["accuracy"].value), fitted.score(design, labels))


@pytest.mark.parametrize("problem", ALL, ids=str)
def test_a_row_is_the_same_to_the_bit_whatever_the_batch(problem: Density) -> None:
    landscape = opened(problem)
    x = points(problem, 70)
    alone = landscape.evaluate(x[:1], Stream.of(0, 1))
    for replicas in (4, 32, 33, 70):
        beside = landscape.evaluate(x[:replicas], Stream.of(0, replicas))
        assert torch.equal(alone.value, beside.value[:1])
        assert torch.equal(alone.grad, beside.grad[:1])
        assert torch.equal(landscape.gradient(x[:replicas])[:1], alone.grad)
    elsewhere = landscape.evaluate(x.flip(0), Stream.of(0, 70))
    assert torch.equal(elsewhere.value[-1:], alone.value)


@pytest.mark.parametrize("problem", ALL, ids=str)
def test_starts_differ_between_replicas_and_do_not_depend_on_how_many_there_are(problem: Density) -> None:
    x = points(problem, 64)
    assert torch.equal(x[:1], points(problem, 1))
    assert len(torch.unique(x[:, 0])) == 64
    assert bool(torch.isfinite(opened(problem).energy(x)).all())
    if isinstance(problem, Gaussian | DoubleWell):  # wider than the density itself
        assert bool((x.std(dim=0) > problem.truth()["covariance"].diagonal().sqrt()).all())


@pytest.mark.parametrize("problem", ALL, ids=str)
def test_a_density_tells_what_it_knows_before_it_is_opened(problem: Density) -> None:
    contract: Problem = problem  # type: ignore[assignment]
    traits = contract.traits()
    assert {FLAT, EXACT_VALUE} <= traits.knows
    assert traits.dimension == points(problem, 1).shape[1] == len(problem.coordinates())
    assert traits.memory > 0 and traits.memory_per_replica > 0
    assert len(set(problem.coordinates())) == traits.dimension
    assert list(problem.files(opened(problem), points(problem, 1), points(problem, 1))) == []
    x = points(problem, 2)
    assert torch.equal(problem.final(opened(problem), x, Stream.of(0, 2)).value, opened(problem).energy(x))


def test_the_coefficients_are_named_after_the_features() -> None:
    names = POSTERIOR.coordinates()
    assert names[:2] == ["intercept", "mean radius"]
    assert len(names) == 31


@pytest.mark.parametrize(
    ("field", "build"),
    [
        ("scales", lambda: Gaussian(())),
        ("scales[1]", lambda: Gaussian((1.0, 0.0))),
        ("scales[1]", lambda: Gaussian((1.0, math.nan))),
        ("scales[0]", lambda: Gaussian((1e300,))),
        ("scales[0]", lambda: Gaussian((5e-324,))),
        ("correlation", lambda: Gaussian((1.0, 1.0), 1.0)),
        ("correlation", lambda: Gaussian((1.0, 1.0, 1.0), -0.5)),
        ("correlation", lambda: Gaussian((1.0, 1.0), math.nan)),
        ("dataset", lambda: LogisticRegression("breast_canser")),
        ("prior_scale", lambda: LogisticRegression("breast_cancer", 0.0)),
        ("prior_scale", lambda: LogisticRegression("breast_cancer", math.inf)),
        ("prior_scale", lambda: LogisticRegression("breast_cancer", 1e170)),
        ("prior_scale", lambda: LogisticRegression("breast_cancer", 1e-170)),
    ],
)
def test_what_cannot_be_a_density_is_refused_by_the_name_of_its_field(field: str, build: object) -> None:
    with pytest.raises(BadInput) as refused:
        build()  # type: ignore[operator]
    assert refused.value.field == field


def test_a_misspelt_data_set_is_answered_with_the_right_name() -> None:
    with pytest.raises(BadInput, match="did you mean 'breast_cancer'"):
        LogisticRegression("brest_cancer")


def test_a_chain_has_the_same_bits_wherever_it_stands_in_its_chunk() -> None:
    landscape = LogisticRegression("breast_cancer").open(torch.device("cpu"), torch.float64)
    one, others = torch.randn(1, 31, dtype=torch.float64), torch.randn(32, 31, dtype=torch.float64)
    seen = []
    for place in range(32):
        x = others.clone()
        x[place] = one[0]
        evaluation = landscape.evaluate(x, Stream.of(0, 32))
        seen.append(torch.cat([evaluation.value[place, None], evaluation.grad[place], landscape.gradient(x)[place]]))
    assert all(torch.equal(row, seen[0]) for row in seen)
