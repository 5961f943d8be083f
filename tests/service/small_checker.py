"""A checker with small limits, in whose process something happens that the name of a specification tells.

python small_checker.py FOLDER
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from thalweg.server.api import checker
from thalweg.server.api.admission import Admission, admit
from thalweg.v1 import jobs_pb2

SECONDS, MEMORY = 2, 2**28
CHILD = "the child of a check"
"""A file with its process number."""


def compute() -> None:
    while True:
        pass


def take_memory_at_once() -> None:
    torch.zeros(2**30, dtype=torch.uint8)


def take_memory_bit_by_bit() -> None:
    taken = []
    while True:
        taken.append(bytes(2**20))


def freeze() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def once(what: Callable[[], object]) -> None:
    """In the first process that is asked, and not in the one after it."""
    if not (flag := FOLDER / "done").exists():
        flag.touch()
        what()


def let_a_child(do: str) -> None:
    with subprocess.Popen([sys.executable, "-c", do]) as child:
        (FOLDER / CHILD).write_text(str(child.pid))


HAPPENINGS: dict[str, Callable[[], object]] = {
    "computes": compute,
    "takes a moment": lambda: time.sleep(0.3),
    "takes a while": lambda: time.sleep(4),
    "waits": lambda: time.sleep(3600),
    "takes memory at once": take_memory_at_once,
    "takes memory bit by bit": take_memory_bit_by_bit,
    "breaks": lambda: {}["a bolt"],
    "ends its process": lambda: os._exit(3),
    "is killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "freezes": freeze,
    "freezes once": lambda: once(freeze),
    "waits once": lambda: once(lambda: time.sleep(3600)),
    "waits for a child": lambda: let_a_child("import time; time.sleep(3600)"),
    "lets a child compute": lambda: let_a_child("import time; end = time.time() + 4\nwhile time.time() < end: pass"),
}


def admit_after(spec: jobs_pb2.JobSpec, folder: Path | None = None) -> Admission:
    if spec.name in HAPPENINGS:
        HAPPENINGS[spec.name]()
    return admit(spec, folder)


if __name__ == "__main__":
    FOLDER = Path(sys.argv[1])
    checker.SECONDS, checker.MEMORY, checker.admit = SECONDS, MEMORY, admit_after  # type: ignore[misc, assignment]
    checker.main(FOLDER, [])
