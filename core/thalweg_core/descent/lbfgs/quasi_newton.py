"""Limited-memory BFGS with a line search, one evaluation a step: every replica stands at a trial of its own."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_core.descent.lbfgs.curvature_pairs import Pairs, carried, inverse_curvature, no_pairs, preconditioned, remembered
from thalweg_core.descent.lbfgs.line_search import LineSearch, Verdict, begin_line, tried
from thalweg_core.landscape import Evaluation, Landscape
from thalweg_core.manifold import Manifold
from thalweg_core.numbers.rows import per_row, row_dot
from thalweg_core.numbers.trees import choose
from thalweg_core.streams import Stream

FARTHEST = 1e10
"""Longest step in multiples of the direction, where the manifold sets no bound: that of L-BFGS-B."""


class Stage(IntEnum):
    """What the last evaluation was."""

    TRIAL = 0  # one of a search that goes on, or that has begun anew
    ITERATE = 1  # the last of a search: x is new
    NOWHERE = 2  # of a search along the gradient itself that found no lower energy: there is nothing left to try


class Search(NamedTuple):
    """A search from x, and what the searches before it have left."""

    pairs: Pairs  # carried to x
    direction: Tensor  # (B, *E), tangent at x
    line: LineSearch
    stage: Tensor  # (B,) int64, a `Stage`


class Descent(NamedTuple):
    """A point and the search that began there."""

    x: Tensor  # (B, *E)
    seen: Evaluation  # what the landscape showed there
    search: Search


def begin_descent(manifold: Manifold, x: Tensor, seen: Evaluation, memory: int) -> Descent:
    """Before the first search from x (B, *E), which goes along the gradient; memory: pairs that are kept."""
    return _searching(manifold, x, seen, no_pairs(x, memory), Stage.ITERATE)


def descended(landscape: Landscape, here: Descent, rng: Stream, to_rounding: bool = False) -> tuple[Descent, Evaluation]:
    """After an evaluation at the next trial of each search, and that evaluation.

    A search that has found its point makes it the new x. The change of the gradient on the way there is a new pair, and the
    next search, along -H ∇U, begins with a step of 1. A search that fails is begun anew from the same x along the gradient;
    one that fails along the gradient was the last. Steps follow geodesics, so the slope along them is exact on any manifold.

    to_rounding: go on where values can no longer be told apart, but slopes can.

    Source: Byrd, Lu, Nocedal, Zhu, SIAM J. Sci. Comput. 16 (1995) 1190; without bounds, steps equal those of L-BFGS-B.
    """
    manifold, (pairs, direction, line, _) = landscape.manifold, here.search
    # all replicas are evaluated at their next trial together, in whatever stage their searches are
    y, velocity = manifold.flow(here.x, direction, line.length)
    seen = landscape.evaluate(y, rng)
    grad = manifold.tangent(y, seen.grad)
    step = per_row(line.length, y) * velocity
    change = grad - manifold.transport(manifold.tangent(here.x, here.seen.grad), here.x, y)
    # a pair is kept where the curvature along the step is positive beyond rounding (slopes at the start are negative)
    rising = row_dot(step, change) > -torch.finfo(y.dtype).eps * line.length * line.start.slope
    line, verdict = tried(line, seen.value, row_dot(grad, velocity), to_rounding)

    # three ends, one per replica: the search goes on, has arrived (a new x and pair), or has failed (anew along the gradient)
    on = here._replace(search=here.search._replace(line=line, stage=torch.zeros_like(verdict)))
    after = remembered(carried(pairs, manifold, here.x, y), step, change, rising)
    arrived = (verdict == Verdict.FOUND) | (verdict == Verdict.NARROWED)
    on = choose(arrived, _searching(manifold, y, seen, after, Stage.ITERATE), on)
    failed, plain = verdict == Verdict.FAILED, (pairs.weight == 0).all(dim=1)
    on = choose(failed, _searching(manifold, here.x, here.seen, no_pairs(here.x, pairs.weight.shape[1]), Stage.TRIAL), on)
    return _ended(on, failed & plain), seen


def _searching(manifold: Manifold, x: Tensor, seen: Evaluation, pairs: Pairs, stage: Stage) -> Descent:
    """At the beginning of a search from x along -H ∇U, from H₀ = γ of the newest pair; along -∇U where there is none."""
    grad = manifold.tangent(x, seen.grad)
    gamma = inverse_curvature(pairs)
    known = gamma > 0
    start = per_row(torch.where(known, gamma, 1.0), grad).expand_as(grad)
    direction = -manifold.tangent(x, preconditioned(pairs, grad, start))
    length = row_dot(grad, grad).sqrt()
    tiny = torch.finfo(x.dtype).tiny
    first = torch.where(known, 1.0, 1 / length.clamp_min(tiny))
    reach = (manifold.reach / manifold.site_norm(direction).clamp_min(tiny)).clamp_max(FARTHEST)
    line = begin_line(seen.value, row_dot(grad, direction), first, reach)
    search = Search(pairs, direction, line, torch.full_like(seen.cost.gradients, int(stage)))
    return _ended(Descent(x, seen, search), length == 0)


def _ended(here: Descent, where: Tensor) -> Descent:
    stage = torch.where(where, int(Stage.NOWHERE), here.search.stage)
    return here._replace(search=here.search._replace(stage=stage))
