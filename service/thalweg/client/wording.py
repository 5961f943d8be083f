"""Numbers in the words of the laboratory: an error to two digits, the value to the same place."""

from __future__ import annotations

import math
from collections.abc import Mapping

from thalweg.v1 import jobs_pb2, results_pb2

EXACT_DIGITS = 7  # arbitrary; the artifacts hold them all
ERROR_DIGITS = 4  # of an error that has none itself; arbitrary, the artifacts hold them all
_ROUNDING = 1e-15  # of a number; an error below is that of its own last digit
_DEAREST = ("shots", "gradients", "evaluations", "circuits")


def measured(value: float, error: float = 0.0, unit: str = "", digits: int = EXACT_DIGITS) -> str:
    """A value ± its standard error, "-1.1362 ± 0.0015 Ha"; without error so many digits, of a pure number six at most.

    Powers of ten are drawn out where the number is below 1e-3 or above 1e6: "(-4.312 ± 0.021)e-18 J".
    """
    behind = f" {unit}" if unit else ""
    if math.isnan(value):
        return "unknown"
    if not math.isfinite(value) or error <= _ROUNDING * abs(value):
        return f"{value:.{digits if unit else min(digits, 6)}g}{behind}"
    if not math.isfinite(error):
        return f"{value:.6g} ± ?{behind}"
    return f"{_both(value, error)}{behind}"


def observed(name: str, one: results_pb2.Observable) -> str:
    """An observable by its name: of an "energy_error" that is known exactly fewer digits tell."""
    return measured(one.value, one.standard_error, one.unit, ERROR_DIGITS if name.endswith("_error") else EXACT_DIGITS)


def _both(value: float, error: float) -> str:
    size = max(abs(value), float(f"{error:.1e}"))
    power = math.floor(math.log10(size)) if size < 1e-3 or size >= 1e6 else 0
    # f"{error:.1e}" rounds to two digits first: 0.0996 is 0.10, one place higher than it looks
    place = int(f"{error:.1e}".partition("e")[2]) - 1 - power
    shown_value, shown_error = (_to_place(number / 10.0**power, place) for number in (value, error))
    return f"({shown_value} ± {shown_error})e{power:+03d}" if power else f"{shown_value} ± {shown_error}"


def _to_place(number: float, place: int) -> str:
    return f"{round(number, -place) + 0.0:.{max(0, -place)}f}"  # + 0.0: no minus before nothing


def spent(cost: Mapping[str, float], replicas: int = 1) -> str:
    """What all replicas spent, the dearest first: "240,000 shots, 3,840 circuits by 4 replicas together, 12.3 s"."""
    names = (*(name for name in _DEAREST if name in cost), *sorted(set(cost).difference(_DEAREST, ("seconds",))))
    counts = ", ".join(f"{cost[name]:,.0f} {name}" for name in names if cost[name])
    together = f" by {replicas} replicas together" if counts and replicas > 1 else ""
    return ", ".join(filter(None, (f"{counts}{together}", f"{cost['seconds']:.1f} s" if "seconds" in cost else "")))


def progress_line(progress: jobs_pb2.Progress, replicas: int = 1) -> str:
    """Where a job is, in one line: "walk step 30/60, energy -1.1362 ± 0.0015 Ha, 120,000 shots by 4 replicas together"."""
    return ", ".join(filter(None, [steps_done(progress), *standing(progress), spent(progress.cost, replicas)]))


def steps_done(progress: jobs_pb2.Progress) -> str:
    steps = f"/{progress.steps:,}" if progress.steps else ""
    return f"{progress.phase} step {progress.step:,}{steps}".strip()


def standing(progress: jobs_pb2.Progress) -> list[str]:
    """The energy, its median over replicas, and the diagnostics that are known so far."""
    known = progress.step and not math.isnan(progress.value)
    value = f"energy {measured(progress.value, progress.standard_error, progress.unit)}" if known else ""
    rhat = f"R\u0302 {progress.rhat:.3f}" if progress.HasField("rhat") else ""
    return list(filter(None, [value, rhat]))


def fraction_done(progress: jobs_pb2.Progress) -> float | None:
    """0 to 1, None where it cannot be told."""
    if progress.HasField("fraction"):
        return min(max(progress.fraction, 0.0), 1.0)
    return min(progress.step / progress.steps, 1.0) if progress.steps else None
