"""kill -9 of the worker, of the server, of both: the job ends with the bits of an undisturbed run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from thalweg import processes, specs
from thalweg.server.executor import worker
from thalweg.server.job.heartbeat import FENCED_OFF
from thalweg.server.store import attempts
from thalweg.server.store.records import ENDED, NewJob, State
from thalweg.server.store.store import Store
from thalweg.v1 import results_pb2

from .conftest import Service, until

FILM = {
    "magnet": {
        "grid": {"cells": [16, 16, 1], "cell_size": [1e-9, 1e-9, 1e-9], "periodic": [True, True, False]},
        "material": {
            "saturation_magnetization": 580e3,
            "exchange_stiffness": 15e-12,
            "uniaxial_anisotropy": {"constant": 588634, "axis": [0, 0, 1]},
        },
        "start": {"random": {}},
    }
}
VQE = {
    "vqe": {
        "hamiltonian": {"pauli_sum": {"terms": [{"word": "ZZ", "coefficient": 1.0}, {"word": "XX", "coefficient": 0.5}]}},
        "ansatz": {"efficient_su2": {"reps": 1}},
        "start": {"uniform": 1.0},
        "estimator": {"shots": 200, "engine": "aer"},
    }
}
JOBS: dict[str, tuple[dict[str, Any], list[tuple[str, int]]]] = {  # spec, and the moments at which it is disturbed
    "posterior": (
        {
            "problem": {"density": {"logistic_regression": {"dataset": "breast_cancer"}}},
            "method": {"hmc": {"leapfrog_steps": 16}},
            "plan": {"replicas": 4, "warmup": 150, "steps": 400, "seed": 5, "checkpoint_every": 20},
        },
        [("warm-up", 30), ("walk", 60), ("walk", 200)],
    ),
    "magnet": (
        {"problem": FILM, "method": {"llg": {"precession": False}}, "plan": {"steps": 1500, "seed": 5, "checkpoint_every": 100}},
        [("walk", 200), ("walk", 700)],
    ),
    "vqe": (
        {"problem": VQE, "method": {"adam": {"learning_rate": 0.1}}, "plan": {"steps": 60, "seed": 5, "checkpoint_every": 5}},
        [("walk", 10), ("walk", 30)],
    ),
}

Home = tuple[results_pb2.Result, dict[str, bytes]]


def home(service: Service, job: str) -> Home:
    """What a job brought home, but for the seconds it took."""
    row = service.row(job)
    assert row.state is State.SUCCEEDED, row.outcome
    result = results_pb2.Result.FromString(row.result or b"")
    result.cost.pop("seconds")
    return result, {artifact.name: service.content(job, artifact.name) for artifact in result.artifacts}


@pytest.fixture(scope="module")
def undisturbed(service: Service) -> Callable[[str], Home]:
    known: dict[str, Home] = {}

    def of(name: str) -> Home:
        if name not in known:
            job = service.submit(JOBS[name][0])
            service.ended(job.id)
            known[name] = home(service, job.id)
        return known[name]

    return of


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that is killed again and again."""
    running = Service(tmp_path_factory.mktemp("victim"))
    yield running
    running.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", JOBS)
def test_a_job_whose_worker_is_killed_at_several_moments_ends_with_the_same_bits(
    victim: Service, undisturbed: Callable[[str], Home], name: str
) -> None:
    spec, moments = JOBS[name]
    job = victim.submit(spec)
    for phase, step in moments:
        pid = victim.reached(job.id, phase, step).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: victim.row(job.id).pid != pid, 30)
    row = victim.ended(job.id)
    assert row.attempt == 1 + len(moments)
    assert home(victim, job.id) == undisturbed(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", JOBS)
def test_a_job_whose_server_is_killed_goes_on_and_ends_with_the_same_bits(
    victim: Service, undisturbed: Callable[[str], Home], name: str
) -> None:
    job = victim.submit(JOBS[name][0])
    before = victim.reached(job.id, "walk", 5)
    victim.kill()
    victim.start()
    row = victim.ended(job.id)
    assert row.attempt == 1
    assert before.pid_mark is not None
    assert home(victim, job.id) == undisturbed(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", JOBS)
def test_a_job_whose_server_and_worker_are_killed_ends_with_the_same_bits(
    victim: Service, undisturbed: Callable[[str], Home], name: str
) -> None:
    job = victim.submit(JOBS[name][0])
    pid = victim.reached(job.id, "walk", 5).pid
    assert pid is not None
    victim.kill()
    os.kill(pid, signal.SIGKILL)
    victim.start()
    assert victim.ended(job.id).attempt == 2
    assert home(victim, job.id) == undisturbed(name)


@pytest.mark.slow
def test_a_job_that_ends_while_no_server_runs_has_ended(victim: Service, undisturbed: Callable[[str], Home]) -> None:
    job = victim.submit(JOBS["posterior"][0])
    victim.reached(job.id, "walk", 1)
    victim.kill()
    until(lambda: victim.row(job.id).state in ENDED, 60)
    victim.start()
    assert home(victim, job.id) == undisturbed("posterior")


@pytest.mark.slow
@pytest.mark.skipif(not processes.mark(os.getpid()), reason="needs signals that stop a process")
def test_a_zombie_that_wakes_after_its_job_was_taken_over_writes_nothing(store: Store, tmp_path: Path) -> None:
    spec = specs.load(JOBS["posterior"][0])
    job = store.submit(NewJob("", spec.SerializeToString(), "density")).result()
    first = attempts.claim(store, job).result()
    assert first is not None
    command = [sys.executable, "-m", "thalweg.server.executor.worker", str(store.folder), job.id, "1"]
    with (tmp_path / "zombie.log").open("wb") as log:
        zombie = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "THALWEG_LEASE_SECONDS": "1"})
    try:
        until(lambda: store.job(job.id).progress is not None, 60)
        os.kill(zombie.pid, signal.SIGSTOP)
        os.waitpid(zombie.pid, os.WUNTRACED)  # until every thread of it stands still
        lost = attempts.lose(store, store.job(job.id), "silent").result()
        assert lost is not None
        assert attempts.claim(store, lost).result() is not None
        assert worker.main(store.folder, job.id, 2) == 0
        before = store.job(job.id), store.events(job.id, 0), store.checkpoints(job.id)
        assert before[0].state is State.SUCCEEDED
        os.kill(zombie.pid, signal.SIGCONT)
        assert zombie.wait(30) == FENCED_OFF
        assert (store.job(job.id), store.events(job.id, 0), store.checkpoints(job.id)) == before
    finally:
        zombie.kill()
        zombie.wait()
