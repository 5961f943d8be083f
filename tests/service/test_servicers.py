"""The RPCs of a real server over loopback: what they answer, and how they refuse."""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import sqlite3
import struct
import threading
import urllib.parse
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from thalweg import specs
from thalweg.server.api import interceptor, pages
from thalweg.server.store.records import State
from thalweg.server.store.store import Filter
from thalweg.v1 import jobs_pb2
from thalweg_core.errors import BadInput

from .conftest import Service

Sampling = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def done(service: Service) -> jobs_pb2.Job:
    """A job that has succeeded."""
    job = service.submit(
        {
            "name": "done",
            "labels": {"team": "red"},
            "problem": {"density": {"gaussian": {"scales": [1.0, 2.0]}}},
            "method": {"hmc": {"step_size": 0.7}},
            "plan": {"replicas": 4, "steps": 3000},
        }
    )
    service.events(job.id)
    return service.job(job.id)


def refused(call: Callable[[], Any]) -> tuple[grpc.StatusCode, str, str]:
    """Status, message, and the field named in the details."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    status, field = rpc_status.from_call(caught.value), ""
    for detail in status.details if status else ():
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(bad):
            field = bad.field_violations[0].field
    return caught.value.code(), caught.value.details() or "", field


def test_health_and_reflection_are_on(service: Service) -> None:
    health = health_pb2_grpc.HealthStub(service.channel)
    for name in ("", "thalweg.v1.JobService", "thalweg.v1.CatalogService"):
        assert health.Check(health_pb2.HealthCheckRequest(service=name)).status == health_pb2.HealthCheckResponse.SERVING
    reflection = reflection_pb2_grpc.ServerReflectionStub(service.channel)
    (answer,) = reflection.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    assert "thalweg.v1.JobService" in {one.name for one in answer.list_services_response.service}


@pytest.mark.slow
def test_a_job_tells_what_it_was_what_it_did_and_where_its_numbers_come_from(done: jobs_pb2.Job) -> None:
    assert done.state == jobs_pb2.JOB_STATE_SUCCEEDED
    assert done.outcome.startswith("3000 draws from each of 4 chains; the chains agree")
    assert done.spec.name == "done"
    assert done.create_time.ToNanoseconds() < done.start_time.ToNanoseconds() < done.end_time.ToNanoseconds()
    assert done.provenance.seed == 0
    assert done.provenance.threads == 1
    assert len(done.provenance.spec_sha256) == 64
    assert done.provenance.attempts == done.attempt == 1
    assert set(done.result.cost) == {"shots", "circuits", "gradients", "evaluations", "seconds"}
    assert {"rhat_max", "ess_bulk_min", "ess_tail_min", "acceptance", "step_size"} == set(done.result.observables)
    assert abs(done.result.value - 1.0) < 4 * done.result.standard_error


def test_events_are_numbered_from_one_and_end_with_the_end(service: Service, done: jobs_pb2.Job) -> None:
    events = service.events(done.id)
    assert [event.number for event in events] == list(range(1, done.last_event + 1))
    assert events[-1].state_change.state == jobs_pb2.JOB_STATE_SUCCEEDED
    assert events[-1].state_change.reason == done.outcome
    assert [event.number for event in service.events(done.id, after=3)] == [event.number for event in events[3:]]
    assert service.events(done.id, after=done.last_event) == []


def test_a_watch_from_behind_the_end_is_refused(service: Service, done: jobs_pb2.Job) -> None:
    code, message, _ = refused(lambda: service.events(done.id, after=done.last_event + 1))
    assert code is grpc.StatusCode.OUT_OF_RANGE
    assert str(done.last_event) in message


def test_artifacts_come_in_checked_chunks_from_any_offset(service: Service, done: jobs_pb2.Job) -> None:
    for artifact in done.result.artifacts:
        content = service.content(done.id, artifact.name)
        assert (len(content), hashlib.sha256(content).hexdigest()) == (artifact.size, artifact.sha256)
    (trace,) = [artifact for artifact in done.result.artifacts if artifact.name == "trace.npz"]
    assert trace.size > 2**19
    whole = service.content(done.id, "trace.npz")
    request = jobs_pb2.ReadArtifactRequest(id=done.id, name="trace.npz", offset=1000)
    chunks = list(service.jobs.ReadArtifact(request))
    assert b"".join(chunk.data for chunk in chunks) == whole[1000:]
    assert all(chunk.crc32 == zlib.crc32(chunk.data) and len(chunk.data) <= 2**20 for chunk in chunks)
    assert chunks[0].offset == 1000
    arrays = np.load(io.BytesIO(whole))
    assert arrays["step"].tolist() == list(range(3001))
    assert arrays["value"].shape == (3001, 4)


def test_artifacts_refuse_what_is_not_there(service: Service, done: jobs_pb2.Job) -> None:
    def read(name: str, offset: int) -> None:
        list(service.jobs.ReadArtifact(jobs_pb2.ReadArtifactRequest(id=done.id, name=name, offset=offset)))

    assert refused(lambda: read("../../thalweg.sqlite", 0))[0] is grpc.StatusCode.NOT_FOUND
    assert refused(lambda: read("trace.npz", 2**40))[0] is grpc.StatusCode.OUT_OF_RANGE


def file_gone(path: Path) -> str:
    path.unlink()
    return "the file of artifact trace.npz is gone from the data folder"


def folder_gone(path: Path) -> str:
    shutil.rmtree(path.parent)
    return "the file of artifact trace.npz is gone from the data folder"


def file_cut(path: Path) -> str:
    path.write_bytes(path.read_bytes()[:100])
    return "artifact trace.npz is damaged: its file ends at byte 100"


def a_folder_in_its_place(path: Path) -> str:
    path.unlink()
    path.mkdir()
    return "the file of artifact trace.npz is gone from the data folder"


@pytest.mark.parametrize("damage", [file_gone, folder_gone, file_cut, a_folder_in_its_place])
def test_an_artifact_whose_file_is_lost_is_a_data_loss_and_the_job_can_be_deleted(
    service: Service, damage: Callable[[Path], str]
) -> None:
    job = service.submit({"problem": {"density": {"double_well": {}}}, "method": {"adam": {}}, "plan": {"steps": 1}}).id
    service.ended(job)
    sentence = damage(service.store.job_folder(job) / service.store.artifact(job, "trace.npz").path)
    code, message, _ = refused(lambda: service.content(job, "trace.npz"))
    assert (code, message) == (grpc.StatusCode.DATA_LOSS, sentence)
    service.jobs.DeleteJob(jobs_pb2.DeleteJobRequest(id=job))


@pytest.mark.parametrize("letter", ["x", "é", "\N{PILE OF POO}", "\x00"])
@pytest.mark.parametrize("size", [10_000, 2**20])
def test_a_long_name_is_quoted_in_one_sentence(service: Service, done: jobs_pb2.Job, letter: str, size: int) -> None:
    name = letter * (size // len(letter.encode()))
    shown = f'"{repr(letter)[1:-1] * 59}…"'
    for call in (
        lambda: service.job(name),
        lambda: service.events(name),
        lambda: service.jobs.CancelJob(jobs_pb2.CancelJobRequest(id=name)),
        lambda: service.jobs.DeleteJob(jobs_pb2.DeleteJobRequest(id=name)),
        lambda: service.jobs.GetResult(jobs_pb2.GetResultRequest(id=name)),
        lambda: service.content(name, "trace.npz"),
    ):
        code, message, _ = refused(call)
        assert code is grpc.StatusCode.NOT_FOUND
        assert message.startswith(f"there is no job {shown} here")
    code, message, _ = refused(lambda: service.content(done.id, name))
    assert (code, message) == (grpc.StatusCode.NOT_FOUND, f"job {done.id} has no artifact {shown}; its result lists what it has")
    code, message, field = refused(lambda: service.jobs.SubmitJob(jobs_pb2.SubmitJobRequest(request_id=name)))
    assert (code, field) == (grpc.StatusCode.INVALID_ARGUMENT, "request_id")
    assert message == "request_id: wanted at most 128 characters, such as a UUID"


def test_a_result_can_be_fetched_alone(service: Service, done: jobs_pb2.Job) -> None:
    answer = service.jobs.GetResult(jobs_pb2.GetResultRequest(id=done.id))
    assert answer.result == done.result
    assert answer.provenance == done.provenance


def test_what_is_not_there_is_not_found(service: Service) -> None:
    for call in (
        lambda: service.job("nobody"),
        lambda: service.events("nobody"),
        lambda: service.jobs.CancelJob(jobs_pb2.CancelJobRequest(id="nobody")),
        lambda: service.jobs.DeleteJob(jobs_pb2.DeleteJobRequest(id="nobody")),
        lambda: service.jobs.GetResult(jobs_pb2.GetResultRequest(id="nobody")),
    ):
        code, message, _ = refused(call)
        assert code is grpc.StatusCode.NOT_FOUND
        assert "nobody" in message


def test_a_check_keeps_nothing_and_estimates_the_memory(service: Service, sampling: Sampling) -> None:
    before = service.store.ids()
    request = jobs_pb2.SubmitJobRequest(spec=specs.load(sampling(steps=10_000)), request_id="checked", validate_only=True)
    answer = service.jobs.SubmitJob(request)
    assert answer.job.id == ""
    assert answer.memory_estimate > 10_000 * 4 * 2 * 8
    assert service.store.ids() == before


def test_a_bad_field_is_invalid_argument_with_its_path(service: Service, sampling: Sampling) -> None:
    code, message, field = refused(lambda: service.submit(sampling(device="cudo")))
    assert (code, field) == (grpc.StatusCode.INVALID_ARGUMENT, "plan.device")
    assert "did you mean 'cuda'" in message
    code, message, field = refused(lambda: service.submit(sampling(warmup=0), check=True))
    assert (code, field) == (grpc.StatusCode.INVALID_ARGUMENT, "plan.warmup")


def test_a_missing_gpu_is_a_failed_precondition(service: Service, sampling: Sampling) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    code, _, field = refused(lambda: service.submit(sampling(device="cuda")))
    assert (code, field) == (grpc.StatusCode.FAILED_PRECONDITION, "plan.device")


def test_the_same_request_gives_the_same_job_and_another_spec_is_refused(service: Service, sampling: Sampling) -> None:
    request_id = str(uuid.uuid4())
    first = service.submit(sampling(seed=1), request_id)
    assert service.submit(sampling(seed=1), request_id).id == first.id
    code, message, _ = refused(lambda: service.submit(sampling(seed=2), request_id))
    assert code is grpc.StatusCode.ALREADY_EXISTS
    assert first.id in message
    service.ended(first.id)


def test_fifty_threads_that_submit_one_request_get_one_job(service: Service, sampling: Sampling) -> None:
    spec, request_id, gate, ids = sampling(steps=20), str(uuid.uuid4()), threading.Barrier(50), list[str]()

    def submit() -> None:
        gate.wait()
        ids.append(service.submit(spec, request_id).id)

    threads = [threading.Thread(target=submit) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 50
    assert len(set(ids)) == 1
    service.ended(ids[0])


def test_pages_go_through_all_jobs_once_and_belong_to_their_filter(service: Service, sampling: Sampling) -> None:
    label = str(uuid.uuid4())
    ids = [service.submit(sampling(steps=4, warmup=4) | {"labels": {"page": label}}).id for _ in range(5)]

    def page(token: str = "", **more: Any) -> jobs_pb2.ListJobsResponse:
        return service.jobs.ListJobs(jobs_pb2.ListJobsRequest(page_size=2, page_token=token, labels={"page": label}, **more))

    found, token = [], ""
    while True:
        answer = page(token)
        found += [job.id for job in answer.jobs]
        token = answer.next_page_token
        if not token:
            break
    assert found == ids[::-1]
    first = page()
    code, message, field = refused(lambda: page(first.next_page_token, kinds=["vqe"]))
    assert (code, field) == (grpc.StatusCode.INVALID_ARGUMENT, "page_token")
    assert "another filter" in message
    assert refused(lambda: page("nonsense"))[2] == "page_token"
    for job in ids:
        service.ended(job)


def test_a_page_never_outgrows_a_message(service: Service) -> None:
    label, dump = str(uuid.uuid4()), "&FCI NORB=2,NELEC=2,MS2=0, &END\n0.5 1 1 1 1\n0.5 1 1 0 0\n"
    circuit = {"hamiltonian": {"fcidump": {"text": dump + " " * 600_000}}, "ansatz": {"real_amplitudes": {"reps": 0}}}
    problem = {"vqe": circuit | {"estimator": {"shots": 0}, "start": {"zeros": {}}}}
    spec = {"labels": {"heavy": label}, "problem": problem, "method": {"adam": {}}, "plan": {"steps": 1}}
    ids = [service.submit(spec).id for _ in range(8)]  # of 600 kB each
    found, token = list[str](), None
    while token != "":
        answer = service.jobs.ListJobs(jobs_pb2.ListJobsRequest(page_size=1000, page_token=token or "", labels={"heavy": label}))
        found, token = found + [job.id for job in answer.jobs], answer.next_page_token
    assert found == ids[::-1]
    for job in ids:
        service.ended(job)


PAGE = struct.pack(">Q", 7)
TOKENS = {
    "2 to the 63": pages.token(Filter(), 2**63),
    "minus one": pages.token(Filter(), 2**64 - 1),
    "a number in digits": "7",
    "a negative number in digits": "-7",
    "a number of another script": "\N{ARABIC-INDIC DIGIT SEVEN}",
    "no number": "nan",
    "a number that is not ours": base64.urlsafe_b64encode(PAGE).decode(),
    "one byte too many": base64.urlsafe_b64encode(bytes(9) + PAGE).decode(),
    "bytes of padding": "=" * 100,
    "a megabyte": "A" * 2**20,
}


@pytest.mark.parametrize("name", TOKENS)
def test_a_page_token_that_is_none_of_ours_is_refused(service: Service, name: str) -> None:
    request = jobs_pb2.ListJobsRequest(page_token=TOKENS[name])
    code, message, field = refused(lambda: service.jobs.ListJobs(request))
    assert (code, field) == (grpc.StatusCode.INVALID_ARGUMENT, "page_token")
    assert message == "page_token: is no token of ours; take next_page_token as it came, or none for the first page"


def test_pages_have_a_size_that_can_be(service: Service, done: jobs_pb2.Job) -> None:
    for size in (-1, -(2**31)):
        code, message, field = refused(lambda size=size: service.jobs.ListJobs(jobs_pb2.ListJobsRequest(page_size=size)))
        assert (code, field) == (grpc.StatusCode.INVALID_ARGUMENT, "page_size")
        assert message == f"page_size: wanted 1 to 1000, or 0 for 50, got {size}"
    assert len(service.jobs.ListJobs(jobs_pb2.ListJobsRequest(page_size=1)).jobs) == 1
    for size in (0, 1001, 2**31 - 1):
        assert service.jobs.ListJobs(jobs_pb2.ListJobsRequest(page_size=size)).jobs


def test_a_page_token_does_not_mind_the_order_of_a_filter() -> None:
    one = Filter((State.FAILED, State.QUEUED), ("a", "b"))
    other = Filter((State.QUEUED, State.FAILED), ("b", "a"))
    assert pages.before(other, pages.token(one, 7)) == 7
    assert pages.before(one, "") is None
    with pytest.raises(BadInput):
        pages.before(Filter(), pages.token(one, 7))
    with pytest.raises(BadInput, match="no token of ours"):
        pages.before(one, pages.token(one, 2**63))


def test_cancelling_and_deleting(service: Service, sampling: Sampling) -> None:
    job = service.submit(sampling(steps=100_000))
    service.reached(job.id, "walk", 20)
    assert refused(lambda: service.jobs.DeleteJob(jobs_pb2.DeleteJobRequest(id=job.id)))[0] is grpc.StatusCode.FAILED_PRECONDITION
    code, message, _ = refused(lambda: service.jobs.GetResult(jobs_pb2.GetResultRequest(id=job.id)))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert "RUNNING" in message
    answer = service.jobs.CancelJob(jobs_pb2.CancelJobRequest(id=job.id))
    assert answer.job.state == jobs_pb2.JOB_STATE_CANCELLING
    row = service.ended(job.id)
    assert row.state is State.CANCELLED
    assert "cancelled on request after step" in row.outcome
    kept = service.job(job.id).result
    draws = np.load(io.BytesIO(service.content(job.id, "draws.npy")))
    assert f"after step {len(draws)};" in row.outcome
    assert kept.observables["ess_bulk_min"].value > 0
    service.jobs.DeleteJob(jobs_pb2.DeleteJobRequest(id=job.id))
    assert refused(lambda: service.job(job.id))[0] is grpc.StatusCode.NOT_FOUND
    assert not (service.data / "jobs" / job.id).exists()


def test_a_watch_that_is_dropped_and_taken_up_again_sees_every_number_once(service: Service, sampling: Sampling) -> None:
    job = service.submit(sampling(steps=400))
    numbers: list[int] = []
    while True:
        stream = service.jobs.WatchJob(jobs_pb2.WatchJobRequest(id=job.id, after=numbers[-1] if numbers else 0))
        for taken, response in enumerate(stream, start=1):
            numbers.append(response.event.number)
            if taken == 2:
                stream.cancel()
                break
        else:
            break
    assert numbers == list(range(1, service.job(job.id).last_event + 1))
    assert service.row(job.id).state is State.SUCCEEDED


def test_many_watchers_see_the_same(service: Service, sampling: Sampling) -> None:
    job, seen = service.submit(sampling(steps=150)), list[list[int]]()
    threads = [
        threading.Thread(target=lambda: seen.append([event.number for event in service.events(job.id)])) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [list(range(1, service.job(job.id).last_event + 1))] * 20


def test_the_catalogue_is_served(service: Service) -> None:
    answer = service.catalog.Describe(jobs_pb2.DescribeRequest())
    assert {"vqe", "magnet"} <= {one.name for one in answer.problems}
    assert {"adam", "hmc"} <= {one.name for one in answer.methods}


@pytest.mark.parametrize("letter", ["x", "é", "\N{PILE OF POO}", "\udcff"])
def test_a_status_is_short_enough_for_its_headers_whatever_it_says(letter: str) -> None:
    status = interceptor.status_of(BadInput(letter * 5000, letter * 5000))
    message = urllib.parse.quote(status.message)
    assert len(message) + len(base64.b64encode(status.SerializeToString())) < 8 * 2**10
    assert status.message.endswith("…")


def test_a_damaged_store_is_told_as_a_loss_of_data() -> None:
    status = interceptor.status_of(sqlite3.DatabaseError("database disk image is malformed"))
    assert status.code == grpc.StatusCode.DATA_LOSS.value[0]
    assert status.message.startswith("the store is damaged (database disk image is malformed); end the service and restore")


def test_an_error_that_nobody_foresaw_is_short_and_keeps_its_traceback_to_itself() -> None:
    try:
        raise KeyError("secret")
    except KeyError as error:
        status = interceptor.status_of(error)
    assert status.code == grpc.StatusCode.INTERNAL.value[0]
    assert "secret" not in status.message
    assert "server's log" in status.message
