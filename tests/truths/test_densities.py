"""Samplers on the densities: exact moments, and the posterior that NumPyro's NUTS finds on the same data."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import arviz
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from thalweg_core.chains.warm_up import WarmUp
from thalweg_core.descent.adam.adam import Adam
from thalweg_core.sampling.hmc import Hmc
from thalweg_core.sampling.mala import Mala
from thalweg_core.streams import Stream
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.stopping import Stop
from thalweg_core.walking.walk import Rules, begin, walk
from thalweg_physics.densities.double_well import DoubleWell
from thalweg_physics.densities.gaussian import Gaussian
from thalweg_physics.densities.logistic.logistic_regression import LogisticRegression

CPU = torch.device("cpu")
torch.set_num_threads(1)
arviz.Numba.disable_numba()  # ArviZ 0.23's mcse(method="sd") fails with numba beside NumPy 2.4
NUTS = """
import sys

import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

bunch = load_breast_cancer()
design = jnp.array(np.hstack([np.ones((569, 1)), StandardScaler().fit_transform(bunch.data)]))


def model():
    beta = numpyro.sample("beta", dist.Normal(0.0, 1.0).expand([design.shape[1]]).to_event(1))
    numpyro.sample("y", dist.Bernoulli(logits=design @ beta), obs=jnp.array(bunch.target))


