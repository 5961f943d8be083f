"""A job that begins where another one ended: looked up by the service, kept in its own spec, once however often it is sent."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from thalweg import specs
from thalweg.server.spec.other_jobs import looked_up
from thalweg.v1 import jobs_pb2
from thalweg_core.errors import BadInput

from .conftest import Service

ISING: dict[str, Any] = {
    "hamiltonian": {"transverse_field_ising": {"sites": 3, "field": 0.7}},
    "ansatz": {"real_amplitudes": {"reps": 1}},
    "estimator": {"shots": 50},
    "start": {"uniform": 1.0},
}
ADAM = {"adam": {"learning_rate": 0.1}}


def job(start: dict[str, Any] | None = None, method: Any = None, plan: Any = None, **parts: Any) -> dict[str, Any]:
    vqe = ISING | parts | ({"start": start} if start else {})
    return {"problem": {"vqe": vqe}, "method": method or ADAM, "plan": {"steps": 3, "replicas": 4, "seed": 2} | (plan or {})}


def after(id: str, **chosen: int) -> dict[str, Any]:
    return {"job": {"id": id} | chosen}


def kept(service: Service, id: str) -> dict[str, np.ndarray]:
    return dict(np.load(io.BytesIO(service.content(id, "final.npz"))))


def ended(service: Service, spec: dict[str, Any]) -> str:
    id = service.submit(spec).id
    service.ended(id)
    return id


@pytest.fixture(scope="module")
def first(service: Service) -> Iterator[str]:
    """A job of four replicas that has succeeded."""
    yield ended(service, job())


def refused(service: Service, spec: dict[str, Any], request_id: str = "") -> tuple[str, str]:
    """The field and the sentence."""
    with pytest.raises(grpc.RpcError) as caught:
        service.submit(spec, request_id)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    bad = error_details_pb2.BadRequest()
    (detail,) = (d for d in rpc_status.from_call(caught.value).details if d.Is(bad.DESCRIPTOR))
    detail.Unpack(bad)
    return bad.field_violations[0].field, bad.field_violations[0].description


def test_it_begins_at_the_replica_with_the_lowest_energy_measured_anew_and_says_so(service: Service, first: str) -> None:
    end = kept(service, first)
    best = int(end["value"].argmin())
    second = service.submit(job(after(first), plan={"replicas": 2}))
    values = second.spec.problem.vqe.start.values
    assert (list(values.angles), values.job, values.replica) == (end["x"][best].tolist(), first, best)
    service.ended(second.id)
    start = kept(service, second.id)["start"]
    assert (start == end["x"][best]).all() and len(start) == 2
    assert list(service.job(second.id).provenance.other_jobs) == [first]
    assert list(service.job(first).provenance.other_jobs) == []


def test_it_begins_at_the_replica_that_is_named(service: Service, first: str) -> None:
    worst = int(kept(service, first)["value"].argmax())
    values = service.submit(job(after(first, replica=worst)), check=True).spec.problem.vqe.start.values
    assert (list(values.angles), values.replica) == (kept(service, first)["x"][worst].tolist(), worst)


def test_a_state_to_stay_away_from_is_the_end_of_another_job(service: Service, first: str) -> None:
    end = kept(service, first)
    best = end["x"][end["value"].argmin()].tolist()
    second = service.submit(job(deflation=[{"job": first, "weight": 5.0}, {"angles": [0.1] * 6}]))
    lower = second.spec.problem.vqe.deflation
    assert [(list(one.angles), one.job) for one in lower] == [(best, first), ([0.1] * 6, "")]
    row = service.ended(second.id)
    assert row.outcome.startswith("all 3 steps of the plan were done")
    assert list(service.job(second.id).provenance.other_jobs) == [first]
    given = specs.to_dict(second.spec)  # sent again, it stays as it is
    assert service.submit(given, check=True).spec == second.spec
    cases = [
        ({"deflation": [{"angles": [0.1] * 6}, {"job": "nobody"}]}, "1", 'there is no job "nobody" here'),
        ({"deflation": [{"job": first}], "ansatz": {"real_amplitudes": {}}}, "0", f"job {first} ended with 6 angles, and this"),
    ]
    for parts, number, part in cases:
        where, sentence = refused(service, job(**parts))
        assert where == f"problem.vqe.deflation[{number}].job"
        assert sentence.startswith(part)


def test_its_own_spec_is_complete_and_gives_the_same_bits_without_the_first_job(own_service: Callable[..., Service]) -> None:
    service = own_service()
    first = ended(service, job())
    second = service.submit(job(after(first)), request_id="twice")
    service.ended(second.id)
    service.jobs.DeleteJob(jobs_pb2.DeleteJobRequest(id=first))
    again = service.submit(job(after(first)), request_id="twice")
    assert again.id == second.id  # the same request is the same job, whatever became of the first
    with pytest.raises(grpc.RpcError) as other:
        service.submit(job(after(first), plan={"seed": 3}), request_id="twice")
    assert other.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert refused(service, job(after(first)), "once")[0] == "problem.vqe.start.job.id"
    copy = ended(service, specs.to_dict(service.job(second.id).spec))
    mine, theirs = (kept(service, id) for id in (second.id, copy))
    assert all((mine[name] == theirs[name]).all() for name in ("start", "x", "value"))


def test_the_same_request_sent_at_once_from_many_sides_is_one_job(service: Service, first: str) -> None:
    request = jobs_pb2.SubmitJobRequest(spec=specs.load(job(after(first))), request_id="at once")
    futures = [service.jobs.SubmitJob.future(request, timeout=60) for _ in range(6)]
    assert len({future.result().job.id for future in futures}) == 1


def test_what_has_no_end_to_begin_at_is_refused_in_a_sentence(service: Service, first: str) -> None:
    near = first[:-1] + ("0" if first[-1] != "0" else "1")
    long = service.submit(job(plan={"steps": 10**6, "checkpoint_every": 10**6})).id
    sampled = ended(service, job(method={"ula": {"step_size": 0.1}}, estimator={"shots": 0}, plan={"steps": 40}))
    gaussian = {"density": {"gaussian": {"scales": [1.0]}}}
    density = service.submit({"problem": gaussian, "method": ADAM, "plan": {"steps": 1}}).id
    cases = [
        (after(near), "id", f'there is no job "{near}" here; did you mean {first}?'),
        (after(""), "id", "there is no job"),
        (after("\N{SNOWMAN}" * 500), "id", 'there is no job "' + "\N{SNOWMAN}" * 60 + '" here; `thalweg jobs list`'),
        (after(first, replica=4), "replica", f"job {first} has 4 replicas, 0 to 3; got 4"),
        (after(first, replica=2**32 - 1), "replica", "got 4294967295"),
        (after(density), "id", f"job {density} is a density.gaussian, and has no angles; wanted a job of problem.vqe"),
        (after(long), "id", "wait for its end: thalweg jobs watch"),
        (after(sampled), "id", f"job {sampled} sampled (method.ula): its chains end anywhere; wanted a job that went"),
    ]
    for start, field, part in cases:
        where, sentence = refused(service, job(start))
        assert where == f"problem.vqe.start.job.{field}"
        assert part in sentence
    where, sentence = refused(service, job(after(first), ansatz={"real_amplitudes": {"reps": 2}}))
    assert (where, sentence) == ("problem.vqe.start.job.id", f"job {first} ended with 6 angles, and this circuit has 9")
    service.jobs.CancelJob(jobs_pb2.CancelJobRequest(id=long))
    service.ended(long)
    assert service.submit(job(after(long)), check=True).spec.problem.vqe.start.values.job == long  # cancelled, with a result


def test_files_that_are_gone_are_a_sentence(own_service: Callable[..., Service]) -> None:
    service = own_service()
    first = ended(service, job())
    for file in service.store.job_folder(first).glob("*/final.npz"):
        file.write_bytes(b"no zip file")
    assert refused(service, job(after(first)))[1] == f"the files of job {first} are gone, or cannot be read"


def test_other_specs_are_left_alone(service: Service) -> None:
    plain = specs.load(job())
    assert looked_up(service.store, plain) == plain


def test_without_a_service_there_is_nothing_to_look_up() -> None:
    from thalweg_vqe.problem import EfficientSu2, JobEnd, TransverseFieldIsing, Vqe

    with pytest.raises(BadInput, match=r"only a service knows how its jobs ended; use start\.values") as bad:
        Vqe(TransverseFieldIsing(3), EfficientSu2(), start=JobEnd("5e1f")).traits()
    assert bad.value.field == "start.job"


@pytest.mark.slow
def test_the_command_line_chains_jobs(tmp_path: Path) -> None:
    def thalweg(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "thalweg.cli", *words, "--data", "data", "--json"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    (tmp_path / "first.json").write_text(json.dumps(job()))
    first = json.loads(thalweg("run", "first.json").stdout)
    text = specs.to_toml(specs.load(job())).replace("uniform = 1.0", f'job = {{ id = "{first["id"]}" }}')
    (tmp_path / "second.toml").write_text(text)
    second = json.loads(thalweg("run", "second.toml").stdout)
    assert second["state"] == "SUCCEEDED"
    assert second["spec"]["problem"]["vqe"]["start"]["values"]["job"] == first["id"]
    (tmp_path / "wrong.toml").write_text(text.replace(first["id"], "nobody"))
    wrong = thalweg("run", "wrong.toml")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith('thalweg: problem.vqe.start.job.id: there is no job "nobody" here')
