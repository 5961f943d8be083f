"""The local executor: warm starts from a process that has done nothing, room for so many, and an end to every worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from thalweg import processes
from thalweg.server import machine
from thalweg.server.app import CANNOT_SERVE, FOLDER_TAKEN, not_loopback
from thalweg.server.executor.forkserver import ENVIRONMENT
from thalweg.server.store.records import State
from thalweg.v1 import jobs_pb2

from .conftest import Service, until

Sampling = Callable[..., dict[str, Any]]
Make = Callable[..., Service]

LOOK = """
import importlib, os, sys
from thalweg.server.executor import forkserver
for module in forkserver.preload():
    importlib.import_module(module)
print(len(os.listdir('/proc/self/task')), 'grpc' in sys.modules, 'torch' in sys.modules, 'qiskit_aer' in sys.modules)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_the_fork_server_has_everything_loaded_one_thread_and_no_grpc() -> None:
    found = subprocess.run(
        [sys.executable, "-c", LOOK], env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["1", "False", "True", "True"]


def test_a_warm_worker_starts_within_a_fraction_of_a_second(service: Service, sampling: Sampling) -> None:
    service.ended(service.submit(sampling(steps=4)).id)
    waits = [1.0]
    while min(waits) >= 1.0 and len(waits) < 8:  # the machine may be busy, with imports of the fork server's own for one
        job = service.submit(sampling(steps=4))
        events = service.events(job.id)
        times = {e.state_change.state: e.time.ToNanoseconds() / 1e9 for e in events if e.HasField("state_change")}
        waits.append(times[jobs_pb2.JOB_STATE_RUNNING] - times[jobs_pb2.JOB_STATE_QUEUED])
    assert min(waits) < 1.0  # a fresh interpreter needs four seconds for the imports


def test_no_more_workers_run_than_there_are_processors(service: Service, sampling: Sampling) -> None:
    jobs = [service.submit(sampling(steps=150)) for _ in range(machine.processors() + 2)]
    most = 0
    while any(service.row(job.id).state is not State.SUCCEEDED for job in jobs):
        most = max(most, sum(row.cpus for row in service.store.at_work()))
        time.sleep(0.02)
    assert most == machine.processors()


def test_jobs_start_in_the_order_of_their_submission(service: Service, sampling: Sampling) -> None:
    jobs = [service.submit(sampling(steps=20, cpus=machine.processors())) for _ in range(2)]
    starts = [service.ended(job.id).started for job in jobs]
    assert starts == sorted(starts, key=lambda start: start or 0.0)
    assert {service.job(job.id).provenance.threads for job in jobs} == {machine.processors()}


def test_a_job_cancelled_in_the_queue_never_starts(service: Service, sampling: Sampling) -> None:
    first = service.submit(sampling(steps=100_000, cpus=machine.processors()))
    service.reached(first.id, "walk", 1)
    second = service.submit(sampling(cpus=machine.processors()))
    for job in (second, first):
        service.jobs.CancelJob(jobs_pb2.CancelJobRequest(id=job.id))
    assert service.ended(second.id).outcome == "cancelled before it started"
    assert service.row(second.id).attempt == 0
    service.ended(first.id)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds children in /proc")
def test_a_fork_server_that_dies_takes_no_worker_with_it_and_is_replaced(own_service: Make, sampling: Sampling) -> None:
    service = own_service()
    running = service.submit(sampling(steps=2000))
    service.reached(running.id, "walk", 1)
    os.kill(service.fork_server(), signal.SIGKILL)
    next_one = service.submit(sampling(steps=20))
    assert service.ended(next_one.id).state is State.SUCCEEDED
    row = service.ended(running.id)
    assert (row.state, row.attempt) == (State.SUCCEEDED, 1)


def test_a_worker_that_does_not_listen_is_stopped_by_signals(own_service: Make, sampling: Sampling) -> None:
    service = own_service(THALWEG_CANCEL_GRACE_SECONDS="0.5")
    job = service.submit(sampling(steps=100_000))
    pid = service.reached(job.id, "walk", 5).pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    service.jobs.CancelJob(jobs_pb2.CancelJobRequest(id=job.id))
    row = service.ended(job.id)
    assert row.state is State.CANCELLED
    assert "SIG" in row.outcome
    until(lambda: processes.mark(pid) is None, 10)


def test_a_silent_worker_is_replaced_and_the_job_goes_on(own_service: Make, sampling: Sampling) -> None:
    service = own_service(THALWEG_LEASE_SECONDS="4")
    job = service.submit(sampling(steps=2000))
    pid = service.reached(job.id, "walk", 30).pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    row = service.ended(job.id)
    assert row.state is State.SUCCEEDED
    assert row.attempt >= 2
    assert any("silent for 4 s" in event.state_change.reason for event in service.events(job.id))


def test_a_second_service_on_the_same_folder_says_so_and_exits_3(service: Service) -> None:
    command = [sys.executable, "-m", "thalweg.server", "--data", str(service.data)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert second.returncode == FOLDER_TAKEN == 3
    assert "another thalweg service holds the lock" in second.stderr
    assert second.stderr.count("\n") == 1
    assert (service.data / "server.json").exists()


def test_only_loopback_is_served(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "thalweg.server", "--data", str(tmp_path), "--address", "0.0.0.0:0"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert refused.returncode == CANNOT_SERVE
    assert "loopback only" in refused.stderr
    for address in ("127.0.0.1:0", "localhost:5000", "[::1]:0"):
        assert not_loopback(address) is None
    for address in ("192.168.0.1:1", "example.org:1", "127.0.0.1", "127.0.0.1:http", "[::]:0"):
        assert not_loopback(address) is not None


@pytest.mark.slow
def test_a_service_that_nobody_needs_ends_by_itself(tmp_path: Path, sampling: Sampling) -> None:
    service = Service.__new__(Service)
    service.data, service._environment, service._store = tmp_path / "data", {}, None
    service.start("--exit-when-idle", "1")
    job = service.submit(sampling(steps=2000))
    service.channel.close()
    assert service.process.wait(60) == 0
    assert service.row(job.id).state is State.SUCCEEDED  # it did not leave before
    assert not (service.data / "server.json").exists()
    service.close()


@pytest.mark.slow
def test_a_service_that_ends_when_idle_first_waits_for_its_workers(tmp_path: Path, sampling: Sampling) -> None:
    service = Service.__new__(Service)
    service.data, service._environment, service._store = tmp_path / "data", {}, None
    service.start("--exit-when-idle", "60")
    job = service.submit(sampling(steps=2000))
    service.reached(job.id, "walk", 1)
    service.process.terminate()
    time.sleep(0.5)
    with pytest.raises(grpc.RpcError, match="about to stop") as caught:
        service.submit(sampling())
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert service.process.wait(60) == 0
    assert service.row(job.id).state is State.SUCCEEDED
    service.close()


def test_sigterm_ends_the_service_and_leaves_the_worker_to_the_next_one(own_service: Make, sampling: Sampling) -> None:
    service = own_service()
    job = service.submit(sampling(steps=5000))
    before = service.reached(job.id, "walk", 1)
    assert service.stop() == 0
    assert not (service.data / "server.json").exists()
    assert processes.mark(before.pid or 0) == before.pid_mark
    service.start()
    row = service.ended(job.id)
    assert (row.state, row.attempt) == (State.SUCCEEDED, 1)
