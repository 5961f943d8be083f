"""The benchmark of the optimizers in miniature: its statistics against counting by hand, its walks against their budget."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from benchmarks import optimizers
from benchmarks.descents import Case, Course, descend, median, reached, score
from scipy import stats

from thalweg_core.descent.adam import Adam
from thalweg_core.descent.textbook_adam import TextbookAdam
from thalweg_vqe.ansatz import RealAmplitudes
from thalweg_vqe.estimator import Estimator
from thalweg_vqe.problem import Vqe
from thalweg_vqe.spin_chains import TransverseFieldIsing
from thalweg_vqe.starts import Uniform

SMALL = Case("Ising chain of 2", Vqe(TransverseFieldIsing(2), RealAmplitudes(1), Estimator(100), Uniform(0.5)), 60_000, 0.05)


def test_a_touch_is_no_hit_and_a_relapse_no_stay() -> None:
    shots = 10.0 * np.arange(1, 21)
    error = np.array([9, 9, 0, 9, 9, 9, 0, 0, 0, 9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0], dtype=float)
    # medians of five from the fifth look on: 9 9 9 0 0 0 9 9 9 9 9 0 0 …; the windows end at looks 5, 6, …
    medians = [float(np.median(error[k - 4 : k + 1])) for k in range(4, 20)]
    first = medians.index(0.0)
    last_outside = max(k for k, m in enumerate(medians) if m == 9)
    found = reached(shots, error, 1.0)
    assert found.hit == shots[4 + first] and found.stay == shots[4 + last_outside + 1] and found.hit < found.stay
    assert reached(shots, np.full(20, 0.1), 1.0) == (50.0, 50.0)
    assert reached(shots, np.full(20, 2.0), 1.0) == (math.inf, math.inf)
    assert reached(shots, np.r_[np.zeros(10), np.full(10, 2.0)], 1.0) == (50.0, math.inf)
    assert reached(shots[:4], np.zeros(4), 1.0) == (math.inf, math.inf)


def test_the_interval_of_a_median_is_that_of_the_bootstrap_s_binomial_law() -> None:
    """The median of n resampled values is at most the j-th smallest if more than n/2 of n draws of n fall among the first j."""
    values, n = np.arange(1.0, 12.0), 11
    at_most = [stats.binom.sf(n // 2, n, j / n) for j in range(n + 1)]
    low = next(j for j in range(1, n + 1) if at_most[j] > 0.025)
    high = next(j for j in range(1, n + 1) if at_most[j] > 0.975)
    assert tuple(median(np.random.default_rng(1).permutation(values))) == (6.0, low, high)
    assert median(np.array([1.0, math.inf, 2.0, math.inf])).value == math.inf


def test_a_course_knows_where_each_seed_stood_and_forgets_what_follows_its_stop() -> None:
    shots = np.array([[10.0, 20.0], [30.0, 40.0], [30.0, 60.0]])
    course = Course(shots, np.array([[3.0, 3.0], [2.0, 2.0], [2.0, 1.0]]), ["", ""])
    assert [part.tolist() for part in course.of(0)] == [[10.0, 30.0], [3.0, 2.0]]
    assert course.at(45.0).tolist() == [2.0, 2.0] and course.at(15.0)[0] == 3.0 and math.isnan(course.at(15.0)[1])


@pytest.mark.parametrize("kernel", [Adam(), TextbookAdam()], ids=["adam", "textbook adam"])
def test_a_seed_walks_alike_among_others_and_within_its_budget(kernel: Adam | TextbookAdam) -> None:
    among, alone = descend(SMALL, kernel, [3, 4, 5]), descend(SMALL, kernel, [4])
    shots, error = among.of(1)
    assert np.array_equal(shots, alone.of(0)[0]) and np.array_equal(error, alone.of(0)[1])
    end = 16 * 100 * 2
    assert (among.shots[-1] + end <= SMALL.budget).all() and (among.error > -1e-12).all()
    assert all("plan.budget.shots" in sentence for sentence in among.outcome)
    assert score(among, SMALL.bound).seeds == 3


def test_the_command_writes_a_table_numbers_and_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimizers, "CASES", {"small": SMALL})
    monkeypatch.setattr(optimizers, "only_one_thread", lambda: None)
    assert optimizers.main(["--cases", "small", "--seeds", "100-102", "--out", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["optimizers-small.png", "optimizers.json", "optimizers.md"]
    lines = (tmp_path / "optimizers.md").read_text().splitlines()
    assert len(lines) == 2 + len(optimizers.METHODS) and "of 3" in lines[-1]
    assert optimizers.main(["--ablation", "--cases", "small", "--seeds", "100-101", "--out", str(tmp_path)]) == 0
    assert len((tmp_path / "ablation.md").read_text().splitlines()) == 2 + len(optimizers.ABLATIONS)


def test_every_ablation_changes_one_field_of_a_default() -> None:
    for name, kernel in optimizers.ABLATIONS.items():
        default = type(kernel)()
        changed = [field for field in default.__dataclass_fields__ if getattr(kernel, field) != getattr(default, field)]
        assert len(changed) == (0 if "," not in name else 1), name
