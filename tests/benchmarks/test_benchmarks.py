"""Benchmarks in miniature: what their rows say, not how fast anything is; and that both of a pair compute the same thing."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import magnet_gradient, posterior, shot_gradient, tables
from benchmarks.__main__ import BENCHMARKS
from benchmarks.harness import Effort, Row, race, row
from rich.console import Console

from thalweg_core.streams import Stream
from thalweg_physics.densities.logistic.logistic_regression import LogisticRegression
from thalweg_vqe.problem import EfficientSu2, Estimator, Molecule, Vqe

ROOT = Path(__file__).resolve().parents[2]
MINIATURE = Effort(repeats=1, samples=8, small=True)
FIELDS = ["benchmark", "case", "figure", "unit", "ours", "peer", "peer_value", "ratio"]


@pytest.fixture(scope="module")
def gradient_rows() -> list[Row]:
    return list(shot_gradient.rows(MINIATURE, reps=1, shots=200))


def check(rows: list[Row], name: str) -> None:
    assert rows
    for item in rows:
        assert item.benchmark == name
        assert item.case and item.figure and item.peer
        assert item.ours > 0 and item.peer_value > 0
        assert item.ratio == pytest.approx(item.peer_value / item.ours) or item.ratio == pytest.approx(
            item.ours / item.peer_value
        )


def test_the_shot_gradient_has_rows_for_both_clocks_and_for_its_noise(gradient_rows: list[Row]):
    check(gradient_rows, "shot_gradient")
    figures = [item.figure for item in gradient_rows]
    assert figures.count("CPU time, 1 thread") == figures.count("wall time, 1 thread") >= 4
    assert figures.count("rms error of the gradient, 8 samples") == 2  # of either engine


def test_the_gradient_and_the_notebooks_have_the_noise_that_is_declared(gradient_rows: list[Row]):
    error = 1 / math.sqrt(2 * 8 * 16)  # of a root mean square over 8 samples of 16 components
    for noise in (item for item in gradient_rows if item.figure.startswith("rms error")):
        assert abs(noise.ours - 1) < 4 * error
        assert abs(noise.peer_value - 1) < 4 * error


def test_the_notebook_measures_the_same_energy_and_gradient():
    problem = Vqe(Molecule(shot_gradient.H2), EfficientSu2(reps=1), Estimator(shots=1000))
    landscape = problem.open(torch.device("cpu"), torch.float64)
    angles = problem.start(landscape, Stream.of(3, 1).named("start"))
    exact = landscape.evaluate(angles, Stream.of(3, 1), samples=0)
    declared = landscape.evaluate(angles, Stream.of(3, 1), samples=20_000)
    energy, gradient = shot_gradient.Notebook.of(landscape, reps=1, shots=20_000).one_by_one(angles[0].numpy(), seed=5)
    assert abs(energy - exact.value[0]) < 4 * declared.value_var[0].sqrt()
    assert (
        np.abs(gradient - exact.grad[0].numpy()) < 4.5 * declared.grad_var[0].sqrt().numpy() + 1e-12
    ).all()  # of 16 components


def test_the_magnet_gradient_has_rates_for_each_size():
    rows = list(magnet_gradient.rows(MINIATURE, edges=(24, 32)))
    check(rows, "magnet_gradient")
    assert [item.case for item in rows] == ["24 × 24 cells"] * 2 + ["32 × 32 cells"] * 2
    assert {item.unit for item in rows} == {"cells/s"}


def test_the_posterior_has_rates_of_gradients_and_of_effective_draws():
    rows = list(posterior.rows(MINIATURE, chains=4, draws=100))
    check(rows, "posterior")
    assert [item.unit for item in rows] == ["gradients/s"] * 2 + ["1/s"] * 2


def test_the_gradient_in_jax_is_the_same_gradient():
    posterior.jax.config.update("jax_enable_x64", True)
    landscape = LogisticRegression("breast_cancer").open(torch.device("cpu"), torch.float64)
    x = Stream.of(5, 3).normal((31,))
    theirs = np.asarray(posterior.jax_gradient(landscape)(posterior.jnp.asarray(x.numpy())))
    np.testing.assert_allclose(landscape.gradient(x).numpy(), theirs, rtol=1e-10, atol=1e-10)  # sums of 569 terms of order 1


def test_both_of_a_pair_are_called_in_turn():
    calls: list[str] = []
    rows = list(race("x", "case", "peer", lambda: calls.append("a"), lambda: calls.append("b"), repeats=3))
    turns = "".join(calls).replace("aa", "a")
    while "aa" in turns or "bb" in turns:
        turns = turns.replace("aa", "a").replace("bb", "b")
    assert turns == "abababab"  # the warm-up, then three rounds
    assert [item.figure for item in rows] == ["CPU time, 1 thread", "wall time, 1 thread"]


@pytest.mark.parametrize(("larger_is_better", "ratio"), [(True, 0.5), (False, 2.0)])
def test_a_ratio_above_one_means_that_ours_is_better(larger_is_better: bool, ratio: float):
    assert row("x", "case", "figure", "s", 1.0, "peer", 2.0, larger_is_better).ratio == ratio


def test_rows_are_written_as_json_markdown_and_a_table(gradient_rows: list[Row]):
    read = json.loads(tables.as_json(gradient_rows))
    assert [list(item) for item in read] == [FIELDS] * len(gradient_rows)
    assert [item["ratio"] for item in read] == [item.ratio for item in gradient_rows]
    lines = tables.markdown(gradient_rows).splitlines()
    assert len(lines) == 2 + len(gradient_rows) and all(line.count("|") == 8 for line in lines)
    console = Console(width=140, record=True, file=open(os.devnull, "w"))  # noqa: SIM115 PTH123
    tables.show(gradient_rows, console)
    assert tables.ratio(gradient_rows[0]) in console.export_text()


def test_both_times_of_a_line_have_one_unit():
    line = tables.markdown([row("x", "case", "figure", "s", 0.0012345, "peer", 1.5, False)])
    assert "| 1.23 ms | 1500 ms | peer | 1200× |" in line


def test_the_list_names_every_benchmark_without_loading_any():
    script = "import sys, benchmarks.__main__ as b; b.main([]); assert not {'torch', 'qiskit', 'numpy'} & set(sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert out.returncode == 0, out.stderr
    assert all(name in out.stdout for name in BENCHMARKS)
    assert all((ROOT / "benchmarks" / f"{name}.py").exists() for name in BENCHMARKS)


def test_an_unknown_benchmark_is_refused_with_the_names_of_those_there_are():
    out = subprocess.run(
        [sys.executable, "-m", "benchmarks", "shot_gradiant"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert out.returncode == 2 and "shot_gradient" in out.stderr
