"""Numbers as a physicist writes them: the error with two digits, the value to the same place, a prefix on the unit.

A number without an error is exact and keeps seven digits. The minus sign is U+2212, digits are grouped by thin spaces.
"""

from __future__ import annotations

import math
from typing import NamedTuple

_PREFIXES = {-24: "y", -21: "z", -18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_PREFIXED = frozenset({"J", "m", "s", "T", "eV", "Hz", "V", "N"})  # units written with a prefix where the number asks for it
_NAMES = {"hartree": "Ha", "Eh": "Ha", "1": ""}
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_GROUP = "\u2009"
_TINY = 1e-300  # nothing that is measured has an error below
_ROUNDING = 1e-15  # of a number; an error below is that of its own last digit
_EXACT_DIGITS = 7  # arbitrary; the artifacts hold them all


class Quantity(NamedTuple):
    """A number ready to print."""

    value: str
    error: str = ""  # empty where the number is exact
    unit: str = ""
    power: str = ""  # "× 10⁻¹²" where value and error share one

    @property
    def number(self) -> str:
        """The number without its unit."""
        pair = f"{self.value} ± {self.error}" if self.error else self.value
        return (f"({pair}) {self.power}" if self.error else f"{pair} {self.power}") if self.power else pair

    def __str__(self) -> str:
        return f"{self.number} {self.unit}".strip()


def quantity(
    value: float, error: float = 0.0, unit: str = "", exponent: int | None = None, digits: int = _EXACT_DIGITS
) -> Quantity:
    """A value with its standard error and unit, rounded together.

    Args:
        value: the number, in `unit`.
        error: its standard error in the same unit; 0 or NaN where there is none.
        unit: SI base units get a prefix that keeps the number readable.
        exponent: power of ten of the prefix to use whatever the number, such as -3 for errors in mHa.
        digits: significant digits of a number without an error.
    """
    unit = symbol(unit)
    if not math.isfinite(value):
        return Quantity(plain(value))
    if exponent is None:
        exponent = prefix(max(abs(value), abs(error) if math.isfinite(error) else 0.0), unit)
    value, error, unit = value / 10.0**exponent, error / 10.0**exponent, _PREFIXES[exponent] + unit
    if not max(_TINY, _ROUNDING * abs(value)) < error < math.inf:
        return Quantity(plain(value, digits), unit=unit)
    return _together(value, error, unit)


def symbol(unit: str) -> str:
    """A unit as it is printed: "hartree" -> "Ha"."""
    return _NAMES.get(unit, unit)


def prefixed(size: float, unit: str) -> tuple[float, str]:
    """A divisor that brings numbers of this size into a readable range, and the unit that goes with it: (1e-18, "aJ")."""
    exponent = prefix(size, unit)
    return 10.0**exponent, _PREFIXES[exponent] + symbol(unit)


def prefix(size: float, unit: str) -> int:
    """The power of ten of the prefix that goes with numbers of this size; 0 for units that take none."""
    return _exponent(abs(size)) if symbol(unit) in _PREFIXED and math.isfinite(size) else 0


def plain(value: float, digits: int = _EXACT_DIGITS) -> str:
    """A number without an error, to so many significant digits, trailing zeros dropped."""
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    power = int(exponent)
    if power < -5 or power > 11:
        return f"{signed(mantissa.rstrip('0').rstrip('.'))} × 10{superscript(power)}"
    text = f"{value:.{max(0, digits - 1 - power)}f}"
    return grouped(text.rstrip("0").rstrip(".") if "." in text else text)


def count(value: float) -> str:
    """A number of things, grouped by thin spaces."""
    return grouped(f"{value:.0f}") if abs(value) < 1e15 else plain(value)


def superscript(power: int) -> str:
    """An exponent: -18 -> '⁻¹⁸'."""
    return str(power).translate(_SUPERSCRIPTS)


def signed(text: str) -> str:
    """The same number with a minus sign instead of a hyphen."""
    return text.replace("-", "−")


def grouped(text: str) -> str:
    """Thin spaces between groups of three digits before the point, from five digits on."""
    whole, point, rest = text.partition(".")
    digits = whole.lstrip("-")
    if len(digits) > 4:
        head = len(digits) % 3
        digits = _GROUP.join(part for part in (digits[:head], *(digits[i : i + 3] for i in range(head, len(digits), 3))) if part)
    return signed(("-" if whole.startswith("-") else "") + digits + point + rest)


def _exponent(size: float) -> int:
    """The power of a prefix that brings a number into [1, 1000); none where it is readable as it is."""
    if size == 0 or 1e-2 <= size < 1e4:
        return 0
    return min(max(3 * math.floor(math.log10(size) / 3), min(_PREFIXES)), max(_PREFIXES))


def _together(value: float, error: float, unit: str) -> Quantity:
    """Value and error to the place of the error's second digit."""
    place = _place(error)
    power = math.floor(math.log10(max(abs(value), error)))
    if power and (place < -9 or place > 5):
        scaled = _together(value / 10.0**power, error / 10.0**power, unit)
        return scaled._replace(power=f"× 10{superscript(power)}")
    text, its_error = (grouped(f"{round(number, -place) + 0.0:.{max(0, -place)}f}") for number in (value, error))
    return Quantity(text, its_error, unit)


def _place(error: float) -> int:
    """Power of ten of the second significant digit, after rounding: 0.0996 becomes 0.10, so -2."""
    return int(f"{error:.1e}".split("e")[1]) - 1
