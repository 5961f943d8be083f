"""The logistic posterior of the example: what a gradient costs, and what an effective draw costs, beside JAX and NumPyro.

Gradients: of all chains at once, in float64, beside a compiled and vectorised gradient of the same energy in JAX.

Effective draws: our HMC as in examples/logistic.toml beside NumPyro's NUTS with its defaults (diagonal metric, vectorised
chains). Both have warmed up before the clock starts, and XLA has compiled. An effective draw is the smallest bulk ESS over
the coefficients, by one estimator for both; figures are medians over repeats with seeds of their own.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import torch
from numpyro.infer import MCMC, NUTS
from torch import Tensor

from benchmarks.harness import Effort, Row, Seconds, clock, race, row
from thalweg_core.chains.diagnostics import ess_bulk
from thalweg_core.chains.warm_up import WarmUp
from thalweg_core.method import Method
from thalweg_core.sampling.hmc import Hmc
from thalweg_core.streams import Stream
from thalweg_core.walking import walk
from thalweg_physics.densities.logistic.landscape import LogisticLandscape
from thalweg_physics.densities.logistic.logistic_regression import LogisticRegression

NAME = "posterior"
WARM_UP = 150
T = TypeVar("T")


def rows(effort: Effort, chains: int = 64, draws: int = 500) -> Iterator[Row]:
    """Gradients a second, then effective draws a second."""
    torch.set_num_threads(1)
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    problem = LogisticRegression("breast_cancer", prior_scale=1.0)
    landscape = problem.open(torch.device("cpu"), torch.float64)
    assert isinstance(landscape, LogisticLandscape)
    x = problem.start(landscape, Stream.of(1, chains))
    compiled, there = jax_gradient(landscape), jnp.asarray(x.numpy())
    ours, theirs = partial(landscape.gradient, x), lambda: compiled(there).block_until_ready()
    case = f"breast cancer, {chains} chains"
    yield from race(NAME, case, "JAX", ours, theirs, effort.repeats, work=chains, unit="gradients/s")
    yield from _effective(landscape, x, case, draws // 5 if effort.small else draws, 1 if effort.small else effort.repeats // 3)


def jax_gradient(landscape: LogisticLandscape) -> Callable[[jax.Array], jax.Array]:
    """The same gradient, compiled: (B, d) -> (B, d)."""
    design, labels = jnp.asarray(landscape.design.numpy()), jnp.asarray(landscape.labels.numpy())

    def energy(beta: jax.Array) -> jax.Array:
        z = design @ beta
        return jnp.sum(jnp.logaddexp(z, 0.0) - labels * z) + 0.5 * jnp.sum(beta**2) / landscape.prior_scale**2

    return jax.jit(jax.vmap(jax.grad(energy)))


def _effective(landscape: LogisticLandscape, x: Tensor, case: str, draws: int, repeats: int) -> Iterator[Row]:
    sides: tuple[Callable[[int, int], Tensor], ...] = (_Ours(landscape, x), _Numpyro(landscape, len(x), draws))
    rates: dict[str, tuple[list[float], list[float]]] = {"cpu": ([], []), "wall": ([], [])}
    for number in range(repeats):
        for side, sample in enumerate(sides):
            seconds, chains = _timed(partial(sample, draws, number))
            size = float(ess_bulk(chains).min())
            for name, kept in rates.items():
                kept[side].append(size / getattr(seconds, name))
    for name, kept in rates.items():
        ours, theirs = (statistics.median(rate) for rate in kept)
        figure = f"effective draws by {'CPU' if name == 'cpu' else name} time, 1 thread"
        yield row(NAME, case, figure, "1/s", ours, "NumPyro NUTS", theirs, larger_is_better=True)


class _Ours:
    """HMC, warmed up; called, it draws on from where the warm-up ended: (S, B, d)."""

    def __init__(self, landscape: LogisticLandscape, x: Tensor) -> None:
        warm_up: Any = WarmUp(Hmc())  # a method, whose needs depend on what it warms up
        rng = Stream.of(1, len(x)).named("warm-up")
        position = walk.begin(warm_up, landscape, x, rng)
        for frame in walk.walk(warm_up, landscape, position, rng, range(1, WARM_UP + 1)):
            position = frame.position
        self.method: Method = warm_up.tuned(position.state)
        self.landscape, self.x = landscape, position.state.x

    def __call__(self, draws: int, number: int) -> Tensor:
        rng = Stream.of(2 + number, len(self.x))
        position = walk.begin(self.method, self.landscape, self.x, rng)
        frames = walk.walk(self.method, self.landscape, position, rng, range(1, draws + 1))
        return torch.stack([frame.position.state.x.clone() for frame in frames])


class _Numpyro:
    """NUTS, warmed up and compiled; called, it draws on: (S, B, d)."""

    def __init__(self, landscape: LogisticLandscape, chains: int, draws: int) -> None:
        design, labels = jnp.asarray(landscape.design.numpy()), jnp.asarray(landscape.labels.numpy())

        def model() -> None:
            scale: Any = landscape.prior_scale
            beta = numpyro.sample("beta", dist.Normal(jnp.zeros(design.shape[1]), scale).to_event(1))
            numpyro.sample("label", dist.Bernoulli(logits=design @ beta), obs=labels)

        nuts = NUTS(model)
        warm = MCMC(nuts, num_warmup=WARM_UP, num_samples=1, num_chains=chains, chain_method="vectorized", progress_bar=False)
        warm.warmup(jax.random.PRNGKey(1))
        self.state: Any = warm.last_state

        def forward(state: Any, _: None) -> tuple[Any, jax.Array]:
            state = nuts.sample(state, (), {})
            return state, state.z["beta"]

        self.sample = jax.jit(lambda state: jax.lax.scan(forward, state, None, length=draws))
        self(draws, -1)  # compiles

    def __call__(self, draws: int, number: int) -> Tensor:
        self.state, samples = self.sample(self.state)
        return torch.from_numpy(np.array(samples))


def _timed(call: Callable[[], T]) -> tuple[Seconds, T]:
    results: list[T] = []
    return clock(lambda: results.append(call()), 1), results[0]
