"""Nobody hangs the service: not a caller that goes away, not a lock that is held, not a thread that dies."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from thalweg import specs
from thalweg.server.executor import watchdog
from thalweg.server.executor.awake import Awake
from thalweg.server.executor.leases import Leases, lock_holder
from thalweg.server.store.records import NewJob, State, WorkRow
from thalweg.server.store.store import Store
from thalweg.v1 import jobs_pb2

from .conftest import Service, until

Make = Callable[..., Service]
Sampling = Callable[..., dict[str, Any]]

HOLDER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(database: Path) -> Iterator[subprocess.Popen[str]]:
    """Meanwhile another process holds the write lock of the store."""
    command = [sys.executable, "-c", HOLDER, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_write_whose_caller_has_gone_is_dropped_and_the_writer_goes_on(store: Store) -> None:
    with held(store.database):
        first = store.writer.write(lambda db: None)  # the writer is in the middle of it
        gone = store.submit(NewJob("gone", b"spec", "density"))
        until(lambda: first.running(), 30)
        assert gone.cancel()
    first.result(60)
    assert store.submit(NewJob("next", b"spec", "density")).result(60).request_id == "next"
    assert store.by_request("gone") is None


def test_a_submission_that_is_cancelled_while_it_is_written_hangs_nothing(own_service: Make, sampling: Sampling) -> None:
    service = own_service()
    service.submit(sampling(), check=True)
    for _ in range(3):
        with held(service.data / "thalweg.sqlite"):
            request = jobs_pb2.SubmitJobRequest(spec=specs.load(sampling(steps=4, warmup=4)), request_id="")
            calls = [service.jobs.SubmitJob.future(request) for _ in range(4)]
            time.sleep(0.5)  # long enough to be checked, and to wait for the lock
            for call in calls:
                call.cancel()
    assert service.ended(service.submit(sampling(steps=4, warmup=4)).id).state is State.SUCCEEDED
    assert service.stop() == 0


def test_a_store_that_stays_locked_is_said_so_as_something_that_passes(own_service: Make, sampling: Sampling) -> None:
    service = own_service()
    service.submit(sampling(), check=True)
    with held(service.data / "thalweg.sqlite"), pytest.raises(grpc.RpcError) as caught:
        service.submit(sampling())
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "the store could not be read or written (database is locked)" in (caught.value.details() or "")


def test_a_store_is_opened_whoever_holds_its_lock(store: Store) -> None:
    job = store.submit(NewJob("", b"spec", "density")).result(30).id
    with held(store.database):
        other = Store(store.folder)  # as checkers and workers do
        assert other.job(job).state is State.QUEUED
        other.close()


def test_the_writer_is_not_taken_for_dead_while_it_starts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    silent: list[float] = []

    class Watched(threading.Thread):
        def start(self) -> None:
            silent.append(store.writer.silent_seconds())
            super().start()
            silent.append(store.writer.silent_seconds())

    store.writer._seen -= 1000.0  # nothing was written for long
    monkeypatch.setattr(threading, "Thread", Watched)
    write = store.submit(NewJob("", b"spec", "density"))
    monkeypatch.undo()
    assert write.result(30).state is State.QUEUED
    assert max(*silent, store.writer.silent_seconds()) < 100


def test_a_connection_that_fails_even_to_roll_back_is_replaced(store: Store) -> None:
    store.writer.write(lambda db: db.close()).exception(30)
    assert store.submit(NewJob("", b"spec", "density")).result(30).state is State.QUEUED


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("ending", ["-wal", "-shm"])
def test_nothing_is_written_once_a_file_beside_the_database_is_gone(
    store: Store, tmp_path: Path, ending: str, written: bool
) -> None:
    if written:
        store.submit(NewJob("before", b"spec", "density")).result(30)
    file, away = store.database.with_name(f"{store.database.name}{ending}"), tmp_path / "away"
    file.rename(away)
    with pytest.raises(sqlite3.OperationalError, match=f"{ending} was (moved or removed|replaced) while it is in use"):
        store.submit(NewJob("lost", b"spec", "density")).result(30)
    away.replace(file)
    assert store.submit(NewJob("next", b"spec", "density")).result(30).request_id == "next"


def test_a_database_that_was_emptied_is_told(store: Store) -> None:
    store.submit(NewJob("before", b"spec", "density")).result(30)
    os.truncate(store.database, 0)
    assert "was emptied while it is in use" in store.writer.trouble()


@pytest.mark.parametrize("written", [False, True])
def test_what_would_be_written_into_a_file_that_was_moved_away_is_refused_until_it_is_back(
    store: Store, tmp_path: Path, written: bool
) -> None:
    if written:
        store.submit(NewJob("before", b"spec", "density")).result(30)
    away = tmp_path / "away"
    store.database.rename(away)
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match=r"moved or removed while it is in use|unable to open"):
            store.submit(NewJob("lost", b"spec", "density")).result(30)
        assert not store.database.exists()
    assert "put it back" in store.writer.trouble()
    away.rename(store.database)
    assert store.submit(NewJob("next", b"spec", "density")).result(30).request_id == "next"
    assert not store.writer.trouble()
    assert not store.writer.error
    assert store.by_request("lost") is None


def test_what_would_be_written_into_a_file_that_was_removed_at_that_moment_is_not_acknowledged(store: Store) -> None:
    with pytest.raises(sqlite3.OperationalError, match="moved or removed while it is in use"):
        store.writer.write(lambda db: store.database.unlink()).result(30)


def test_nothing_is_written_beside_a_database_that_was_replaced(store: Store, tmp_path: Path) -> None:
    store.submit(NewJob("before", b"spec", "density")).result(30)
    other = Store(tmp_path / "other")
    other.close()
    other.database.replace(store.database)
    with pytest.raises(sqlite3.OperationalError, match="was replaced while it is in use; start the service anew"):
        store.submit(NewJob("lost", b"spec", "density")).result(30)
    with pytest.raises(sqlite3.OperationalError, match="was replaced"):
        store.require()


class Silent:
    """A thread without a sign of life."""

    def __init__(self, seconds: float, trouble: str = "") -> None:
        self.seconds, self.said = seconds, trouble

    def silent_seconds(self) -> float:
        return self.seconds

    def trouble(self) -> str:
        return self.said


def watching(awake: Awake, **watched: Silent) -> watchdog.Watchdog:
    """A watchdog that tells, and begins nothing anew."""
    told = watchdog.Watchdog(watched, awake, [], lambda: None)
    told.stop()
    return told


def test_a_service_whose_threads_are_late_says_that_it_does_not_serve() -> None:
    awake, late = Awake(), Silent(watchdog.LATE + 1)
    awake.stop()
    awake._since -= 1000.0  # it has run for long
    assert watching(awake, writer=Silent(0), executor=Silent(1)).trouble() == ""
    assert watching(awake, writer=Silent(0), executor=late).trouble() == "the executor does not work"
    assert watching(awake, writer=late, executor=Silent(1)).trouble() == "the writer does not work"
    assert watching(awake, writer=Silent(0), executor=Silent(0, "the store is damaged")).trouble() == "the store is damaged"


def test_a_process_that_was_stopped_blames_nobody_for_its_own_silence(store: Store) -> None:
    awake, lease = Awake(), 30.0
    awake.stop()
    time.sleep(0.5)  # its thread has ended: the test is its clock
    leases = Leases(store, lease, awake)
    job = WorkRow("job", State.RUNNING, 1, 0, os.getpid(), "mark", 1, 1, 0, "cpu")
    awake._since -= 1000.0
    assert leases.silent([job]) == []
    leases._beats["job", 1] = (1, time.monotonic() - lease - 1)
    awake._looked -= lease + 1  # nobody looked at the clock for so long
    assert leases.silent([job]) == []
    assert watching(awake, executor=Silent(1000.0)).trouble() == ""
    assert watching(awake, executor=Silent(float("inf"))).trouble() == "the executor does not work"
    awake._since -= lease  # it has run since, and the worker is silent still
    leases._beats["job", 1] = (1, time.monotonic() - 2 * lease)
    awake._looked = time.monotonic()
    assert leases.silent([job]) == [job]


DYING = """
import sys, threading
from thalweg.server.executor import executor
from pathlib import Path

