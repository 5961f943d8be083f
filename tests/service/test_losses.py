"""What the machine does to a worker never ends its job; what a job does to its workers does, in the end."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from thalweg import processes
from thalweg.server import machine
from thalweg.server.executor import executor, local_launcher, pauses
from thalweg.server.executor.awake import Awake
from thalweg.server.executor.executor import Executor
from thalweg.server.executor.launcher import Key, Process
from thalweg.server.executor.local_launcher import LocalLauncher
from thalweg.server.executor.pauses import Pauses
from thalweg.server.executor.probe import probe
from thalweg.server.executor.trouble import Trouble, death, trouble_of
from thalweg.server.store import attempts
from thalweg.server.store.records import JobRow, NewJob, State, WorkRow
from thalweg.server.store.store import Store
from thalweg.v1 import jobs_pb2

from .conftest import Service, until

Make = Callable[..., Service]
Sampling = Callable[..., dict[str, Any]]


class FakeLauncher:
    """Starts nothing: every worker ends at once, with a status of the test's own choice."""

    def __init__(self, worker: Callable[[str, int], int], machine: Callable[[], int]) -> None:
        self.worker, self.machine = worker, machine
        self.started: list[tuple[str, int]] = []
        self._ended: dict[tuple[str, int], int] = {}
        self._probed: int | None = None
        self.probes = 0

    def start(self, job: JobRow | WorkRow) -> Trouble | None:
        self.started.append((job.id, job.attempt))
        status = self.worker(job.id, job.attempt)
        if self.tells(job.id, job.attempt):
            self._ended[job.id, job.attempt] = status
        return None

    def tells(self, job: str, attempt: int) -> bool:
        """Whether it tells how this worker ended."""
        return True

    def process(self, job: JobRow | WorkRow) -> Process | None:
        return None

    def ended(self) -> dict[tuple[str, int], int]:
        ended, self._ended = self._ended, {}
        return ended

    def keep_up(self) -> None:
        pass

    def knows(self, job: JobRow | WorkRow) -> bool:
        return (job.id, job.attempt) in self._ended

    def probe(self) -> None:
        self._probed = self.machine()
        self.probes += 1

    def probed(self) -> Trouble | int | None:
        probed, self._probed = self._probed, None
        return probed

    def forget_all_but(self, keys: Collection[Key]) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def run(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., FakeLauncher]]:
    """An executor whose pauses take no time, over a launcher that starts nothing."""
    monkeypatch.setattr(pauses, "FIRST", 0.001)
    monkeypatch.setattr(pauses, "LONGEST", 0.001)
    monkeypatch.setattr(executor, "_TICK", 0.01)
    begun: list[Executor] = []

    def begin(worker: Callable[[str, int], int], machine: Callable[[], int] = lambda: 0) -> FakeLauncher:
        launcher = FakeLauncher(worker, machine)
        begun.append(Executor(store, launcher, 30.0, 20.0, Awake()))
        begun[-1].start()
        return launcher

    begin.begun = begun  # type: ignore[attr-defined]
    yield begin
    for one in begun:
        one.stop()


def finished(store: Store, job: str, attempt: int) -> int:
    """What a worker does that meets nothing."""
    held = attempts.Attempt(store, job, attempt)
    held.begin(os.getpid(), processes.mark(os.getpid()) or "")
    held.finish(State.SUCCEEDED, "done")
    return 0


def submitted(store: Store) -> str:
    return store.submit(NewJob("", b"spec", "density")).result().id


@pytest.mark.slow
@pytest.mark.parametrize(("number", "name"), [(signal.SIGSEGV, "SIGSEGV"), (40, "signal 40")])
def test_a_job_that_kills_its_workers_is_given_up_and_others_go_on(
    store: Store, run: Callable[..., FakeLauncher], number: int, name: str
) -> None:
    deadly, other = submitted(store), submitted(store)

    def worker(job: str, attempt: int) -> int:
        if job == deadly:
            return -number
        return finished(store, job, attempt)

    launcher = run(worker)
    until(lambda: store.job(deadly).state is State.FAILED, 60)
    assert store.job(deadly).attempt == attempts.MOST_LOSSES
    assert f"killed by {name};" in store.job(deadly).outcome
    assert store.job(other).state is State.SUCCEEDED
    assert launcher.started.count((other, 1)) == 1


