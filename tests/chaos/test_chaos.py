"""Half a minute of chaos; `make chaos` runs longer ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .__main__ import isolation

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 25


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="freezes processes by what Linux's /proc says of them")
@pytest.mark.timeout(900)
def test_a_service_whose_every_part_fails_all_the_time_ends_every_job_once_and_is_never_hung() -> None:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", "tests.chaos", "--seconds", str(SECONDS), "--seed", "1"]
    run = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    print(run.stdout, run.stderr)
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr[-3000:]}"
    if isolation():  # then a file system can be mounted, as root or not, and the disk must have been filled
        assert "NOT EXERCISED" not in run.stdout
