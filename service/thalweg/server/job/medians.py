"""The median over replicas, and how far it moves when each replica's number moves within its own error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg_core.streams import Stream

_DRAWS = 4096  # the standard error is then known to 1 %


class Median(NamedTuple):
    value: float
    standard_error: float


def median(values: NDArray[np.float64], variances: NDArray[np.float64], seed: int, draws: int = _DRAWS) -> Median:
    """Median of values (B,) with variances (B,): its error by a parametric bootstrap with numbers of our own stream.

    The spread among replicas is not in it: replicas that end in different minima differ for a reason of their own.
    """
    middle = float(np.median(values))
    if not (variances > 0).any():
        return Median(middle, 0.0)
    if len(values) == 1:
        return Median(middle, float(np.sqrt(variances[0])))
    noise = Stream.of(seed, draws).named("bootstrap").normal((len(values),)).numpy()
    return Median(middle, float(np.median(values + np.sqrt(variances) * noise, axis=1).std(ddof=1)))