@pytest.mark.slow
def test_an_error_of_ours_at_one_job_keeps_no_other_one_waiting(
    store: Store, run: Callable[..., FakeLauncher], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, lost = submitted(store), Executor._lost

    def fails(self: Executor, job: WorkRow, status: int | None) -> None:
        if job.id == bad:
            raise KeyError("of ours")
        lost(self, job, status)

    monkeypatch.setattr(Executor, "_lost", fails)
    run(lambda job, attempt: 1 if job == bad or attempt < 3 else finished(store, job, attempt))
    others = [submitted(store) for _ in range(3)]
    until(lambda: all(store.job(job).state is State.SUCCEEDED for job in others), 60)
    assert store.job(bad).state is State.STARTING


@pytest.mark.parametrize(
    ("error", "words"),
    [(KeyError("ours"), "fails again and again: KeyError"), (sqlite3.DatabaseError("malformed"), "damaged: malformed")],
)
def test_an_executor_that_gets_nothing_done_says_so(
    store: Store, run: Callable[..., FakeLauncher], monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    monkeypatch.setattr(executor, "LATE", 0.1)
    monkeypatch.setattr(executor, "_AFTER_ERROR", 0.01)
    broken, at_work = [True], store.at_work

    def fails() -> list[WorkRow]:
        if broken[0]:
            raise error
        return at_work()

    monkeypatch.setattr(store, "at_work", fails)
    run(lambda job, attempt: finished(store, job, attempt))
    one = run.begun[-1]  # type: ignore[attr-defined]
    until(lambda: words in one.trouble(), 30)
    broken[0] = False
    until(lambda: one.trouble() == "", 30)


@pytest.mark.slow
def test_a_job_is_not_blamed_where_the_machine_has_not_the_memory_that_it_asks_for(
    store: Store, run: Callable[..., FakeLauncher], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [2**20]
    monkeypatch.setattr(machine, "free_memory", lambda: free[0])
    job = store.submit(NewJob("", b"spec", "density", memory=2**30)).result().id
    run(lambda job, attempt: -signal.SIGKILL)
    until(lambda: store.job(job).attempt > 2 * attempts.MOST_LOSSES, 60)
    assert store.job(job).losses == 0
    free[0] = 2**40
    until(lambda: store.job(job).state is State.FAILED, 60)


@pytest.mark.slow
@pytest.mark.parametrize("status", [Trouble.DISK_FULL, Trouble.STORE, Trouble.FILES, 0, 75])
def test_trouble_of_the_machine_ends_no_job(
    store: Store, run: Callable[..., FakeLauncher], monkeypatch: pytest.MonkeyPatch, status: Trouble
) -> None:
    monkeypatch.setattr(pauses, "FIRST", 0.05)
    job, attempts_wanted = submitted(store), 3 * attempts.MOST_LOSSES

    def worker(job: str, attempt: int) -> int:
        return int(status) if attempt < attempts_wanted else finished(store, job, attempt)

    run(worker)
    until(lambda: store.job(job).state is State.SUCCEEDED, 120)
    assert store.job(job).attempt == attempts_wanted
    assert store.job(job).losses == 0


def test_deaths_on_a_machine_on_which_nothing_works_count_against_no_job(store: Store, run: Callable[..., FakeLauncher]) -> None:
    jobs, broken = [submitted(store) for _ in range(3)], [True]
    launcher = run(lambda job, attempt: 1 if broken[0] else finished(store, job, attempt), lambda: 1 if broken[0] else 0)
    until(lambda: launcher.probes > 2, 60)
    assert len(launcher.started) <= len(jobs)  # the queue waits: only probes are started
    assert all(store.job(job).losses == 0 for job in jobs)
    broken[0] = False
    until(lambda: all(store.job(job).state is State.SUCCEEDED for job in jobs), 60)


@pytest.mark.parametrize("state", ["claimed", "began"])
def test_a_loss_that_cannot_be_written_is_written_later(
    store: Store, run: Callable[..., FakeLauncher], monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr(executor, "_AFTER_ERROR", 0.01)
    job, full, lose = submitted(store), iter(range(3)), attempts.lose

    def worker(job: str, attempt: int) -> int:
        if attempt > 1:
            return finished(store, job, attempt)
        if state == "began":
            attempts.Attempt(store, job, attempt).begin(gone(), "1")
        return -signal.SIGKILL

    def lost(*given: Any) -> Any:
        if next(full, None) is not None:
            raise sqlite3.OperationalError("database or disk is full")
        return lose(*given)

    monkeypatch.setattr(attempts, "lose", lost)
    launcher = run(worker)
    until(lambda: store.job(job).state is State.SUCCEEDED, 60)
    assert launcher.started == [(job, 1), (job, 2)]
    assert next(full, None) is None


@pytest.mark.parametrize("told", [None, "a number of a process that was gone before its mark was taken"])
def test_a_worker_that_never_began_and_of_whose_end_nobody_tells_is_started_again(
    store: Store, run: Callable[..., FakeLauncher], monkeypatch: pytest.MonkeyPatch, told: str | None
) -> None:
    job = submitted(store)
    monkeypatch.setattr(FakeLauncher, "tells", lambda self, job, attempt: attempt > 1)
    if told:
        process = Process(gone(), None, 0.0)
        monkeypatch.setattr(FakeLauncher, "process", lambda self, job: process if job.attempt == 1 else None)
    run(lambda job, attempt: finished(store, job, attempt) if attempt > 1 else -signal.SIGKILL)
    until(lambda: store.job(job).state is State.SUCCEEDED, 60)
    assert store.job(job).attempt == 2


def gone() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_a_job_that_waits_for_the_machine_is_told_why(
    store: Store, run: Callable[..., FakeLauncher], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "FIRST", 0.5)
    monkeypatch.setattr(pauses, "LONGEST", 0.5)
    first, second = submitted(store), submitted(store)
    run(lambda job, attempt: int(Trouble.DISK_FULL), lambda: int(Trouble.DISK_FULL))

    def told(job: str) -> bool:
        events = (jobs_pb2.JobEvent.FromString(event.body) for event in store.events(job, 0))
        return any(event.log_line.text.startswith("the queue waits: the disk is full; it goes on by itself") for event in events)

    until(lambda: told(first) and told(second), 60)
    assert store.job(first).state in (State.QUEUED, State.STARTING)


def test_a_lost_job_starts_again_at_once_and_then_waits_longer_each_time() -> None:
    waiting, now = Pauses(), 1000.0
    waiting.lost("job", now, came_further=False)
    assert not waiting.waits("job", now)
    for number in range(12):
        waiting.lost("job", now, came_further=False)
        length = min(pauses.FIRST * 2**number, pauses.LONGEST)
        assert waiting.waits("job", now + 0.99 * length)
        assert not waiting.waits("job", now + 1.01 * length)
        assert not waiting.waits("other", now)
    waiting.lost("job", now, came_further=True)
    assert not waiting.waits("job", now)


def test_the_queue_waits_longer_each_time_until_the_machine_works_again() -> None:
    waiting, now = Pauses(), 1000.0
    for number in range(10):
        waiting.stop_queue("the disk is full", now)
        waiting.stop_queue("the disk is full", now)  # of several workers that met it together
        assert waiting.queue_waits(now + 0.99 * pauses.pause(number))
        now += 1.01 * pauses.pause(number)
        assert not waiting.queue_waits(now)
        if number % 2:  # a probe came back well, and the next worker met it again
            waiting.resume_queue(now)
            assert not waiting.reason
    now += 2 * pauses.LONGEST  # all was well
    waiting.stop_queue("the disk is full", now)
    assert not waiting.queue_waits(now + 1.01 * pauses.FIRST)


def test_a_queue_that_goes_on_before_its_pause_is_over_can_be_stopped_again() -> None:
    waiting, now = Pauses(), 1000.0
    for _ in range(8):
        waiting.stop_queue("the disk is full", now)
        waiting.resume_queue(now)
    waiting.stop_queue("the disk is full", now)
    assert waiting.reason
    assert waiting.queue_waits(now + pauses.FIRST)


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), Trouble.DISK_FULL),
        (OSError(errno.EDQUOT, "Quota exceeded"), Trouble.DISK_FULL),
        (sqlite3.OperationalError("database or disk is full"), Trouble.DISK_FULL),
        (sqlite3.OperationalError("database is locked"), Trouble.STORE),
        (TimeoutError(), Trouble.STORE),
        (OSError(errno.EMFILE, "Too many open files"), Trouble.FILES),
        (OSError(errno.EIO, "Input/output error"), Trouble.BROKEN),
        (OSError(errno.EROFS, "Read-only file system"), Trouble.FORBIDDEN),
        (OSError(errno.EACCES, "Permission denied"), Trouble.FORBIDDEN),
        (OSError(errno.ENAMETOOLONG, "File name too long"), Trouble.DISK),
        (MemoryError(), Trouble.MEMORY),
        (ValueError("ours"), None),
    ],
)
def test_errors_of_the_machine_are_told_from_ours(error: Exception, trouble: Trouble | None) -> None:
    assert trouble_of(error) is trouble
    if trouble is not None:
        assert death(int(trouble)) == trouble.sentence


