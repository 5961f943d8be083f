"""What is said of where a walk led: no more often than two standard errors allow."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from thalweg_core.arrival import COARSE, Ends, remark
from thalweg_core.streams import Stream


def ends(start: float, start_error: float, end: float, end_error: float) -> Ends:
    return Ends(*(torch.tensor([part], dtype=torch.float64) for part in (start, start_error**2, end, end_error**2)))


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (ends(-1.0, 0.03, -0.8, 0.04), "uphill"),  # by four of the difference's standard errors, 0.05
        (ends(-1.0, 0.03, -0.95, 0.04), "descent"),
        (ends(-1.0, 0.03, -1.05, 0.04), "descent"),
        (ends(-1.0, 0.03, -1.2, 0.04), ""),
        (ends(-1.0, 1.01 * COARSE * 0.04, -1.05, 0.04), ""),  # too coarse a first look says nothing
        (ends(-1.0, COARSE * 0.04, 1.0, 0.04), "uphill"),
        (ends(1.0, 0.0, 1.0 + 1e-5, 0.0), "uphill"),
        (ends(1.0, 0.0, 1.0 + 1e-12, 0.0), ""),
        (ends(1.0, 0.0, 1.0, 0.0), ""),
        (ends(math.nan, math.inf, -1.0, 0.04), ""),  # the start's energy was not looked at
    ],
)
def test_an_end_is_told_from_its_start_by_two_standard_errors(seen: Ends, said: str) -> None:
    (sentence,) = remark(seen)
    assert sentence.endswith(said) and bool(sentence) == bool(said)


def test_walks_that_stay_are_called_uphill_as_seldom_as_a_normal_number_is_two_deviations_off() -> None:
    rows = 20_000
    noise = Stream.of(1, rows).normal((2,))
    variance: Tensor = torch.full((rows,), 1.0, dtype=torch.float64)
    said = remark(Ends(noise[:, 0], variance, 2 * noise[:, 1], 4 * variance))
    expected = math.erfc(2 / math.sqrt(2)) / 2
    error = math.sqrt(expected * (1 - expected) / rows)
    for word in ("uphill", ""):  # as seldom in either direction
        share = sum(bool(sentence) == bool(word) and sentence.endswith(word) for sentence in said) / rows
        assert abs(share - expected) < 4 * error
