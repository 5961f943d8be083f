"""The landscape of a logistic regression: minus the log posterior of its weights, its gradient and its metric."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from thalweg_core.landscape import LIPSCHITZ, METRIC, Capabilities, Evaluation, Samples
from thalweg_core.numbers.chunks import in_chunks
from thalweg_core.numbers.rows import row_sum
from thalweg_core.streams import Stream
from thalweg_physics.densities.density import FlatLandscape

WIDTH = 32
"""Rows of β that are multiplied together. About the fastest, and a row's bits must not depend on its neighbours."""


ALIGNED = 16
"""The design is filled up with zeros to a multiple of this on both sides: a matrix product may round a row of its result by
where the row begins in memory, and then every row begins alike."""


class LogisticLandscape(FlatLandscape):
    """The open posterior. Shapes: design (n, d), labels (n,), β = x (B, d)."""

    width: ClassVar[int] = WIDTH
    offers: ClassVar[Capabilities] = FlatLandscape.offers | {LIPSCHITZ, METRIC}

    def __init__(self, design: Tensor, labels: Tensor, prior_scale: float) -> None:
        self.design, self.labels, self.prior_scale = design, labels, prior_scale
        self.pull = labels @ design  # (d,) the part of the gradient that does not depend on β
        n, d = design.shape
        filled = torch.nn.functional.pad(design, (0, -d % ALIGNED, 0, -n % ALIGNED))
        self.filled = filled.contiguous()  # (n', d')
        self.across = filled[:, :d].T.contiguous()  # (d, n')

    @cached_property
    def lipschitz(self) -> float:
        """The largest eigenvalue of XᵀX/4 + 1/s²: no second derivative is larger, in any direction."""
        return float(torch.linalg.eigvalsh(self.design.T @ self.design)[-1]) / 4 + 1 / self.prior_scale**2

    def evaluate(self, x: Tensor, rng: Stream, samples: Samples | None = None) -> Evaluation:
        return Evaluation.exact(*in_chunks(self._both, x, WIDTH))

    def energy(self, x: Tensor) -> Tensor:
        return in_chunks(lambda beta: (self._energy(beta, beta @ self.across),), x, WIDTH)[0]

    def gradient(self, x: Tensor) -> Tensor:
        return in_chunks(lambda beta: (self._gradient(beta, beta @ self.across),), x, WIDTH)[0]

    def metric(self, x: Tensor) -> Tensor:
        """The Fisher information with the prior's share, (B, d) -> (B, d, d)."""
        return in_chunks(lambda beta: (self._metric(beta),), x, WIDTH)[0].reshape(len(x), x.shape[1], x.shape[1])

    def accuracy(self, x: Tensor) -> Tensor:
        """Part of the labels that the sign of z foretells, (B,)."""
        right = in_chunks(lambda beta: (((self._logits(beta) > 0) == (self.labels > 0.5)).to(x.dtype),), x, WIDTH)[0]
        return row_sum(right) / len(self.labels)

    @cached_property
    def products(self) -> Tensor:
        """x_j x_k of every row, (n', (d²)'): filled up like the design."""
        n, d = self.design.shape
        every = (self.design[:, :, None] * self.design[:, None, :]).reshape(n, d * d)
        return torch.nn.functional.pad(every, (0, -d * d % ALIGNED, 0, -n % ALIGNED)).contiguous()

    def _metric(self, beta: Tensor) -> Tensor:
        """(WIDTH, d²)."""
        d = self.design.shape[1]
        return (steepness(beta @ self.across) @ self.products)[:, : d * d] + self._prior_metric

    @cached_property
    def _prior_metric(self) -> Tensor:
        """1/s² on the diagonal, (d²,)."""
        return torch.eye(self.design.shape[1]).to(self.design).flatten() / self.prior_scale**2

    def _logits(self, beta: Tensor) -> Tensor:
        return (beta @ self.across)[:, : len(self.labels)]

    def _both(self, beta: Tensor) -> tuple[Tensor, Tensor]:
        z = beta @ self.across
        return self._energy(beta, z), self._gradient(beta, z)

    def _energy(self, beta: Tensor, z: Tensor) -> Tensor:
        rest = beta * (beta / (2 * self.prior_scale**2) - self.pull)
        return softplus(z[:, : len(self.labels)]).sum(dim=1) + rest.sum(dim=1)  # always WIDTH rows: `row_sum` is not needed

    def _gradient(self, beta: Tensor, z: Tensor) -> Tensor:
        return (residual(z, 0.0) @ self.filled)[:, : len(self.pull)] - self.pull + beta / self.prior_scale**2


def softplus(z: Tensor) -> Tensor:
    """ln(1 + e^z)."""
    return z.clamp_min(0) + torch.log1p(torch.exp(-z.abs()))


def residual(z: Tensor, labels: Tensor | float) -> Tensor:
    """1/(1 + e^-z) - y."""
    return (
        0.5 + 0.5 * torch.tanh(0.5 * z) - labels
    )  # torch.sigmoid rounds by where a number lies in memory: see `numbers/rows.py`


def steepness(z: Tensor) -> Tensor:
    """The derivative of the residual, p (1 - p)."""
    tanh = torch.tanh(0.5 * z)
    return 0.25 * (1 - tanh * tanh)
