"""The line search of Moré and Thuente, one trial at a time, every replica at its own.

    φ(t) = U along the line,   sought t with   φ(t) <= φ(0) + μ t φ'(0)   and   |φ'(t)| <= η |φ'(0)|

Shapes: everything is (B,). Units: t is a pure number, φ' is in units of U.

Source: Moré & Thuente, ACM Trans. Math. Softw. 20 (1994) 286; the bounds of each next trial as in MINPACK-2.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_core.numbers.trees import choose

DECREASE = 1e-3
"""μ, the part of the first slope that the decrease must keep: that of L-BFGS-B (Zhu, Byrd, Lu, Nocedal 1997)."""

FLATNESS = 0.9
"""η, the part of the first slope that may be left: likewise."""

NARROW = 0.1
"""Width of the interval, as a part of its upper end, under which the search ends: likewise."""

MOST_TRIALS = 20
"""Trials of one search: likewise."""

ROUNDING = 8
"""Units in the last place of U within which values cannot be told apart. Arbitrary."""


class Verdict(IntEnum):
    """What a trial was."""

    GO_ON = 0
    FOUND = 1
    NARROWED = 2  # the interval is as small as it will get, and this trial its best point
    FAILED = 3


class Trial(NamedTuple):
    """A point of the line."""

    length: Tensor  # t
    value: Tensor  # φ
    slope: Tensor  # φ'

    def sheared(self, slope: Tensor) -> Trial:
        """The point on φ(t) - t · slope."""
        return Trial(self.length, self.value - self.length * slope, self.slope - slope)


class LineSearch(NamedTuple):
    """Where a search stands."""

    length: Tensor  # t of the next trial
    start: Trial  # at t = 0
    best: Trial  # the end of the interval with the lower value
    other: Trial  # its other end
    least: Tensor  # bounds of the next trial
    most: Tensor
    width: Tensor  # of the interval, after the last trial
    width_before: Tensor  # and after the one before
    reach: Tensor  # no trial beyond
    bracketed: Tensor  # bool: a minimum lies between the ends
    falling: Tensor  # bool: no trial yet with enough decrease and a rising slope
    trials: Tensor  # int64


def begin_line(value: Tensor, slope: Tensor, first: Tensor, reach: Tensor) -> LineSearch:
    """Before the first trial, at t = `first`, no trial beyond `reach`."""
    zero = torch.zeros_like(value)
    start = Trial(zero, value, slope)
    no, count = torch.zeros_like(value, dtype=torch.bool), torch.zeros_like(value, dtype=torch.int64)
    first = torch.minimum(first, reach)
    return LineSearch(first, start, start, start, zero, 5 * first, reach, 2 * reach, reach, no, ~no, count)


def tried(search: LineSearch, value: Tensor, slope: Tensor, to_rounding: bool = False) -> tuple[LineSearch, Tensor]:
    """After the trial at `search.length` showed φ and φ': the search with its next trial, and a `Verdict`, (B,) int64.

    to_rounding: also content where values can no longer be told apart, and the slope says that the minimum is near
    (Hager & Zhang, SIAM J. Optim. 16 (2005) 170). A trial that is not a number is answered by one half as far.
    """
    known = value.isfinite() & slope.isfinite()
    trial = Trial(search.length, torch.where(known, value, search.start.value), torch.where(known, slope, 0.0))
    asked = DECREASE * search.start.slope
    enough = trial.value <= search.start.value + trial.length * asked
    search = search._replace(falling=search.falling & ~(enough & (trial.slope >= 0)), trials=search.trials + 1)
    verdict = _verdict(search, trial, enough, asked, to_rounding)
    verdict = torch.where(known, verdict, torch.where(search.trials >= MOST_TRIALS, int(Verdict.FAILED), 0))
    return choose(known, _next(search, trial, enough, asked), _nearer(search)), verdict


def _verdict(search: LineSearch, trial: Trial, enough: Tensor, asked: Tensor, to_rounding: bool) -> Tensor:
    start = search.start
    found = enough & (trial.slope.abs() <= -FLATNESS * start.slope)
    if to_rounding:
        rounding = ROUNDING * torch.finfo(trial.value.dtype).eps * start.value.abs()
        flat = (trial.slope >= FLATNESS * start.slope) & (trial.slope <= (2 * DECREASE - 1) * start.slope)
        found = found | (flat & ((trial.value - start.value).abs() <= rounding))
    out = (trial.length <= search.least) | (trial.length >= search.most)
    narrow = search.bracketed & (out | (search.most - search.least <= NARROW * search.most))
    far = (trial.length >= search.reach) & enough & (trial.slope <= asked)
    verdict = torch.where(search.trials >= MOST_TRIALS, int(Verdict.FAILED), int(Verdict.GO_ON))
    verdict = torch.where(narrow | far, int(Verdict.NARROWED), verdict)
    return torch.where(found, int(Verdict.FOUND), verdict)


def _nearer(search: LineSearch) -> LineSearch:
    """Half as far from the best point, and never so far again."""
    half = (search.best.length + search.length) / 2
    return search._replace(length=half, reach=search.length, most=torch.minimum(search.most, search.length))


def _next(search: LineSearch, trial: Trial, enough: Tensor, asked: Tensor) -> LineSearch:
    """The interval with the trial in it, and the next trial."""
    helped = search.falling & (trial.value <= search.best.value) & ~enough
    shear = torch.where(helped, asked, 0.0)  # then the search is for a minimum of φ(t) - μ t φ'(0)
    best, other, length, bracketed = _step(search.best.sheared(shear), search.other.sheared(shear), trial.sheared(shear), search)
    best, other = best.sheared(-shear), other.sheared(-shear)
    width = (other.length - best.length).abs()
    slow = bracketed & (width >= 0.66 * search.width_before)
    length = torch.where(slow, best.length + 0.5 * (other.length - best.length), length)
    least = torch.where(bracketed, torch.minimum(best.length, other.length), length + 1.1 * (length - best.length))
    most = torch.where(bracketed, torch.maximum(best.length, other.length), length + 4 * (length - best.length))
    length = torch.minimum(length.clamp_min(0.0), search.reach)
    stuck = bracketed & ((length <= least) | (length >= most) | (most - least <= NARROW * most))
    return search._replace(
        length=torch.where(stuck, best.length, length),
        best=best,
        other=other,
        least=least,
        most=most,
        width=torch.where(bracketed, width, search.width),
        width_before=torch.where(bracketed, search.width, search.width_before),
        bracketed=bracketed,
    )


def _step(best: Trial, other: Trial, trial: Trial, search: LineSearch) -> tuple[Trial, Trial, Tensor, Tensor]:
    """The new ends, the next trial, and whether a minimum is bracketed: the four cases of [1], section 4."""
    higher = trial.value > best.value
    turned = ~higher & (trial.slope * torch.sign(best.slope) < 0)
    flatter = ~higher & ~turned & (trial.slope.abs() < best.slope.abs())
    length = torch.where(search.bracketed, _cubic(trial, other)[0], _farthest(best, trial, search))
    length = torch.where(flatter, _while_flatter(best, other, trial, search), length)
    length = torch.where(turned, _after_turn(best, trial), length)
    length = torch.where(higher, _after_rise(best, trial), length)
    new_other = choose(higher, trial, choose(turned, best, other))
    return choose(higher, best, trial), new_other, length, search.bracketed | higher | turned


def _after_rise(best: Trial, trial: Trial) -> Tensor:
    """Between the ends: the cubic's minimum, or halfway to the parabola's where that is nearer to the best point."""
    cubic, _ = _cubic(best, trial)
    span = trial.length - best.length
    parabola = best.length + best.slope / ((best.value - trial.value) / span + best.slope) / 2 * span
    nearer = (cubic - best.length).abs() <= (parabola - best.length).abs()
    return torch.where(nearer, cubic, cubic + (parabola - cubic) / 2)


def _after_turn(best: Trial, trial: Trial) -> Tensor:
    """Between the ends: the cubic's minimum or the slopes' zero, whichever is farther from the trial."""
    cubic, _ = _cubic(trial, best)
    secant = _secant(best, trial)
    return torch.where((cubic - trial.length).abs() > (secant - trial.length).abs(), cubic, secant)


def _while_flatter(best: Trial, other: Trial, trial: Trial, search: LineSearch) -> Tensor:
    """Onward: inside a bracket the nearer of cubic and secant, not beyond two thirds of it; outside the farther one."""
    cubic, bends = _cubic(trial, best)
    ahead = bends & ((cubic - trial.length) * (trial.length - best.length) > 0)
    cubic = torch.where(ahead, cubic, _farthest(best, trial, search))
    secant = _secant(best, trial)
    nearer = (cubic - trial.length).abs() < (secant - trial.length).abs()
    inside, limit = torch.where(nearer, cubic, secant), trial.length + 0.66 * (other.length - trial.length)
    inside = torch.where(trial.length > best.length, torch.minimum(limit, inside), torch.maximum(limit, inside))
    outside = torch.where(nearer, secant, cubic).clamp(search.least, search.most)
    return torch.where(search.bracketed, inside, outside)


def _farthest(best: Trial, trial: Trial, search: LineSearch) -> Tensor:
    return torch.where(trial.length > best.length, search.most, search.least)


def _secant(a: Trial, b: Trial) -> Tensor:
    """Where the slope would vanish if it changed evenly."""
    return b.length + b.slope / (b.slope - a.slope) * (a.length - b.length)


def _cubic(a: Trial, b: Trial) -> tuple[Tensor, Tensor]:
    """The minimum of the cubic through two points with their slopes, and whether there is one."""
    span = b.length - a.length
    theta = 3 * (a.value - b.value) / span + a.slope + b.slope
    square = theta * theta - a.slope * b.slope
    gamma = torch.sign(span) * square.clamp_min(0.0).sqrt()
    return a.length + (gamma - a.slope + theta) / (gamma - a.slope + gamma + b.slope) * span, square > 0
