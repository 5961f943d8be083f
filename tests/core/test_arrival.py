"""What is said of where a walk led: no more often than two standard errors allow, however many walks are judged."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from thalweg_core.streams import Stream
from thalweg_core.walking.descent_check import COARSE, Ends, bound, remark


def ends(start: float, start_error: float, end: float, end_error: float) -> Ends:
    return Ends(*(torch.tensor([part], dtype=torch.float64) for part in (start, start_error**2, end, end_error**2)))


HIGHER = "is higher than at the start by more than 2 standard errors"


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (ends(-1.0, 0.03, -0.8, 0.04), HIGHER),  # by four of the difference's standard errors, 0.05
        (ends(-1.0, 0.03, -0.95, 0.04), "descent"),
        (ends(-1.0, 0.03, -1.05, 0.04), "descent"),
        (ends(-1.0, 0.03, -1.2, 0.04), ""),
        (ends(-1.0, 1.01 * COARSE * 0.04, -1.05, 0.04), ""),  # too coarse a first evaluation says nothing
        (ends(-1.0, 0.99 * COARSE * 0.04, 1.0, 0.04), HIGHER),
        (ends(-1.0, 1.01 * COARSE * 0.04, 1.0, 0.04), ""),
        (ends(-1.0, 0.0, 1.0, 0.04), ""),  # two samples that agreed: an error of zero is no error known
        (ends(-1.0, 0.0, 1.0, 0.0), ""),
        (ends(math.nan, math.inf, -1.0, 0.04), ""),  # the start's energy was not looked at
    ],
)
def test_an_end_is_told_from_its_start_by_two_standard_errors(seen: Ends, said: str) -> None:
    (sentence,) = remark(seen, noisy=True)
    assert sentence.endswith(said) and bool(sentence) == bool(said)


@pytest.mark.parametrize(("end", "said"), [(1.0 + 1e-5, "uphill"), (1.0 + 1e-12, ""), (1.0, ""), (0.9, "")])
def test_exact_energies_need_no_errors(end: float, said: str) -> None:
    (sentence,) = remark(ends(1.0, 0.0, end, 0.0), noisy=False)
    assert sentence.endswith(said) and bool(sentence) == bool(said)


def still(jobs: int, rows: int) -> Tensor:
    """Energies of walks that went nowhere, (2, jobs, rows): the start's of standard error 1, the end's of 2."""
    drawn = Stream.of(1, jobs * rows).normal((2,)).T.reshape(2, jobs, rows)
    return drawn * torch.tensor([1.0, 2.0], dtype=drawn.dtype)[:, None, None]


def judged(start: Tensor, end: Tensor) -> list[str]:
    return remark(Ends(start, torch.ones_like(start), end, torch.full_like(end, 4.0)), noisy=True)


@pytest.mark.parametrize(("rows", "errors"), [(1, 2.0), (64, 3.4)])
def test_a_job_whose_walks_all_stayed_is_accused_as_seldom_as_a_normal_number_is_two_deviations_off(
    rows: int, errors: float
) -> None:
    jobs = 4000
    said = [judged(*ends_of_job) for ends_of_job in zip(*still(jobs, rows), strict=True)]
    accused = sum(any("is higher" in sentence for sentence in job) for job in said) / jobs
    expected = 1 - (1 - math.erfc(errors / math.sqrt(2)) / 2) ** rows
    assert bound(rows) == errors and expected <= math.erfc(2 / math.sqrt(2)) / 2
    assert abs(accused - expected) < 4 * math.sqrt(expected * (1 - expected) / jobs)
    lower = math.erfc(2 / math.sqrt(2)) / 2  # of each walk, whatever their number: no accusation
    silent = sum(not sentence for job in said for sentence in job) / (jobs * rows)
    assert abs(silent - lower) < 4 * math.sqrt(lower * (1 - lower) / (jobs * rows))


def test_one_walk_of_64_that_did_climb_is_named() -> None:
    start, end = still(1, 64)[:, 0]
    end[17] = start[17] + 4 * math.sqrt(5)  # by four of the difference's standard errors
    named = [row for row, sentence in enumerate(judged(start, end)) if "by more than 3.4 standard errors" in sentence]
    assert named == [17]
