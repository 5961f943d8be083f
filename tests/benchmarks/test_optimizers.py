"""The benchmark of the optimizers in miniature: its statistics against counting by hand, its walks against their budget."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import optimizers, race_tables
from benchmarks.descents import Case, Course, Figure, Score, descend, floors, median, reached, score
from benchmarks.races import ABLATED, CASES
from scipy import stats

from thalweg_core.descent.adam.adam import Adam
from thalweg_core.descent.adam.textbook_adam import TextbookAdam
from thalweg_core.method import Method
from thalweg_vqe.ansatze.layers import RealAmplitudes
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.hamiltonians.spin_chains import TransverseFieldIsing
from thalweg_vqe.problem import Vqe
from thalweg_vqe.starts import Uniform

ONE, X, Z = np.eye(2), np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0])
SMALL = Case(
    "Ising chain of 2", Vqe(TransverseFieldIsing(2), RealAmplitudes(1), Estimator(100), Uniform(0.5)), 60_000, bound=0.05
)


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


def test_a_course_knows_where_each_seed_stood() -> None:
    shots = [np.array([10.0, 30.0]), np.array([20.0, 40.0, 60.0])]
    course = Course(shots, [np.array([3.0, 2.0]), np.array([3.0, 2.0, 1.0])], ["", ""], 70, 0.0)
    assert course.at(45.0).tolist() == [2.0, 2.0] and course.at(15.0)[0] == 3.0 and math.isnan(course.at(15.0)[1])
    assert course.final.tolist() == [2.0, 1.0]
    cut = course.until(40)
    assert [spent.tolist() for spent in cut.shots] == [[10.0, 30.0], [20.0, 40.0]] and cut.final.tolist() == [2.0, 2.0]
    assert [len(spent) for spent in course.until(15).shots] == [1, 1] and (cut.budget, course.until(100).budget) == (40, 70)


def test_beyond_the_end_only_hits_count() -> None:
    shots = 10.0 * np.arange(1, 21)
    course = Course([shots] * 3, [np.repeat([9.0, 0.0], [bad, 20 - bad]) for bad in (3, 12, 20)], [""] * 3, 200, 0.0)
    found = score(course, 1.0, 100)
    assert found.hit.value == 150.0 and found.hit_by == 200  # the third good look of five is the fifteenth
    assert found.stayed == 1 and found.stay.value == math.inf and (found.final.value, found.end) == (9.0, 100)
    assert score(course, 1.0, 300)[1:4] == (200, (150.0, 60.0, math.inf), 2)


def test_the_floors_are_those_of_the_ansatz_and_of_the_ground_state() -> None:
    """The circuit reaches the ground state of two sites. There each of two groups, XX and {Z, Z}, has its own variance."""
    below = floors(SMALL, range(100, 104))
    assert abs(below.circuit) < 1e-9
    xx, z = np.kron(X, X), np.kron(Z, ONE) + np.kron(ONE, Z)
    couplings = np.linalg.eigh(-xx - z)
    assert math.isclose(couplings.eigenvalues[0], -math.sqrt(5))  # the model's closed form, J = h = 1
    ground = couplings.eigenvectors[:, 0]
    spreads = [math.sqrt(ground @ part @ part @ ground - (ground @ part @ ground) ** 2) for part in (xx, z)]
    wrong = 4 * math.sqrt(2 / 100_000) / 2  # of a standard deviation from so many shots a group, of kurtosis below 3
    assert 1 - wrong < below.spread / sum(spreads) < 1 + wrong  # they are equal, so no way to divide shots matters


@pytest.mark.parametrize("method", [Adam(), TextbookAdam()], ids=["adam", "textbook adam"])
def test_a_seed_walks_alike_among_others_and_within_its_budget(method: Adam | TextbookAdam) -> None:
    among, alone = descend(SMALL, method, [3, 4, 5]), descend(SMALL, method, [4])
    assert np.array_equal(among.shots[1], alone.shots[0]) and np.array_equal(among.error[1], alone.error[0])
    end = 16 * 100 * 2
    assert all(spent[-1] + end <= SMALL.budget and (error > -1e-12).all() for spent, error in zip(*among[:2], strict=True))
    assert all((spent[1:-1] >= 1.01 * spent[:-2]).all() for spent in among.shots)
    assert all("plan.budget.shots" in sentence for sentence in among.outcome)
    assert score(among, SMALL.bound, SMALL.budget).seeds == 3


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimizers, "CASES", {"small": replace(SMALL, budget=15_000, longer=20_000)})
    monkeypatch.setattr(optimizers, "ABLATED", {"small": 9_000})
    monkeypatch.setattr(optimizers, "only_one_thread", lambda: None)
    monkeypatch.setattr(optimizers, "_FLOOR_STARTS", range(100, 102))


def test_the_command_writes_tables_numbers_and_figures(small: None, tmp_path: Path) -> None:
    assert optimizers.main(["--cases", "small", "--seeds", "100-101", "--out", str(tmp_path)]) == 0
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"optimizers-small.png", "optimizers.json", "optimizers.md", "courses"}
    summary, title, judged, table, endings = (tmp_path / "optimizers.md").read_text().strip().split("\n\n")
    assert (title, judged) == (
        "### Ising chain of 2",
        "Under 50 mHa, until 1.5e4 shots; hits of the textbook's forms until 2e4.",
    )
    for lines in (summary, table):
        assert [line.split("`")[1] for line in lines.splitlines()[2:]] == list(optimizers.METHODS)
    assert {line.split(" | ")[1] for line in endings.splitlines()[2:]} == set(optimizers.METHODS)
    numbers = json.loads((tmp_path / "optimizers.json").read_text())["small"]
    assert set(numbers) == set(optimizers.METHODS) and numbers["adam"]["seeds"] == 2
    assert (numbers["adam"]["hit_by"], numbers["textbook_adam"]["hit_by"]) == (15_000, 20_000)
    assert numbers["textbook_adam"]["end"] == 15_000


def test_the_tables_of_earlier_runs_go_between_their_marks(small: None, tmp_path: Path) -> None:
    asked = ["--cases", "small", "--methods", "adam", "smo", "--seeds", "100", "--out", str(tmp_path)]
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- table optimizers -->\nold\n<!-- end -->\nkept\n<!-- table exact -->\nmine\n<!-- end -->\n")
    assert optimizers.main(asked) == 0 and optimizers.main([*asked, "--markdown", str(page)]) == 0
    before, table, after = re.split(r"<!-- table optimizers -->|<!-- end -->\nkept", page.read_text())
    assert before == "# Page\n" and after == "\n<!-- table exact -->\nmine\n<!-- end -->\n"
    assert table.strip() in (tmp_path / "optimizers.md").read_text() and "| `smo` |" in table
    once = page.read_text()
    assert optimizers.main([*asked, "--markdown", str(page)]) == 0 and page.read_text() == once


def test_a_set_with_missing_runs_is_not_put_unless_it_was_chosen(
    small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, page = ["--seeds", "100", "--out", str(tmp_path)], tmp_path / "page.md"
    full = "<!-- table optimizers -->\nfull\n<!-- end -->\n"
    page.write_text(full)
    assert optimizers.main([*asked, "--methods", "smo"]) == 0
    capsys.readouterr()
    assert optimizers.main([*asked, "--markdown", str(page)]) == 1 and page.read_text() == full
    said = capsys.readouterr()
    assert f"optimizers: 1 of {len(optimizers.METHODS)} runs found in {tmp_path}; its tables are not put" in said.err
    assert f"{page}: put" not in said.out
    assert optimizers.main([*asked, "--methods", "smo", "--markdown", str(page)]) == 0 and "| `smo` |" in page.read_text()
    assert f"optimizers: 1 of 1 runs found in {tmp_path}\n" in (told := capsys.readouterr().out)
    assert f"{page}: put optimizers\n" in told


def test_pages_without_marks_and_folders_without_runs_are_told_and_fail(
    small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, marked, bare = tmp_path / "out", tmp_path / "marked.md", tmp_path / "bare.md"
    marked.write_text("<!-- table exact -->\nold\n<!-- end -->\n")
    bare.write_text("# Page\n")
    asked = ["--out", str(folder), "--markdown"]
    assert optimizers.main([*asked, str(marked)]) == 1
    assert f"{folder}: wanted courses of these runs or exact.md, found neither" in capsys.readouterr().err
    folder.mkdir()
    (folder / "exact.md").write_text("new\n")
    assert optimizers.main([*asked, str(bare), str(tmp_path / "none.md"), str(marked)]) == 1
    said = capsys.readouterr()
    assert f"{bare}: wanted one of the marks <!-- table exact -->" in said.err and "none.md: wanted a page" in said.err
    assert f"{marked}: put exact\n" in said.out and "new" in marked.read_text() and bare.read_text() == "# Page\n"
    assert optimizers.main([*asked, str(marked)]) == 0


@pytest.mark.parametrize(
    "words",
    [["--seeds", "5-3"], ["--seeds=-3"], ["--seeds", "a-b"], ["--seeds", "1-"], ["--jobs", "0"], ["--jobs=-1"], ["--jobs", "x"]],
)
def test_seeds_and_jobs_that_are_none_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        optimizers.main(words)
    flag, wrong = words if len(words) == 2 else words[0].split("=")
    last = capsys.readouterr().err.splitlines()[-1]
    assert ended.value.code == 2 and f"argument {flag}: wanted" in last and last.endswith(f"got {wrong!r}")


def test_what_was_not_reached_says_by_when_and_what_nobody_reached_is_told_by_its_error() -> None:
    never = Figure(math.inf, math.inf, math.inf)
    slow = Score(Figure(1.1e8, 2.7e7, math.inf), 300_000_000, never, 0, 10, Figure(3e-3, 2e-3, 4e-3), 30_000_000)
    fast = Score(Figure(1.2e6, 7.1e5, 3e6), 30_000_000, Figure(1.3e6, 1e6, 3e6), 10, 10, Figure(7e-5, 5e-5, 9e-5), 30_000_000)
    cases = {name: replace(SMALL, name=name) for name in ("hit", "not")}
    told = race_tables.summary({"hit": {"slow": slow, "fast": fast}, "not": {"slow": slow._replace(hit=never)}}, cases)
    assert told.splitlines()[2:] == [
        "| `slow` | 1.1e8 (2.7e7 … > 3e8); 0 | 3.0 (2.0 … 4.0) mHa |",
        "| `fast` | 1.2e6 (7.1e5 … 3.0e6); 10 | – |",
    ]
    assert "| `slow` | 1.1e8 (2.7e7 … > 3e8) | > 3e7 | 0 of 10 | 3.0 (2.0 … 4.0) |" in race_tables.by_case(
        {"hit": {"slow": slow}}, cases
    )


def test_every_ablation_runs(small: None, tmp_path: Path) -> None:
    assert optimizers.main(["--ablation", "--seeds", "100", "--out", str(tmp_path)]) == 0
    summary, _, judged, *_ = (tmp_path / "ablation.md").read_text().split("\n\n")
    assert len(summary.splitlines()) == 2 + len(optimizers.ABLATIONS) and judged == "Under 50 mHa, until 9e3 shots."


def test_ingredients_are_switched_off_on_several_cases() -> None:
    assert len(ABLATED) > 2 and all(shots <= CASES[name].budget for name, shots in ABLATED.items())


def test_what_fails_leaves_the_others_alone_and_what_was_there_is_kept(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, right = ["--cases", "small", "--methods", "adam", "textbook_adam", "--seeds", "100", "--out", str(tmp_path)], descend

    def wrong(case: Case, method: Method, *rest: Any) -> Course:
        if isinstance(method, Adam):
            raise ArithmeticError("no number")
        return right(case, method, *rest)

    monkeypatch.setattr(optimizers, "descend", wrong)
    assert optimizers.main(asked) == 1
    assert "failed: ArithmeticError: no number" in capsys.readouterr().out
    first = (tmp_path / "optimizers.md").read_text()
    assert "`textbook_adam`" in first and "`adam`" not in first
    monkeypatch.setattr(
        optimizers, "descend", lambda case, method, *rest: right(case, method, *rest) if method == Adam() else 1 / 0
    )
    assert optimizers.main([*asked, "--resume"]) == 0
    second = (tmp_path / "optimizers.md").read_text()
    before, after = (set(text.partition("###")[2].splitlines()) for text in (first, second))
    assert before < after and "| `adam` |" in second


def test_jobs_side_by_side_change_no_number(tmp_path: Path) -> None:
    words = ["--cases", "h2_uccsd", "--quick", "--methods", "textbook_adam", "textbook_lbfgs", "--seeds", "100"]
    places = [tmp_path / "one", tmp_path / "two"]
    for jobs, place in zip((1, 2), places, strict=True):
        program = [sys.executable, "-m", "benchmarks.optimizers", *words, "--jobs", str(jobs), "--out", str(place)]
        subprocess.run(program, check=True, capture_output=True)
    one, two = ((place / "optimizers.json").read_text() for place in places)
    assert one == two


def test_every_ablation_changes_one_ingredient_of_a_default() -> None:
    for name, method in optimizers.ABLATIONS.items():
        default = type(method)()
        changed = [field for field in default.__dataclass_fields__ if getattr(method, field) != getattr(default, field)]
        caps = ["max_distance", "max_step"]  # a step in a metric has two
        assert len(changed) == (0 if "," not in name else 1) or ("caps" in name and changed == caps), name
