"""The engine is a library too."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def in_process() -> ModuleType:
    spec = importlib.util.spec_from_file_location("in_process", EXAMPLES / "in_process.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_h2_job_is_the_same_with_and_without_a_service(
    in_process: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    in_process.h2(shots=100_000)
    energies = [
        (float(value), float(error)) for value, error in re.findall(r"H2: (-?\d\.\d+) ± (\d\.\d+) Ha", capsys.readouterr().out)
    ]
    assert len(energies) == 4
    for value, error in energies:  # between the exact ground state (FCI: -1.137306 Ha) and the Hartree–Fock start
        assert 0 < error < 0.005
        assert -1.137306 - 4 * error < value < -1.0
    (tmp_path / "h2.toml").write_text((EXAMPLES / "h2.toml").read_text().replace("2_000_000", "100_000"))
    command = [sys.executable, "-m", "thalweg.cli", "run", "h2.toml", "--data", "data", "--out", "out"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    end = np.load(tmp_path / "out" / "final.npz")
    assert energies == [
        (pytest.approx(value, abs=6e-5), pytest.approx(error, abs=6e-5))  # four digits are printed
        for value, error in zip(end["value"], np.sqrt(end["value_var"]), strict=True)
    ]


def test_the_skyrmion_relaxes_without_a_service(in_process: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    in_process.skyrmion(max_torque=0.05)
    out = capsys.readouterr().out
    assert "the largest torque fell under" in out
    charge = float(re.search(r"topological_charge = (\S+)", out).group(1))  # type: ignore[union-attr]
    assert abs(abs(charge) - 1) < 1e-6
