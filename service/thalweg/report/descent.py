"""Figures of a walk to a minimum: the energy, its error where the truth is known, and the gradient, against what was spent."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes

from thalweg.report import style
from thalweg.report.arrays import Array, Final, Trace
from thalweg.report.course import Course, counted, course_of, early, medians
from thalweg.report.rounding import plain, prefixed
from thalweg.report.style import DATA, INK, MUTED, TRUTH, Label, Picture
from thalweg.v1 import jobs_pb2

CHEMICAL_ACCURACY = 1.6e-3
"""Hartree: 1 kcal/mol, the error below which a reaction's rate is predicted to about a factor of five at 300 K."""

_BINS_PER_DECADE = 8  # arbitrary: a bin holds enough looks to see through the noise, and the curve keeps its shape
_Panel = Callable[[Axes], None]


def descent(job: jobs_pb2.Job, trace: Trace, final: Final | None, torque: bool = False) -> Picture | None:
    """The walk down, or None where nothing in the trace is a number. torque: the gradient is the torque of a magnet."""
    course = course_of(trace, final)
    exact = exact_energy(job)
    drawn: list[tuple[str, _Panel]] = []
    if np.isfinite(course.value).any():
        drawn.append(("the energy", lambda ax: _energy(ax, course, job, exact)))
        if exact is not None:
            drawn.append(("its error", lambda ax: _error(ax, course, job, exact, final)))
    if np.nanmax(course.norm, initial=0) > 0 and (exact is None or not course.noisy):
        drawn.append(("the torque" if torque else "the gradient", lambda ax: _norm(ax, course, job, torque)))
    if not drawn:
        return None
    fig, axes = style.panels(3.1, [1.0] * len(drawn), space=0.52 if len(drawn) < 3 else 0.72, right=0.88)
    for (_, draw), ax in zip(drawn, axes, strict=True):
        draw(ax)
    words = [name for name, _ in drawn]
    shown = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return Picture("descent", fig, _caption(course, exact), f"{shown[0].upper()}{shown[1:]} against {course.kind} spent.")


def exact_energy(job: jobs_pb2.Job) -> float | None:
    """The reference energy, where the job knows it."""
    found = job.result.observables
    return found["exact_energy"].value if "exact_energy" in found and math.isfinite(found["exact_energy"].value) else None


def in_hartree(unit: str) -> bool:
    return unit in ("hartree", "Ha", "Eh")


def _energy(ax: Axes, course: Course, job: jobs_pb2.Job, exact: float | None) -> None:
    divisor, unit = prefixed(float(np.nanmax(np.abs(course.value))), job.result.unit)
    value, settled, sigma = (column / divisor for column in (course.value, course.settled, course.sigma))
    style.heading(ax, "Energy", unit)
    cost = _cost_axis(ax, course, early(course.middle_cost, medians(settled)))
    middle = medians(settled)
    labels = _whose(value, _last(middle))
    if course.noisy:
        spread = medians(sigma)
        ax.fill_between(medians(cost), middle - spread, middle + spread, color=DATA, alpha=0.14, linewidth=0)
    _curves(ax, cost, value, middle)
    if exact is not None:
        truth = exact / divisor
        ax.axhline(truth, color=TRUTH, linewidth=1.1)
        labels.append(Label(truth, "exact", TRUTH))
    style.linear_ticks(ax, "y")
    style.label_right(ax, labels)


def _error(ax: Axes, course: Course, job: jobs_pb2.Job, exact: float, final: Final | None) -> None:
    chemical = in_hartree(job.result.unit)
    scale, unit = (1e-3, "mHa") if chemical else (1.0, job.result.unit)
    style.heading(ax, "Energy above the exact", unit)
    cost = _cost_axis(ax, course, logarithmic=bool((course.middle_cost > 0).all()))
    error, sigma = (course.value - exact) / scale, course.sigma / scale
    labels = []
    if course.noisy:
        _binned(ax, cost, error, sigma)
        noise = medians(sigma)
        ax.plot(medians(cost), noise, color=MUTED, linewidth=0.9, linestyle=(0, (4, 2)))
        labels.append(Label(_last(noise), "1σ of\none look", MUTED))
    else:
        settled = medians((course.settled - exact) / scale)
        _curves(ax, cost, np.where(error > 0, error, np.nan), np.where(settled > 0, settled, np.nan))
        labels += _whose(error, _last(np.clip(settled, 1e-300, None)))
    if course.noisy and final is not None and (true := final.observables.get("energy_error")) is not None:
        labels += _ends(ax, cost, np.abs(true) / scale)
    style.log_ticks(ax, "y")
    if chemical:
        low, high = ax.get_ylim()
        low, high = min(low, 0.5), max(high, 5.0)
        ax.set_ylim(low, high)
        ax.axhspan(low, CHEMICAL_ACCURACY / scale, color=TRUTH, alpha=0.12, linewidth=0)
        labels.append(Label(math.sqrt(low * CHEMICAL_ACCURACY / scale), "chemical\naccuracy", TRUTH))
    style.log_ticks(ax, "y")
    style.label_right(ax, labels)