chains = {"num_chains": 4, "chain_method": "vectorized", "progress_bar": False}
mcmc = MCMC(NUTS(model, dense_mass=True), num_warmup=300, num_samples=600, **chains)
mcmc.run(jax.random.key(3))
np.save(sys.argv[1], np.asarray(mcmc.get_samples(group_by_chain=True)["beta"]))
"""


class Moments(NamedTuple):
    """Means and standard deviations with their Monte-Carlo errors, by ArviZ, (d,) each."""

    mean: NDArray[np.float64]
    mean_error: NDArray[np.float64]
    sd: NDArray[np.float64]
    sd_error: NDArray[np.float64]


def moments(draws: NDArray[np.float64]) -> Moments:
    """draws (chains, draws, d); refuses draws too few to tell anything."""
    data = arviz.convert_to_dataset({"x": draws})
    assert float(arviz.rhat(data)["x"].max()) < 1.02
    assert float(arviz.ess(data, method="bulk")["x"].min()) > 400
    mean_error, sd_error = (arviz.mcse(data, method=method)["x"].to_numpy() for method in ("mean", "sd"))
    flat = draws.reshape(-1, draws.shape[-1])
    return Moments(flat.mean(axis=0), mean_error, flat.std(axis=0, ddof=1), sd_error)


def sampled(
    problem: Gaussian | DoubleWell | LogisticRegression, method: Hmc, chains: int, warmup: int, steps: int
) -> NDArray[np.float64]:
    """Draws (chains, draws, d)."""
    landscape, rng = problem.open(CPU, torch.float64), Stream.of(1, chains)
    learning = WarmUp(method)
    position = begin(learning, landscape, problem.start(landscape, rng), rng)
    for frame in walk(learning, landscape, position, rng.named("warm-up"), range(1, warmup + 1)):
        position = frame.position
    method, x = learning.tuned(position.state), position.state.x
    position = begin(method, landscape, x, rng)
    draws = [frame.position.state.x.clone() for frame in walk(method, landscape, position, rng, range(1, steps + 1))]
    return torch.stack(draws, dim=1).numpy()


@pytest.fixture(scope="module")
def nuts(tmp_path_factory: pytest.TempPathFactory) -> Moments:
    """The posterior with prior_scale = 1 by NumPyro, in double precision, in a process of its own."""
    path = tmp_path_factory.mktemp("nuts") / "draws.npy"
    subprocess.run([sys.executable, "-c", NUTS, str(path)], check=True, timeout=300, cwd=Path(__file__).parent)
    return moments(np.load(path))


def test_the_posterior_of_the_logistic_regression_is_numpyros(nuts: Moments) -> None:
    ours = moments(sampled(LogisticRegression("breast_cancer"), Hmc(), chains=64, warmup=200, steps=500))
    # 31 coordinates: one in five hundred runs would show a deviation of 4 errors by chance; the seeds are fixed
    assert (np.abs(ours.mean - nuts.mean) < 4 * np.hypot(ours.mean_error, nuts.mean_error)).all()
    assert (np.abs(ours.sd - nuts.sd) < 4 * np.hypot(ours.sd_error, nuts.sd_error)).all()
    # and the comparison tells something: errors are small beside the posterior's own width
    assert (np.hypot(ours.mean_error, nuts.mean_error) < 0.05 * nuts.sd).all()


def test_adam_finds_the_mode_of_the_posterior(nuts: Moments) -> None:
    problem = LogisticRegression("breast_cancer")
    landscape, rng, rules, method = problem.open(CPU, torch.float64), Stream.of(1, 4), Rules(Stop(gradient_norm=1e-3)), Adam(0.03)
    position = begin(method, landscape, problem.start(landscape, rng), rng, rules)
    for frame in walk(method, landscape, position, rng, range(1, 5000), rules):
        position = frame.position
    assert position.outcome.tolist() == [Outcome.GRADIENT] * 4
    seen = problem.observe(landscape, position.state.x)
    assert float(seen["gradient_norm"].value.max()) < 1e-3
    # the prior's curvature 1 bounds the distance to the mode by the gradient's length
    assert float((position.state.x - position.state.x[0]).norm(dim=1).max()) < 2e-3 * 31**0.5
    assert float(seen["accuracy"].value.min()) > 0.97
    assert (np.abs(position.state.x[0].numpy() - nuts.mean) < nuts.sd).all()  # the posterior is nearly normal


@pytest.mark.parametrize("problem", [Gaussian((0.5, 2.0, 1.0), 0.8), Gaussian((1.0, 3.0))], ids=str)
def test_hmc_draws_the_moments_that_the_gaussian_claims(problem: Gaussian) -> None:
    truth = problem.truth()
    got = moments(sampled(problem, Hmc(), chains=128, warmup=150, steps=400))
    assert (np.abs(got.mean - truth["mean"].numpy()) < 4 * got.mean_error).all()
    assert (np.abs(got.sd - truth["covariance"].diagonal().sqrt().numpy()) < 4 * got.sd_error).all()


def test_no_chain_of_mala_is_left_on_the_walls_of_the_double_well() -> None:
    landscape, rng, warm_up = DoubleWell().open(CPU, torch.float64), Stream.of(0, 32), WarmUp(Mala())
    state = warm_up.init(landscape, DoubleWell().start(landscape, rng.named("start")), rng)
    for step in range(1, 201):
        state, _ = warm_up.step(landscape, state, rng.at(step))
    method, chains, kept = warm_up.tuned(state), warm_up.inner(state), []
    for step in range(201, 1201):
        chains, info = method.step(landscape, chains, rng.at(step))
        kept.append(info.acceptance)
        assert float(chains.x[:, 0].abs().max()) < 2  # beyond lies less than a part in 10^11
    assert float(torch.stack(kept).mean(dim=0).min()) > 0.3


def test_hmc_crosses_between_the_wells_as_often_as_it_should() -> None:
    """Chains stay long in a well, so each gives one number: its mean. They are independent, whatever happens inside."""
    draws = sampled(DoubleWell(), Hmc(), chains=128, warmup=600, steps=1200)
    truth = DoubleWell().truth()
    (x, y), ((xx, xy), (_, yy)) = truth["mean"].tolist(), truth["covariance"].tolist()
    figures = {
        "x": (draws[..., 0], x),
        "y": (draws[..., 1], y),
        "x²": (draws[..., 0] ** 2, xx + x * x),
        "xy": (draws[..., 0] * draws[..., 1], xy + x * y),
        "y²": (draws[..., 1] ** 2, yy + y * y),
        "right": (draws[..., 0] > 0, float(truth["right_probability"])),
    }
    for name, (values, expected) in figures.items():
        chains = values.mean(axis=1)
        error = chains.std(ddof=1) / np.sqrt(len(chains))
        assert abs(chains.mean() - expected) < 4 * error, name
        assert error < 0.02, name
