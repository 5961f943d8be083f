"""Descents without noise: how many looks our methods take, and the libraries that everybody knows, from the same starts.

A look is an energy with its gradient, and with the metric where the method uses one. Energies in the problem's unit. Whole
numbers of looks, and rounding, which soft valleys magnify after a hundred looks, decide a single start: so medians and sums.

L-BFGS beside SciPy's L-BFGS-B: looks until the energy is within ACCURACY of where the walk ends, and both end alike. A start
from which they end in different valleys is not compared, but counted. Natural gradient beside the textbook's form by each of
RATES, which takes the steps of PennyLane's QNGOptimizer, and beside that itself where it is installed and takes no hours: looks
until the error is under the case's bound, in at most MOST_QNG looks, which count where it was not reached.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks import peers
from benchmarks.descents import Case
from thalweg_core.descent.lbfgs.lbfgs import Lbfgs
from thalweg_core.descent.natural_gradient.natural_gradient import NaturalGradient
from thalweg_core.descent.natural_gradient.textbook_natural_gradient import TextbookNaturalGradient
from thalweg_core.method import Method
from thalweg_core.streams import Stream
from thalweg_core.walking.stopping import Stop
from thalweg_core.walking.walk import Rules, begin, walk
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.landscapes.circuit import VqeLandscape

Floats = NDArray[np.float64]

ACCURACY = 1e-4
"""Above the energy at the end."""

ALIKE = 1e-4
"""Ends that differ by less are the same valley; a soft one is left at slightly different places."""

GRADIENT, MOST = 1e-5, 2000
"""Where both stop: the norm of the gradient with us, its largest component with SciPy; and the most looks."""

RATES, MOST_QNG = (0.01, 0.1, 0.2, 0.3, 0.4), 100
"""Of PennyLane's optimizer: its default and some that are larger; and the most looks."""

QNG_STARTS, QNG_GATES = 3, 100
"""Starts that PennyLane is given, and gates above which its metric takes too long to wait for."""


class GroupEnergies(NamedTuple):
    """How many a method took from each start; infinite for more than `most`."""

    each: tuple[float, ...]
    most: int

    def __str__(self) -> str:
        """Median and sum, those that never arrived counted as `most`: "12.5 (190)", "> 100 (> 1430)"."""
        middle = float(np.median(self.each)) if self.each else math.nan
        total = sum(min(looks, self.most) for looks in self.each)
        less = "> " if any(map(math.isinf, self.each)) else ""
        return f"{f'> {self.most}' if math.isinf(middle) else f'{middle:g}'} ({less}{total:.0f})"


class Beside(NamedTuple):
    """A case by ours and by a peer, from the same starts."""

    case: str
    ours: str
    looks: GroupEnergies
    theirs: Mapping[str, GroupEnergies]  # by the peer's name, and its setting where it has one
    starts: int  # of which those are compared that both have looks for


def tables(cases: Mapping[str, Case], seeds: Sequence[int]) -> Iterator[Beside]:
    """Every case beside SciPy, then beside the textbook's form, then beside PennyLane where that is installed."""
    for case in cases.values():
        yield beside_scipy(case, seeds)
    for case in cases.values():
        yield beside_textbook(case, seeds)
    for case in cases.values() if find_spec("pennylane") else ():
        if (found := beside_pennylane(case, seeds[:QNG_STARTS])) is not None:
            yield found


def beside_scipy(case: Case, seeds: Sequence[int]) -> Beside:
    """Lbfgs and L-BFGS-B."""
    place, starts = _opened(case, seeds)
    ours = energies(Lbfgs(), place, starts, Stop(gradient_norm=GRADIENT), MOST)
    theirs = [_scipys(place, x) for x in starts]
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if abs(a[-1] - b[-1]) < ALIKE]
    goals = [max(a[-1], b[-1]) + ACCURACY for a, b in pairs]
    mine, other = (
        GroupEnergies(tuple(_first(run, goal) for run, goal in zip(runs, goals, strict=True)), MOST)
        for runs in ([a for a, _ in pairs], [b for _, b in pairs])
    )
    return Beside(case.name, "lbfgs", mine, {"SciPy L-BFGS-B": other}, len(seeds))


