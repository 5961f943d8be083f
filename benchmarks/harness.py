"""Two ways of doing one thing, timed in turn in one process on one core: A B A B …, medians, warm-up left out.

Taking turns means that both see the same machine: what else runs on it slows both alike. CPU time is what the process
burnt, and hardly depends on the neighbours; wall time does.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

SHORTEST = 0.02
"""Seconds that one timing takes at least: a shorter call is repeated until it does, so that clocks are fine enough."""


class Row(NamedTuple):
    """A line of the table. `ratio` > 1 means that ours is better, whatever the figure."""

    benchmark: str
    case: str
    figure: str
    unit: str
    ours: float
    peer: str
    peer_value: float
    ratio: float


@dataclass(frozen=True)
class Effort:
    """How much work a benchmark may do.

    Args:
        repeats: timings of each of a pair.
        samples: looks that a statistical figure is made from.
        small: whether to leave out the larger sizes.
    """

    repeats: int
    samples: int
    small: bool


QUICK = Effort(repeats=3, samples=12, small=True)
FULL = Effort(repeats=9, samples=60, small=False)


class Seconds(NamedTuple):
    """What one call took."""

    wall: float
    cpu: float


def race(
    benchmark: str,
    case: str,
    peer: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    repeats: int,
    work: float = 1.0,
    unit: str = "s",
    threads: int = 1,
) -> Iterator[Row]:
    """CPU and wall time of a call, ours and the peer's in turn.

    Args:
        work: units of work in a call; where it is not 1, the figure is a rate, work per second, in `unit`.
        threads: how many this process has; processor time is that of all together.
    """
    loops = [_loops(call) for call in (ours, theirs)]  # also the warm-up
    timings: tuple[list[Seconds], list[Seconds]] = ([], [])
    for _ in range(repeats):
        for call, count, seen in zip((ours, theirs), loops, timings, strict=True):
            seen.append(clock(call, count))
    for clock_name in ("cpu", "wall"):
        a, b = (statistics.median(getattr(seconds, clock_name) for seconds in seen) for seen in timings)
        name, threaded = "CPU" if clock_name == "cpu" else "wall", "1 thread" if threads == 1 else f"{threads} threads"
        if unit == "s":
            yield row(benchmark, case, f"{name} time, {threaded}", unit, a, peer, b, larger_is_better=False)
        else:
            yield row(benchmark, case, f"rate by {name} time, {threaded}", unit, work / a, peer, work / b, larger_is_better=True)


def row(
    benchmark: str, case: str, figure: str, unit: str, ours: float, peer: str, peer_value: float, larger_is_better: bool
) -> Row:
    """A line with its ratio the right way up."""
    better, worse = (ours, peer_value) if larger_is_better else (peer_value, ours)
    return Row(benchmark, case, figure, unit, ours, peer, peer_value, better / worse if worse else math.nan)


def clock(call: Callable[[], object], loops: int) -> Seconds:
    """Mean seconds of a call over so many in a row."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(loops):
        call()
    return Seconds((time.perf_counter() - wall) / loops, (time.process_time() - cpu) / loops)


def _loops(call: Callable[[], object]) -> int:
    call()
    return max(1, math.ceil(SHORTEST / max(clock(call, 1).wall, 1e-7)))
