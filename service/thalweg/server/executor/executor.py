"""The local executor: claims queued jobs while there is room, starts one process per attempt, and takes lost jobs back.

A restarted server goes on with the workers that the last one started: they are found by their process numbers in the store,
and by the beat of their leases. A claim without a number whose order nobody holds any more is given back; if the order was
carried out after all, its worker is fenced off. A look may fail in the middle, on a full disk for example: what was found out
is forgotten only once it stands in the store.

A worker may be lost through its job or through the machine. What the machine did never ends a job: a full disk and the like
are told by the exit status (`trouble.py`), and before any other loss counts against a job a probe shows that the machine
itself is well. While it is not, the queue waits.
"""

from __future__ import annotations

import logging
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import NamedTuple

from thalweg import processes
from thalweg.server import machine
from thalweg.server.executor.awake import Awake
from thalweg.server.executor.launcher import Key, Launcher
from thalweg.server.executor.leases import Leases
from thalweg.server.executor.pauses import LONGEST, Pauses
from thalweg.server.executor.trouble import Trouble, damaged, death, trouble_of
from thalweg.server.executor.watchdog import LATE
from thalweg.server.job.heartbeat import FENCED_OFF
from thalweg.server.store import attempts
from thalweg.server.store.records import ENDED, JobRow, State, WorkRow
from thalweg.server.store.store import Store
from thalweg.server.store.sweep import discard
from thalweg.server.store.writer import settled

_log = logging.getLogger(__name__)

_TICK = 0.1  # s
_AFTER_ERROR = 1.0  # s
_KILL_AFTER = 3.0  # s between SIGTERM and SIGKILL
_USABLE = 0.9  # of the memory
_AT_ONCE = 64  # jobs started in one look; arbitrary
_STOPPED_WITHIN = 30.0  # s; a loop that takes longer is left behind
_ERROR_AGAIN = 60.0  # s between two reports of the same error
_TOLD_WITHIN = 4.0  # s that a launcher may take to say how a worker ended: it may be in the middle of an import
_TOLD_AGAIN = 10.0  # s until an event is tried again that could not be written
_BLAMELESS = (0, FENCED_OFF)  # statuses of a worker that has done its work, or believes that another one does
_SHORT = "; the machine has less memory free than the job asks for"


class _Suspect(NamedTuple):
    """An attempt whose worker died, until a probe has told whether the machine is well."""

    reason: str
    of_memory: bool  # whether a lack of memory may have been it


