"""Descents by shots, many seeds at once, judged by what no shot can show: the noiseless error of the answer.

Shapes: S looks, B seeds. Errors in Ha above the exact energy, shots as charged, everything included.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from thalweg_core.kernel import Kernel, reported
from thalweg_core.stopping import Budget, Outcome
from thalweg_core.streams import Stream
from thalweg_core.walk import Rules, begin, walk
from thalweg_vqe.landscape import VqeLandscape
from thalweg_vqe.problem import Vqe

Floats = NDArray[np.float64]

CHEMICAL_ACCURACY = 1.6e-3
"""Ha."""

REPORTED, DEVELOPMENT = range(10), range(100, 106)
"""Seeds: those whose figures are reported, on which nothing was ever tuned; and those on which settings were chosen."""

_MEDIAN_OF = 5  # looks: a single one may touch the bound by chance
_MOST_STEPS = 10**7
_DRAWS = 4000  # of the bootstrap


@dataclass(frozen=True)
class Case:
    """A problem to descend.

    Args:
        name: for tables and files.
        problem: with the shots per circuit that methods take which do not choose theirs.
        budget: shots of a seed.
        bound: error (Ha) to get under.
    """

    name: str
    problem: Vqe
    budget: int
    bound: float = CHEMICAL_ACCURACY


class Course(NamedTuple):
    """What was spent and what was reached, look by look."""

    shots: Floats  # (S, B)
    error: Floats  # (S, B) of the answer, were the walk to end there
    outcome: list[str]  # (B,) why it ended

    def of(self, seed: int) -> tuple[Floats, Floats]:
        """Shots and errors of one seed, up to its last look: (S',) each."""
        last = int(np.searchsorted(self.shots[:, seed], self.shots[-1, seed])) + 1
        return self.shots[:last, seed], self.error[:last, seed]

    def at(self, shots: float) -> Floats:
        """Errors when so much was spent, (B,); NaN where the first look was not paid for by then."""
        places = [int(np.searchsorted(column, shots, side="right")) - 1 for column in self.shots.T]
        return np.array([self.error[place, seed] if place >= 0 else np.nan for seed, place in enumerate(places)])


def descend(case: Case, kernel: Kernel, seeds: Sequence[int], budget: int | None = None) -> Course:
    """The walks of all seeds, as one batch."""
    problem = case.problem
    landscape = cast(VqeLandscape, problem.open(torch.device("cpu"), torch.float64))
    rng = Stream(0, torch.tensor(seeds, dtype=torch.int64))
    rules = Rules(budget=Budget(shots=budget or case.budget), reserve=problem.final_shots(landscape))
    position = begin(kernel, landscape, problem.start(landscape, rng.named("start")), rng.named("walk"), rules)
    looks = [_look(kernel, landscape, position)]
    for frame in walk(kernel, landscape, position, rng.named("walk"), range(1, _MOST_STEPS), rules):
        position = frame.position
        looks.append(_look(kernel, landscape, position))
    shots, error = (np.stack(column) for column in zip(*looks, strict=True))
    return Course(shots, error, [Outcome(code).sentence for code in position.outcome.tolist()])


def _look(kernel: Kernel, landscape: VqeLandscape, position: Any) -> tuple[Floats, Floats]:
    energy = landscape.expectation(landscape.observable, reported(kernel, position.state))
    return position.spent.shots.double().numpy(), (energy - landscape.reference.exact_energy).numpy()


class Reached(NamedTuple):
    """When a seed got under the bound: shots, infinite for never."""

    hit: float  # the median of its last five errors was inside for the first time
    stay: float  # and was never outside again


def reached(shots: Floats, error: Floats, bound: float) -> Reached:
    """Of one seed, (S,) each."""
    if len(error) < _MEDIAN_OF:
        return Reached(math.inf, math.inf)
    windows = np.lib.stride_tricks.sliding_window_view(error, _MEDIAN_OF)
    inside, when = np.median(windows, axis=1) < bound, shots[_MEDIAN_OF - 1 :]
    if not inside.any():
        return Reached(math.inf, math.inf)
    outside = np.flatnonzero(~inside)
    first = 0 if len(outside) == 0 else int(outside[-1]) + 1
    return Reached(float(when[inside.argmax()]), float(when[first]) if first < len(when) else math.inf)


class Figure(NamedTuple):
    """A median over seeds and its 95 % interval."""

    value: float
    low: float
    high: float


class Score(NamedTuple):
    """How a method did on a case."""

    hit: Figure  # shots
    stay: Figure  # shots
    stayed: int  # seeds
    seeds: int
    final: Figure  # Ha, error at the end


def score(course: Course, bound: float) -> Score:
    """Medians over seeds, with intervals by bootstrap."""
    seeds = course.shots.shape[1]
    each = [reached(*course.of(seed), bound) for seed in range(seeds)]
    hits, stays = np.array([r.hit for r in each]), np.array([r.stay for r in each])
    return Score(median(hits), median(stays), int(np.isfinite(stays).sum()), seeds, median(course.error[-1]))


def median(values: Floats) -> Figure:
    """The median and the 2.5 and 97.5 % points of medians of resampled seeds. Of an even number it is the upper of the two
    in the middle: where half the seeds never got there, neither did their median."""
    middle = len(values) // 2
    draws = np.random.default_rng(0).integers(0, len(values), (_DRAWS, len(values)))
    resampled = np.sort(np.sort(values[draws], axis=1)[:, middle])
    low, high = (float(resampled[int(part * _DRAWS)]) for part in (0.025, 0.975))
    return Figure(float(np.sort(values)[middle]), low, high)
