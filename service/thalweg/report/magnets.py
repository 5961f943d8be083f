"""Figures of a magnet: the pictures before and after with the key to their colours, and a cut through the middle."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib.colors
import numpy as np
from matplotlib import image
from matplotlib.axes import Axes

from thalweg.report import style
from thalweg.report.arrays import Array, Final
from thalweg.report.record import Record, has
from thalweg.report.rounding import plain, prefixed
from thalweg.report.style import DATA, HAIR, INK, MUTED, Label, Picture

_NICE = (1.0, 2.0, 5.0, 10.0)
_KEY_PIXELS = 240


def pictures(record: Record, final: Final | None) -> Picture | None:
    """The magnetization before and after, or None where the job kept no pictures."""
    if not (has(record, "before.png") and has(record, "after.png")):
        return None
    grid = record.job.spec.problem.magnet.grid
    size = [n * edge for n, edge in zip(grid.cells, grid.cell_size, strict=False)]
    cut = _cut(final)
    fig = style.figure(height=3.25)
    grid_spec = fig.add_gridspec(1, 3, width_ratios=[1, 1, 1.05], wspace=0.14, left=0.001, right=0.93, bottom=0.16, top=0.88)
    for place, (name, title) in enumerate((("before.png", "Before"), ("after.png", "After"))):
        ax = fig.add_subplot(grid_spec[place])
        _show(ax, image.imread(io.BytesIO(record.read(name)), format="png"), title)
        if place == 0:
            _scale_bar(ax, size)
    right = grid_spec[2].subgridspec(2, 1, height_ratios=[1.25, 1], hspace=0.35) if cut is not None else None
    _key(fig.add_subplot(right[0] if right is not None else grid_spec[2]))
    if right is not None and cut is not None:
        _profile(style.plain_axes(fig.add_subplot(right[1])), cut, size)
    return Picture(
        "magnetization",
        fig,
        "Colour gives the direction of each spin as in the key: hue in the plane, white up, black down."
        + (" Below the key, m along a line through the middle at the end." if cut is not None else ""),
        "Two maps of the magnetization, at the start and at the end of the walk, with a colour wheel as their key.",
    )


def direction_colours(m: Array) -> Array:
    """Colours of unit vectors, (..., 3) -> RGB (..., 3) in [0, 1].

    Hue atan2(m_y, m_x), lightness (1 + m_z) / 2, full saturation.
    """
    hue = np.mod(np.arctan2(m[..., 1], m[..., 0]) / (2 * np.pi), 1.0)
    light = np.clip((1 + m[..., 2]) / 2, 0, 1)
    chroma = 1 - np.abs(2 * light - 1)  # HSL to HSV, for matplotlib's conversion
    value = light + chroma / 2
    saturation = np.divide(chroma, value, out=np.zeros_like(value), where=value > 0)
    return np.asarray(matplotlib.colors.hsv_to_rgb(np.stack([hue, saturation, value], axis=-1)))


def _show(ax: Axes, pixels: Array, title: str) -> None:
    ax.imshow(pixels, interpolation="none")  # the pixels of the file, whatever the medium
    ax.set_anchor("NW")
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color(HAIR)
        spine.set_linewidth(0.6)
    ax.set_title(title, loc="left", color=INK, fontsize=9.5, fontweight="bold", pad=6)


def _scale_bar(ax: Axes, size: Sequence[float]) -> None:
    """A bar of a round length, about a fifth of the picture's width, and what it measures."""
    if len(size) < 1 or not size[0] > 0:
        return
    target = size[0] / 4
    power = 10.0 ** np.floor(np.log10(target))
    length = max((nice * power for nice in _NICE if nice * power <= target * 1.001), default=power)
    divisor, unit = prefixed(length, "m")
    ax.plot(
        [0, length / size[0]],
        [-0.045, -0.045],
        transform=ax.transAxes,
        color=INK,
        linewidth=2,
        clip_on=False,
        solid_capstyle="butt",
    )
    ax.text(
        length / size[0] + 0.025,
        -0.047,
        f"{plain(length / divisor, 3)} {unit}",
        transform=ax.transAxes,
        color=MUTED,
        fontsize=8,
        va="center",
    )


def _key(ax: Axes) -> None:
    """The sphere of directions as a disc: up in the middle, the plane half-way, down at the rim."""
    u = np.linspace(-1, 1, _KEY_PIXELS)
    x, y = np.meshgrid(u, -u)
    radius = np.hypot(x, y)
    polar, turn = np.pi * np.minimum(radius, 1), np.arctan2(y, x)
    m = np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)], axis=-1)
    smooth = np.clip((1 - radius) * _KEY_PIXELS / 2, 0, 1)[..., None]
    ax.imshow(np.concatenate([direction_colours(m), smooth], axis=-1), extent=(-1, 1, -1, 1), interpolation="bilinear")
    ax.set_axis_off()
    ax.set_xlim(-1.3, 4.6)
    ax.set_ylim(-1.3, 1.3)
    ax.text(1.12, 0, "+x", color=MUTED, fontsize=8, ha="left", va="center")
    ax.text(0, 1.12, "+y", color=MUTED, fontsize=8, ha="center", va="bottom")
    for height, where, direction in ((0.55, "centre", "up"), (0.0, "half-way", "in the plane"), (-0.55, "rim", "down")):
        ax.text(2.0, height, where, color=MUTED, fontsize=8, va="center")
        ax.text(3.5, height, direction, color=INK, fontsize=8, va="center")


def _cut(final: Final | None) -> Array | None:
    """m of replica 0 along x through the middle of the grid at the end, (Nx, 3)."""
    if final is None or final.x.ndim < 4 or final.x.shape[-1] != 3 or final.x.shape[-2] < 4:
        return None
    m = final.x[0]
    while m.ndim > 2:
        m = m[len(m) // 2]
    return m if np.isfinite(m).all() else None


def _profile(ax: Axes, cut: Array, size: Sequence[float]) -> None:
    cells = len(cut)
    length, unit = (size[0], "m") if size else (float(cells), "cells")
    divisor, unit = prefixed(length, unit)
    along = ((np.arange(cells) + 0.5) / cells - 0.5) * length / divisor
    ax.axhline(0, color=MUTED, linewidth=0.6)
    ax.plot(along, cut[:, 2], color=INK, linewidth=1.6)
    ax.plot(along, cut[:, 0], color=DATA, linewidth=1.1)
    ax.set_xlim(along[0], along[-1])
    ax.set_ylim(-1.08, 1.08)
    ax.set_yticks([-1, 0, 1], ["−1", "0", "1"])
    style.linear_ticks(ax, "x", 4)
    style.across(ax, f"x from the middle ({unit})")
    style.label_right(ax, [Label(cut[-1, 2], "m_z", INK), Label(cut[-1, 0], "m_x", DATA)])
