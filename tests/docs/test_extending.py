"""docs/extending.md is a worked example: this applies it, word for word, to a copy of the tree and runs the job it ends with."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(?P<kind>\w+)(?: title=(?P<title>\S+))?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source with every file and every difference of the document applied, and the stubs made again."""
    copy = tmp_path_factory.mktemp("extended")
    for room in ("core", "vqe", "physics", "service", "protos", "tools"):
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    for block in FENCE.finditer((ROOT / "docs/extending.md").read_text()):
        if block["kind"] == "diff":
            subprocess.run(["git", "apply", "-C1", "-"], input=block["body"], text=True, cwd=copy, check=True)
        elif block["title"]:
            target = copy / block["title"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block["body"])
    run(copy, "-m", "tools.wire", "generate")
    return copy


def run(tree: Path, *arguments: str) -> str:
    roots = os.pathsep.join(str(tree / root) for root in ("service", "vqe", "physics", "core"))
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": roots},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_new_landscape_is_sampled_to_its_known_spread(extended: Path) -> None:
    out = run(extended, "-m", "thalweg.cli", "run", "banana.toml", "--json", "--data", "data", "--out", "out")
    job = json.loads(out)
    assert job["state"] == "SUCCEEDED"
    summary = {row["name"]: row for row in json.loads((extended / "out" / "summary.json").read_text())}
    # x ~ N(0, 10²), y ~ N(b (x² - 100), 1): both means are 0, the variances 100 and 1 + 20000 b²
    assert job["result"]["observables"]["rhat_max"]["value"] < 1.05
    for name, sd in (("x", 10.0), ("y", 3**0.5)):
        assert abs(summary[name]["mean"]) < 4 * summary[name]["mcse"]
        assert abs(summary[name]["sd"] / sd - 1) < 0.1


def test_the_new_method_goes_down_the_new_landscape(extended: Path) -> None:
    out = run(extended, "-m", "thalweg.cli", "run", "descent.toml", "--json", "--data", "data", "--out", "down")
    job = json.loads(out)
    assert job["state"] == "SUCCEEDED"
    assert abs(job["result"]["value"]) < 1e-6  # U = 0 at the bottom


def test_the_truth_of_the_document_holds(extended: Path) -> None:
    out = run(extended, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/truths/test_banana.py")
    assert " passed" in out
