"""What the arrays of a job hold, read without pickle and forgiving about what is missing.

Shapes: S steps kept, B replicas or chains, E the event shape of one point.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg.report.record import Record, has

Array = NDArray[np.float64]


class Trace(NamedTuple):
    """The walk step by step."""

    step: Array  # (S,)
    value: Array  # (S, B) in the result's unit; NaN where not known
    value_var: Array  # (S, B) of one look
    gradient_norm: Array  # (S, B)
    acceptance: Array  # (S, B)
    shots: Array  # (S, B) spent so far, as all costs
    circuits: Array  # (S, B)
    gradients: Array  # (S, B)
    evaluations: Array  # (S, B)


class Final(NamedTuple):
    """Where the walk ended, replica by replica."""

    x: Array  # (B, *E)
    start: Array  # (B, *E)
    value: Array  # (B,)
    value_var: Array  # (B,)
    stopped_at: Array  # (B,)
    observables: Mapping[str, Array]  # (B,) each


class Summary(NamedTuple):
    """One coordinate of a sampled density."""

    name: str
    mean: float
    sd: float
    mcse: float
    ess_bulk: float
    ess_tail: float
    rhat: float


def trace_of(record: Record) -> Trace | None:
    """The trace, or None where the job kept none or made no step."""
    held = _npz(record, "trace.npz")
    value = held.get("value")
    if value is None or value.ndim != 2 or value.size == 0:
        return None
    steps = held.get("step", np.arange(1.0, len(value) + 1))
    unknown = np.full(value.shape, np.nan)
    return Trace(steps, *(held.get(name, unknown) for name in Trace._fields[1:]))


def final_of(record: Record) -> Final | None:
    """The end of the walk, or None where the job kept none."""
    held = _npz(record, "final.npz")
    if "x" not in held:
        return None
    rows = np.full(len(held["x"]), np.nan)
    observables = {name.removeprefix("observable."): column for name, column in held.items() if name.startswith("observable.")}
    return Final(
        held["x"],
        held.get("start", np.full_like(held["x"], np.nan)),
        held.get("value", rows),
        held.get("value_var", rows),
        held.get("stopped_at", rows),
        observables,
    )


def draws_of(record: Record) -> Array | None:
    """The draws, coordinates in a row: (S, B, D); None where there are none."""
    if not has(record, "draws.npy"):
        return None
    draws = np.load(io.BytesIO(record.read("draws.npy")), allow_pickle=False)
    if draws.ndim < 2 or draws.size == 0:
        return None
    return np.asarray(draws, dtype=np.float64).reshape(*draws.shape[:2], -1)


def summaries_of(record: Record) -> list[Summary]:
    """The coordinates' summaries in their own order; empty where the job kept none."""
    if not has(record, "summary.json"):
        return []
    rows = json.loads(record.read("summary.json"))
    return [Summary(str(row["name"]), *(_number(row.get(name)) for name in Summary._fields[1:])) for row in rows]


def worst_first(summaries: list[Summary]) -> list[int]:
    """Places of the summaries, the least trustworthy first: what is not a number, then by R̂, then by effective size."""

    def trust(place: int) -> tuple[bool, float, float]:
        row = summaries[place]
        size = min(row.ess_bulk, row.ess_tail)
        lost = math.isnan(row.rhat) or math.isnan(size)
        return (not lost, -round(row.rhat, 2) if not lost else 0.0, size if not lost else 0.0)

    return sorted(range(len(summaries)), key=trust)


def _npz(record: Record, name: str) -> dict[str, Array]:
    if not has(record, name):
        return {}
    with np.load(io.BytesIO(record.read(name)), allow_pickle=False) as held:
        return {key: held[key].astype(np.float64) for key in held.files if held[key].dtype.kind in "fiub"}


def _number(entry: object) -> float:
    return float(entry) if isinstance(entry, (int, float)) else math.nan
