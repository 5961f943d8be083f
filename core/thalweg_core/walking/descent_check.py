"""Whether a walk has led down: the energy of its answer, measured anew, beside the first look at the start."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

from torch import Tensor

from thalweg_core.landscape import PENALTY, Landscape

ERRORS = 2.0
"""Standard errors of the difference by which an energy must lie higher, or lower, to be called so; see `bound`."""

DRIFT = 1e-6
"""Of the larger energy: where nothing is noisy, a rise that rounding and the errors of integrators may make. Arbitrary."""

COARSE = 10.0
"""A first evaluation whose standard error is so many times that of the measurement at the end says nothing of how far a walk
came, and nothing is said of it: methods made for noise begin with few samples. Arbitrary."""


class Ends(NamedTuple):
    """The energies of both ends of walks and their variances, (B,) each; NaN where one was not looked at."""

    start: Tensor
    start_var: Tensor
    end: Tensor
    end_var: Tensor


def comparable(landscape: Landscape) -> bool:
    """Whether an evaluation on the way and the measurement at the end show the same quantity."""
    held = landscape.offer(PENALTY)
    return held is None or held.without_penalty is None


def bound(rows: int) -> float:
    """Standard errors that one of so many rows exceeds by chance no more often than one row exceeds two (Bonferroni).

    Φ(-b) ≤ Φ(-2) / rows,   rounded up to a tenth
    """
    normal = NormalDist()
    return math.ceil(-10 * normal.inv_cdf(normal.cdf(-ERRORS) / rows) - 1e-6) / 10


def remark(ends: Ends, noisy: bool) -> list[str]:
    """A sentence without a full stop for each replica; "" where the answer lies lower than the start, or nobody can tell.

        rise = end - start,   s² = var(start) + var(end);   up: rise > b s, b = bound(B),   not shown to be down: rise ≥ -2 s

    Only noise leaves the second open, so of exact energies only the first is said. Of noisy ones an error of zero is no error
    known, and nothing is said.
    """
    rise = ends.end - ends.start
    if not noisy:
        up = rise > DRIFT * ends.end.abs().maximum(ends.start.abs())
        uphill = "the energy at the end, measured anew, is higher than at the start: the walk led uphill"
        return [uphill if higher else "" for higher in up.tolist()]
    noise, errors = (ends.start_var + ends.end_var).sqrt(), bound(len(rise))
    told = (ends.start_var > 0) & (ends.start_var <= COARSE**2 * ends.end_var)
    up, nowhere = told & (rise > errors * noise), told & (rise >= -ERRORS * noise)
    return [_sentence(*row, errors) for row in zip(up.tolist(), nowhere.tolist(), strict=True)]


def _sentence(up: bool, nowhere: bool, errors: float) -> str:
    if up:
        return f"the energy at the end, measured anew, is higher than at the start by more than {errors:g} standard errors"
    if nowhere:
        return (
            "the energy at the end, measured anew, is not lower than at the start by two standard errors: nothing shows a descent"
        )
    return ""