def test_a_probe_tells_whether_a_worker_could_work_here(store: Store) -> None:
    assert probe(store.folder) == 0
    assert not list(store.folder.glob("**/.probe-*"))
    assert probe(store.folder / "missing") == Trouble.DISK
    assert not (store.folder / "missing").exists()


def test_a_probe_writes_where_jobs_write(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    mkdir = Path.mkdir

    def read_only(path: Path, *given: Any, **more: Any) -> None:
        if path.parent == store.folder / "jobs":
            raise OSError(errno.EROFS, "Read-only file system")
        mkdir(path, *given, **more)

    monkeypatch.setattr(Path, "mkdir", read_only)
    assert probe(store.folder) == Trouble.FORBIDDEN


def test_a_probe_makes_no_database_where_there_is_none(store: Store) -> None:
    store.close()
    store.database.unlink()
    assert probe(store.folder) == Trouble.STORE
    assert not store.database.exists()


def test_a_probe_that_does_not_end_is_killed_and_tells_of_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_launcher, "_PROBED_WITHIN", 0.2)
    monkeypatch.setattr(LocalLauncher, "_spawn", lambda self: None)
    monkeypatch.setattr(LocalLauncher, "_order", lambda self, key, words: None)
    one = LocalLauncher(tmp_path, 30.0, Awake())
    one.probe()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stuck:
        stuck.send_signal(signal.SIGSTOP)
        one._answers.put({"pid": stuck.pid, "probe": 1})
        assert one.probed() is None
        told: list[Any] = []
        until(lambda: told.append(one.probed()) or told[-1] is not None, 30)  # type: ignore[func-returns-value]
        assert told[-1] is Trouble.STUCK
        assert stuck.wait(30) == -signal.SIGKILL
    one.probe()  # the next one, though the fork server has not told of the first one's end
    one._answers.put({"pid": 0, "probe": 2, "status": 0})
    assert one.probed() == 0


