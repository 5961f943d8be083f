"""The launcher of this machine: one process per attempt, by the fork server or as an interpreter of its own."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from thalweg import processes
from thalweg.server.executor.awake import Awake
from thalweg.server.executor.forkserver import ENVIRONMENT
from thalweg.server.executor.launcher import Key, Process
from thalweg.server.executor.trouble import Trouble, trouble_of
from thalweg.server.store.records import JobRow, WorkRow

_RESTART = 2.0  # s between two starts of the fork server, should it die of what it imports
_ANSWER_WITHIN = 10.0  # s
_LOADED_WITHIN = 90.0  # s; a cold start loads torch and qiskit from a slow disk
_PROBED_WITHIN = 15.0  # s for what takes milliseconds: longer than its wait for the lock of the store

_log = logging.getLogger(__name__)


class LocalLauncher:
    """Starts workers as processes of this machine, see `Launcher`.

    Args:
        folder: the data folder.
        lease: a fork server that has loaded and does not answer for so long is replaced (s; at least 10 s).
    """

    def __init__(self, folder: Path, lease: float, awake: Awake) -> None:
        self._folder, self._answer_within, self._awake = folder, max(_ANSWER_WITHIN, lease), awake
        self._own: dict[Key, subprocess.Popen[bytes]] = {}
        self._orders: dict[Key, float] = {}  # that were not answered yet, and when they were given
        self._processes: dict[Key, Process] = {}
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._ended: dict[Key, int] = {}
        self._probe: int | None = None  # the number of the one that is under way
        self._probes = 0
        self._probed: Trouble | int | None = None
        self._loaded = False
        self._spawn()

    def start(self, job: JobRow | WorkRow) -> Trouble | None:
        """Start the worker of a claimed job; what is wrong where it cannot be started."""
        if job.device == "cpu" and job.cpus == 1:
            self._order((job.id, job.attempt), {"job": job.id, "attempt": job.attempt})
            return None
        try:
            process = self._own[job.id, job.attempt] = self._start_interpreter(job)
            self._processes[job.id, job.attempt] = Process.now(process.pid)
        except OSError as error:
            _log.warning("the worker of job %s cannot be started: %s", job.id, error)
            return trouble_of(error)
        return None

    def process(self, job: JobRow | WorkRow) -> Process | None:
        """The worker's process, as far as it is known before the worker itself has written it into the store."""
        return self._processes.get((job.id, job.attempt))

    def knows(self, job: JobRow | WorkRow) -> bool:
        """Whether its worker was ordered and has not ended; False for one that was ordered from a process that is gone."""
        return (job.id, job.attempt) in self._orders.keys() | self._processes.keys() | self._ended.keys()

    def ended(self) -> dict[Key, int]:
        """Exit statuses of attempts, since the last time."""
        self._hear()
        for key in [key for key, process in self._own.items() if process.poll() is not None]:
            self._ended[key] = self._own.pop(key).returncode
        for key in self._ended:
            self._processes.pop(key, None)
        ended, self._ended = self._ended, {}
        return ended

    def keep_up(self) -> None:
        """Replace a fork server that has died or does not answer; what it was asked for is void, its workers live on."""
        self._hear()
        now = time.monotonic()
        waited = self._awake.waited(min(self._orders.values(), default=now))
        frozen = waited > self._answer_within and (self._loaded or now - self._spawned > _LOADED_WITHIN)
        if frozen:
            _log.warning("the fork server has not answered for %.0f s and is killed", waited)
            self._process.kill()
        elif self._process.poll() is None or now - self._spawned < _RESTART:
            return
        _log.warning("the fork server is started anew")
        self._orders = {}
        if self._probe is not None:
            self._probe, self._probed = None, Trouble.NO_PROCESS
        self._processes = {key: process for key, process in self._processes.items() if key[0]}  # nobody tells of probes any more
        self._spawn()

    def probe(self) -> None:
        """Start a process that writes as workers do (`probe.py`), unless one is under way."""
        if self._probe is None:
            self._probes += 1
            self._probe, self._probed = self._probes, None
            self._order(("", self._probes), {"probe": self._probes})

    def probed(self) -> Trouble | int | None:
        """How the probe ended, once: 0 where all is well; None while there is no answer. One that takes long is killed."""
        self._hear()
        begun = self._processes.get(("", self._probe or 0))
        if begun is not None and self._awake.waited(begun.since) > _PROBED_WITHIN:
            processes.kill(begun.pid, begun.mark, signal.SIGKILL)
            self._probe, self._probed = None, Trouble.STUCK
        status, self._probed = self._probed, None
        return status

    def forget_all_but(self, keys: Collection[Key]) -> None:
        """Other attempts are over: nobody asks for their processes any more."""
        self._processes = {key: process for key, process in self._processes.items() if key in keys or not key[0]}

    def close(self) -> None:
        """The fork server goes when its last worker has."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _order(self, key: Key, words: dict[str, Any]) -> None:
        self._orders[key] = time.monotonic()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has died: that is seen, and the order is void
            self._process.stdin.write(json.dumps(words).encode() + b"\n")
            self._process.stdin.flush()

    def _hear(self) -> None:
        """What the fork server has said since the last time."""
        while not self._answers.empty():
            words = self._answers.get()
            key = (words.get("job", ""), words.get("attempt", words.get("probe", 0)))
            self._orders.pop(key, None)
            if "loaded" in words:
                self._loaded = self._loaded or words["loaded"] == self._process.pid
                _log.info("the fork server has loaded what workers need")
            elif "status" not in words:
                self._processes[key] = Process.now(words["pid"])
            elif "job" in words:
                self._ended[key] = words["status"]
            else:
                self._processes.pop(key, None)
                if words["probe"] == self._probe:
                    self._probe, self._probed = None, words["status"]

    def _spawn(self) -> None:
        command = [sys.executable, "-P", "-m", "thalweg.server.executor.forkserver", str(self._folder)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **ENVIRONMENT},
            start_new_session=True,
        )
        self._spawned, self._loaded = time.monotonic(), False
        threading.Thread(target=self._listen, args=[self._process], name="fork-server", daemon=True).start()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._answers.put(json.loads(line))
        process.wait()

    def _start_interpreter(self, job: JobRow | WorkRow) -> subprocess.Popen[bytes]:
        log = self._folder / "jobs" / job.id / f"attempt-{job.attempt}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "thalweg.server.executor.worker", str(self._folder), job.id, str(job.attempt)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **dict.fromkeys(ENVIRONMENT, str(job.cpus))},
                start_new_session=True,
            )
