"""Numbers as a physicist writes them, against what a physicist would write."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.report.rounding import count, plain, prefixed, quantity


@pytest.mark.parametrize(
    ("value", "error", "unit", "written"),
    [
        (-1.13572, 0.00213, "Ha", "−1.1357 ± 0.0021 Ha"),
        (-1.13572, 0.00213, "hartree", "−1.1357 ± 0.0021 Ha"),
        (1.0, 0.0996, "", "1.00 ± 0.10"),  # the error's second digit moves by the rounding itself
        (1.0, 0.0994, "", "1.000 ± 0.099"),
        (12345.6, 78.0, "", "12\u2009346 ± 78"),
        (1234567.0, 33333.0, "", "1\u2009235\u2009000 ± 33\u2009000"),
        (1.234e-8, 3e-11, "m", "12.340 ± 0.030 nm"),
        (-3.2e-18, 1e-21, "J", "−3.2000 ± 0.0010 aJ"),
        (0.0, 2e-3, "m", "0.0 ± 2.0 mm"),
        (-1e-5, 2e-3, "m", "0.0 ± 2.0 mm"),  # no minus before nothing
        (1e-12, 1e-14, "x", "(1.000 ± 0.010) × 10⁻¹² x"),
        (-1.137306036, 0.0, "Ha", "−1.137306 Ha"),
        (-1.137306036, 5e-9, "Ha", "−1.1373060360 ± 0.0000000050 Ha"),
        (100.0, 1e-9, "", "(1.000000000000 ± 0.000000000010) × 10²"),
        (-1.137306036, 1e-16, "Ha", "−1.137306 Ha"),  # the last bit of a number is no error
        (0.5, math.nan, "", "0.5"),
        (math.nan, 1.0, "Ha", "not a number"),
        (-math.inf, 0.0, "", "−∞"),
        (1e-7, 0.0, "", "1 × 10⁻⁷"),
        (0.0, 0.0, "J", "0 J"),
    ],
)
def test_value_and_error_are_rounded_together(value: float, error: float, unit: str, written: str):
    assert str(quantity(value, error, unit)) == written


def test_a_prefix_can_be_asked_for():
    assert str(quantity(0.00152, 0.0001, "Ha", exponent=-3)) == "1.52 ± 0.10 mHa"


@given(st.floats(-1e6, 1e6), st.floats(1e-8, 1e4))
def test_what_is_written_lies_within_a_twentieth_of_the_error(value: float, error: float):
    written = quantity(value, error)
    number, spread = (float(re.sub(r"\s", "", text).replace("−", "-")) for text in (written.value, written.error))
    if written.power:
        number, spread = number * 10.0 ** _power(written.power), spread * 10.0 ** _power(written.power)
    slack = 1e-9 * (abs(value) + error)
    assert abs(spread - error) <= 0.0501 * error + slack  # two digits: at most half of the second
    assert abs(number - value) <= 0.0501 * error + slack


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e30, max_value=1e30))
def test_a_plain_number_reads_back_to_seven_digits(value: float):
    text = re.sub(r"\s", "", plain(value)).replace("−", "-")
    mantissa, _, power = text.partition("×")
    read = float(mantissa) * 10.0 ** (_power(power) if power else 0)
    assert abs(read - value) <= 5.1e-7 * abs(value) + 1e-300


@given(st.floats(1e-23, 1e14))
def test_a_prefix_brings_lengths_into_reach(length: float):
    divisor, unit = prefixed(length, "m")
    assert unit.endswith("m") and 1e-2 <= length / divisor < 1e4


def test_counts_are_grouped_by_thin_spaces():
    assert count(78_000_000.0) == "78\u2009000\u2009000"
    assert count(1234.0) == "1234"


def _power(text: str) -> int:
    digits = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    return int(text.rpartition("10")[2].translate(digits))
