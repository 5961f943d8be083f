"""The posterior of a logistic regression as a few rows of its data show it."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from thalweg_core.landscape import (
    DRY_RUN,
    MEASURED_METRIC,
    SAMPLES,
    Capabilities,
    Cost,
    Evaluation,
    MetricEstimate,
    Samples,
)
from thalweg_core.numbers.chunks import in_chunks
from thalweg_core.streams import Stream
from thalweg_physics.densities.logistic.landscape import WIDTH, LogisticLandscape, residual, softplus, steepness


class MiniBatchLandscape(LogisticLandscape):
    """The same posterior, its sum over the n rows estimated from b of them, drawn without replacement by each replica:

        Û = (n/b) Σ_batch [softplus(z_i) - y_i z_i] + |β|²/(2 s²),   Var(Û) = n² (1 - b/n) s_b²/b,

    s_b² the variance within the batch, and likewise the gradient. Both are unbiased, and exact where b = n; the same rows
    show the second derivatives too. An evaluation charges its rows as shots. (Here all rows are computed and those of the batch
    are
    kept: on data this small that is the fastest.)

    Shapes: design (n, d), labels (n,), β = x (B, d).
    """

    noisy: ClassVar[bool] = True
    fewest: ClassVar[int] = 2
    offers: ClassVar[Capabilities] = LogisticLandscape.offers | {MEASURED_METRIC, SAMPLES, DRY_RUN}

    def __init__(self, design: Tensor, labels: Tensor, prior_scale: float, batch_size: int) -> None:
        super().__init__(design, labels, prior_scale)
        self.samples = batch_size
        self.squared = self.filled * self.filled  # (n', d')

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        size, drawn = self._rows(x, rng, samples)
        value, grad, value_var, grad_var, curvature = in_chunks(self._estimates, torch.cat([x, drawn], dim=1), WIDTH)
        cost = Cost.of(x, evaluations=1, gradients=1)._replace(shots=size)
        return Evaluation(value, grad, value_var, grad_var, cost, curvature)

    def measure_metric(self, x: Tensor, rng: Stream, samples: Samples, form: str = "block_diagonal") -> MetricEstimate:
        """The metric by rows of its own, which are charged; 0: the exact one. One row shows all entries: a single block."""
        if isinstance(samples, int) and samples == 0:
            metric = self.metric(x)
            variance, size = torch.zeros_like(metric), Cost.none(x).shots
        else:
            size, drawn = self._rows(x, rng, samples)
            parts = in_chunks(self._metrics, torch.cat([x, drawn], dim=1), WIDTH)
            metric, variance = (part.reshape(len(x), x.shape[1], x.shape[1]) for part in parts)
        if form == "diagonal":
            metric, variance = (torch.diag_embed(part.diagonal(dim1=1, dim2=2)) for part in (metric, variance))
        return MetricEstimate(metric, variance, Cost.none(x)._replace(shots=size))

    def dry_run(self) -> MiniBatchLandscape:
        """The same on data that are zeros."""
        return self._dry_run

    @cached_property
    def _dry_run(self) -> MiniBatchLandscape:
        if not self.design.any():
            return self
        return MiniBatchLandscape(torch.zeros_like(self.design), torch.zeros_like(self.labels), self.prior_scale, self.samples)

    def _rows(self, x: Tensor, rng: Stream, samples: Samples | None) -> tuple[Tensor, Tensor]:
        """How many rows each replica draws, (B,) int64, and ones where they are, (B, n)."""
        asked, n = self.samples if samples is None else samples, len(self.labels)
        size = torch.as_tensor(asked, device=x.device).clamp(self.fewest, n).expand(len(x)).to(torch.int64).clone()
        order = torch.argsort(rng.named("rows").uniform((n,)), dim=1, stable=True)
        return size, (torch.argsort(order, dim=1, stable=True) < size[:, None]).to(x.dtype)

    def _estimates(self, both: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Value, gradient, their variances and the second derivatives.

        From β and the rows' zeros and ones side by side, (WIDTH, d + n).
        """
        d, n = self.design.shape[1], len(self.labels)
        beta, drawn = both[:, :d], both[:, d:]
        z = (beta @ self.across)[:, :n]
        size = drawn.sum(dim=1, keepdim=True)  # always WIDTH rows: `row_sum` is not needed
        loss = softplus(z) - self.labels * z
        mean = (drawn * loss).sum(dim=1, keepdim=True) / size
        spread = (drawn * (loss - mean) ** 2).sum(dim=1, keepdim=True) / (size - 1)
        slope = self._filled(drawn * residual(z, self.labels))
        first, second = (slope @ self.filled)[:, :d] / size, (slope * slope @ self.squared)[:, :d] / size
        turn = (second - first * first).clamp_min(0.0) * size / (size - 1)
        scale = n * n * (1 - size / n) / size
        prior = (beta * beta).sum(dim=1) / (2 * self.prior_scale**2)
        value, grad = n * mean[:, 0] + prior, n * first + beta / self.prior_scale**2
        bend = (self._filled(drawn * steepness(z)) @ self.squared)[:, :d]
        return value, grad, (scale * spread)[:, 0], scale * turn, n / size * bend + 1 / self.prior_scale**2

    def _metrics(self, both: Tensor) -> tuple[Tensor, Tensor]:
        """The metric and the variances of its entries, (WIDTH, d²) each."""
        d, n = self.design.shape[1], len(self.labels)
        beta, drawn = both[:, :d], both[:, d:]
        size = drawn.sum(dim=1, keepdim=True)
        weight = self._filled(drawn * steepness((beta @ self.across)[:, :n]))
        first, second = (weight @ self.products)[:, : d * d] / size, (weight * weight @ self._squared_products)[:, : d * d] / size
        spread = (second - first * first).clamp_min(0.0) * size / (size - 1)
        return n * first + self._prior_metric, n * n * (1 - size / n) / size * spread

    @cached_property
    def _squared_products(self) -> Tensor:
        return self.products * self.products

    def _filled(self, rows: Tensor) -> Tensor:
        """(WIDTH, n) -> (WIDTH, n')."""
        return torch.nn.functional.pad(rows, (0, self.filled.shape[0] - rows.shape[1]))
