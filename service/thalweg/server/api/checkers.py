"""The checkers as the service sees them: a few processes of `checker.py`, one question at a time each, replaced when they die."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from thalweg.server.api.checker_process import COMMAND, Answer, Lost, Process
from thalweg.server.errors import Draining, MachineTrouble
from thalweg_core.errors import BadInput, Unavailable

PLACE = ".thalweg-work"
"""Folder below the data folder in which the service and its checkers work: it holds no file that a name could mean."""

_FEWEST, _MOST = 2, 3  # processes; the last one from the first time on that a question finds the others at work
_WITHIN = 60.0  # s for a question, from a free process to the answer; processor time is limited in `checker.py`
_FREE_WITHIN = 10.0  # s that a question waits for a free process
_FIRST_WITHIN = 95.0  # s, for the first one, which may load from a slow disk
_SLOW = 2.0  # s after which a question counts as slow (arbitrary)
_ABANDONED = 2.0  # s that a check may still take once nobody waits for it
_LONGEST_PAUSE = 30.0  # s between two starts of a process that fail
_FAILED_STARTS = 3  # in a row, after which the service is not well
_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP, -signal.SIGINT)  # and from a system short of memory

_log = logging.getLogger(__name__)


class Checked(NamedTuple):
    """A specification that can be done."""

    spec: bytes  # a serialized JobSpec, with what it takes from other jobs
    kind: str  # "density.gaussian"
    memory: int  # bytes that it is estimated to need
    cpus: int
    device: str


class _Displaced(Exception):
    """A question takes long, and there is no place for it beside other slow ones."""


@dataclass
class _Question:
    task: str
    content: bytes
    deadline: float = 0.0  # on the clock of time.monotonic, from the first free process on
    slow: bool = False  # whether it has one of the places for slow questions


class Checkers:
    """Questions wait until a checker is free, each for 10 s at most; whoever came last is first.

    Two of the processes may be at work on questions that take more than 2 s. One more such question, while others
    wait, is stopped and waits in line for such a place: so a small specification is checked beside many large ones. Where more
    comes than can be done, somebody has to be refused, and the newest question is the one whose caller still waits.

    A process that dies, is killed, or stands still is replaced, and its question asked of another one. Only a process
    that has used up its processor time, or two that broke (a crash, no signal from outside), are blamed on the specification.

    Args:
        folder: the data folder.
        command: what each process runs; the data folder follows.
    """

    def __init__(self, folder: Path, command: Sequence[str] = COMMAND) -> None:
        self._folder, self._command = folder, command
        self._processes: set[Process] = set()  # that have loaded
        self._idle: list[Process] = []
        self._loading: Process | None = None
        self._waiting: list[asyncio.Future[Process]] = []  # questions, the newest last
        self._slow = asyncio.Semaphore(_MOST - 1)
        self._wanted = _FEWEST
        self._keeper: asyncio.Task[None] | None = None
        self._asked = asyncio.Event()  # since the last start that failed
        self._failures, self._why = 0, ""
        self._beside: set[asyncio.Task[None]] = set()
        self._loaded = self._closed = False
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

    def trouble(self) -> str:
        """Why no specification can be checked; empty where all is well."""
        if self._failures < _FAILED_STARTS or self._processes:
            return ""
        return f"specifications cannot be checked: {self._why}"

    def close(self) -> None:
        """End every process. Questions that wait are refused."""
        self._closed = True
        for task in [*filter(None, [self._keeper]), *self._beside]:
            if not task.get_loop().is_closed():
                task.cancel()
        for process in [*self._processes, *filter(None, [self._loading])]:
            process.end_at_once()
        self._refuse_waiting(_stopping())

    async def _ask(self, task: str, content: bytes) -> Answer:
        """What one of the processes answers that are asked, one after the other."""
        question, ends = _Question(task, content), list[Lost]()
        try:
            while not _enough(ends):
                try:
                    answer, more = await self._answer(question)
                except Lost as end:
                    _log.warning("a process that checks specifications %s", end)
                    ends.append(end)
                    if self._closed:
                        break
                else:
                    if "refused" in answer:
                        raise _refusal(answer)
                    return answer, more
        except TimeoutError:
            raise MachineTrouble("the specification could not be checked in time: this machine is busy; submit again") from None
        finally:
            if question.slow:
                self._slow.release()
            question.slow = True  # a check that goes on though its caller has gone takes no place that nobody would give back
        raise _stopping() if self._closed else _verdict(ends)

    async def _answer(self, question: _Question) -> Answer:
        """What one process answers; a question that takes long may be stopped once, and waits for its place then."""
        try:
            return await self._asked_of(await self._free(), question)
        except _Displaced:
            async with asyncio.timeout(question.deadline - time.monotonic()):
                await self._slow.acquire()
            question.slow = True
            return await self._asked_of(await self._free(), question)

    async def _asked_of(self, process: Process, question: _Question) -> Answer:
        question.deadline = question.deadline or time.monotonic() + _WITHIN

        async def look(seconds: float) -> None:
            if seconds < _SLOW or question.slow:
                return
            if not self._slow.locked():
                question.slow = await self._slow.acquire()  # at once
            elif self._waiting:
                raise _Displaced

        asking = asyncio.ensure_future(process.ask(question.task, question.content, question.deadline, look))
        try:
            return await asyncio.shield(asking)
        finally:
            if asking.done():
                self._back(process)
            else:  # the caller has gone
                self._do(self._leave(process, asking))

    async def _leave(self, process: Process, asking: asyncio.Future[Answer]) -> None:
        """Nobody waits for the answer: a check that takes long is stopped."""
        try:
            await asyncio.wait([asking], timeout=_ABANDONED)
        finally:
            if not asking.done():
                asking.cancel()
                process.kill()
            elif not asking.cancelled():
                asking.exception()  # is nobody's
            self._back(process)

    async def _free(self) -> Process:
        """A process for a question, as soon as there is one."""
        while self._idle:
            process = self._idle.pop()
            if process.well():
                return process
            self._lose(process)
        if self._closed:
            raise _stopping()
        if len(self._processes) >= _FEWEST:
            self._wanted = _MOST
        self._asked.set()
        self._keep_up()
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(_FREE_WITHIN if self._loaded else _FIRST_WITHIN):
                return await self._given(waiter)
        except TimeoutError:
            raise MachineTrouble(self._busy()) from None

    async def _given(self, waiter: asyncio.Future[Process]) -> Process:
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif not waiter.cancelled() and waiter.exception() is None:  # given at the same moment
                self._back(waiter.result())
            raise

    def _back(self, process: Process) -> None:
        """A process that has answered, or was given to somebody who has gone, goes to the next question."""
        if not process.well():
            self._lose(process)
        elif (waiter := self._newest()) is not None:
            waiter.set_result(process)
        else:
            self._idle.append(process)

    def _lose(self, process: Process) -> None:
        self._processes.discard(process)
        if not self._closed:
            self._do(process.end())
            self._keep_up()

    def _keep_up(self) -> None:
        if not self._closed and (self._keeper is None or self._keeper.done()):
            self._keeper = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        """Start processes, one after the other, until there are as many as wanted."""
        while len(self._processes) < self._wanted:
            try:
                process = await self._started()
            except Exception as error:
                self._failures, self._why = self._failures + 1, _reason(error)
                _log.warning("a checker cannot be started: %s", self._why, exc_info=not isinstance(error, OSError | Lost))
                if not self._processes:
                    self._refuse_waiting(MachineTrouble(f"no specification can be checked now: {self._why}"))
                self._asked.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(2.0**self._failures, _LONGEST_PAUSE)):
                        await self._asked.wait()
            else:
                self._failures, self._loaded = 0, True
                self._processes.add(process)
                self._back(process)

    async def _started(self) -> Process:
        process = self._loading = Process(self._command, self._folder, self._folder / PLACE)
        try:
            await process.load()
        except BaseException:
            await process.end()
            raise
        finally:
            self._loading = None
        return process

    def _newest(self) -> asyncio.Future[Process] | None:
        """The question that came last, which waits no more then; those that were just given up are passed over."""
        while self._waiting:
            waiter = self._waiting.pop()
            if not waiter.done():
                return waiter
        return None

    def _refuse_waiting(self, error: Exception) -> None:
        while (waiter := self._newest()) is not None:
            waiter.set_exception(error)

    def _busy(self) -> str:
        if not self._loaded:
            return "what checks specifications has not loaded yet; submit again in a moment"
        others = len(self._processes) - len(self._idle) + len(self._waiting)
        if others == 0:
            return "what checks specifications is started again; submit again in a moment"
        are = "other specification is" if others == 1 else "other specifications are"
        return f"{others} {are} being checked; submit again in a moment"

    def _do(self, work: Coroutine[Any, Any, Any]) -> None:
        """Beside everything else."""
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)


def _broke(ends: Sequence[Lost]) -> int:
    """How many processes ended by themselves."""
    return sum(end.status is not None and end.status not in _FROM_OUTSIDE for end in ends)


def _enough(ends: Sequence[Lost]) -> bool:
    """Whether no other process is asked: one used up its processor time, two broke or stood still, or three were lost."""
    statuses = [end.status for end in ends]
    return -signal.SIGXCPU in statuses or _broke(ends) >= 2 or statuses.count(None) >= 2 or len(ends) >= 3


def _verdict(ends: Sequence[Lost]) -> Exception:
    """What the ends of the processes that were asked say."""
    statuses = [end.status for end in ends]
    if -signal.SIGXCPU in statuses:
        sentence = "to check it takes too long; wanted a smaller problem, or fewer of whatever it has many of"
        return BadInput("problem", sentence)
    if _broke(ends) >= 2:
        return BadInput("problem", "what checks it has died of it; wanted a smaller problem")
    if None in statuses:
        return MachineTrouble("the specification cannot be checked now: what checks it stands still; submit again in a moment")
    why = "what checks it was killed (is there too little memory?)"
    return MachineTrouble(f"the specification cannot be checked now: {why}; submit again in a moment")


def _reason(error: Exception) -> str:
    if isinstance(error, Lost):
        return f"a process that checks specifications {error} while it loaded; the log of the service may say more"
    if isinstance(error, TimeoutError):
        return "a process that checks specifications did not load in time"
    return str(error)


def _stopping() -> Draining:
    return Draining("the service is about to stop and takes no new jobs; submit again in a moment")


def _refusal(answer: dict[str, Any]) -> Exception:
    if answer["refused"] == "trouble":
        return MachineTrouble(answer["sentence"])
    if answer["refused"] == "ours":
        return RuntimeError(answer["sentence"])
    return (Unavailable if answer["refused"] == "machine" else BadInput)(answer["field"], answer["sentence"])
