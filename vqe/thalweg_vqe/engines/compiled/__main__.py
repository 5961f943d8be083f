"""python -m thalweg_vqe.engines.compiled: compile the kernels now, so that no job has to wait for it."""

from __future__ import annotations

import subprocess
import sys

from thalweg_vqe.engines.compiled.check import fault, fault_of_shots


def main(arguments: list[str]) -> int:
    """Kernels for energies and those for shots in two processes; exit status 1 where they are wrong."""
    if arguments == ["shots"]:
        return _said(fault_of_shots())
    other = subprocess.Popen([sys.executable, "-m", "thalweg_vqe.engines.compiled", "shots"])
    return max(_said(fault()), other.wait())


def _said(wrong: str | None) -> int:
    if wrong:
        print(f"the compiled circuit kernels are wrong here, and will not be used: {wrong}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
