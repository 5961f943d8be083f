"""Whether two versions of the code compute the same numbers, to the bit: jobs of every kind, run by each, artifact by artifact.

    python -m tools.checksums COMMIT [--only NAME,NAME]

The working tree is compared with COMMIT, both run by this interpreter on this machine: bits depend on processors and libraries.
Exit status 0: every artifact of every job is the same, and so is every result but for its seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tools.checksum_jobs import JOBS

ROOT = Path(__file__).resolve().parent.parent
ROOTS = ("core", "vqe", "physics", "service")
WITHOUT_NUMBA = "import sys\nsys.modules['numba'] = None\n"  # as if it were not installed: the torch twins serve

_PASSING = frozenset({"seconds", "path"})

Sums = dict[str, dict[str, str]]
"""Of each job: what is compared, and its checksum."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", help="to compare with")
    parser.add_argument("--only", default="", help="names of jobs, with commas")
    given = parser.parse_args()
    names = [name for name in JOBS if not given.only or name in given.only.split(",")]
    with tempfile.TemporaryDirectory(prefix="checksums-") as folder:
        place = Path(folder)
        other = place / "other"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", other, given.commit], cwd=ROOT, check=True)
        try:
            before = {body: _sums(other, place / f"before-{body}", names, body) for body in ("compiled", "torch")}
            after = {body: _sums(ROOT, place / f"after-{body}", names, body) for body in ("compiled", "torch")}
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", other], cwd=ROOT, check=True)
    return sum(_compared(body, before[body], after[body]) for body in before) > 0


def _sums(tree: Path, place: Path, names: list[str], body: str) -> Sums:
    """Run the jobs by the code of the tree; of each artifact, and of the result."""
    place.mkdir()
    paths = [str(tree / root) for root in ROOTS]
    if body == "torch":
        (place / "without").mkdir()
        (place / "without" / "sitecustomize.py").write_text(WITHOUT_NUMBA)
        paths.insert(0, str(place / "without"))
    for name in names:
        (place / f"{name}.json").write_text(json.dumps(JOBS[name]))
    command = [sys.executable, "-m", "thalweg.cli", "run", *(str(place / f"{name}.json") for name in names)]
    command += ["--quiet", "--data", str(place / "data"), "--out", str(place / "out")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{tree} with the {body} kernels: {done.stdout}\n{done.stderr}")
    folders = sorted(path.parent for path in (place / "out").rglob("job.json"))
    if len(folders) != len(names):
        sys.exit(f"{len(names)} jobs were run, and {len(folders)} brought something home")
    return {_name(folder): _of(folder) for folder in folders}


def _name(folder: Path) -> str:
    return str(json.loads((folder / "job.json").read_text())["spec"]["name"])


def _of(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "job.json")
    sums = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    result = json.dumps(_lasting(json.loads((folder / "job.json").read_text())["result"]), sort_keys=True)
    return sums | {"result": hashlib.sha256(result.encode()).hexdigest()}


def _lasting(value: Any) -> Any:
    """Without what differs from run to run."""
    if isinstance(value, dict):
        return {key: _lasting(inner) for key, inner in value.items() if key not in _PASSING}
    return [_lasting(inner) for inner in value] if isinstance(value, list) else value


def _compared(body: str, before: Sums, after: Sums) -> int:
    """Print a line for each job; how many differ."""
    different = 0
    for name, sums in before.items():
        now = after[name]
        changed = sorted(key for key in sums.keys() | now.keys() if sums.get(key) != now.get(key))
        different += bool(changed)
        print(
            f"{body:9} {name:36} {len(sums):3} the same" if not changed else f"{body:9} {name:36} DIFFERENT: {', '.join(changed)}"
        )
    return different


if __name__ == "__main__":
    sys.exit(main())
