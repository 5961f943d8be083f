"""What every field of a magnet is asked before it is believed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from thalweg_core.errors import BadInput


def three(field: str, values: Sequence[object], what: str) -> None:
    """Refuse what has not one entry for each axis."""
    if len(values) != 3:
        raise BadInput(field, f"wanted three {what}, along x, y and z, got {len(values)}")


def no_larger(field: str, value: float, most: float, unit: str) -> None:
    """Refuse numbers of a larger size, and what is not a number."""
    if not abs(value) <= most:
        raise BadInput(field, f"wanted {-most:g} to {most:g} {unit}, got {value:g}")


def within(field: str, value: float, least: float, most: float, unit: str) -> None:
    """Refuse numbers that are not from the least to the most."""
    if not least <= value <= most:
        raise BadInput(field, f"wanted {least:g} to {most:g} {unit}, got {value:g}")


def positive(field: str, value: float, unit: str) -> None:
    """Refuse what is not a finite number above zero."""
    if not (math.isfinite(value) and value > 0):
        raise BadInput(field, f"wanted a positive number of {unit}, got {value:g}")


def direction(field: str, values: Sequence[float]) -> None:
    """Refuse what points nowhere."""
    three(field, values, "components")
    if not all(math.isfinite(v) for v in values) or not any(values):
        raise BadInput(field, f"wanted a direction, three finite components that are not all zero, got {list(values)}")


def unit_vector(values: Sequence[float]) -> tuple[float, float, float]:
    """The direction with length 1."""
    largest = max(abs(v) for v in values)  # first to order 1: squares of 1e-200 vanish, of 1e200 overflow
    x, y, z = (v / largest for v in values)
    length = math.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length
