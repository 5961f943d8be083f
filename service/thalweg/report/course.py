"""The walk of an optimizer as curves: what was spent against what was reached, thinned to what a figure can show."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg.report.arrays import Array, Final, Trace

MOST_POINTS = 500
"""Points of a curve: more than a column of print resolves."""

_COSTS = (("shots", "shots"), ("gradients", "gradient evaluations"), ("evaluations", "energy evaluations"))
_SCALES = ((1e9, "billion "), (1e6, "million "), (1e3, "thousand "))


class Course(NamedTuple):
    """Curves over a cost. Rows after a replica has stopped are NaN in `value` and `norm`, and stand still in `settled`."""

    cost: Array  # (S, B) spent so far by each replica
    kind: str  # of what, "shots"
    value: Array  # (S, B)
    sigma: Array  # (S, B) standard error of one look
    norm: Array  # (S, B) of the gradient
    settled: Array  # (S, B) the value, standing still after the stop
    settled_norm: Array  # (S, B)

    @property
    def noisy(self) -> bool:
        return bool(np.any(self.sigma > 0))

    @property
    def middle_cost(self) -> Array:
        return medians(self.cost)


def course_of(trace: Trace, final: Final | None) -> Course:
    """The curves of a trace, thinned."""
    cost, kind = _spent(trace)
    walking = np.ones_like(trace.value, dtype=bool)
    if final is not None and final.stopped_at.shape == trace.value.shape[1:]:
        walking = (trace.step[:, None] <= final.stopped_at) | ~np.isfinite(final.stopped_at)
        walking[0] = True  # who starts converged is still seen once
    sigma = np.sqrt(np.clip(trace.value_var, 0, None))
    keep = kept(medians(cost))
    columns = (
        np.where(walking, trace.value, np.nan),
        sigma,
        np.where(walking, trace.gradient_norm, np.nan),
        trace.value,
        trace.gradient_norm,
    )
    return Course(cost[keep], kind, *(column[keep] for column in columns))


def medians(rows: Array) -> Array:
    """Median over replicas, (S, B) -> (S,); NaN where no replica knows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a row of NaN has the median NaN, which is what is wanted
        return np.asarray(np.nanmedian(rows, axis=1))


def kept(cost: Array) -> NDArray[np.int64]:
    """Places to draw, at most MOST_POINTS on the linear and as many on the logarithmic scale, ends included; (N,) int."""
    size = len(cost)
    if size <= MOST_POINTS:
        return np.arange(size)
    even = np.linspace(0, size - 1, MOST_POINTS)
    spread = np.geomspace(1, size, MOST_POINTS) - 1
    return np.unique(np.concatenate([even, spread]).round().astype(int))


def early(cost: Array, value: Array) -> bool:
    """Whether nine tenths of the way down lie in the first tenth of the cost: what a logarithmic axis is for."""
    known = np.isfinite(cost) & np.isfinite(value) & (cost > 0)
    if known.sum() < 8 or cost[known][-1] < 30 * cost[known][0]:
        return False
    cost, value = cost[known], value[known]
    fall = value[0] - value.min()
    return bool(fall > 0 and value[0] - value[cost <= cost[-1] / 10].min(initial=value[0]) >= 0.9 * fall)


def counted(largest: float) -> tuple[float, str]:
    """A divisor for a linear axis of counts, and the word that names it: (1e6, "million ")."""
    return next(((scale, word) for scale, word in _SCALES if largest >= 2 * scale), (1.0, ""))


def _spent(trace: Trace) -> tuple[Array, str]:
    for name, words in _COSTS:
        cost = np.asarray(getattr(trace, name))
        if np.nanmax(cost, initial=0) > 0:
            return cost, words
    return np.broadcast_to(trace.step[:, None], trace.value.shape), "steps"
