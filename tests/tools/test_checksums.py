"""What is compared between two versions of the code, and what is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tools.checksum_jobs import JOBS
from tools.checksums import _compared, _of

from thalweg import specs
from thalweg.server.spec import catalog, parsed_job


def kept(folder: Path, result: dict[str, Any], draws: bytes) -> dict[str, str]:
    folder.mkdir()
    (folder / "job.json").write_text(json.dumps({"id": str(folder), "result": result}))
    (folder / "draws.npy").write_bytes(draws)
    return _of(folder)


def test_every_bit_counts_but_for_seconds_and_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = kept(tmp_path / "a", {"value": 1.0, "seconds": 3.0, "artifacts": [{"path": "/a"}]}, b"1")
    same = kept(tmp_path / "b", {"value": 1.0, "seconds": 4.0, "artifacts": [{"path": "/b"}]}, b"1")
    other = kept(tmp_path / "c", {"value": 1.0 + 2**-52, "seconds": 3.0, "artifacts": [{"path": "/a"}]}, b"1")
    bits = kept(tmp_path / "d", {"value": 1.0, "seconds": 3.0, "artifacts": [{"path": "/a"}]}, b"2")
    assert _compared("torch", {"job": first}, {"job": same}) == 0
    assert _compared("torch", {"job": first}, {"job": other}) == 1 and "DIFFERENT: result" in capsys.readouterr().out
    assert _compared("torch", {"job": first}, {"job": bits}) == 1 and "DIFFERENT: draws.npy" in capsys.readouterr().out


def test_the_jobs_are_of_every_method_and_every_problem() -> None:
    read = [parsed_job.read(specs.load(spec)) for spec in JOBS.values()]
    assert {one.method_name for one in read} == set(catalog.METHODS)
    assert {one.problem_name for one in read} == set(catalog.PROBLEMS)
