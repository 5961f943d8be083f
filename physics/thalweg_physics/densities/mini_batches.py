"""The posterior of a logistic regression as a few rows of its data show it."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from thalweg_core.chunks import in_chunks
from thalweg_core.landscape import Cost, Evaluation, Samples
from thalweg_core.streams import Stream
from thalweg_physics.densities.logistic_regression import WIDTH, LogisticLandscape, residual, softplus


class MiniBatchLandscape(LogisticLandscape):
    """The same posterior, its sum over the n rows estimated from b of them, drawn without replacement by each replica:

        Û = (n/b) Σ_batch [softplus(z_i) - y_i z_i] + |β|²/(2 s²),   Var(Û) = n² (1 - b/n) s_b²/b,

    s_b² the variance within the batch, and likewise the gradient. Both are unbiased, and exact where b = n. A look charges
    its rows as shots. (Here all rows are computed and those of the batch are kept: on data this small that is the fastest.)

    Shapes: design (n, d), labels (n,), β = x (B, d).
    """

    noisy: ClassVar[bool] = True
    fewest: ClassVar[int] = 2

    def __init__(self, design: Tensor, labels: Tensor, prior_scale: float, batch_size: int) -> None:
        super().__init__(design, labels, prior_scale)
        self.samples = batch_size
        self.squared = self.filled * self.filled  # (n', d')

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        asked = self.samples if samples is None else samples
        n = len(self.labels)
        size = torch.as_tensor(asked, device=x.device).clamp(max=n).expand(len(x))
        order = torch.argsort(rng.named("rows").uniform((n,)), dim=1, stable=True)
        drawn = (torch.argsort(order, dim=1, stable=True) < size[:, None]).to(x.dtype)
        value, grad, value_var, grad_var = in_chunks(self._estimates, torch.cat([x, drawn], dim=1), WIDTH)
        cost = Cost.of(x, evaluations=1, gradients=1)._replace(shots=size.to(torch.int64).clone())
        return Evaluation(value, grad, value_var, grad_var, cost)

    def _estimates(self, both: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Value, gradient and their variances, from β and the rows' zeros and ones side by side, (WIDTH, d + n)."""
        d, n = self.design.shape[1], len(self.labels)
        beta, drawn = both[:, :d], both[:, d:]
        z = (beta @ self.across)[:, :n]
        size = drawn.sum(dim=1, keepdim=True)  # always WIDTH rows: `row_sum` is not needed
        loss = softplus(z) - self.labels * z
        mean = (drawn * loss).sum(dim=1, keepdim=True) / size
        spread = (drawn * (loss - mean) ** 2).sum(dim=1, keepdim=True) / (size - 1)
        slope = torch.nn.functional.pad(drawn * residual(z, self.labels), (0, self.filled.shape[0] - n))
        first, second = (slope @ self.filled)[:, :d] / size, (slope * slope @ self.squared)[:, :d] / size
        turn = (second - first * first).clamp_min(0.0) * size / (size - 1)
        scale = n * n * (1 - size / n) / size
        prior = (beta * beta).sum(dim=1) / (2 * self.prior_scale**2)
        value, grad = n * mean[:, 0] + prior, n * first + beta / self.prior_scale**2
        return value, grad, (scale * spread)[:, 0], scale * turn
