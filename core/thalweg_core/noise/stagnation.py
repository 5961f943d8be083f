"""Whether a walk under noise still falls, or only moves about: what a method with steps of one size must admit."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_core.landscape import Evaluation

FAST, SLOW = 0.95, 0.98
"""Decays of the two means: of about the last 20 and the last 50 looks. Arbitrary."""


class Standstill(NamedTuple):
    """Two running means of the energy, one that forgets sooner, and the scatter about the other; (B,) each."""

    recent: Tensor
    longer: Tensor
    scatter: Tensor  # mean square distance of an evaluation from `longer`
    looks: Tensor  # int64, how many were seen


def begin_standstill(seen: Evaluation) -> Standstill:
    """After the first evaluation."""
    return Standstill(seen.value.clone(), seen.value.clone(), seen.value_var.clone(), torch.ones_like(seen.cost.evaluations))


def watched(before: Standstill, seen: Evaluation) -> Standstill:
    """After one evaluation more."""
    off = seen.value - before.longer
    return Standstill(
        FAST * before.recent + (1 - FAST) * seen.value,
        before.longer + (1 - SLOW) * off,
        SLOW * before.scatter + (1 - SLOW) * off * off,
        before.looks + 1,
    )


def stands(watch: Standstill) -> Tensor:
    """Whether the recent energy lies no lower than the longer mean by two standard errors, (B,) bool.

    Of independent looks of variance s², the two means differ with variance s² (f₁ + f₂ - 2 f₁₂): f = (1 - β)/(1 + β), and
    f₁₂ = (1 - β₁)(1 - β₂)/(1 - β₁ β₂). Nothing is said of walks shorter than twice the longer mean's memory.
    """
    spread = _part(FAST, FAST) + _part(SLOW, SLOW) - 2 * _part(FAST, SLOW)
    fallen = watch.longer - watch.recent
    return (watch.looks >= 2 / (1 - SLOW)) & (fallen <= 2 * (spread * watch.scatter).sqrt())


def _part(one: float, other: float) -> float:
    return (1 - one) * (1 - other) / (1 - one * other)


def remark(watch: Standstill, where: list[str]) -> list[str]:
    """The sentence for each replica; empty where it still fell, or was too short to tell. where: see `above_reference`."""
    steps = round(1 / (1 - SLOW))
    words = f"its last {steps} steps moved within the noise", ": the energy fell no further, and that is not convergence"
    return [place.join(words) if still else "" for still, place in zip(stands(watch).tolist(), where, strict=True)]
