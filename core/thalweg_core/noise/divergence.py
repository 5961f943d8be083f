"""Whether a walk under noise has gone up: what a method without a guard must admit."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_core.landscape import Evaluation

MEMORY = 5
"""Looks that a mean is taken over. Arbitrary."""

ERRORS = 5.0
"""Standard errors by which it must have risen: the lowest of many means is lower than its truth by some. Arbitrary."""


class Rise(NamedTuple):
    """A running mean of the energy and the lowest that it has been; (B,) each."""

    recent: Tensor
    variance: Tensor  # of the recent mean
    lowest: Tensor
    lowest_variance: Tensor


def begin_rise(seen: Evaluation) -> Rise:
    """After the first evaluation."""
    return Rise(seen.value.clone(), seen.value_var.clone(), seen.value.clone(), seen.value_var.clone())


def climbed(before: Rise, seen: Evaluation) -> Rise:
    """After one evaluation more: the mean forgets by 1/MEMORY an evaluation, and so does the variance, by its square."""
    weight = 1 / MEMORY
    recent = before.recent + weight * (seen.value - before.recent)
    variance = (1 - weight) ** 2 * before.variance + weight**2 * seen.value_var
    lower = recent < before.lowest
    return Rise(recent, variance, torch.where(lower, recent, before.lowest), torch.where(lower, variance, before.lowest_variance))


def remark(rise: Rise, where: list[str]) -> list[str]:
    """The sentence for each replica; empty where the energy has not risen by more than noise explains. where: see
    `above_reference`."""
    rows = zip(*(part.tolist() for part in rise), where, strict=True)
    return [_sentence(recent - lowest, math.sqrt(var + error), place) for recent, var, lowest, error, place in rows]


def _sentence(rise: float, error: float, where: str) -> str:
    if not rise > ERRORS * error:
        return ""
    far = f"{rise:.2g} above the lowest it had been, {rise / error:.0f} standard errors of its noise"
    return f"it diverged{where}: its energy ended {far}"