def _ends(ax: Axes, cost: Array, true: Array) -> list[Label]:
    """The noiseless errors of the final points, as diamonds at the cost where each replica ended."""
    known = true > 0
    if not known.any() or true.shape != cost.shape[1:]:
        return []
    ax.plot(
        np.nanmax(cost, axis=0)[known],
        true[known],
        "D",
        color=INK,
        markersize=4,
        alpha=0.75,
        markeredgewidth=0,
        clip_on=False,
        zorder=5,
    )
    return [Label(float(np.median(true[known])), "true error\nat the end", INK)]


def _binned(ax: Axes, cost: Array, error: Array, sigma: Array) -> None:
    """Means over all looks in bins of cost: noise averages out, and a triangle marks two standard errors where it did not."""
    known = np.isfinite(error) & (cost > 0)
    if not known.any():
        return
    x, y, s = cost[known], error[known], sigma[known]
    bins = np.round(np.log10(x) * _BINS_PER_DECADE).astype(int)
    rows = []
    for place in np.unique(bins):
        inside = bins == place
        rows.append((np.exp(np.log(x[inside]).mean()), y[inside].mean(), math.sqrt((s[inside] ** 2).sum()) / inside.sum()))
    at, mean, bar = np.array(rows).T
    seen = mean > bar
    ax.plot(x[y > 0], y[y > 0], ".", color=DATA, markersize=3.5, alpha=0.22, markeredgewidth=0, rasterized=x.size > 4000)
    ax.plot(at[seen], mean[seen], color=DATA, linewidth=1.8)
    ax.errorbar(at[seen], mean[seen], yerr=bar[seen], fmt="o", color=DATA, markersize=3.5, linewidth=1.0)
    limit = np.clip(mean + 2 * bar, 1e-300, None)[~seen]
    ax.plot(
        at[~seen][limit > 1e-300],
        limit[limit > 1e-300],
        "v",
        color=DATA,
        markersize=5,
        markerfacecolor="none",
        markeredgewidth=1.0,
    )


def _norm(ax: Axes, course: Course, job: jobs_pb2.Job, torque: bool) -> None:
    style.heading(ax, "Largest torque |m × h|" if torque else "Largest slope", "" if torque else _slope_unit(job))
    settled = medians(course.settled_norm)
    cost = _cost_axis(ax, course, early(course.middle_cost, medians(course.settled)))
    _curves(ax, cost, course.norm, settled)
    style.log_ticks(ax, "y")
    labels = _whose(course.norm, _last(settled))
    stop = job.spec.plan.stop
    bound = stop.max_torque if torque and stop.HasField("max_torque") else stop.gradient_norm
    if bound > 0:
        ax.axhline(bound, color=TRUTH, linewidth=1.1)
        labels.append(Label(bound, f"stop at {plain(bound)}", TRUTH))
        style.log_ticks(ax, "y")
    style.label_right(ax, labels)


def _slope_unit(job: jobs_pb2.Job) -> str:
    unit = prefixed(1.0, job.result.unit)[1]
    return f"{unit}/rad" if job.spec.problem.HasField("vqe") else unit and f"{unit} per unit of x"


def _cost_axis(ax: Axes, course: Course, logarithmic: bool) -> Array:
    """Names the horizontal axis, sets its range and returns the costs as they are drawn, (S, B)."""
    largest = float(np.nanmax(course.cost, initial=0.0))
    scale, word = (1.0, "") if logarithmic else counted(largest)
    cost = np.array(course.cost, dtype=float) / scale
    share = " of a replica" if cost.shape[1] > 1 else ""
    style.across(ax, f"{word}{course.kind}{share}")
    if logarithmic:
        least = float(np.min(cost[cost > 0], initial=1.0 if not (cost > 0).any() else math.inf))
        ax.set_xlim(least, max(largest, 1.5 * least))
        style.log_ticks(ax, "x")
        return np.where(cost > 0, cost, least)
    ax.set_xlim(0, largest / scale or 1.0)
    style.linear_ticks(ax, "x")
    return cost


def _curves(ax: Axes, cost: Array, rows: Array, middle: Array) -> None:
    """Every replica thin, their median bold."""
    replicas = rows.shape[1]
    dots = "o" if len(rows) < 3 else ""
    if replicas > 1:
        ax.plot(cost, rows, color=DATA, linewidth=0.7, alpha=max(0.12, 0.7 / math.sqrt(replicas)), marker=dots, markersize=3)
    ax.plot(medians(cost), middle, color=DATA, linewidth=1.8, marker=dots, markersize=4, solid_capstyle="round")


def _last(curve: Array) -> float:
    known = curve[np.isfinite(curve)]
    return float(known[-1]) if known.size else math.nan


def _whose(rows: Array, height: float) -> list[Label]:
    """The bold line's label; a lone replica needs none."""
    return [Label(height, f"median of\n{rows.shape[1]} replicas", DATA)] if rows.shape[1] > 1 else []


def _caption(course: Course, exact: float | None) -> str:
    replicas = course.value.shape[1]
    parts = ["Thin lines are replicas, the bold line their median." if replicas > 1 else "The walk of the one replica."]
    if course.noisy:
        parts.append("The band is ±1σ of one look, the noise of a single measurement.")
    if course.noisy and exact is not None:
        parts.append(
            "In the error, dots are single looks, circles their means over all replicas in an interval of cost with the standard "
            "error; a hollow triangle marks mean + 2σ where the mean does not stand out of the noise; diamonds are the noiseless "
            "errors of the final points."
        )
    return " ".join(parts)
