"""The bond that is pulled apart, on two lengths."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "bond_curve.py"


def test_the_second_length_begins_where_the_first_ended_and_both_end_near_the_exact_energy(tmp_path: Path) -> None:
    environment = {**os.environ, "THALWEG_DATA": str(tmp_path / "data")}
    code = f"import runpy; runpy.run_path({str(EXAMPLE)!r})['main']((0.735, 1.4))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    ends = [tuple(map(float, found)) for found in re.findall(r"(-\d\.\d+) ± (\d\.\d+) Ha, exactly (-\d\.\d+)", done.stdout)]
    assert [exact for _, _, exact in ends] == [-1.1373, -1.0155]  # FCI in this basis, from PySCF
    for value, error, exact in ends:
        assert -4 * error - 1e-4 < value - exact < 4 * error + 0.005  # 0.005 Ha: what forty noisy steps may leave
    listed = [sys.executable, "-m", "thalweg.cli", "jobs", "list", "--json"]
    jobs = json.loads(subprocess.run(listed, env=environment, capture_output=True, text=True, check=True).stdout)["jobs"]
    assert jobs[0]["spec"]["problem"]["vqe"]["start"]["values"]["job"] == jobs[1]["id"]
