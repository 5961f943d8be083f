"""The tables of a race, as README and docs have them, from the scores by case, then by method."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.descents import Case, Course, Figure, Score
from benchmarks.tables import three

Scores = Mapping[str, Mapping[str, Score]]
"""By case, then by method."""


def summary(scores: Scores, cases: Mapping[str, Case]) -> str:
    """Methods by cases: hits, and how many seeds stay; the error at the end where no method hits in the median."""
    methods = dict.fromkeys(method for some in scores.values() for method in some)
    lines = [_row(["", *(cases[name].name for name in scores)]), _row(["---", *["--:" for _ in scores]])]
    for method in methods:
        lines.append(_row([f"`{method}`", *(_brief(some, method) for some in scores.values())]))
    return "\n".join(lines) + "\n"


def by_case(scores: Scores, cases: Mapping[str, Case]) -> str:
    """A table for every case."""
    return "\n".join(_table(cases[name], some) for name, some in scores.items())


def endings(courses: Mapping[str, Mapping[str, Course]]) -> str:
    """Why the walks ended."""
    lines = [_row(["case", "method", "seeds", "why they ended"]), _row(["---", "---", "--:", "---"])]
    for name, some in courses.items():
        for method, course in some.items():
            for why, seeds in Counter(map(_rounded, course.outcome)).most_common():
                lines.append(_row([name, method, f"{seeds}", why]))
    return "\n".join(lines) + "\n"


def line(scored: Score) -> str:
    """One score, for a terminal."""
    hit, stay, end = _shots(scored.hit, scored.hit_by), _shots(scored.stay, scored.end), interval(scored.final, 1e3)
    return f"hit {hit}  stay {stay}  {scored.stayed}/{scored.seeds}  end {end} mHa"


def put(tables: Mapping[str, str], page: Path) -> list[str]:
    """Each table between its marks in a page, in place of what stands there: `<!-- table NAME -->` and `<!-- end -->`.
    Returns the names of those that have marks; where none has, the page is not touched."""
    text, filled = page.read_text(encoding="utf-8"), []
    for name, table in tables.items():
        mark = re.compile(rf"(<!-- table {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, times = mark.subn(partial(_filled, table), text)
        filled += [name] if times else []
    if filled:
        page.write_text(text, encoding="utf-8")
    return filled


def _filled(table: str, found: re.Match[str]) -> str:
    return f"{found[1]}\n{table}\n{found[2]}"


def _table(case: Case, some: Mapping[str, Score]) -> str:
    first, longest = next(iter(some.values())), max(scored.hit_by for scored in some.values())
    until = f"until {_round(first.end)} shots"
    if longest > first.end:
        until += f"; hits of the textbook's forms until {_round(longest)}"
    head = ["", "hit: shots", "stay: shots", "seeds that stay", "error at the end, mHa"]
    lines = [f"### {case.name}", "", f"Under {1e3 * case.bound:g} mHa, {until}.", ""]
    lines += [_row(head), _row(["---", *["--:" for _ in head[1:]]])]
    for method, scored in some.items():
        seeds = f"{scored.stayed} of {scored.seeds}"
        hit, stay = _shots(scored.hit, scored.hit_by), _shots(scored.stay, scored.end)
        lines.append(_row([f"`{method}`", hit, stay, seeds, interval(scored.final, 1e3)]))
    return "\n".join(lines) + "\n"


def _brief(some: Mapping[str, Score], method: str) -> str:
    if method not in some:
        return "–"
    scored = some[method]
    if not any(math.isfinite(other.hit.value) for other in some.values()):
        return f"{interval(scored.final, 1e3)} mHa"
    return f"{_shots(scored.hit, scored.hit_by)}; {scored.stayed}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _shots(figure: Figure, end: int) -> str:
    """A median of shots with its 95 % interval: "9.1e5 (7.0e5 … 1.2e6)"; beyond the end, where there is none: "> 3e7"."""
    return interval(figure, 1.0, f"> {_round(end)}")


def interval(figure: Figure, scale: float, never: str = "never") -> str:
    """A median with its 95 % interval."""
    value, low, high = (_number(scale * part) if math.isfinite(part) else never for part in figure)
    return value if value == low == high else f"{value} ({low} … {high})"


def _number(value: float) -> str:
    return f"{value:.1e}".replace("e+0", "e") if value >= 1000 else three(value, 2)


def _round(shots: int) -> str:
    """ "3e7" """
    return f"{shots:.2g}".replace("e+0", "e")


def _rounded(sentence: str) -> str:
    """Without the digits in which seeds differ, so that equal reasons can be counted."""
    return re.sub(r"\d+\.\d+(e[-+]?\d+)?|\d+e[-+]?\d+|\d{3,}|\d+(?= mHa)", "…", sentence)