def test_a_job_whose_artifact_meets_a_full_disk_is_done_by_the_next_worker(own_service: Make, sampling: Sampling) -> None:
    service = own_service()
    ahead = service.submit(sampling(steps=100_000, cpus=machine.processors()))
    job = service.submit(sampling(steps=20))
    full = service.data / "jobs" / job.id / "artifacts-001"
    full.mkdir(parents=True)
    (full / ".trace.npz").symlink_to("/dev/full")
    service.reached(ahead.id, "walk", 1)
    service.jobs.CancelJob(jobs_pb2.CancelJobRequest(id=ahead.id))
    row = service.ended(job.id)
    assert (row.state, row.attempt, row.losses) == (State.SUCCEEDED, 2, 0)
    changes = [event.state_change.reason for event in service.events(job.id)]
    assert any(change.startswith("the disk is full; the job is queued again and ") for change in changes)
    told = [event.log_line.text for event in service.events(job.id)]
    assert any("the disk is full ([Errno 28] No space left on device)" in text for text in told)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds children in /proc")
def test_a_fork_server_frozen_for_longer_than_a_lease_is_replaced_and_no_job_fails(own_service: Make, sampling: Sampling) -> None:
    service = own_service(THALWEG_LEASE_SECONDS="1")
    assert service.ended(service.submit(sampling(steps=4)).id).state is State.SUCCEEDED
    until(lambda: b"the fork server has loaded" in (service.data / "server.log").read_bytes(), 90)
    frozen = service.fork_server()
    os.kill(frozen, signal.SIGSTOP)
    jobs = [service.submit(sampling(steps=4, seed=seed)) for seed in range(4)]
    rows = [service.ended(job.id) for job in jobs]
    assert {(row.state, row.losses) for row in rows} == {(State.SUCCEEDED, 0)}
    assert processes.mark(frozen) is None


def test_what_a_job_needed_on_its_way_is_removed_when_it_has_ended(own_service: Make, sampling: Sampling) -> None:
    service = own_service()
    done = service.submit(sampling(checkpoint_every=10))
    cancelled = service.submit(sampling(steps=100_000, checkpoint_every=10))
    service.reached(cancelled.id, "walk", 30)
    assert (service.data / "jobs" / cancelled.id / "checkpoints").exists()
    service.jobs.CancelJob(jobs_pb2.CancelJobRequest(id=cancelled.id))
    for job in (done, cancelled):
        service.ended(job.id)
        folder = service.data / "jobs" / job.id
        until(lambda folder=folder: not (folder / "checkpoints").exists() and not list(folder.glob("work-*")), 30)
        assert service.store.checkpoints(job.id) == []


def test_checkpoints_of_ended_jobs_that_were_left_behind_go_when_a_service_starts(own_service: Make, sampling: Sampling) -> None:
    service = own_service()
    job = service.submit(sampling(steps=4))
    service.ended(job.id)
    left = service.data / "jobs" / job.id / "checkpoints"
    until(lambda: not left.exists(), 30)
    service.stop()
    left.mkdir()
    (left / "001-walk-0000000004.safetensors").write_bytes(b"left")
    service.start()
    assert not left.exists()
    shutil.rmtree(service.data / "jobs" / job.id)
