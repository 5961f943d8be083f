"""Chaos: a service whose clients, workers, fork servers, server and disk fail all the time keeps its promises.

    python -m tests.chaos --seconds 120 --seed 7 --without disk,inodes

Exit status 0: every job ended once with the result of an undisturbed run, and the service was never hung. Everything runs
in a process and mount namespace of its own where the system allows it: what it starts and mounts goes when it goes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

NAMESPACES = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
AS_ROOT = ["--user", "--map-root-user"]
BEYOND = 780.0  # s for references, the end and the check, beyond the chaos itself; then all is killed
SIZE, INODES = 64 * 2**20, 2000  # of the disk for the first half minute; more for each further one


def main() -> int:
    given = arguments()
    if given.inside:
        return inside(given)
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        environment = {**os.environ, "XDG_STATE_HOME": f"{folder}/state"}
        command = [*isolation(), sys.executable, "-m", "tests.chaos", *sys.argv[1:], "--inside", folder]
        alive, _held = os.pipe()  # the run ends itself when the other end closes: when this process is gone, however it went
        try:
            return subprocess.run(command, stdin=alive, env=environment, timeout=given.seconds + BEYOND, check=False).returncode
        except subprocess.TimeoutExpired:
            print(f"the run was not over {BEYOND:g} s after its chaos; it was killed")
            return 1


def arguments() -> argparse.Namespace:
    from .faults import FAULTS

    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120.0, help="of chaos")
    parser.add_argument("--seed", type=int, default=1, help="of the schedule")
    parser.add_argument("--without", default="", metavar="FAULTS", help=f"to leave out: {', '.join(FAULTS)}")
    parser.add_argument("--only", default="", metavar="FAULTS", help="to leave out all others")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="copy the data folder there at the end")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    only, without = _names(given.only), _names(given.without)
    if unknown := (only | without) - set(FAULTS):
        parser.error(f"there is no fault {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    given.without = without | (frozenset(FAULTS) - only if only else frozenset())
    return given


def isolation() -> list[str]:
    """The command that gives a run namespaces of its own, as far as it is there and permitted."""
    for prefix in (["unshare", *NAMESPACES], ["unshare", *AS_ROOT, *NAMESPACES]):
        if shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
            return prefix
    return []


def inside(given: argparse.Namespace) -> int:
    """The run itself."""
    from .disk import SmallDisk
    from .faults import NEED_A_DISK
    from .play import judge, play
    from .table import NO_DISK, table

    threading.Thread(target=_end_with_parent, args=[given.inside / "data"], daemon=True).start()
    data, more = given.inside / "data", max(1.0, given.seconds / 30)
    disk: SmallDisk | None = None
    try:
        disk = SmallDisk(data, int(SIZE * more), int(INODES * more))
    except (OSError, subprocess.CalledProcessError):
        print(NO_DISK, flush=True)
    without = given.without | (frozenset() if disk else NEED_A_DISK)
    try:
        record = play(given.inside, given.seconds, given.seed, without, disk)
        judge(record, without)
        print(table(record, without, disk is not None), flush=True)
        if given.keep:
            shutil.copytree(data, given.keep, dirs_exist_ok=True)
        return 1 if record.failures else 0
    finally:
        if disk is not None:
            disk.close()


def _end_with_parent(data: Path) -> None:
    """Wait until nobody holds the other end of the input, then end at once, with everything that was started."""
    from .processes import end_all

    os.read(0, 1)
    end_all(data)
    os._exit(1)


def _names(given: str) -> frozenset[str]:
    return frozenset(filter(None, given.split(",")))


if __name__ == "__main__":
    sys.exit(main())
