"""The process of one checker as the service holds it: started, asked one question at a time, watched meanwhile, ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from thalweg import processes
from thalweg.server.api.frames import framed, heard
from thalweg.server.executor.forkserver import ENVIRONMENT

T = TypeVar("T")
Answer = tuple[dict[str, Any], bytes]
Look = Callable[[float], Awaitable[None]]

COMMAND = (sys.executable, "-P", "-m", "thalweg.server.api.checker")
"""What runs in a checker; the data folder follows."""

_LOOK = 1.0  # s between two looks at a process that was asked something
_IDLE_LOOKS = 8  # in a row, without processor time: on the busiest machine a process that can run gets some (arbitrary)
_STOPPED_LOOKS = 2  # in a row, at a process that a signal has stopped
_LOADED_WITHIN = 90.0  # s: a cold start loads torch and qiskit from a slow disk
_ENDED_WITHIN = 2.0  # s


class Lost(Exception):
    """The process has gone, or was ended, before it answered.

    Args:
        status: how it ended, as `subprocess` tells it; None where it did not work (a signal has stopped it, say).
    """

    def __init__(self, status: int | None) -> None:
        super().__init__("stood still" if status is None else f"ended with status {status}")
        self.status = status


class Process:
    """A process of `checker.py`. It leads a process group of its own; whatever it has started ends with it.

    Args:
        command: what to run; the data folder is its last argument.
        folder: the data folder.
        place: the folder to work in; made where it is missing.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, command: Sequence[str], folder: Path, place: Path) -> None:
        place.mkdir(exist_ok=True)
        self._socket, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [*command, str(folder)],
                    stdin=theirs.fileno(),
                    stdout=2,  # the log, as is its stderr
                    cwd=place,
                    env={**os.environ, **ENVIRONMENT},
                    start_new_session=True,
                )
            except BaseException:
                self._socket.close()
                raise
        self._killed = False

    @property
    def pid(self) -> int:
        return self._process.pid

    async def load(self) -> None:
        """Until it has loaded what a check needs. Whatever is raised, the process is ended.

        Raises:
            Lost: it has ended, or a signal has stopped it.
            TimeoutError: it loads too slowly.
        """
        try:
            self._reader, self._writer = await asyncio.open_connection(sock=self._socket)
            await self._watched(heard(self._reader), time.monotonic() + _LOADED_WITHIN)
        except EOFError:
            raise Lost(await self._status()) from None
        except BaseException:
            self.kill()
            raise

    async def ask(self, task: str, content: bytes, deadline: float, look: Look) -> Answer:
        """The answer to a question. Whatever is raised, the process is ended.

        Args:
            deadline: on the clock of `time.monotonic`.
            look: awaited every second, with the seconds since the question; what it raises ends the process.

        Raises:
            Lost: it has ended, or uses no processor time though it was asked.
            TimeoutError: the deadline is over.
        """
        try:
            return await self._watched(self._exchange(task, content), deadline, _IDLE_LOOKS, look)
        except (EOFError, ConnectionError):
            raise Lost(await self._status()) from None
        except BaseException:
            self.kill()
            raise

    def well(self) -> bool:
        """Whether it can be asked, as far as one can see from here."""
        gone = self._killed or self._reader.at_eof() or processes.mark(self.pid) is None
        return not (gone or processes.stopped(self.pid))

    def kill(self) -> None:
        """End it, and whatever it has started. From then on it is asked nothing."""
        if not self._killed:  # before it is waited for: its number is its own
            self._killed = True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    async def end(self) -> int | None:
        """The same, until it has gone; how it ended, None where the system does not let go of it."""
        self.kill()
        await _until(lambda: self._process.poll() is not None)
        self._let_go()
        return self._process.returncode

    def end_at_once(self) -> None:
        """The same, where nothing can be awaited any more."""
        self.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDED_WITHIN)
        self._let_go()

    def _let_go(self) -> None:
        if hasattr(self, "_writer"):
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._writer.transport.abort()  # at once, unsent bytes or not: its number may be another one's a moment later
        self._socket.close()

    async def _status(self) -> int | None:
        """How a process ended that has closed its end of the stream; None where it lives on, and is killed."""
        await _until(lambda: processes.mark(self.pid) is None)
        ended = processes.mark(self.pid) is None
        status = await self.end()
        return status if ended else None

    async def _exchange(self, task: str, content: bytes) -> Answer:
        self._writer.write(framed(task.encode(), content))
        await self._writer.drain()
        return json.loads(await heard(self._reader)), await heard(self._reader)

    async def _watched(
        self, work: Coroutine[Any, Any, T], deadline: float, idle_looks: int | None = None, look: Look | None = None
    ) -> T:
        """What comes of it, unless the process stands still: looks are counted, since this process may have been stopped too."""
        task, begun = asyncio.ensure_future(work), time.monotonic()
        used, idle, stopped = processes.processor_ticks(self.pid), 0, 0
        try:
            while True:
                await asyncio.wait([task], timeout=_LOOK)
                if task.done():
                    return task.result()
                before, used = used, processes.processor_ticks(self.pid)
                idle = idle + 1 if used is not None and used == before else 0
                stopped = stopped + 1 if processes.stopped(self.pid) else 0
                if stopped >= _STOPPED_LOOKS or (idle_looks is not None and idle >= idle_looks):
                    raise Lost(None)
                if time.monotonic() > deadline:
                    raise TimeoutError
                if look is not None:
                    await look(time.monotonic() - begun)
        finally:
            task.cancel()


async def _until(done: Callable[[], bool]) -> None:
    """Wait a moment for it."""
    until = time.monotonic() + _ENDED_WITHIN
    while not done() and time.monotonic() < until:
        await asyncio.sleep(0.02)