class Executor:
    """Runs until it is stopped; its workers go on without it.

    Args:
        lease: how long a worker may be silent (s).
        grace: how long a worker may take to stop by itself once it was asked to (s).
    """

    def __init__(self, store: Store, launcher: Launcher, lease: float, grace: float, awake: Awake) -> None:
        self._store, self._launcher, self._grace, self._awake = store, launcher, grace, awake
        self._leases = Leases(store, lease, awake)
        self._pauses = Pauses()
        self._statuses: dict[Key, int] = {}  # how workers ended whose jobs are not taken back yet
        self._silenced: dict[Key, str] = {}  # workers that were ended because they were silent, and why
        self._suspects: dict[Key, _Suspect] = {}
        self._cancelling: dict[Key, float] = {}  # when each was first seen to be asked to stop
        self._missed: dict[Key, float] = {}  # whose processes are no more, and since when that is known
        self._told: dict[str, tuple[Future[None], float]] = {}  # jobs that were told why the queue waits, and when
        self._wake = threading.Event()
        self._over = False
        self._seen = time.monotonic()
        self._errors: dict[str, float] = {}  # that were reported in the last minute, and when
        self._error = ""  # the last one
        self._failing: float | None = None  # since when every look met an error that is no passing trouble of the machine
        self._damage = ""
        self.draining = False
        self._thread = threading.Thread(target=self._run, name="executor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Look now: a job has come, or is to be cancelled."""
        self._wake.set()

    def silent_seconds(self) -> float:
        """How long the loop has shown no sign of life; infinite if it has ended."""
        return time.monotonic() - self._seen if self._thread.is_alive() else float("inf")

    def trouble(self) -> str:
        """What keeps every look from its end and will not pass by itself."""
        if self._failing is not None and self._awake.waited(self._failing) > LATE:
            return f"the executor fails again and again: {self._error}"
        return self._damage

    def stop(self) -> None:
        self._over = True
        self.wake()
        self._thread.join(_STOPPED_WITHIN)
        self._launcher.close()

    def _run(self) -> None:
        while not self._over:
            self._seen = time.monotonic()
            try:
                self._tick()
                self._failing, self._damage = None, ""
            except Exception as error:
                self._failed(error)
                self._wake.wait(_AFTER_ERROR)
            self._wake.wait(_TICK)
            self._wake.clear()

    def _failed(self, error: Exception) -> None:
        self._report(error)
        if damaged(error):
            self._damage = f"the store is damaged: {error}"
        elif trouble_of(error) is not None:
            self._failing = None
        elif self._failing is None:
            self._failing = time.monotonic()

    def _report(self, error: Exception) -> None:
        """The same error again and again is one error."""
        words, now = f"{type(error).__name__}: {error}", time.monotonic()
        self._errors = {said: when for said, when in self._errors.items() if now - when <= _ERROR_AGAIN}
        self._error = words
        if words not in self._errors:
            self._errors[words] = now
            _log.error("the executor goes on after %s", words, exc_info=error if trouble_of(error) is None else None)

    def _tick(self) -> None:
        self._launcher.keep_up()
        self._store.require()
        at_work = [self._with_process(job) for job in self._store.at_work()]
        for job in self._leases.silent(at_work):  # before anything is written: one of them may hold the lock
            self._silenced[job.id, job.attempt] = f"the worker was silent for {self._leases.lease:g} s"
            self._signal(job, signal.SIGKILL)
        self._statuses |= self._launcher.ended()
        self._each(at_work, self._watch)
        self._judge(at_work)
        self._forget_all_but(at_work)
        if not self.draining:
            self._start_queued()

    def _each(self, jobs: Iterable[WorkRow], do: Callable[[WorkRow], None]) -> None:
        """An error of ours at one job keeps no other one waiting; the machine's trouble is everybody's, and ends the look."""
        for job in jobs:
            self._seen = time.monotonic()
            try:
                do(job)
            except Exception as error:
                if trouble_of(error) is not None:
                    raise
                self._report(error)

    # --- starting

    def _with_process(self, job: WorkRow) -> WorkRow:
        """The job with its worker's process, which the launcher may know before the worker has written it into the store."""
        known = self._launcher.process(job) if job.pid is None else None
        return job if known is None else job._replace(pid=known.pid, pid_mark=known.mark)

    def _start_queued(self) -> None:
        """In the order of their submission, as long as processors and memory last; a large job is not overtaken for ever."""
        queued, now = self._store.queued(_AT_ONCE), time.monotonic()
        if not queued or not self._queue_moves(queued, now):
            return
        at_work = self._store.at_work()
        processors = machine.processors() - sum(job.cpus for job in at_work)
        memory = int(_USABLE * machine.memory()) - sum(job.memory for job in at_work)
        for job in queued:
            self._seen = time.monotonic()
            if self._pauses.waits(job.id, now):
                continue
            if at_work and (job.cpus > processors or job.memory > memory):
                return
            if not self._start(job):
                return
            at_work.append(job)
            processors, memory = processors - job.cpus, memory - job.memory

    def _start(self, job: WorkRow) -> bool:
        """Claim a job and start its worker; False where the machine does not let us."""
        try:
            claimed = settled(attempts.claim(self._store, job))
        except (sqlite3.Error, OSError) as error:
            self._stop_queue(trouble_of(error) or Trouble.STORE)
            return False
        trouble = self._launcher.start(claimed) if claimed is not None else None
        if claimed is not None and trouble is not None:
            self._lose(claimed, f"its worker could not be started: {trouble.sentence}", counts=False)
            self._stop_queue(trouble)
        return trouble is None

    # --- while the machine is in trouble

    def _stop_queue(self, trouble: Trouble) -> None:
        self._pauses.stop_queue(trouble.sentence, time.monotonic())

    def _queue_moves(self, queued: list[WorkRow], now: float) -> bool:
        """Whether jobs may start; after a pause, only once a probe has come back well."""
        if not self._pauses.reason:
            return True
        if self._pauses.queue_waits(now):
            self._tell(queued)
        else:
            self._launcher.probe()
        return False

    def _tell(self, queued: list[WorkRow]) -> None:
        """An event for each of the first jobs of the queue; on a full disk it is tried again later."""
        words = f"the queue waits: {self._pauses.reason}; it goes on by itself, at most {LONGEST:g} s after that is over"
        now = time.monotonic()
        for job in queued:
            told, when = self._told.get(job.id, (None, now))
            if told is None or (told.done() and told.exception() is not None and now - when > _TOLD_AGAIN):
                self._told[job.id] = self._store.log(job.id, "warning", words), now
                _log.warning("job %s: %s", job.id, words)

    def _judge(self, at_work: list[WorkRow]) -> None:
        """Once a probe has come back: whose fault the losses were, and whether the queue goes on."""
        status = self._launcher.probed()
        if status is None:
            if self._suspects:
                self._launcher.probe()
            return
        self._each([job for job in at_work if (job.id, job.attempt) in self._suspects], lambda job: self._acquit(job, status))
        if status == 0:
            self._pauses.resume_queue(time.monotonic())
            self._told = {}
        else:
            self._pauses.stop_queue(death(status), time.monotonic())

    def _acquit(self, job: WorkRow, status: int) -> None:
        """Take a suspect's job back. Its loss counts where the machine is well, and has the memory that the job asks for."""
        suspect = self._suspects[job.id, job.attempt]
        free = machine.free_memory() if suspect.of_memory else None
        short = free is not None and free < job.memory
        self._lose(job, f"{suspect.reason}{_SHORT if short else ''}", counts=status == 0 and not short)
        del self._suspects[job.id, job.attempt]

    # --- watching

    def _watch(self, job: WorkRow) -> None:
        """Take the job back from a worker that is dead, silent or was never started; press one that was asked to stop."""
        key = (job.id, job.attempt)
        if key in self._suspects and job.state is not State.CANCELLING:
            return
        if key in self._statuses or key in self._silenced or self._gone(job):
            self._lost(job, self._statuses.get(key))
        elif job.pid is None and not self._launcher.knows(job):
            self._lose(job, "its worker did not start", counts=False)
        elif job.state is State.CANCELLING:
            self._press(job)

    def _gone(self, job: WorkRow) -> bool:
        """Whether its process is no more; not at once, since the launcher may be about to say how it ended."""
        key = (job.id, job.attempt)
        if job.pid is None or processes.lives(job.pid, job.pid_mark):
            return False
        if key not in self._missed:
            self._missed[key] = time.monotonic()
            return False
        return not self._launcher.knows(job) or self._awake.waited(self._missed[key]) > _TOLD_WITHIN

    def _lost(self, job: WorkRow, status: int | None) -> None:
        """What the machine did is known by the status; anything else is judged when a probe has come back."""
        reason = self._silenced.get((job.id, job.attempt), death(status))
        trouble = Trouble(status) if status in set(Trouble) else None
        if job.state is State.CANCELLING or status in _BLAMELESS:
            self._lose(job, reason, counts=False)
        elif trouble is not None and not trouble.blames_the_job:
            self._lose(job, reason, counts=False)
            self._stop_queue(trouble)
        else:
            of_memory = trouble is Trouble.MEMORY or (status == -signal.SIGKILL and (job.id, job.attempt) not in self._silenced)
            self._suspects[job.id, job.attempt] = _Suspect(reason, of_memory)

    def _lose(self, job: JobRow | WorkRow, reason: str, counts: bool) -> None:
        came_further = self._store.has_checkpoint(job.id, job.attempt)
        moved = settled(attempts.lose(self._store, job, reason, counts))
        if moved is None:
            return
        self._pauses.lost(job.id, time.monotonic(), came_further)
        _log.warning("job %s, attempt %d: %s", job.id, job.attempt, moved.outcome or reason)
        if moved.state in ENDED:
            discard(self._store, job.id)

    def _press(self, job: WorkRow) -> None:
        """SIGTERM once the grace is over, then SIGKILL."""
        waited = self._awake.waited(self._cancelling.setdefault((job.id, job.attempt), time.monotonic()))
        if waited > self._grace:
            self._signal(job, signal.SIGKILL if waited > self._grace + _KILL_AFTER else signal.SIGTERM)

    def _signal(self, job: WorkRow, number: signal.Signals) -> None:
        if job.pid is not None:
            processes.kill(job.pid, job.pid_mark, number)

    def _forget_all_but(self, at_work: list[WorkRow]) -> None:
        keys = {(job.id, job.attempt) for job in at_work}
        self._cancelling = {key: since for key, since in self._cancelling.items() if key in keys}
        self._statuses = {key: status for key, status in self._statuses.items() if key in keys}
        self._silenced = {key: why for key, why in self._silenced.items() if key in keys}
        self._suspects = {key: why for key, why in self._suspects.items() if key in keys}
        self._missed = {key: since for key, since in self._missed.items() if key in keys}
        self._launcher.forget_all_but(keys)
        if len(lost := self._pauses.jobs()) > _AT_ONCE:
            self._pauses.forget(self._store.ended(lost))
