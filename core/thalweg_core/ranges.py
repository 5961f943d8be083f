"""Numbers in their ranges: the checks that fields share, and the sentences they fail with."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence

from thalweg_core.errors import BadInput


def positive(field: str, number: float) -> None:
    """Raises BadInput unless the number is finite and above zero."""
    if not (number > 0 and math.isfinite(number)):
        raise BadInput(field, f"wanted a positive number, got {number}")


def not_negative(field: str, number: float) -> None:
    """Raises BadInput unless the number is finite and at least zero."""
    if not (number >= 0 and math.isfinite(number)):
        raise BadInput(field, f"wanted zero or a positive number, got {number}")


def no_more_than(field: str, number: float, most: float) -> None:
    """Raises BadInput unless the number is finite, and its size at most so much."""
    if not abs(number) <= most:
        raise BadInput(field, f"wanted a number from {-most:g} to {most:g}, got {number:g}")


def fraction(field: str, number: float) -> None:
    """Raises BadInput unless the number lies strictly between 0 and 1."""
    if not 0 < number < 1:
        raise BadInput(field, f"wanted a number between 0 and 1, both excluded, got {number}")


def inside(field: str, number: float, low: float, high: float) -> None:
    """Raises BadInput unless the number lies strictly between the two."""
    if not low < number < high:
        raise BadInput(field, f"wanted a number between {low:g} and {high:g}, both excluded, got {number}")


def between(field: str, number: float, low: float, high: float) -> None:
    """Raises BadInput unless the number lies between the two, or is one of them."""
    if not low <= number <= high:
        raise BadInput(field, f"wanted a number from {low:g} to {high:g}, got {number}")


def at_least(field: str, number: int, least: int) -> None:
    """Raises BadInput unless the number is a whole one, and not below the least."""
    if not isinstance(number, int) or number < least:
        raise BadInput(field, f"wanted a whole number of at least {least}, got {number}")


def whole_between(field: str, number: int, least: int, most: int) -> None:
    """Raises BadInput unless the number is a whole one from the least to the most."""
    if not isinstance(number, int) or not least <= number <= most:
        raise BadInput(field, f"wanted a whole number from {least} to {most}, got {number}")


def chosen(step_size: float | None) -> float:
    """The step size, once it is there: raises BadInput where neither the user nor a warm-up has set it."""
    if step_size is None:
        raise BadInput("step_size", "wanted a number before the first step, got none; give one, or let a warm-up find it")
    return step_size


def share(field: str, number: float) -> None:
    """Raises BadInput unless the number lies between 0 and 1, 0 allowed."""
    if not 0 <= number < 1:
        raise BadInput(field, f"wanted a number from 0 to below 1, got {number}")


def one_of(field: str, value: str, names: Sequence[str]) -> None:
    """Raises BadInput, with the nearest right name, unless the value is one of these names."""
    if value not in names:
        near = difflib.get_close_matches(value, names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise BadInput(field, f"wanted {' or '.join(repr(name) for name in names)}, got {value!r}{hint}")


def more_than_one(field: str, number: float) -> None:
    """Raises BadInput unless the number is finite and above one."""
    if not (number > 1 and math.isfinite(number)):
        raise BadInput(field, f"wanted a number above 1, got {number}")
