"""Where the numbers of a job come from: versions, machine, seed, and the method with every number that was used."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path

import torch

import thalweg
from thalweg.server import machine
from thalweg.server.spec.parsed_job import ParsedJob
from thalweg.v1 import results_pb2
from thalweg.version import __version__

_PACKAGES = ("numpy", "torch", "qiskit", "qiskit-aer", "scipy", "scikit-learn", "pyscf", "numba")


def provenance(
    parsed_job: ParsedJob, attempt: int, method: str, batch_width: int, other_jobs: Iterable[str] = ()
) -> results_pb2.Provenance:
    """Of a job as this process does it; `method` is the repr of the method as it was tuned."""
    return results_pb2.Provenance(
        version=__version__,
        revision=revision(),
        spec_sha256=parsed_job.sha256(),
        seed=parsed_job.plan.seed,
        packages={name: version for name in _PACKAGES if (version := _version(name))} | {"thalweg": __version__},
        python=platform.python_version(),
        platform=platform.platform(),
        processor=machine.processor_name(),
        device=torch.cuda.get_device_name() if parsed_job.plan.device == "cuda" else "cpu",
        threads=torch.get_num_threads(),
        batch_width=batch_width,
        method=method,
        attempts=attempt,
        other_jobs=other_jobs,
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def revision() -> str:
    """The commit of the code that runs here; empty for an installed package."""
    return _revision(Path(thalweg.__file__).resolve().parents[2])


@cache
def _revision(root: Path) -> str:
    """The commit that a source tree stands at, "-dirty" where files differ from it; empty for an installed package."""
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