def beside_textbook(case: Case, seeds: Sequence[int]) -> Beside:
    """NaturalGradient, and the textbook's form by each rate."""
    place, starts = _opened(case, seeds)
    goal = place.reference.exact_energy + case.bound
    theirs = {f"textbook, rate {rate:g}": _until(TextbookNaturalGradient(rate), place, starts, goal) for rate in RATES}
    return Beside(case.name, "natural_gradient", _until(NaturalGradient(), place, starts, goal), theirs, len(seeds))


def beside_pennylane(case: Case, seeds: Sequence[int]) -> Beside | None:
    """NaturalGradient, and QNGOptimizer by each rate; None for a circuit of too many gates."""
    place, starts = _opened(case, seeds)
    if len(place.program.gates) > QNG_GATES:
        return None
    goal, theirs = place.reference.exact_energy + case.bound, {}
    for rate in RATES:
        looks = tuple(_first(_pennylanes(place, x, rate, goal), goal) for x in starts)
        theirs[f"PennyLane, rate {rate:g}"] = GroupEnergies(looks, MOST_QNG)
    return Beside(case.name, "natural_gradient", _until(NaturalGradient(), place, starts, goal), theirs, len(seeds))


def _until(method: Method, place: VqeLandscape, starts: torch.Tensor, goal: float) -> GroupEnergies:
    """From all starts at once."""
    runs = energies(method, place, starts, Stop(), MOST_QNG)
    return GroupEnergies(tuple(_first(run, goal) for run in runs), MOST_QNG)


def energies(method: Method, place: VqeLandscape, starts: torch.Tensor, stop: Stop, most: int) -> list[Floats]:
    """Where each walk stood after each of its looks, (S,) each."""
    rng, rules = Stream.of(0, len(starts)), Rules(stop)
    position = begin(method, place, starts, rng, rules)
    values = [position.state.seen.value.numpy().copy()]
    for frame in walk(method, place, position, rng, range(1, most), rules):
        position = frame.position
        values.append(position.state.seen.value.numpy().copy())
    return [np.array(column)[: int(looks)] for column, looks in zip(np.array(values).T, position.spent.gradients, strict=True)]


def _opened(case: Case, seeds: Sequence[int]) -> tuple[VqeLandscape, torch.Tensor]:
    problem = replace(case.problem, estimator=Estimator(shots=0))
    place = cast(VqeLandscape, problem.open(torch.device("cpu"), torch.float64))
    return place, problem.start(place, Stream(0, torch.tensor(seeds, dtype=torch.int64)).named("start"))


def _scipys(place: VqeLandscape, start: torch.Tensor) -> Floats:
    seen: list[float] = []

    def look(x: Floats) -> tuple[float, Floats]:
        value, slope = place.exact.gradients(torch.from_numpy(x)[None])
        seen.append(float(value))
        return float(value), slope[0].numpy()

    minimize(look, start.numpy(), jac=True, method="L-BFGS-B", options={"ftol": 0, "gtol": GRADIENT, "maxfun": MOST})
    return np.array(seen)


def _pennylanes(place: VqeLandscape, start: torch.Tensor, size: float, goal: float) -> Floats:
    """Until it is there."""
    step, x, seen = peers.pennylane_qng(place.program, place.observable, size), start.numpy(), [math.inf]
    while seen[-1] > goal and len(seen) <= MOST_QNG:
        energy, x = step(x)
        seen.append(energy)
    return np.array(seen[1:])


def _first(values: Floats, goal: float) -> float:
    """Looks until one was at the goal; infinite for never."""
    there = np.flatnonzero(values <= goal)
    return float(there[0]) + 1 if len(there) else math.inf


def markdown(found: Sequence[Beside]) -> str:
    """Tables for a page, one for each peer: medians, sums in parentheses."""
    tables: dict[tuple[str, ...], list[str]] = {}
    for row in found:
        head = ("", "starts", f"`{row.ours}`", *row.theirs)
        tables.setdefault(head, []).append(told(row))
    heads = {head: f"| {' | '.join(head)} |\n|---|{'--:|' * (len(head) - 1)}" for head in tables}
    return "\n".join("\n".join([heads[head], *rows, ""]) for head, rows in tables.items())


def told(row: Beside) -> str:
    """A line of it."""
    compared = len(row.looks.each)
    starts = f"{compared}" if compared == row.starts else f"{compared} of {row.starts}"
    return f"| {' | '.join([row.case, starts, str(row.looks), *map(str, row.theirs.values())])} |"
