"""Figures of descents: median error and interquartile band against shots, one line a method."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from benchmarks.descents import Case, Course

_POINTS = 300


def draw(case: Case, courses: Mapping[str, Course], path: Path) -> None:
    """Write the figure of a case as PNG."""
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    ax = figure.add_subplot()
    colours = colormaps["tab10"]
    for number, (method, course) in enumerate(courses.items()):
        grid = np.geomspace(course.shots[0].max(), course.shots[-1].max(), _POINTS)
        errors = 1e3 * np.array([course.at(shots) for shots in grid])
        low, middle, high = np.quantile(errors, [0.25, 0.5, 0.75], axis=1)
        ax.fill_between(grid, low, high, color=colours(number % 10), alpha=0.18, linewidth=0)
        ax.plot(grid, middle, color=colours(number % 10), linewidth=1.6, label=method)
    ax.axhline(1e3 * case.bound, color="0.3", linewidth=0.9, linestyle="--")
    ax.set(xscale="log", yscale="log", xlabel="shots of a seed", ylabel="true error of the answer, mHa", title=case.name)
    ax.grid(which="major", color="0.9", linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8)
    seeds = next(iter(courses.values())).shots.shape[1] if courses else 0
    ax.text(0.01, 0.02, f"median and quartiles of {seeds} seeds", transform=ax.transAxes, fontsize=8, color="0.4")
    figure.savefig(path, dpi=150)
