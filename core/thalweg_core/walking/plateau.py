"""Whether the energy of a replica still falls: the means of two windows of its last steps, and what noise or rounding make of
their difference."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_core.landscape import Evaluation
from thalweg_core.numbers.rows import row_sum

LONGEST_PLATEAU = 10**6
"""Steps (arbitrary): of each replica two windows take 32 MB."""


class Plateau(NamedTuple):
    """Energies of the last steps of each replica, newest last; NaN where there was none yet."""

    values: Tensor  # (B, 2 · window)
    variances: Tensor  # (B, 2 · window)
    height: Tensor  # (B,) largest |U| above which the replica stayed for two windows: what rounding is measured by


def remember(plateau: Plateau, seen: Evaluation) -> Plateau:
    """The memory with one more look. A start far up, left within two windows, says nothing of how energies round later."""
    values, variances = _push(plateau.values, seen.value), _push(plateau.variances, seen.value_var)
    low = values.abs().amin(dim=1)  # NaN until every place is taken
    return Plateau(values, variances, torch.where(low > plateau.height, low, plateau.height))


def _push(history: Tensor, newest: Tensor) -> Tensor:
    return torch.cat([history[:, 1:], newest.to(history.dtype)[:, None]], dim=1)


_ROUNDING = 4
"""Units of rounding by which two energies may differ for no reason: of a sum whose terms cancel little. Arbitrary."""


def flattened(plateau: Plateau, window: int, eps: float) -> Tensor:
    """Whether the newer half lies no lower than the older by two standard errors of the difference of their means."""
    older, newer = plateau.values[:, :window], plateau.values[:, window:]
    declared = row_sum(plateau.variances) / window**2
    scatter = (_scatter(older) + _scatter(newer)) / window
    rose = (plateau.values.diff(dim=1) > 0).any(dim=1)  # where never, the scatter is the bend of a descent
    error = torch.maximum(declared, torch.where(rose, scatter, 0.0)).sqrt()
    gain = (row_sum(older) - row_sum(newer)) / window
    return torch.isfinite(gain) & (gain <= torch.maximum(2 * error, _ROUNDING * eps * plateau.height))


def _scatter(window: Tensor) -> Tensor:
    """Variance about the straight line through a window, (B,)."""
    n = window.shape[1]
    t = torch.arange(n, dtype=window.dtype, device=window.device) - (n - 1) / 2
    centred = window - row_sum(window)[:, None] / n
    slope = row_sum(centred * t)[:, None] / (n * (n * n - 1) / 12)
    return row_sum((centred - slope * t) ** 2) / (n - 2)
