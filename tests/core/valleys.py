"""Small landscapes whose answers are known in closed form, for the tests of the core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from thalweg_core.landscape import (
    GRADIENT_ALONE,
    MEASURED_METRIC,
    METRIC,
    SAMPLES,
    STATES,
    Capabilities,
    Cost,
    EnergyEstimate,
    Evaluation,
    MetricEstimate,
    Offers,
    Samples,
)
from thalweg_core.manifold import Euclidean, Manifold, Spheres
from thalweg_core.numbers.rows import row_sum
from thalweg_core.streams import Stream


@dataclass(frozen=True)
class Normal(Offers):
    """U = Σ x_i² / (2 σ_i²): independent normal coordinates of standard deviation σ_i at T = 1."""

    scales: tuple[float, ...] = (1.0,)
    noisy: ClassVar[bool] = False
    width: ClassVar[int] = 1
    manifold: ClassVar[Manifold] = Euclidean()

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        grad = self._slope(x)
        return Evaluation.exact(0.5 * row_sum(x * grad), grad)

    def _slope(self, x: Tensor) -> Tensor:
        return x / torch.tensor(self.scales, dtype=x.dtype).square()


class NormalSlope(Normal):
    """The same, which can also show the gradient alone."""

    offers: ClassVar[Capabilities] = Normal.offers | {GRADIENT_ALONE}

    def gradient(self, x: Tensor) -> Tensor:
        return self._slope(x)


class NoisyNormal(Normal):
    """The same, seen with noise of variance 1 on energy and gradient, as if by ten shots."""

    noisy: ClassVar[bool] = True

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        seen = super().evaluate(x, rng)
        value = seen.value + rng.named("value").normal((), x.dtype)
        grad = seen.grad + rng.named("grad").normal_like(x)
        cost = Cost.of(x, evaluations=1, gradients=1, circuits=2, shots=20)
        return Evaluation(value, grad, torch.ones_like(value), torch.ones_like(grad), cost)


class Sampling(Normal):
    """The same, seen through samples: the noise of n of them has the variance `spread`²/n in every coordinate and the energy.

    A look charges three shots for each sample, in three circuits: one for the energy, two for the gradient.
    """

    offers: ClassVar[Capabilities] = Normal.offers | {SAMPLES}

    noisy: ClassVar[bool] = True
    samples: ClassVar[int] = 100
    fewest: ClassVar[int] = 2
    spread: ClassVar[float] = 1.0

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        seen = super().evaluate(x, rng)
        asked = self.samples if samples is None else samples
        number = asked.clone() if isinstance(asked, Tensor) else torch.full((len(x),), asked)
        variance = (self.spread**2 / number.to(torch.float64)).to(x.dtype)
        value = seen.value + variance.sqrt() * rng.named("value").normal((), x.dtype)
        grad = seen.grad + variance.sqrt()[:, None] * rng.named("grad").normal_like(x)
        one = Cost.of(x, evaluations=1, gradients=1, circuits=3)
        return Evaluation(value, grad, variance, variance[:, None].expand_as(x).clone(), one._replace(shots=3 * number))


class Curved(Sampling):
    """The same, whose samples show the second derivatives too, with noise of the same variance."""

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        seen = super().evaluate(x, rng, samples)
        noise = seen.grad_var.sqrt() * rng.named("curvature").normal_like(x)
        return seen._replace(curvature=self._slope(torch.ones_like(x)) + noise)


@dataclass(frozen=True)
class Qubits(Offers):
    """U = -Σ_j cos φ_j with φ = A x: qubits turned by RY(φ_j) from up, in a field along z.

    Their Fubini-Study metric is AᵀA/4, and |⟨ψ(x)|ψ(y)⟩|² = Π_j cos²((φ_j(x) - φ_j(y))/2).
    """

    offers: ClassVar[Capabilities] = frozenset({METRIC, STATES})

    mixing: tuple[tuple[float, ...], ...] = ((1.0, 0.0), (0.0, 1.0))  # rows of A
    noisy: ClassVar[bool] = False
    width: ClassVar[int] = 1
    manifold: ClassVar[Manifold] = Euclidean()

    def turns(self, x: Tensor) -> Tensor:
        """φ, (B, Q)."""
        return torch.stack([row_sum(x * x.new_tensor(row)) for row in self.mixing], dim=1)

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        phi = self.turns(x)
        grad = torch.stack([row_sum(phi.sin() * x.new_tensor(column)) for column in zip(*self.mixing, strict=True)], dim=1)
        return Evaluation.exact(-row_sum(phi.cos()), grad)

    def metric(self, x: Tensor) -> Tensor:
        mixing = x.new_tensor(self.mixing)
        return (mixing.T @ mixing / 4).expand(len(x), -1, -1).clone()

    def fidelity(self, x: Tensor, y: Tensor, rng: Stream, samples: Samples) -> EnergyEstimate:
        apart = self.turns(x.flatten(0, 1)) - self.turns(y.flatten(0, 1))
        p = (apart / 2).cos().square().prod(dim=1).reshape(x.shape[:2])
        return EnergyEstimate(p, torch.zeros_like(p), Cost.none(x))


class SampledQubits(Qubits):
    """The same through samples: noise of variance 1/n on energy, gradient and every entry of the metric; overlaps counted.

    A look charges three shots for each sample, the metric two for each entry, an overlap one.
    """

    offers: ClassVar[Capabilities] = Qubits.offers | {SAMPLES, MEASURED_METRIC, STATES}

    noisy: ClassVar[bool] = True
    samples: ClassVar[int] = 100
    fewest: ClassVar[int] = 2

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        seen = super().evaluate(x, rng)
        number = self._number(x, samples)
        variance = (1 / number.to(torch.float64)).to(x.dtype)
        value = seen.value + variance.sqrt() * rng.named("value").normal((), x.dtype)
        grad = seen.grad + variance.sqrt()[:, None] * rng.named("grad").normal_like(x)
        one = Cost.of(x, evaluations=1, gradients=1, circuits=3)
        return Evaluation(value, grad, variance, variance[:, None].expand_as(x).clone(), one._replace(shots=3 * number))

    def measure_metric(self, x: Tensor, rng: Stream, samples: Samples, form: str = "block_diagonal") -> MetricEstimate:
        exact = self.metric(x)
        keep = torch.ones_like(exact[0]) if form == "full" else torch.eye(x.shape[1], dtype=x.dtype)
        if isinstance(samples, int) and samples == 0:
            return MetricEstimate(exact * keep, torch.zeros_like(exact), Cost.none(x))
        number = self._number(x, samples)
        variance = (keep / number.to(x.dtype)[:, None, None]).expand_as(exact)
        noise = rng.named("entries").normal(tuple(exact.shape[1:]), x.dtype)
        noise = noise.triu() + noise.triu(1).transpose(1, 2)
        entries = int(keep.sum())
        seen = exact * keep + variance.sqrt() * noise
        return MetricEstimate(seen, variance.clone(), Cost.of(x, circuits=entries)._replace(shots=2 * entries * number))

    def fidelity(self, x: Tensor, y: Tensor, rng: Stream, samples: Samples) -> EnergyEstimate:
        p, pairs = super().fidelity(x, y, rng, samples).value, x.shape[1]
        number = self._number(x, samples)
        draws = rng.named("returns").uniform((int(number.max()), pairs))  # the first do not depend on how many follow
        tried = torch.arange(draws.shape[1])[:, None] < number[:, None, None]
        seen = ((draws < p[:, None].double()) & tried).sum(dim=1) / number[:, None]
        cost = Cost.of(x, circuits=pairs)._replace(shots=pairs * number)
        return EnergyEstimate(seen.to(x), (seen * (1 - seen) / number[:, None]).to(x), cost)

    def _number(self, x: Tensor, samples: Samples | None) -> Tensor:
        asked = self.samples if samples is None else samples
        return asked.clone() if isinstance(asked, Tensor) else torch.full((len(x),), asked)


class Cliff(Normal):
    """The same, but the energy is not a number beyond |x_0| = 1."""

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        seen = super().evaluate(x, rng)
        return seen._replace(value=seen.value.masked_fill(x[:, 0].abs() > 1, torch.nan))


@dataclass(frozen=True)
class Box(Offers):
    """U = 0 inside |x_i| < 1 and ∞ outside: uniform, with a support that ends."""

    noisy: ClassVar[bool] = False
    width: ClassVar[int] = 1
    manifold: ClassVar[Manifold] = Euclidean()

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        outside = (x.abs() >= 1).any(dim=1)
        return Evaluation.exact(torch.zeros_like(x[:, 0]).masked_fill(outside, torch.inf), torch.zeros_like(x))


@dataclass(frozen=True)
class Quartic(Offers):
    """U = Σ x_i⁴ / 4 + x_i² / 2: not harmonic, so a leapfrog's energy error is not special."""

    noisy: ClassVar[bool] = False
    width: ClassVar[int] = 1
    manifold: ClassVar[Manifold] = Euclidean()

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        square = x * x
        return Evaluation.exact(row_sum(0.25 * square * square + 0.5 * square), square * x + x)


@dataclass(frozen=True)
class Spins(Offers):
    """U = -f Σ m_z - j Σ m_i · m_(i+1) on a chain of unit spins, x (B, n, 3); pure spins in a field where j = 0."""

    offers: ClassVar[Capabilities] = frozenset({GRADIENT_ALONE})

    field: float = 1.0
    coupling: float = 0.0
    noisy: ClassVar[bool] = False
    width: ClassVar[int] = 1
    manifold: ClassVar[Manifold] = Spheres()

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        grad = self.gradient(x)
        own = torch.zeros_like(x)
        own[..., 2] = -self.field
        return Evaluation.exact(0.5 * row_sum(x * (grad + own)), grad)

    def gradient(self, x: Tensor) -> Tensor:
        grad = torch.zeros_like(x)
        grad[..., 2] = -self.field
        grad[:, 1:] -= self.coupling * x[:, :-1]
        grad[:, :-1] -= self.coupling * x[:, 1:]
        return grad


def spins(chains: int, sites: int, seed: int = 0) -> Tensor:
    """Random unit spins, (B, n, 3)."""
    v = Stream.of(seed, chains).named("spins").normal((sites, 3))
    return v / v.norm(dim=-1, keepdim=True)
