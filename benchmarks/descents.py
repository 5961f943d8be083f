"""Descents by shots, many seeds at once, judged by what no shot can show: the noiseless error of the answer.

Shapes: S looks, B seeds. Errors in Ha above the exact energy, shots as charged, everything included.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from thalweg_core.descent.lbfgs.lbfgs import Lbfgs
from thalweg_core.method import Method
from thalweg_core.streams import Stream
from thalweg_core.walking.account import Budget
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.walk import Position, Rules, begin, walk
from thalweg_vqe.landscapes.circuit import VqeLandscape
from thalweg_vqe.problem import Vqe

Floats = NDArray[np.float64]

CHEMICAL_ACCURACY = 1.6e-3
"""Ha."""

REPORTED = range(10)
"""Seeds whose figures are reported, on which nothing was ever tuned: settings are chosen on seeds from 100 on."""

_MEDIAN_OF = 5  # looks: a single one may touch the bound by chance
_SPACING = 1.01  # of shots, from look to look
_MOST_STEPS = 10**7
_EXACT_STEPS, _MANY = 2000, 100_000  # of exact descents; shots a circuit of a measurement
_DRAWS = 4000  # of the bootstrap


@dataclass(frozen=True)
class Case:
    """A problem to descend.

    Args:
        name: for tables and files.
        problem: with the shots per circuit that methods take which do not choose theirs.
        budget: shots of a seed.
        longer: shots of a seed of the textbook's forms; None: the same.
        bound: error (Ha) to get under.
    """

    name: str
    problem: Vqe
    budget: int
    longer: int | None = None
    bound: float = CHEMICAL_ACCURACY


class Course(NamedTuple):
    """What each seed spent and reached, look by look; shots rise by a hundredth at least from look to look."""

    shots: list[Floats]  # of each seed, (S,)
    error: list[Floats]  # of each seed, (S,) of the answer, were the walk to end there
    outcome: list[str]  # of each seed, why it ended
    budget: int  # shots of a seed
    seconds: float  # of processor time, of all seeds together

    @property
    def final(self) -> Floats:
        """Errors at the end, (B,)."""
        return np.array([error[-1] for error in self.error])

    def until(self, shots: int) -> Course:
        """As it was when so much was spent, the first evaluation at least."""
        ends = [max(1, int(np.searchsorted(spent, shots, side="right"))) for spent in self.shots]
        spent, error = ([column[:end] for column, end in zip(part, ends, strict=True)] for part in (self.shots, self.error))
        return self._replace(shots=spent, error=error, budget=min(shots, self.budget))

    def at(self, shots: float) -> Floats:
        """Errors when so much was spent, (B,); NaN where the first evaluation was not paid for by then."""
        places = [int(np.searchsorted(spent, shots, side="right")) - 1 for spent in self.shots]
        return np.array([error[place] if place >= 0 else np.nan for error, place in zip(self.error, places, strict=True)])


def descend(case: Case, method: Method, seeds: Sequence[int], budget: int | None = None) -> Course:
    """The walks of all seeds, as one batch."""
    began, problem = time.process_time(), case.problem
    landscape = cast(VqeLandscape, problem.open(torch.device("cpu"), torch.float64))
    rng = Stream(0, torch.tensor(seeds, dtype=torch.int64))
    budget = budget or case.budget
    rules = Rules(budget=Budget(shots=budget), reserve=problem.final_shots(landscape))
    position = begin(method, landscape, problem.start(landscape, rng.named("start")), rng.named("walk"), rules)
    looks = _Looks(method, landscape, len(seeds))
    looks.at(position, _SPACING)
    for frame in walk(method, landscape, position, rng.named("walk"), range(1, _MOST_STEPS), rules):
        position = frame.position
        looks.at(position, _SPACING)
    looks.at(position, 1.0)
    shots, error = ([np.array(column) for column in columns] for columns in (looks.shots, looks.error))
    return Course(shots, error, _sentences(method, landscape, position), budget, time.process_time() - began)


class _Looks:
    """The noiseless errors along a walk, each seed's where it has spent enough since its last."""

    def __init__(self, method: Method, landscape: VqeLandscape, seeds: int) -> None:
        self.method, self.landscape = method, landscape
        self.shots: list[list[float]] = [[] for _ in range(seeds)]
        self.error: list[list[float]] = [[] for _ in range(seeds)]
        self.last = np.full(seeds, -1, dtype=np.int64)

    def at(self, position: Position, spacing: float) -> None:
        """Look where more was spent than ever, and so many times as much as at the last look."""
        spent = position.spent.shots.numpy()
        due = np.flatnonzero((spent > self.last) & (spent >= spacing * self.last))
        if len(due) == 0:
            return
        answer = self.method.answer(position.state)[torch.from_numpy(due)]
        energy = self.landscape.expectation(self.landscape.observable, answer) - self.landscape.reference.exact_energy
        for seed, error in zip(due.tolist(), energy.tolist(), strict=True):
            self.shots[seed].append(float(spent[seed]))
            self.error[seed].append(error)
        self.last[due] = spent[due]


