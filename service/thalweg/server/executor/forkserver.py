"""The fork server: a process that has imported what workers need, and done nothing else, so that a worker starts in 20 ms.

    python -m thalweg.server.executor.forkserver DIR

It reads one line of JSON for each worker to start, {"job", "attempt"}, and answers {"pid", "job", "attempt"} when it
runs and {"pid", "job", "attempt", "status"} when it ended (minus the signal's number where one killed it). {"probe"} starts
a probe in the same way, and {"loaded"} is said once everything is imported. When its input ends it starts no more, waits for
its children, and goes: workers outlive the server that asked for them.

Forking is safe here because there is nothing to fork but imports: no thread, no parallel region, no gRPC, no CUDA. The
thread caps must be in the environment before the first import (`ENVIRONMENT`), so every worker from here has one thread.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from thalweg.server.executor.probe import probe
from thalweg.server.executor.trouble import trouble_of
from thalweg.server.spec import catalog

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMEXPR_NUM_THREADS": "1"}
"""Thread caps; with them exactly one thread is alive after the imports."""

FOREIGN = ("sklearn.datasets", "thalweg_vqe.hamiltonians.pyscf_names", "pyscf.scf", "pyscf.fci", "qiskit_aer")
"""What the landscapes of the catalogue import only when they are opened."""


def preload() -> list[str]:
    """Modules to import, in an order in which early jobs can do without those that follow."""
    entries = [*catalog.METHODS.values(), *reversed(list(catalog.PROBLEMS.values()))]
    return ["thalweg.server.executor.worker", *(entry.where.partition(":")[0] for entry in entries), *FOREIGN]


def main(folder: Path) -> None:
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    workers = Workers(folder)
    waiting = preload()
    while True:
        ready, _, _ = select.select([0, wake], [], [], 0 if waiting else None)
        if wake in ready:
            os.read(wake, 4096)
        workers.reap()
        if 0 in ready and not workers.obey():
            break
        if waiting and not ready:
            with contextlib.suppress(ImportError):  # what is not installed cannot be asked for
                importlib.import_module(waiting.pop(0))
            gc.freeze()  # what is loaded stays in pages that the workers share
            if not waiting:
                workers.tell({"loaded": os.getpid()})
    workers.wait()


class Workers:
    """The workers, and the two ends of the pipe to the server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: dict[int, dict[str, Any]] = {}
        self._half = b""

    def obey(self) -> bool:
        """Start what was asked for; False where the input has ended."""
        data = os.read(0, 65536)
        *lines, self._half = (self._half + data).split(b"\n")
        for line in lines:
            self._start(json.loads(line))
        return bool(data)

    def reap(self) -> None:
        """Tell of the workers that have ended."""
        for pid in list(self._children):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                self.tell({"pid": pid, **self._children.pop(pid), "status": os.waitstatus_to_exitcode(status)})

    def wait(self) -> None:
        for pid in self._children:
            os.waitpid(pid, 0)

    def _start(self, order: dict[str, Any]) -> None:
        try:
            pid = os.fork()
        except OSError as error:  # the machine has no more processes, or no memory for one
            self.tell({"pid": 0, **order, "status": int(trouble_of(error) or 1)})
            return
        if pid == 0:
            _become(self._folder, order)
        self._children[pid] = order
        self.tell({"pid": pid, **order})

    def tell(self, words: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # the server has gone; it will look for its workers by their numbers
            os.write(1, json.dumps(words).encode() + b"\n")


def _become(folder: Path, order: dict[str, Any]) -> NoReturn:
    """In the child: a session of its own, then what was ordered."""
    status = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        status = probe(folder) if "probe" in order else _work(folder, order["job"], order["attempt"])
    except BaseException as error:
        import traceback

        traceback.print_exc()
        status = int(trouble_of(error) or 1)
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _work(folder: Path, job: str, attempt: int) -> int:
    redirect(folder, job, attempt)
    from thalweg.server.executor import worker

    return worker.main(folder, job, attempt)


def redirect(folder: Path, job: str, attempt: int) -> None:
    """Input from nowhere, output to the attempt's log."""
    log = folder / "jobs" / job / f"attempt-{attempt}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    nothing, file = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
