"""`python -m benchmarks` lists what there is.

`python -m benchmarks NAME|all [--quick] [--json FILE] [--markdown FILE]` runs it.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import sys
import time
from pathlib import Path

from rich.console import Console

from benchmarks import tables
from benchmarks.harness import FULL, QUICK, Row
from benchmarks.one_thread import only_one_thread

BENCHMARKS = {
    "exact_gradient": "energy and gradient without noise, beside PennyLane lightning and Qulacs",
    "shot_gradient": "H2: energy and gradient from 1000 shots a circuit, beside Aer counts circuit by circuit",
    "metric": "the full Fubini-Study metric, beside torch.func.jacfwd",
    "magnet_gradient": "a skyrmion film: energy and gradient, beside one copy of the magnetization",
    "optimizers": "optimizers under shot noise: shots until chemical accuracy, beside the textbook's Adam",
    "posterior": "logistic posterior: gradients and effective draws, beside JAX and NumPyro",
}
"""Every benchmark is a module of this name with `rows(effort)`; loaded only when it runs."""


def main(arguments: list[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 132)
    if chosen.name is None:
        for name, about in BENCHMARKS.items():
            console.print(f"[bold]{name}[/]  {about}", highlight=False)
        return 0
    only_one_thread()
    rows: list[Row] = []
    for name in BENCHMARKS if chosen.name == "all" else [chosen.name]:
        began = time.perf_counter()
        found = list(importlib.import_module(f"benchmarks.{name}").rows(QUICK if chosen.quick else FULL))
        console.print(f"\n[bold]{name}[/]  {BENCHMARKS[name]}", highlight=False)
        tables.show(found, console)
        console.print(f"[dim]{_machine()}; 1 thread; medians; {time.perf_counter() - began:.0f} s[/]", highlight=False)
        rows += found
    if chosen.json:
        chosen.json.write_text(tables.as_json(rows), encoding="utf-8")
    if chosen.markdown:
        chosen.markdown.write_text(tables.markdown(rows), encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Side by side with the peers, in one process, on one core."
    )
    parser.add_argument("name", nargs="?", choices=[*BENCHMARKS, "all"], help="which; left out: list them")
    parser.add_argument("--quick", action="store_true", help="fewer repeats and smaller sizes: each ends within a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there")
    return parser


def _machine() -> str:
    return f"{_processor()}, Python {platform.python_version()}, {platform.system()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main())
