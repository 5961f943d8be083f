"""The posterior of a Bayesian logistic regression on a data set shipped with scikit-learn."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_core.errors import BadInput
from thalweg_core.landscape import COMPONENTS, EXACT_VALUE, LIPSCHITZ, METRIC, Cost, EnergyEstimate
from thalweg_core.problem import Observed, Traits
from thalweg_core.ranges import between
from thalweg_core.streams import Stream
from thalweg_physics.densities.density import KNOWN, LACKING, Density
from thalweg_physics.densities.logistic.landscape import WIDTH, LogisticLandscape
from thalweg_physics.densities.logistic.mini_batches import MiniBatchLandscape

DATASETS = {"breast_cancer": (569, 30)}
"""Rows and features of the data sets with two classes."""


NARROWEST, WIDEST = 1e-15, 1e15
"""Of the prior's standard deviations (arbitrary): their squares stay numbers in float32, too."""


class Data(NamedTuple):
    """A data set: features of mean 0 and standard deviation 1 behind a column of ones, labels 0 and 1."""

    design: Tensor  # (n, d)
    labels: Tensor  # (n,)
    names: list[str]  # (d,)


@dataclass(frozen=True)
class LogisticRegression(Density[LogisticLandscape]):
    """Bayesian logistic regression: the posterior of the coefficients β of a data set (X, y).

        U = Σ_i [softplus(z_i) - y_i z_i] + |β|² / (2 s²),   z = X β:   minus its logarithm, without the prior's constant

    The features are standardized (population standard deviation); the first column of X is the intercept's ones. The
    prior is the same for the intercept as for the others. The metric is the Fisher information with the prior's share,
    Xᵀ diag(p (1 - p)) X + 1/s², p = 1/(1 + e^-z): for this model also the second derivative of U.

    Args:
        dataset: a data set shipped with scikit-learn: "breast_cancer" (569 rows, 30 features, label 1 is benign).
        prior_scale: s, the standard deviation of the normal prior of every coefficient.
        batch_size: rows that an evaluation takes, drawn anew each time, where the method does not choose; left out, all of them,
            and energies are exact. A mini-batch shows energy and gradient with noise, and charges its rows as shots; the
            measurement at the end is exact, and takes all rows.
    """

    dataset: str
    prior_scale: float = 1.0
    batch_size: int | None = None

    def __post_init__(self) -> None:
        if self.dataset not in DATASETS:
            near = difflib.get_close_matches(self.dataset, DATASETS, n=1, cutoff=0.0)[0]
            raise BadInput("dataset", f"wanted one of {sorted(DATASETS)}, got {self.dataset!r}; did you mean {near!r}?")
        between("prior_scale", self.prior_scale, NARROWEST, WIDEST)
        rows = DATASETS[self.dataset][0]
        if self.batch_size is not None and not 2 <= self.batch_size <= rows:
            raise BadInput("batch_size", f"wanted 2 to {rows} rows, or none given for all of them, got {self.batch_size}")

    def traits(self) -> Traits:
        n, features = DATASETS[self.dataset]
        d = features + 1
        memory = 8 * (n * d + 6 * WIDTH * n)
        products = 8 * (n + 2 * WIDTH) * d * d
        rows = "shows all components of the gradient by the same rows"
        if self.batch_size is None:
            return Traits(
                knows=KNOWN | {LIPSCHITZ, METRIC},
                lacks=LACKING | {COMPONENTS: rows},
                dimension=d,
                memory=memory,
                memory_of={METRIC: products},
                memory_per_replica=128 * d,
            )
        noisy = f"with batch_size = {self.batch_size} is noisy; leave it out"
        return Traits(
            knows=(KNOWN | {LIPSCHITZ, METRIC}) - {EXACT_VALUE},
            lacks=LACKING | {EXACT_VALUE: noisy, COMPONENTS: rows},
            dimension=d,
            memory=2 * memory,
            memory_of={METRIC: 3 * products},
            memory_per_replica=128 * d + 40 * n,
        )

    def coordinates(self) -> list[str]:
        return load(self.dataset).names

    def open(self, device: torch.device, dtype: torch.dtype) -> LogisticLandscape:
        data = load(self.dataset)
        design, labels = data.design.to(device, dtype), data.labels.to(device, dtype)
        if self.batch_size is None:
            return LogisticLandscape(design, labels, self.prior_scale)
        return MiniBatchLandscape(design, labels, self.prior_scale, self.batch_size)

    def dry_run(self) -> LogisticLandscape | None:
        """On zeros in place of the data; None where all rows are taken, and evaluations are exact."""
        if self.batch_size is None:
            return None
        n, features = DATASETS[self.dataset]
        design = torch.zeros(n, features + 1, dtype=torch.float64)
        return MiniBatchLandscape(design, design[:, 0], self.prior_scale, self.batch_size)

    def start(self, landscape: LogisticLandscape, rng: Stream) -> Tensor:
        """(B, d): draws from the prior, or of standard deviation 1 where the prior is wider."""
        design = landscape.design
        return min(self.prior_scale, 1.0) * rng.named("start").normal((design.shape[1],), design.dtype)

    def final(self, landscape: LogisticLandscape, x: Tensor, rng: Stream) -> EnergyEstimate:
        """The energy of all rows, exact."""
        value = landscape.energy(x)
        return EnergyEstimate(value, torch.zeros_like(value), Cost.of(x, evaluations=1, shots=self.final_shots(landscape)))

    def final_shots(self, landscape: LogisticLandscape) -> int:
        """All rows, where evaluations take rows."""
        return len(landscape.labels) if landscape.noisy else 0

    def observe(self, landscape: LogisticLandscape, x: Tensor) -> dict[str, Observed]:
        """The gradient's norm, and the part of the data that the coefficients classify rightly."""
        right = Observed.exact(landscape.accuracy(x))
        return {**super().observe(landscape, x), "accuracy": right}


def load(dataset: str) -> Data:
    """The data set, standardized."""
    from sklearn import datasets  # here: it takes a second to import, and only this needs it

    bunch = getattr(datasets, f"load_{dataset}")()
    raw = torch.from_numpy(bunch.data).to(torch.float64)
    standard = (raw - raw.mean(dim=0)) / raw.std(dim=0, correction=0)
    design = torch.cat([torch.ones(len(raw), 1, dtype=torch.float64), standard], dim=1)
    return Data(design, torch.from_numpy(bunch.target).to(torch.float64), ["intercept", *map(str, bunch.feature_names)])
