"""Figures of draws: the least trustworthy coordinates in full, and every coordinate with its intervals.

Rank plots after Vehtari, Gelman, Simpson, Carpenter, Bürkner, Bayesian Analysis 16 (2021) 667.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from thalweg.report import style
from thalweg.report.arrays import Array, Summary, Trace, worst_first
from thalweg.report.course import kept
from thalweg.report.style import DATA, INK, MUTED, Picture

WORST = 3
"""Coordinates shown in full."""
MOST_ROWS = 40
"""Coordinates in the forest: more would not fit a page."""

_CHAINS = 8  # traces drawn in one panel; more would hide each other
_GROUPS = 8  # groups of chains in a rank plot
_RANK_BINS = 20
_LAGS = 60


def worst_coordinates(draws: Array, summaries: list[Summary]) -> Picture:
    """Trace, marginal, ranks and autocorrelation of the worst coordinates; draws (S, B, D)."""
    order = worst_first(summaries) if len(summaries) == draws.shape[2] else list(range(draws.shape[2]))
    shown = order[:WORST]
    height = 0.55 + 1.45 * len(shown)
    fig = style.figure(height)
    grid = fig.add_gridspec(
        len(shown), 4, width_ratios=[2.3, 0.55, 1.15, 1.0], wspace=0.34, hspace=0.62,
        left=style.MARGIN, right=0.985, bottom=0.45 / height, top=1 - 0.36 / height,
    )  # fmt: skip
    for row, place in enumerate(shown):
        axes = [style.plain_axes(fig.add_subplot(grid[row, column])) for column in range(4)]
        summary = summaries[place] if len(summaries) == draws.shape[2] else None
        _row(axes, draws[:, :, place], summary.name if summary else f"x[{place}]", summary, row == 0, row == len(shown) - 1)
    caption = _caption(draws.shape[1], len(shown))
    names = ", ".join(summaries[place].name if len(summaries) == draws.shape[2] else f"x[{place}]" for place in shown)
    return Picture("worst-coordinates", fig, caption, f"Trace, marginal, rank histogram and autocorrelation of {names}.")


def forest(draws: Array, summaries: list[Summary]) -> Picture | None:
    """Mean, central half and central nine tenths of each coordinate; None where there is only one."""
    dimension = draws.shape[2]
    if dimension < 2:
        return None
    named = len(summaries) == dimension
    places = list(range(dimension)) if dimension <= MOST_ROWS or not named else sorted(worst_first(summaries)[:MOST_ROWS])
    places = places[:MOST_ROWS]
    rows = draws[:, :, places].reshape(-1, len(places))
    rows = rows[np.isfinite(rows).all(axis=1)]
    if len(rows) == 0:
        return None
    low, lower, upper, high = np.quantile(rows, [0.05, 0.25, 0.75, 0.95], axis=0)
    height = 0.85 + 0.185 * len(places)
    fig = style.figure(height)
    names = [summaries[place].name if named else f"x[{place}]" for place in places]
    left = min(0.04 + 0.0088 * max(map(len, names)), 0.4)
    ax = style.plain_axes(fig.add_axes((left, 0.42 / height, 0.965 - left, 1 - 0.8 / height)))
    at = np.arange(len(places))[::-1]
    ax.axvline(0, color=MUTED, linewidth=0.6)
    ax.hlines(at, low, high, color=DATA, linewidth=1.0, alpha=0.55)
    ax.hlines(at, lower, upper, color=DATA, linewidth=3.2)
    ax.plot(rows.mean(axis=0), at, "o", color=style.INK, markersize=3.6, markeredgewidth=0)
    ax.set_yticks(at, names)
    ax.tick_params(axis="y", length=0, labelcolor=INK, labelsize=8)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(-0.7, len(places) - 0.3)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", color=style.HAIR, linewidth=0.5)
    style.linear_ticks(ax, "x", 7)
    title = "Every coordinate" if len(places) == dimension else f"The {len(places)} worst of {dimension} coordinates"
    fig.text(0.001, 1 - 0.22 / height, title, color=INK, fontsize=9.5, fontweight="bold", va="center")
    caption = "Dot: mean over all draws. Thick and thin bar: central 50 % and 90 %."
    return Picture("coordinates", fig, caption, "Mean and central intervals of each coordinate.")


def plane(draws: Array, summaries: list[Summary]) -> Picture | None:
    """The joint density of the draws of a two-dimensional landscape; None otherwise."""
    if draws.shape[2] != 2:
        return None
    rows = draws.reshape(-1, 2)
    rows = rows[np.isfinite(rows).all(axis=1)]
    if len(rows) < 16:
        return None
    names = [row.name for row in summaries] if len(summaries) == 2 else ["x[0]", "x[1]"]
    fig, (ax,) = style.panels(3.4, [1.0])
    ax.set_position((style.MARGIN, 0.15, 0.5, 0.72))
    bins = int(min(80, max(12, math.sqrt(len(rows)) / 2)))
    counts, x, y = np.histogram2d(rows[:, 0], rows[:, 1], bins=bins)
    share = np.sqrt(np.clip(counts.T / np.quantile(counts[counts > 0], 0.995), 0, 1))  # a stuck chain must not bleach the rest
    colour = np.array([int(DATA[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    rgba = np.concatenate([np.broadcast_to(colour, (*share.shape, 3)), share[..., None]], axis=-1)
    ax.imshow(rgba, origin="lower", extent=(x[0], x[-1], y[0], y[-1]), aspect="auto", interpolation="nearest")
    ax.grid(visible=False)
    style.heading(ax, names[1])
    style.across(ax, names[0])
    style.linear_ticks(ax, "x")
    style.linear_ticks(ax, "y")
    return Picture(
        "plane", fig, "All draws; the ink is as the square root of the density.", "Histogram of the draws in the plane."
    )


def energies(trace: Trace, unit: str) -> Picture | None:
    """Energy and acceptance of the chains over the draws, or None where neither moves."""
    trace = Trace(*(column[trace.step > 0] for column in trace)) if trace.step[-1] > 0 else trace  # the start moved nowhere
    known = [
        (name, rows, where)
        for name, rows, where in (("Energy", trace.value, unit), ("Acceptance", trace.acceptance, ""))
        if np.isfinite(rows).any() and np.ptp(rows[np.isfinite(rows)]) > 0
    ]
    if not known:
        return None
    fig, axes = style.panels(2.2, [1.0] * len(known), space=0.24, right=0.985)
    for ax, (name, rows, where) in zip(axes, known, strict=True):
        style.heading(ax, name, where)
        _few_traces(ax, trace.step, rows)
        ax.set_xlim(trace.step[0], max(trace.step[-1], trace.step[0] + 1))
        style.across(ax, "step")
        style.linear_ticks(ax, "x")
        style.linear_ticks(ax, "y", 4)
    chains = trace.value.shape[1]
    return Picture(
        "energy",
        fig,
        f"{min(chains, _CHAINS)} of {chains} chains, thin; their mean bold.",
        "Energy and acceptance of the chains.",
    )


def _row(axes: list[Axes], draws: Array, name: str, summary: Summary | None, first: bool, last: bool) -> None:
    trace, marginal, ranks, echo = axes
    steps = np.arange(1, len(draws) + 1, dtype=float)
    style.heading(trace, name)
    if summary is not None:
        trace.set_title(_verdict(summary), loc="right", color=MUTED, fontsize=8, pad=9)
    _few_traces(trace, steps, draws, mean=False)
    finite = draws[np.isfinite(draws)]
    low, high = np.quantile(finite, [0.0005, 0.9995]) if finite.size else (0.0, 1.0)
    margin = 0.06 * (high - low) or 0.5
    trace.set_xlim(0.5, len(draws) + 0.5)
    trace.set_ylim(low - margin, high + margin)
    style.linear_ticks(trace, "x")
    style.linear_ticks(trace, "y", 4)
    _marginal(marginal, finite, (low - margin, high + margin))
    _ranks(ranks, draws, min(summary.ess_bulk, draws.size) if summary and summary.ess_bulk > 0 else draws.size)
    _echo(echo, draws)
    for ax, title, foot in zip(axes, ("", "marginal", "ranks", "autocorrelation"), ("draw", "", "rank", "lag"), strict=True):
        if first and title:
            ax.set_title(title, loc="left", color=MUTED, fontsize=8, pad=9)
        if last and foot:
            style.across(ax, foot)
        ax.tick_params(labelbottom=last)


def _few_traces(ax: Axes, steps: Array, rows: Array, mean: bool = True) -> None:
    keep = kept(steps)
    keep = keep[:: max(1, len(keep) // 500)]
    few = rows[:, np.linspace(0, rows.shape[1] - 1, min(rows.shape[1], _CHAINS)).round().astype(int)]
    alpha = max(0.3, 0.85 / math.sqrt(few.shape[1]))
    ax.plot(steps[keep], few[keep], color=DATA, linewidth=0.6, alpha=alpha, marker="o" if len(keep) < 3 else "", markersize=3)
    if mean and rows.shape[1] > 1:
        with np.errstate(invalid="ignore"):
            middle = np.where(np.isfinite(rows), rows, 0).sum(axis=1) / np.maximum(np.isfinite(rows).sum(axis=1), 1)
        ax.plot(steps[keep], middle[keep], color=INK, linewidth=1.2)


def _marginal(ax: Axes, finite: Array, limits: tuple[float, float]) -> None:
    ax.set_ylim(*limits)
    ax.set_xticks([])
    ax.tick_params(labelleft=False, length=0)
    ax.spines["bottom"].set_visible(False)
    if finite.size < 2:
        return
    bins = int(np.clip(2 * finite.size ** (1 / 3), 8, 60))  # Rice's rule
    density, edges = np.histogram(finite, bins=bins, range=limits, density=True)
    ax.fill_betweenx(edges, np.append(density, density[-1]), step="post", color=DATA, alpha=0.25, linewidth=0)
    ax.plot(np.append(density, density[-1]), edges, color=DATA, linewidth=1.1, drawstyle="steps-pre")
    ax.plot([0, density.max() * 0.9], [finite.mean()] * 2, color=INK, linewidth=1.0)
    ax.set_xlim(0, density.max() * 1.06 or 1.0)


def _groups(chains: int) -> int:
    return min(chains, _GROUPS)


def _ranks(ax: Axes, draws: Array, effective: float) -> None:
    """Rank histograms of groups of chains, relative to uniform, with the band of ±2σ for so many effective draws."""
    ax.set_xticks([0, 1], ["lowest", "highest"])
    lowest, highest = ax.get_xticklabels()
    lowest.set_horizontalalignment("left")
    highest.set_horizontalalignment("right")
    if not np.isfinite(draws).all():
        draws = draws[np.isfinite(draws).all(axis=1)]
    if len(draws) < 4:
        ax.text(0.5, 0.5, "too few draws", transform=ax.transAxes, color=MUTED, fontsize=8, ha="center")
        ax.set_yticks([])
        return
    if draws.shape[1] == 1:  # a lone chain: its quarters stand for chains
        draws = draws[: len(draws) // 4 * 4].reshape(4, -1).T
    rank: Array = np.empty(draws.shape)
    rank.flat[np.argsort(draws, axis=None, kind="stable")] = (np.arange(draws.size) + 0.5) / draws.size
    groups = np.array_split(np.arange(draws.shape[1]), _groups(draws.shape[1]))
    bins = int(np.clip(draws.size // len(groups) // 10, 4, _RANK_BINS))
    band = 2 * math.sqrt((bins - 1) * len(groups) / max(effective, 1.0))
    ax.axhspan(1 - band, 1 + band, color=MUTED, alpha=0.14, linewidth=0)
    edges = np.linspace(0, 1, bins + 1)
    lines = []
    for group in groups:
        height = np.histogram(rank[:, group], bins=edges)[0] * bins / (rank.shape[0] * len(group))
        lines.append(np.column_stack([(edges[1:] + edges[:-1]) / 2, height]))
    ax.add_collection(LineCollection(lines, colors=DATA, linewidths=0.8, alpha=0.6))
    worst = max(np.abs(line[:, 1] - 1).max() for line in lines)
    reach = 1.25 * max(worst, band)
    ax.set_xlim(0, 1)
    ax.set_ylim(max(0.0, 1 - reach), 1 + reach)
    style.linear_ticks(ax, "y", 3)


def _echo(ax: Axes, draws: Array) -> None:
    """Autocorrelation of the draws, mean over chains, with the band of ±2σ of white noise."""
    series = draws[:, np.isfinite(draws).all(axis=0)]
    lags = min(_LAGS, len(draws) - 1)
    if series.shape[1] == 0 or lags < 2:
        ax.set_axis_off()
        return
    centred = series - series.mean(axis=0)
    size = 1 << (2 * len(centred) - 1).bit_length()
    power = np.abs(np.fft.rfft(centred, n=size, axis=0)) ** 2
    covariance = np.fft.irfft(power, n=size, axis=0)[: lags + 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        echo = np.nanmean(covariance / covariance[0], axis=1) if (covariance[0] > 0).any() else np.zeros(lags + 1)
    band = 2 / math.sqrt(series.size)
    ax.axhspan(-band, band, color=MUTED, alpha=0.2, linewidth=0)
    ax.vlines(np.arange(lags + 1), 0, echo, color=DATA, linewidth=1.3)
    ax.axhline(0, color=MUTED, linewidth=0.6)
    ax.set_xlim(-0.8, lags + 0.8)
    ax.set_ylim(min(-0.12, float(echo.min()) * 1.1), 1.05)
    style.linear_ticks(ax, "x", 3)
    style.linear_ticks(ax, "y", 3)


def _verdict(row: Summary) -> str:
    return f"R\u0302 {row.rhat:.3f} · ESS {row.ess_bulk:.0f} bulk, {row.ess_tail:.0f} tail"


def _caption(chains: int, coordinates: int) -> str:
    if chains == 1:
        return "The chain's draws, their marginal, the ranks of its quarters among all draws, and the autocorrelation."
    which = "The coordinates that mixed worst" if coordinates > 1 else "The coordinate"
    return (
        f"{which}. Left to right: the draws of {min(chains, _CHAINS)} of {chains} chains; their marginal; the ranks of "
        f"{_groups(chains)} groups of chains among all draws, flat within the band (±2σ for the effective size) if all "
        "explore the same density; the autocorrelation, mean over chains."
    )
