"""The checker: a process that tells whether a specification can be done, within limits of its own.

    python -m thalweg.server.api.checker DIR

What somebody sends may take minutes or gigabytes to look at. A checker answers one question after the other on the socket
that is its standard input (see `frames.py`); one that runs into its limits dies or refuses, and the service goes on with
another. It loads what the service itself never does, all of it before it says that it is ready.

    at first   "ready"
    request    "admit" or "describe", then for "admit" a serialized JobSpec
    answer     JSON, then serialized: the specification with what it takes from other jobs; the catalogue
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import socket
import sqlite3
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from thalweg.server.api.admission import admit
from thalweg.server.api.frames import framed, read
from thalweg.server.errors import Refused
from thalweg.server.limits import at_most, out_of_memory
from thalweg.server.spec import catalog
from thalweg.server.spec.describe import describe
from thalweg.server.spec.other_jobs import looked_up
from thalweg.server.store.store import Store
from thalweg.v1 import jobs_pb2
from thalweg_core.errors import BadInput, Unavailable

SECONDS = 20
"""Of processor time for a check (arbitrary: what takes longer belongs into a job)."""

MEMORY = 2 * 2**30
"""Bytes for a check, beside what is loaded (arbitrary)."""

PROBLEM, MACHINE, TROUBLE, OURS = "problem", "machine", "trouble", "ours"
"""Kinds of refusal: the specification's fault, this machine's lack, this machine's trouble, an error in this program."""


_FOREIGN = ("pyscf.gto", "pyscf.scf")
"""What molecules import only when they are looked at."""


def modules() -> list[str]:
    """What problems and methods are made of."""
    entries = [*catalog.METHODS.values(), *catalog.PROBLEMS.values()]
    return [*dict.fromkeys(entry.where.partition(":")[0] for entry in entries), *_FOREIGN]


def main(folder: Path, load: Sequence[str]) -> None:
    """Answer until the other end is closed. No name in a specification is a file in the working directory, which is empty."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the service ends its checkers itself
    os.umask(0o077)
    connection, place = _standard_input(), Path.cwd()
    threading.Thread(target=_end_with, args=[connection], name="end", daemon=True).start()
    for module in load:
        with contextlib.suppress(ImportError):  # what is not installed cannot be asked for
            importlib.import_module(module)
    with contextlib.suppress(EOFError, OSError), connection.makefile("rb") as questions:
        connection.sendall(framed(b"ready"))
        while True:
            task, content = read(questions).decode(), read(questions)
            _limit_time()
            with at_most(MEMORY):
                answer, more = _answer(folder, place, task, content)
            connection.sendall(framed(json.dumps(answer).encode(), more))


def _standard_input() -> socket.socket:
    """The socket there; nothing that is started from here gets it."""
    connection, nothing = socket.socket(fileno=os.dup(0)), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return connection


def _end_with(connection: socket.socket) -> None:
    """When the other end is closed, this process ends at once, with all that it has started, whatever it is doing."""
    hung_up = select.poll()
    hung_up.register(connection, 0)  # POLLHUP only, which need not be asked for
    hung_up.poll()
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def _answer(folder: Path, place: Path, task: str, content: bytes) -> tuple[Mapping[str, Any], bytes]:
    try:
        place.mkdir(exist_ok=True)  # somebody may have removed it
        os.chdir(place)
        return _described() if task == "describe" else _admitted(_store(folder), content)
    except BadInput as bad:
        kind = MACHINE if isinstance(bad, Unavailable) else PROBLEM
        return {"refused": kind, "field": bad.field, "sentence": bad.sentence}, b""
    except Exception as error:
        if out_of_memory(error):
            sentence = f"to check it takes more than {MEMORY / 2**30:g} GiB of memory; wanted a smaller problem"
            return {"refused": PROBLEM, "field": "problem", "sentence": sentence}, b""
        if isinstance(error, (OSError, sqlite3.Error, Refused)):
            return {"refused": TROUBLE, "field": "", "sentence": f"the specification cannot be checked now: {error}"}, b""
        traceback.print_exc()
        sentence = f"the check met {type(error).__name__}; its traceback is in the log"
        return {"refused": OURS, "field": "", "sentence": sentence}, b""


@cache
def _store(folder: Path) -> Store:
    """Opened with the first question that needs it; on a full disk, with the first one after."""
    return Store(folder, make=False)


def _described() -> tuple[Mapping[str, Any], bytes]:
    return {}, describe().SerializeToString()


def _admitted(store: Store, content: bytes) -> tuple[Mapping[str, Any], bytes]:
    try:
        sent = jobs_pb2.JobSpec.FromString(content)
    except DecodeError:
        raise BadInput("", "the bytes are no JobSpec") from None
    spec = looked_up(store, sent)
    admission = admit(spec, store.folder)
    plan = admission.parsed_job.plan
    about = {
        "kind": admission.parsed_job.problem_name,
        "memory": admission.memory,
        "cpus": plan.cpus,
        "device": plan.device,
    }
    return about, spec.SerializeToString(deterministic=True)


def _limit_time() -> None:
    """This process has so much processor time from here on; one that takes more is killed."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + SECONDS, most))


if __name__ == "__main__":
    main(Path(sys.argv[1]), modules())
