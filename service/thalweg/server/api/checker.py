"""The checker: a process that tells whether a specification can be done, within limits of its own.

What somebody sends may take minutes or gigabytes to look at. A checker answers one question after the other on a pipe; one
that runs into its limits dies or refuses, and the service goes on with another. It loads what the service itself never does.

    request    "admit" or "describe", then for "admit" a serialized JobSpec
    answer     JSON, then serialized: the specification with what it takes from other jobs; the catalogue
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sqlite3
import traceback
from collections.abc import Mapping
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from thalweg.server.api.admission import admit
from thalweg.server.errors import Refused
from thalweg.server.limits import at_most, out_of_memory
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


def serve(pipe: Connection, folder: Path, place: Path) -> None:
    """Answer until the other end is closed. `place` becomes the working directory: no name in a specification is a file there."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which ends its checkers itself
    os.umask(0o077)
    os.chdir(place)
    with contextlib.suppress(EOFError, OSError):
        while True:
            task, content = pipe.recv_bytes().decode(), pipe.recv_bytes()
            _limit_time()
            with at_most(MEMORY):
                answer, more = _answer(folder, task, content)
            pipe.send_bytes(json.dumps(answer).encode())
            pipe.send_bytes(more)


def _answer(folder: Path, task: str, content: bytes) -> tuple[Mapping[str, Any], bytes]:
    try:
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
    plan = admission.blueprint.plan
    about = {
        "kind": admission.blueprint.problem_name,
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
