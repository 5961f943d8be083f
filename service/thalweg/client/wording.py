"""Numbers in the words of the laboratory: an error to two digits, the value to the same place."""

from __future__ import annotations

import math
from collections.abc import Mapping

from thalweg.v1 import jobs_pb2


def measured(value: float, error: float = 0.0, unit: str = "") -> str:
    """A value ± its standard error, "-1.1362 ± 0.0015 Ha"; without error, ten digits, of a pure number six.

    Powers of ten are drawn out where the number is below 1e-3 or above 1e6: "(-4.312 ± 0.021)e-18 J".
    """
    behind = f" {unit}" if unit else ""
    if math.isnan(value):
        return "unknown"
    if not math.isfinite(value) or error == 0:
        return f"{value:.10g}{behind}" if unit else f"{value:.6g}"
    if not math.isfinite(error):
        return f"{value:.6g} ± ?{behind}"
    return f"{_both(value, error)}{behind}"


def _both(value: float, error: float) -> str:
    size = max(abs(value), error)
    power = math.floor(math.log10(size)) if size < 1e-3 or size >= 1e6 else 0
    # f"{error:.1e}" rounds to two digits first: 0.0996 is 0.10, one place higher than it looks
    place = int(f"{error:.1e}".partition("e")[2]) - 1 - power
    shown_value, shown_error = (_to_place(number / 10.0**power, place) for number in (value, error))
    return f"({shown_value} ± {shown_error})e{power:+03d}" if power else f"{shown_value} ± {shown_error}"


def _to_place(number: float, place: int) -> str:
    return f"{round(number, -place):.{max(0, -place)}f}"


def spent(cost: Mapping[str, float]) -> str:
    """What was spent: "240,000 shots, 3,840 circuits, 12.3 s"."""
    counts = [f"{number:,.0f} {name}" for name, number in sorted(cost.items()) if name != "seconds" and number]
    return ", ".join(counts + ([f"{cost['seconds']:.1f} s"] if "seconds" in cost else []))


def progress_line(progress: jobs_pb2.Progress) -> str:
    """Where a job is, in one line: "walk 30/60, -1.1362 ± 0.0015 Ha, 120,000 shots"."""
    return ", ".join(filter(None, [steps_done(progress), *standing(progress), spent(progress.cost)]))


def steps_done(progress: jobs_pb2.Progress) -> str:
    steps = f"/{progress.steps:,}" if progress.steps else ""
    return f"{progress.phase} {progress.step:,}{steps}".strip()


def standing(progress: jobs_pb2.Progress) -> list[str]:
    """The value and the diagnostics that are known so far."""
    known = progress.step and not math.isnan(progress.value)
    value = measured(progress.value, progress.standard_error, progress.unit) if known else ""
    rhat = f"R\u0302 {progress.rhat:.3f}" if progress.HasField("rhat") else ""
    return list(filter(None, [value, rhat]))


def fraction_done(progress: jobs_pb2.Progress) -> float | None:
    """0 to 1, None where it cannot be told."""
    if progress.HasField("fraction"):
        return min(max(progress.fraction, 0.0), 1.0)
    return min(progress.step / progress.steps, 1.0) if progress.steps else None
