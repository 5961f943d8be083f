"""Trigonometric polynomials in every coordinate, for the tests of what minimizes one of them after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from thalweg_core.landscape import HARMONICS, SAMPLES, Capabilities, Cost, Evaluation, Harmonics, Offers, Samples
from thalweg_core.manifold import Euclidean, Manifold
from thalweg_core.numbers.rows import row_sum
from thalweg_core.streams import Stream


@dataclass(frozen=True)
class Waves(Offers):
    """U = Σ_i cos ω_i x_i + d_i sin 2ω_i x_i + j Π_i sin ω_i x_i: two harmonics in each coordinate, or one where d_i = 0."""

    offers: ClassVar[Capabilities] = frozenset({HARMONICS})

    bases: tuple[float, ...] = (1.0, 1.0)
    doubles: tuple[float, ...] = (0.6, 0.0)
    coupling: float = 0.5
    noisy: ClassVar[bool] = False
    width: ClassVar[int] = 1
    manifold: ClassVar[Manifold] = Euclidean()

    @property
    def harmonics(self) -> Harmonics:
        number = torch.tensor([2 if double else 1 for double in self.doubles])
        return Harmonics(torch.tensor(self.bases, dtype=torch.float64), number)

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        base, double = torch.tensor(self.bases, dtype=x.dtype), torch.tensor(self.doubles, dtype=x.dtype)
        cos, sin = torch.cos(base * x), torch.sin(base * x)
        product = torch.stack(
            [row_product(torch.cat([sin[:, :i], cos[:, i : i + 1], sin[:, i + 1 :]], 1)) for i in range(len(base))]
        )
        value = row_sum(cos + 2 * double * sin * cos) + self.coupling * row_product(sin)
        grad = base * (-sin + 2 * double * (cos * cos - sin * sin) + self.coupling * product.T)
        return Evaluation.exact(value, grad)


class SampledWaves(Waves):
    """The same, seen through samples."""

    offers: ClassVar[Capabilities] = Waves.offers | {SAMPLES}

    noisy: ClassVar[bool] = True
    samples: ClassVar[int] = 100
    fewest: ClassVar[int] = 2

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        return through_samples(super().evaluate(x, rng), x, rng, self.samples if samples is None else samples)


def row_product(x: Tensor) -> Tensor:
    """(B, P) -> (B,)."""
    out = torch.ones_like(x[:, 0])
    for column in x.unbind(1):
        out = out * column
    return out


def through_samples(seen: Evaluation, x: Tensor, rng: Stream, asked: Samples) -> Evaluation:
    """What an exact look becomes: noise of variance 1/n in every coordinate and the energy, three shots for each sample."""
    number = asked.clone() if isinstance(asked, Tensor) else torch.full((len(x),), asked)
    variance = (1 / number.to(torch.float64)).to(x.dtype)
    value = seen.value + variance.sqrt() * rng.named("value").normal((), x.dtype)
    grad = seen.grad + variance.sqrt()[:, None] * rng.named("grad").normal_like(x)
    one = Cost.of(x, evaluations=1, gradients=1, circuits=3)
    return Evaluation(value, grad, variance, variance[:, None].expand_as(x).clone(), one._replace(shots=3 * number))
