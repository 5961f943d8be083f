"""The example of a circuit that grows: within chemical accuracy of full configuration interaction, and it says by what."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "h4_adapt.toml"


def test_eleven_excitations_bring_h4_within_chemical_accuracy(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "thalweg.cli", "run", str(EXAMPLE), "--json", "--data", "data", "--out", "kept"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["result"]
    assert abs(result["observables"]["exact_energy"]["value"] + 2.166387449) < 1e-8  # FCI in this basis
    assert 0 < result["value"] + 2.166387449 < 1.6e-3
    (found,) = (tmp_path / "kept").rglob("adapt.json")
    (replica,) = json.loads(found.read_text())["replicas"]
    assert replica["operators"][0] == "1a 1b -> 2a 2b"  # the steepest of the determinant's slopes
    assert len(replica["operators"]) == len(replica["angles"]) == 11