mark = Path(sys.argv[2]) / "died-once"
tick = executor.Executor._tick

def dying(self):
    if not mark.exists():
        mark.touch()
        raise SystemExit  # ends the thread, and is no Exception
    tick(self)

executor.Executor._tick = dying
from thalweg.server.__main__ import main
sys.exit(main())
"""


@pytest.mark.slow
def test_a_service_whose_executor_died_begins_anew_and_runs_its_jobs(tmp_path: Path, sampling: Sampling) -> None:
    service = Service.__new__(Service)
    service.data, service._environment, service._store = tmp_path / "data", {}, None
    service.start(program=[sys.executable, "-c", DYING])
    began = (service.data / "server.json").stat().st_mtime_ns
    until(lambda: not (service.data / "server.json").exists(), 60)  # it says that nobody is there
    until(lambda: (service.data / "server.json").exists(), 60)
    assert (service.data / "server.json").stat().st_mtime_ns != began
    assert service.process.poll() is None  # the same process
    service.connect()
    assert service.ended(service.submit(sampling(steps=4, warmup=4)).id).state is State.SUCCEEDED
    service.close()
    assert "the executor does not work any more" in (service.data / "server.log").read_text()


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="reads the holder of a lock in /proc/locks")
def test_who_holds_the_lock_of_the_store_is_told(store: Store) -> None:
    store.submit(NewJob("", b"spec", "density")).result()
    assert lock_holder(store.database) == (True, None)
    with held(store.database) as holder:
        assert lock_holder(store.database) == (True, holder.pid)


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="finds a stopped process by its lock in /proc/locks")
def test_a_worker_frozen_inside_a_transaction_is_ended_and_its_neighbour_is_not(own_service: Make, sampling: Sampling) -> None:
    lease = 4.0
    service = own_service(THALWEG_LEASE_SECONDS=str(lease))
    jobs = [service.submit(sampling(steps=20_000, seed=seed)) for seed in range(2)]
    pids = [service.reached(job.id, "walk", 5).pid for job in jobs]
    assert None not in pids
    frozen = frozen_in_a_transaction(service.data / "thalweg.sqlite", pids[0] or 0)
    until(lambda: service.row(jobs[0].id).pid != frozen, 60)
    reasons = [event.state_change.reason for event in service.events_so_far(jobs[0].id)]
    assert any(f"silent for {lease:g} s" in reason for reason in reasons)
    assert service.row(jobs[1].id).pid == pids[1]
    assert service.row(jobs[1].id).attempt == 1
    for job in jobs:
        service.jobs.CancelJob(jobs_pb2.CancelJobRequest(id=job.id))
        service.ended(job.id)


def frozen_in_a_transaction(database: Path, pid: int) -> int:
    """Stop a worker at a moment at which it holds the write lock."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.005)
        if lock_holder(database) == (True, pid):
            return pid
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.002)
    raise AssertionError("it was never stopped while it wrote")


def test_health_is_told_without_the_token_and_nothing_else_is(service: Service, sampling: Sampling) -> None:
    with grpc.insecure_channel(service.address) as stranger:
        health = health_pb2_grpc.HealthStub(stranger)
        assert health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
        for path, streams in (
            ("/thalweg.v1.JobService/ListJobs", False),
            ("/thalweg.v1.JobService/WatchJob", True),
            ("/thalweg.v1.CatalogService/Describe", False),
        ):
            call = (stranger.unary_stream if streams else stranger.unary_unary)(path)
            for metadata in ((), (("authorization", "Bearer wrong"),), (("authorization", ""),)):
                with pytest.raises(grpc.RpcError) as caught:
                    list(call(b"", metadata=metadata)) if streams else call(b"", metadata=metadata)
                assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
                assert "its token" in (caught.value.details() or "")
