"""A real service in a process of its own, on a folder of its own, that tests may kill."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest

from thalweg import credentials, specs
from thalweg.server.limits import limit_data, limited
from thalweg.server.store.records import ENDED, JobRow, State
from thalweg.server.store.store import Store
from thalweg.v1 import jobs_pb2, jobs_pb2_grpc


class Showing(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamStreamClientInterceptor):
    """Shows the token with every call."""

    def __init__(self, token: str) -> None:
        self._metadata = credentials.metadata(token)

    def _show(self, proceed: Any, details: Any, request: Any) -> Any:
        return proceed(details._replace(metadata=[*(details.metadata or ()), *self._metadata]), request)

    intercept_unary_unary = intercept_unary_stream = intercept_stream_stream = _show


class Unregistered:
    """A channel that registers no methods: gRPC 1.85 dies of a segmentation fault where one is registered on a closed channel,
    and an intercepted channel registers them at every call. Here such a call is a ValueError, as elsewhere."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._channel, name)
        if name not in ("unary_unary", "unary_stream", "stream_unary", "stream_stream"):
            return found
        return lambda method, writes=None, reads=None, *_registered, **_too: found(method, writes, reads)


class Service:
    """The service of a folder, and what a test wants of it."""

    def __init__(self, data: Path, **environment: str) -> None:
        self.data = data
        self._environment = environment
        self._store: Store | None = None
        self.start()

    def start(self, *arguments: str, program: Sequence[str] = (sys.executable, "-m", "thalweg.server")) -> None:
        command = [*program, "--data", str(self.data), *arguments]
        (self.data / "server.json").unlink(missing_ok=True)
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, env={**os.environ, **self._environment}, stdout=log, stderr=log)
        until(lambda: (self.data / "server.json").exists() or self.process.poll() is not None, 120)
        self.connect()

    def connect(self) -> None:
        """To where the folder says that its service is."""
        self.address = json.loads((self.data / "server.json").read_text())["address"]
        channel: Any = Unregistered(grpc.insecure_channel(self.address))
        self.channel = grpc.intercept_channel(channel, Showing(credentials.of_folder(self.data)))
        self.jobs = jobs_pb2_grpc.JobServiceStub(self.channel)
        self.catalog = jobs_pb2_grpc.CatalogServiceStub(self.channel)

    def kill(self) -> None:
        """kill -9 the server; its workers go on."""
        self.process.kill()
        self.process.wait()
        self.channel.close()

    def stop(self) -> int:
        self.process.terminate()
        self.channel.close()
        return self.process.wait(30)

    def close(self) -> None:
        """End everything that was started here."""
        if self.process.poll() is None:
            self.stop()
        for row in self.store.at_work():
            if row.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(row.pid, signal.SIGKILL)
        self.store.close()

    def fork_server(self) -> int:
        """The process that starts workers (Linux: found in /proc)."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
        (found,) = [pid for pid in children if b"thalweg.server.executor.forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        return found

    @property
    def store(self) -> Store:
        """The same file, read from here."""
        if self._store is None:
            self._store = Store(self.data)
        return self._store

    def submit(self, spec: dict[str, Any], request_id: str = "", check: bool = False) -> jobs_pb2.Job:
        request = jobs_pb2.SubmitJobRequest(spec=specs.load(spec), request_id=request_id, validate_only=check)
        return self.jobs.SubmitJob(request, timeout=120).job

    def row(self, job: str) -> JobRow:
        return self.store.job(job)

    def job(self, job: str) -> jobs_pb2.Job:
        return self.jobs.GetJob(jobs_pb2.GetJobRequest(id=job), timeout=30).job

    def ended(self, job: str, seconds: float = 120) -> JobRow:
        """The job once it has ended; asked of the store, so that it does not matter whether a server runs."""
        until(lambda: self.row(job).state in ENDED, seconds)
        return self.row(job)

    def events(self, job: str, after: int = 0) -> list[jobs_pb2.JobEvent]:
        """Until the job has ended."""
        return [r.event for r in self.jobs.WatchJob(jobs_pb2.WatchJobRequest(id=job, after=after), timeout=120)]

    def events_so_far(self, job: str) -> list[jobs_pb2.JobEvent]:
        return [jobs_pb2.JobEvent.FromString(event.body) for event in self.store.events(job, 0)]

    def reached(self, job: str, phase: str, step: int, seconds: float = 120) -> JobRow:
        """The job once it has reported, or kept, this step of this phase."""

        def there() -> bool:
            row = self.row(job)
            progress = jobs_pb2.Progress.FromString(row.progress or b"")
            places = [(progress.phase, progress.step), *((kept.phase, kept.step) for kept in self.store.checkpoints(job))]
            assert row.state not in ENDED, f"it ended before the test could disturb it: {row.outcome}"
            return row.state is State.RUNNING and any(p == phase and s >= step for p, s in places)

        until(there, seconds)
        return self.row(job)

    def content(self, job: str, name: str) -> bytes:
        request = jobs_pb2.ReadArtifactRequest(id=job, name=name)
        return b"".join(chunk.data for chunk in self.jobs.ReadArtifact(request, timeout=30))


def until(true: Callable[[], Any], seconds: float) -> None:
    """Wait until something is true; fail after so many seconds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all tests that leave it as it was."""
    running = Service(tmp_path_factory.mktemp("service"))
    yield running
    running.close()


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """A service of the test's own, to be killed."""
    services: list[Service] = []

    def make(**environment: str) -> Service:
        services.append(Service(tmp_path / "data", **environment))
        return services[-1]

    yield make
    for one in services:
        one.close()


@pytest.fixture
def wait_until() -> Callable[[Callable[[], Any], float], None]:
    return until


def hmc(**plan: Any) -> dict[str, Any]:
    """A sampling job of about a second."""
    return {
        "problem": {"density": {"gaussian": {"scales": [1.0, 2.0], "correlation": 0.5}}},
        "method": {"hmc": {}},
        "plan": {"replicas": 4, "warmup": 100, "steps": 200, "seed": 5, **plan},
    }


@pytest.fixture
def sampling() -> Callable[..., dict[str, Any]]:
    return hmc


@pytest.fixture(autouse=True)
def unlimited() -> Iterator[None]:
    """A job that a test walks in this process limits its memory; the tests after it do not inherit that."""
    yield
    if limited():
        limit_data(None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "data")
    yield opened
    opened.close()
