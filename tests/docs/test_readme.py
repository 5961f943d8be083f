"""The README stays true: every command of its command line section runs, in order, and so does its Python."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
SHORTER = {  # the same examples, on a shorter walk
    "skyrmion.toml": [("max_torque = 1e-3", "max_torque = 1.0")],
    "h2.toml": [("budget = { shots = 2_000_000 }", "steps = 1"), ("shots = 1000", "shots = 10"), ("reps = 3", "reps = 1")],
    "logistic.toml": [("steps = 500", "steps = 20"), ("warmup = 200", "warmup = 20")],
}


def blocks(language: str) -> list[str]:
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [body for kind, body in fences if kind == language]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    (folder / "examples").mkdir()
    for name, changes in SHORTER.items():
        text = (ROOT / "examples" / name).read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (folder / "examples" / name).write_text(text)
    return folder


def run(place: Path, *command: str) -> str:
    environment = {**os.environ, "THALWEG_DATA": str(place / "data")}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}: {done.stderr}"
    return done.stdout


def test_every_command_of_the_readme_runs(place: Path) -> None:
    lines = [line for block in blocks("") for line in block.splitlines() if line.startswith("thalweg ")]
    assert len(lines) >= 8
    thalweg = [sys.executable, "-m", "thalweg.cli"]
    job = ""
    for line in lines:
        words = shlex.split(line, comments=True)[1:]
        run(place, *thalweg, *(job if word == "ID" else word for word in words))
        if words[0] == "submit":
            job = json.loads(run(place, *thalweg, "jobs", "list", "--json"))["jobs"][0]["id"]
    assert (place / "h2.html").exists() and (place / "skyrmion" / "magnetization.ovf").exists()


def test_the_python_of_the_readme_runs(place: Path) -> None:
    (client,) = (block for block in blocks("python") if "Client" in block)
    out = run(place, sys.executable, "-c", client + "\nprint(draws.shape)")
    assert "(20, 64, 31)" in out


def test_the_job_in_the_readme_is_the_one_in_the_examples() -> None:
    (job,) = blocks("toml")
    assert job.split("\n", 1)[1] == (ROOT / "examples" / "skyrmion.toml").read_text()


def test_every_make_target_in_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE)) <= targets
