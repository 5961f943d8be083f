"""Figures of descents: median error and interquartile band against shots, beside what no method can undercut.

Of an even number of seeds a line is the mean of the two in the middle, as quantiles usually are; tables have the upper of the
two (`descents.median`), so that they say "never" where half the seeds never got there. The two may differ by that much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.descents import Case, Course, Floors

_POINTS = 300

# Okabe & Ito, Color Universal Design (2008): told apart by everybody
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c6d31", "#7f7f7f", "#9467bd")

Style = tuple[str, str]
"""Colour and line."""

_LEAST = 2e-2
"""mHa, where the axis ends: below it nobody asks."""


def draw(case: Case, panels: Mapping[str, Mapping[str, Course]], floors: Floors | None = None, end: int | None = None) -> Figure:
    """A panel for every family of methods, on the same axes. A textbook form has the colour of its better form, dashed; a
    thin line where all are compared, if some go on beyond it."""
    shown = {name: courses for name, courses in panels.items() if courses}
    figure = Figure(figsize=(1.6 + 4.9 * len(shown), 5.0), layout="constrained")
    figure.suptitle(case.name, fontsize=13, fontweight="bold")
    styles = _styles([method for courses in shown.values() for method in courses])
    low, high = _range(shown, case)
    spent = [column for courses in shown.values() for course in courses.values() for column in course.shots]
    left, right = min(column[0] for column in spent), max(end or case.budget, *(column[-1] for column in spent))
    for number, (name, courses) in enumerate(shown.items()):
        ax = figure.add_subplot(1, len(shown), number + 1, sharex=figure.axes[0] if number else None)
        _panel(ax, name, courses, styles)
        if right > 1.1 * (end or case.budget):
            ax.axvline(end or case.budget, color="0.8", linewidth=1.0)
        ax.set(xlim=(left, right), ylim=(low, high))
        _limits(ax, case, floors)
        _legend(ax, courses)
        ax.set_ylabel("" if number else "true error of the answer, mHa")
    return figure


def _panel(ax: Axes, name: str, courses: Mapping[str, Course], styles: Mapping[str, Style]) -> None:
    ax.set(xscale="log", yscale="log", xlabel="shots of a seed, everything charged")
    ax.set_title(name, fontsize=10, color="0.25", loc="left")
    for method, course in courses.items():
        grid = np.geomspace(min(spent[0] for spent in course.shots), max(spent[-1] for spent in course.shots), _POINTS)
        errors = 1e3 * np.array([course.at(shots) for shots in grid])
        low, middle, high = np.quantile(np.maximum(errors, 1e-9), [0.25, 0.5, 0.75], axis=1)
        colour, dashes = styles[method]
        ax.fill_between(grid, low, high, color=colour, alpha=0.14, linewidth=0)
        ax.plot(grid, middle, color=colour, linestyle=dashes, linewidth=1.8, label=method.replace("_", " "))
    ax.grid(which="major", color="0.92", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(which="both", color="0.6", labelsize=9)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color("0.6")


def _legend(ax: Axes, courses: Mapping[str, Course]) -> None:
    seeds = max(len(course.shots) for course in courses.values())
    title = f"median and quartiles of {seeds} seeds"
    ax.legend(loc="lower left", fontsize=8.5, title=title, title_fontsize=8, framealpha=0.85, edgecolor="none")


def _limits(ax: Axes, case: Case, floors: Floors | None) -> None:
    """The error to get under, one standard error of an energy for which all shots were spent, and the circuit's own error."""
    ax.axhline(1e3 * case.bound, color="0.15", linewidth=1.0, linestyle=(0, (6, 3)))
    _say(ax, 1e3 * case.bound, f"{1e3 * case.bound:g} mHa")
    if floors is None:
        return
    shots = np.array(ax.get_xlim())
    ax.plot(shots, 1e3 * floors.spread / np.sqrt(shots), color="0.5", linewidth=1.0, linestyle=":", label="1 σ of one energy")
    if 1e3 * floors.circuit > ax.get_ylim()[0]:
        ax.axhline(1e3 * floors.circuit, color="0.5", linewidth=1.0, linestyle="-.")
        _say(ax, 1e3 * floors.circuit, "the circuit's best")


def _say(ax: Axes, height: float, words: str) -> None:
    """On a line, at the left, where no curve has come down yet."""
    ax.text(0.01, height, words, transform=ax.get_yaxis_transform(), ha="left", va="bottom", fontsize=8, color="0.35")


def _styles(methods: Sequence[str]) -> dict[str, Style]:
    """Colour and line of each; the three that have textbook forms come first."""
    families = dict.fromkeys([*_FIRST, *(method.removeprefix(_TEXTBOOK) for method in methods)])
    colours = dict(zip(families, cycle(_COLOURS), strict=False))
    return {
        method: (colours[method.removeprefix(_TEXTBOOK)], "--" if method.startswith(_TEXTBOOK) else "-") for method in methods
    }


_TEXTBOOK = "textbook_"
_FIRST = ("adam", "lbfgs", "natural_gradient")


def _range(panels: Mapping[str, Mapping[str, Course]], case: Case) -> tuple[float, float]:
    """mHa: from a little under the lowest end, and far enough under the bound, to a little over the highest look."""
    courses = [course for some in panels.values() for course in some.values()]
    lowest = min(float(np.quantile(course.final, 0.25)) for course in courses)
    highest = max(float(np.quantile(np.concatenate(course.error), 0.98)) for course in courses)
    return max(_LEAST, 0.5e3 * min(lowest, case.bound / 10)), 2e3 * max(highest, case.bound)
