"""A part of a benchmark in a process of its own: with its own number of threads, or with a memory that nobody else used.

    python -m benchmarks.elsewhere MODULE:FUNCTION ARGUMENTS        what `elsewhere` starts; arguments and answer are JSON

Thread pools read their size when they are loaded, so two threads need a process that starts with two.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.one_thread import CAPS

_ROOT = Path(__file__).resolve().parents[1]


def elsewhere(function: str, *arguments: Any, threads: int = 1) -> Any:
    """What "module:function" of this package says there."""
    paths = os.pathsep.join([str(_ROOT), *(path for path in sys.path if path)])
    environment = {**os.environ, **dict.fromkeys(CAPS, str(threads)), "PYTHONPATH": paths}
    command = [sys.executable, "-m", "benchmarks.elsewhere", function, json.dumps([threads, *arguments])]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def peak(call: Callable[[], object]) -> int:
    """Bytes by which the memory of this process grows at most while it calls; Linux tells since any moment."""
    before = _resident("VmRSS")
    if before is None:
        high = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        call()
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - high)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    call()
    return max(0, (_resident("VmHWM") or 0) - before)


def threads() -> int:
    """How many torch has here."""
    import torch

    return torch.get_num_threads()


def _resident(name: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(name)), None)


def main(function: str, given: str) -> None:
    threads, *arguments = json.loads(given)
    if hasattr(os, "sched_setaffinity") and threads > 1:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))  # whoever started this may stay on one core
    import torch

    torch.set_num_threads(threads)
    module, _, name = function.partition(":")
    print(json.dumps(getattr(importlib.import_module(f"benchmarks.{module}"), name)(*arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
