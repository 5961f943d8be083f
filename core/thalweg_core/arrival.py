"""Whether a walk has led down: the energy of its answer, measured anew, beside the first look at the start."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

ERRORS = 2.0
"""Standard errors of the difference by which an energy must lie higher, or lower, to be called so."""

DRIFT = 1e-6
"""Of the larger energy: where nothing is noisy, a rise that rounding and the errors of integrators may make. Arbitrary."""

COARSE = 10.0
"""A first look whose standard error is so many times that of the measurement at the end says nothing of how far a walk came,
and nothing is said of it: methods made for noise begin with few samples. Arbitrary."""


class Ends(NamedTuple):
    """The energies of both ends of walks and their variances, (B,) each; NaN where one was not looked at."""

    start: Tensor
    start_var: Tensor
    end: Tensor
    end_var: Tensor


def remark(ends: Ends) -> list[str]:
    """A sentence without a full stop for each replica; "" where the answer lies lower than the start, or nobody can tell.

        rise = end - start,   s² = var(start) + var(end);   up: rise > 2 s,   not shown to be down: rise ≥ -2 s

    Only noise leaves the second open, so of exact energies only the first is said.
    """
    rise, noise = ends.end - ends.start, (ends.start_var + ends.end_var).sqrt()
    up = rise > ERRORS * noise + DRIFT * ends.end.abs().maximum(ends.start.abs()) * (noise == 0)
    told = (noise > 0) & (ends.start_var <= COARSE**2 * ends.end_var)
    nowhere = told & (rise >= -ERRORS * noise)
    return [_sentence(*row) for row in zip(up.tolist(), nowhere.tolist(), (noise > 0).tolist(), strict=True)]


def _sentence(up: bool, nowhere: bool, noisy: bool) -> str:
    if up:
        by = ", by more than two standard errors" if noisy else ""
        return f"the energy at the end, measured anew, is higher than at the start{by}: the walk led uphill"
    if nowhere:
        return (
            "the energy at the end, measured anew, is not lower than at the start by two standard errors: nothing shows a descent"
        )
    return ""
