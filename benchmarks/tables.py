"""Rows as a table for a terminal, for a README, and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.harness import Row

_SCALES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def show(rows: Sequence[Row], console: Console) -> None:
    """The table on a terminal."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("case", "figure"):
        table.add_column(name)
    for name in ("ours", "peer's"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("peer")
    table.add_column("ratio", justify="right", no_wrap=True)
    for item in rows:
        style = "green" if item.ratio > 1.05 else "red" if item.ratio < 0.95 else ""
        table.add_row(item.case, item.figure, *_pair(item), item.peer, f"[{style}]{ratio(item)}[/]" if style else ratio(item))
    console.print(table)


def markdown(rows: Sequence[Row]) -> str:
    """The table for a README."""
    lines = ["| benchmark | case | figure | ours | peer's | peer | ratio |", "|---|---|---|--:|--:|---|--:|"]
    for item in rows:
        cells = (item.benchmark, item.case, item.figure, *_pair(item), item.peer, ratio(item))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def as_json(rows: Sequence[Row]) -> str:
    """A list of objects; what is not a number is null."""
    return json.dumps([{name: _number(value) for name, value in item._asdict().items()} for item in rows], indent=2) + "\n"


def ratio(item: Row) -> str:
    """How many times better ours is, two digits: "2.4×"."""
    return f"{three(item.ratio, 2)}×" if math.isfinite(item.ratio) else "–"


def three(value: float, digits: int = 3) -> str:
    """A number to so many significant digits, without an exponent where it is readable without."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "–"
    power = math.floor(math.log10(abs(value)))
    if not -4 <= power <= 6:
        return f"{value:.{digits - 1}e}"
    return f"{round(value, digits - 1 - power):.{max(0, digits - 1 - power)}f}"


def _pair(item: Row) -> tuple[str, str]:
    """Both numbers in one unit that suits the smaller."""
    if item.unit != "s":
        return f"{three(item.ours)} {item.unit}", f"{three(item.peer_value)} {item.unit}"
    smaller = min(item.ours, item.peer_value)
    scale, unit = next(((scale, unit) for scale, unit in _SCALES if smaller >= scale), _SCALES[-1])
    return f"{three(item.ours / scale)} {unit}", f"{three(item.peer_value / scale)} {unit}"


def _number(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