def _sentences(method: Method, landscape: VqeLandscape, position: Position) -> list[str]:
    """Why each seed ended, as the result of a job says it."""
    words = [Outcome(code).sentence for code in position.outcome.tolist()]
    remarks = method.remarks(landscape, position.state)
    return [f"{why}; {remark}" if remark else why for why, remark in zip(words, remarks, strict=True)]


class Floors(NamedTuple):
    """What no method can undercut."""

    circuit: float  # Ha: error of the best angles that exact descents find
    spread: float  # Ha: error of one energy measured there, times the root of its shots


def floors(case: Case, starts: Sequence[int]) -> Floors:
    """By exact L-BFGS from the starts of some seeds, and a measurement of the energy where the best of them ends."""
    exact = replace(case.problem, estimator=replace(case.problem.estimator, shots=0))
    landscape = cast(VqeLandscape, exact.open(torch.device("cpu"), torch.float64))
    rng = Stream(0, torch.tensor(starts, dtype=torch.int64))
    position = begin(Lbfgs(), landscape, exact.start(landscape, rng.named("start")), rng.named("walk"))
    for frame in walk(Lbfgs(), landscape, position, rng.named("walk"), range(1, _EXACT_STEPS)):
        position = frame.position
    best = position.state.seen.value.argmin()
    noisy = cast(VqeLandscape, case.problem.open(torch.device("cpu"), torch.float64)).allocated("measured")
    seen = noisy.measure(position.state.x[best][None], Stream.of(0, 1), _MANY)
    error = float(position.state.seen.value[best]) - landscape.reference.exact_energy
    return Floors(error, math.sqrt(float(seen.value_var[0]) * float(seen.cost.shots[0])))


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
    hit_by: int  # shots by which it was to hit
    stay: Figure  # shots
    stayed: int  # seeds
    seeds: int
    final: Figure  # Ha, error at the end
    end: int  # shots by which it was to stay, and where the error at the end was looked at


def score(course: Course, bound: float, end: int) -> Score:
    """Medians over seeds, with intervals by bootstrap; of a course that goes on beyond the end only the hits count there."""
    ended = course.until(end)
    hits, stays = (
        np.array([getattr(reached(spent, error, bound), what) for spent, error in zip(part.shots, part.error, strict=True)])
        for part, what in ((course, "hit"), (ended, "stay"))
    )
    stayed = int(np.isfinite(stays).sum())
    return Score(median(hits), course.budget, median(stays), stayed, len(stays), median(ended.final), ended.budget)


def median(values: Floats) -> Figure:
    """The median and the 2.5 and 97.5 % points of medians of resampled seeds. Of an even number it is the upper of the two
    in the middle: where half the seeds never got there, neither did their median."""
    middle = len(values) // 2
    draws = np.random.default_rng(0).integers(0, len(values), (_DRAWS, len(values)))
    resampled = np.sort(np.sort(values[draws], axis=1)[:, middle])
    low, high = (float(resampled[int(part * _DRAWS)]) for part in (0.025, 0.975))
    return Figure(float(np.sort(values)[middle]), low, high)
