"""The noisy example, on a shorter walk."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "h2_noise.toml"


def test_the_noisy_device_starts_at_hartree_fock_and_says_what_it_measured(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    assert "steps = 40" in text
    (tmp_path / "noise.toml").write_text(text.replace("steps = 40", "steps = 2"))
    command = [sys.executable, "-m", "thalweg.cli", "run", "noise.toml", "--json", "--data", "data"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["result"]
    assert abs(result["observables"]["exact_energy"]["value"] + 1.137306036) < 1e-8  # FCI in this basis
    # depolarization lifts the energy, and no noise takes it below the ground state
    assert -1.137306 - 4 * result["standard_error"] < result["value"] < -0.8
    assert result["standard_error"] > 0
