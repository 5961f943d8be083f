"""The checkers as the service sees them: a few processes of `checker.py`, one question at a time each, replaced when they die."""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from thalweg.server.errors import MachineTrouble
from thalweg.server.executor.forkserver import ENVIRONMENT
from thalweg.server.spec import catalog
from thalweg_core.errors import BadInput, Unavailable

T = TypeVar("T")
Serve = Callable[[Connection, Path, Path], None]

PLACE = ".thalweg-work"
"""Folder below the data folder in which the service and its checkers work: it holds no file that a name could mean."""

_NUMBER = 2
_WITHIN = 60.0  # s of wall clock for a check, on a busy machine
_LOADED_WITHIN = 90.0  # s, for the first one: a cold start loads torch and qiskit from a slow disk
_ABANDONED = 2.0  # s that a check may still take once nobody waits for it

_FOREIGN = ("pyscf.gto", "pyscf.scf")
"""What molecules import only when they are looked at."""


class Checked(NamedTuple):
    """A specification that can be done."""

    spec: bytes  # a serialized JobSpec, with what it takes from other jobs
    kind: str  # "density.gaussian"
    memory: int  # bytes that it is estimated to need
    cpus: int
    device: str


def _serve(pipe: Connection, folder: Path, place: Path) -> None:
    """In the new process."""
    from thalweg.server.api.checker import serve

    serve(pipe, folder, place)


class Checkers:
    """Questions wait until a checker is free.

    Args:
        folder: the data folder.
        serve: what each process runs, with its end of the pipe, the data folder, and the folder to work in.
    """

    def __init__(self, folder: Path, serve: Serve = _serve) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["thalweg.server.api.checker", *_modules()])
        os.environ.update(ENVIRONMENT)  # of the processes to come; this one computes nothing
        self._checkers = [_Checker(self._context, serve, folder, folder / PLACE) for _ in range(_NUMBER)]
        self._free: asyncio.Queue[_Checker] = asyncio.Queue()
        for checker in self._checkers:
            self._free.put_nowait(checker)
        self._left: set[asyncio.Task[None]] = set()
        self._description: bytes | None = None

    async def admit(self, spec: bytes) -> Checked:
        """What a serialized JobSpec comes to.

        Raises:
            BadInput: it cannot be done, or takes too long to check.
            MachineTrouble: this machine cannot check it now.
        """
        about, content = await self._ask("admit", spec)
        return Checked(content, about["kind"], about["memory"], about["cpus"], about["device"])

    async def describe(self) -> bytes:
        """A serialized DescribeResponse."""
        if self._description is None:
            _, self._description = await self._ask("describe", b"")
        return self._description

    def close(self) -> None:
        for checker in self._checkers:
            checker.stop()

    async def _ask(self, task: str, content: bytes) -> tuple[dict[str, Any], bytes]:
        checker = await self._free.get()
        asking = _in_a_thread(checker.ask, task, content)
        try:
            return await asyncio.shield(asking)
        finally:
            if asking.done():
                self._free.put_nowait(checker)
            else:  # the caller has gone
                leaving = asyncio.create_task(self._leave(checker, asking))
                self._left.add(leaving)
                leaving.add_done_callback(self._left.discard)

    async def _leave(self, checker: _Checker, asking: asyncio.Future[Any]) -> None:
        """Nobody waits for the answer: a check that takes long is stopped."""
        with contextlib.suppress(Exception):
            await asyncio.wait([asking], timeout=_ABANDONED)
            if not asking.done():
                checker.stop()
            await asking
        self._free.put_nowait(checker)


class _Checker:
    """One process, started when it is first asked, and again when it has died."""

    def __init__(self, context: Any, serve: Serve, folder: Path, place: Path) -> None:
        self._context, self._serve, self._folder, self._place = context, serve, folder, place
        self._process: Any = None
        self._pipe: Connection | None = None
        self._stopped = False  # whether we have killed it
        self._answered = False

    def ask(self, task: str, content: bytes) -> tuple[dict[str, Any], bytes]:
        """Blocks until there is an answer. Only a question that kills two processes is blamed for it."""
        for _ in range(2):
            try:
                pipe = self._running()
            except (EOFError, OSError) as error:
                raise MachineTrouble(f"no specification can be checked now: {error}") from None
            try:
                return self._asked(pipe, task, content)
            except (EOFError, OSError):
                if self._buried() == -signal.SIGXCPU or self._stopped:
                    sentence = "to check it takes too long; wanted a smaller problem, or fewer of whatever it has many of"
                    raise BadInput("problem", sentence) from None
        raise BadInput("problem", "what checks it has died of it; wanted a smaller problem")

    def stop(self) -> None:
        """Whoever waits for its answer gets a refusal. From any thread."""
        self._stopped = True
        if self._process is not None:
            self._process.kill()

    def _asked(self, pipe: Connection, task: str, content: bytes) -> tuple[dict[str, Any], bytes]:
        pipe.send_bytes(task.encode())
        pipe.send_bytes(content)
        if not pipe.poll(_WITHIN if self._answered else _LOADED_WITHIN):
            self.stop()
        answer, more = json.loads(pipe.recv_bytes()), pipe.recv_bytes()
        self._answered = True
        if "refused" in answer:
            raise _refusal(answer)
        return answer, more

    def _running(self) -> Connection:
        if self._pipe is None or self._stopped or not self._process.is_alive():
            self._pipe, self._stopped = None, False
            ours, theirs = self._context.Pipe()
            process = self._context.Process(target=self._serve, args=[theirs, self._folder, self._place], daemon=True)
            process.start()  # the first one waits until all that a check needs is loaded
            theirs.close()
            self._process, self._pipe = process, ours
            if self._stopped:  # meanwhile
                process.kill()
        return self._pipe

    def _buried(self) -> int | None:
        """How the process ended that has closed its end of the pipe."""
        self._process.join(_ABANDONED)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(_ABANDONED)
        self._pipe = None
        return cast(int | None, self._process.exitcode)


def _in_a_thread(function: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
    """In a thread that does not keep the process from ending."""
    done: Future[T] = Future()

    def run() -> None:
        done.set_running_or_notify_cancel()
        try:
            done.set_result(function(*arguments))
        except Exception as error:
            done.set_exception(error)

    threading.Thread(target=run, name="checker", daemon=True).start()
    return asyncio.wrap_future(done)


def _modules() -> list[str]:
    """What problems and methods are made of."""
    entries = [*catalog.METHODS.values(), *catalog.PROBLEMS.values()]
    return [*dict.fromkeys(entry.where.partition(":")[0] for entry in entries), *_FOREIGN]


def _refusal(answer: dict[str, Any]) -> Exception:
    if answer["refused"] == "trouble":
        return MachineTrouble(answer["sentence"])
    if answer["refused"] == "ours":
        return RuntimeError(answer["sentence"])
    return (Unavailable if answer["refused"] == "machine" else BadInput)(answer["field"], answer["sentence"])
