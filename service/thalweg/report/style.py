"""How figures look: two hues that every eye tells apart, thin spines, labels at the lines instead of legends.

Figures are drawn with matplotlib's objects, never with pyplot's global state. In HTML the colours become CSS variables, so
that one figure is right on light paper, on dark screens and in print, and the page's own font sets the words.
"""

from __future__ import annotations

import io
import itertools
import math
import re
from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from thalweg.report.rounding import signed, superscript

INK = "#1b2430"
MUTED = "#66727f"
HAIR = "#d9dfe5"
DATA = "#2166ac"
TRUTH = "#c4581a"
PALETTE = {INK: "ink", MUTED: "muted", HAIR: "hair", DATA: "data", TRUTH: "truth"}
"""Colours and the CSS variables that stand for them; blue and vermilion stay apart for every kind of colour blindness."""

WIDTH = 9.2
"""Width of a figure (inches): about the column of the page, so that 9 points look like small print."""

_FONT: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "svg.fonttype": "none",
    "svg.hashsalt": "thalweg",
    "path.simplify": True,
}
MARGIN = 0.058  # of the width, for the numbers on a vertical axis
_PNG_DPI = 170
_LINE = 0.135  # inches between lines of a label at 8 points, a hair of air included


class Picture(NamedTuple):
    """A figure with the words that go with it."""

    name: str  # of its file, without the ending
    figure: Figure
    caption: str
    alt: str  # what it shows, for those who cannot see it


class Label(NamedTuple):
    """Words that stand beside what they name, at a height in data units."""

    height: float
    text: str
    colour: str


def figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure on transparent paper, size in inches."""
    with mpl.rc_context(_FONT):
        return Figure(figsize=(width, height), facecolor="none")


def panels(height: float, widths: Sequence[float], space: float = 0.42, right: float = 0.93) -> tuple[Figure, list[Axes]]:
    """A figure with panels side by side, of these relative widths; `space` between them leaves room for labels."""
    fig = figure(height)
    bottom, top = 0.52 / height, 1 - 0.42 / height
    grid = fig.add_gridspec(1, len(widths), width_ratios=widths, wspace=space, left=MARGIN, right=right, bottom=bottom, top=top)
    return fig, [plain_axes(fig.add_subplot(cell)) for cell in (grid[i] for i in range(len(widths)))]


def plain_axes(ax: Axes) -> Axes:
    """Two thin spines, short ticks, faint horizontal lines."""
    ax.patch.set_alpha(0.0)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_linewidth(0.6)
        ax.spines[side].set_color(MUTED)
    ax.tick_params(length=3, width=0.6, color=MUTED, labelcolor=MUTED, labelsize=8)
    ax.grid(axis="y", color=HAIR, linewidth=0.5)
    ax.set_axisbelow(True)
    return ax


def heading(ax: Axes, text: str, unit: str = "") -> None:
    """What the vertical axis shows: above it and horizontal, from the left edge of its numbers on, where the eye starts."""
    ax.annotate(
        f"{text} ({unit})" if unit else text,
        (0, 1),
        (-MARGIN * WIDTH * 72 + 1, 9),
        xycoords="axes fraction",
        textcoords="offset points",
        color=INK,
        fontsize=9.5,
        fontweight="bold",
    )


def across(ax: Axes, text: str) -> None:
    """What the horizontal axis shows."""
    ax.set_xlabel(text, color=MUTED, fontsize=8.5, labelpad=5)


def label_right(ax: Axes, labels: Sequence[Label]) -> None:
    """Words at the right edge at the heights of what they name, pushed apart where they would overlap."""
    to_axes = ax.transData + ax.transAxes.inverted()
    x = ax.get_xlim()[1]
    placed = sorted(((float(to_axes.transform((x, item.height))[1]), item) for item in labels), key=lambda pair: pair[0])
    placed = [(min(max(y, 0.0), 1.0), item) for y, item in placed if math.isfinite(y)]
    inches = ax.get_figure().get_figheight() * ax.get_position().height  # type: ignore[union-attr]
    heights = [_LINE * (1 + item.text.count("\n")) / inches for _, item in placed]
    for (_, item), y in zip(placed, _apart([y for y, _ in placed], heights), strict=True):
        ax.text(
            1.03, y, item.text, transform=ax.transAxes, color=item.colour, fontsize=8, va="center", ha="left", linespacing=1.05
        )


def log_ticks(ax: Axes, axis: str) -> None:
    """A logarithmic axis with ticks such as 0.01, 1, 10, 10³."""
    getattr(ax, f"set_{axis}scale")("log", nonpositive="mask")
    low, high = sorted(getattr(ax, f"get_{axis}lim")())
    decades = math.log10(high) - math.log10(low) if low > 0 and math.isfinite(high) else 1.0
    target = getattr(ax, f"{axis}axis")
    target.set_major_locator(LogLocator(numticks=7) if decades >= 1.5 else LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
    target.set_major_formatter(FuncFormatter(lambda value, _: power_of_ten(value)))
    target.set_minor_formatter(NullFormatter())
    target.set_minor_locator(NullLocator())


def linear_ticks(ax: Axes, axis: str, most: int = 5) -> None:
    """A linear axis with few ticks, real minus signs and no offset in the corner."""
    target = getattr(ax, f"{axis}axis")
    target.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))
    target.set_major_formatter(_Plain(target))


def power_of_ten(value: float) -> str:
    """A tick of a logarithmic axis."""
    value = float(value)
    if not 1e-300 < value < math.inf:
        return ""
    power = math.floor(math.log10(value) + 1e-9)
    mantissa = value / 10.0**power
    if -3 <= power <= 3:
        return f"{value:g}"
    return f"10{superscript(power)}" if abs(mantissa - 1) < 1e-6 else f"{mantissa:g}·10{superscript(power)}"


def svg(picture: Picture, prefix: str) -> str:
    """The figure as an SVG element for the middle of a page; `prefix` keeps its names apart from other figures'."""
    buffer = io.StringIO()
    with mpl.rc_context(_FONT):
        FigureCanvasSVG(picture.figure)
        picture.figure.savefig(
            buffer, format="svg", facecolor="none", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href")
    text = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{prefix}-", text)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--sans)", text)
    for colour, name in PALETTE.items():
        text = text.replace(colour, f"var(--{name})")
    return re.sub(
        r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', rf'<svg \1 role="img" aria-label="{escape(picture.alt)}">', text, count=1
    ).strip()


def png(picture: Picture) -> bytes:
    """The figure as a PNG on white paper."""
    buffer = io.BytesIO()
    with mpl.rc_context(_FONT):
        FigureCanvasAgg(picture.figure)
        picture.figure.savefig(buffer, format="png", dpi=_PNG_DPI, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


class _Plain(FuncFormatter):
    """Ticks with just the decimals that tell them apart."""

    def __init__(self, axis: object) -> None:
        super().__init__(self._text)
        self._axis = axis

    def _text(self, value: float, _: int | None = None) -> str:
        ticks = [tick for tick in self._axis.get_majorticklocs() if math.isfinite(tick)]  # type: ignore[attr-defined]
        step = min((b - a for a, b in itertools.pairwise(ticks) if b > a), default=1.0)
        decimals = next((d for d in range(12) if abs(round(step, d) - step) < 1e-6 * step), 12)
        text = f"{value:.{decimals}f}"
        return signed(text if float(text) != 0 else text.lstrip("-"))


def _apart(centres: list[float], heights: list[float]) -> list[float]:
    """Sorted centres pushed up, then down again from the top, until boxes of these heights do not overlap."""
    up: list[float] = []
    for i, y in enumerate(centres):
        up.append(max(y, up[-1] + (heights[i - 1] + heights[i]) / 2) if up else y)
    out = up[:]
    for i in reversed(range(len(out))):
        ceiling = out[i + 1] - (heights[i] + heights[i + 1]) / 2 if i + 1 < len(out) else 1.02
        out[i] = min(out[i], ceiling)
    return out
