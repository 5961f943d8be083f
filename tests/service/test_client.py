"""The SDK against a service with faults to order, over real gRPC on loopback."""

from __future__ import annotations

import io
import json
import math
import runpy
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.service.fake_service import FakeService, serving

from thalweg import Client, errors
from thalweg.client import Artifact, State
from thalweg.client.calls import CANCEL, GET
from thalweg.client.wording import measured, progress_line, spent
from thalweg.v1 import jobs_pb2, results_pb2

SPEC = {"problem": {"density": {"gaussian": {"scales": [1.0]}}}, "method": {"ula": {"step_size": 0.1}}}


@pytest.fixture
def service() -> FakeService:
    return FakeService(files={"energy.npy": _npy(np.arange(1000.0)), "notes.txt": b"all is well"})


@pytest.fixture
def client(service) -> Iterator[Client]:
    with serving(service) as address, Client(address, patience=5.0) as client:
        yield client


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def test_a_submitted_job_comes_home_with_its_result(client):
    result = client.submit(SPEC).result(timeout=10)
    assert (result.value, result.standard_error, result.unit) == (-1.13623, 0.00152, "Ha")
    assert result.observables["exact_energy"].value == -1.13730604
    assert result.cost["shots"] == 240_000
    assert [artifact.name for artifact in result.artifacts] == ["energy.npy", "notes.txt"]
    assert result.artifact("notes.txt").load() == "all is well"
    assert result.provenance.seed == 2**63
    assert repr(result) == "<Result -1.1362 ± 0.0015 Ha, all 3 steps were taken>"
    with pytest.raises(KeyError, match=r"no artifact 'x'; there are energy\.npy, notes\.txt"):
        result.artifact("x")


def test_a_submission_whose_answers_get_lost_is_repeated_and_gives_one_job(client, service):
    service.lost_answers = 3
    job = client.submit(SPEC)
    assert list(service.jobs) == [job.id]
    assert len(service.by_request) == 1


def test_the_same_request_id_gives_the_same_job(client, service):
    first, second = client.submit(SPEC, request_id="a"), client.submit(SPEC, request_id="a")
    assert first.id == second.id
    assert client.submit(SPEC).id != first.id


def test_a_watch_whose_connection_breaks_sees_every_event_once(client, service):
    service.events_per_connection = 2
    job = client.job(service.put("SUCCEEDED", steps=9).id)
    assert [event.number for event in job.watch()] == list(range(1, 12))
    assert service.watches == 6
    assert [event.number for event in job.watch(after=8)] == [9, 10, 11]


def test_watching_a_job_that_ended_before_the_asked_number_ends_at_once(client, service):
    job = client.job(service.put("SUCCEEDED").id)
    assert list(job.watch(after=job.known.last_event)) == []


def test_a_watch_gives_up_with_an_error_of_ours_when_the_service_is_gone_for_good(service):
    with serving(service) as address:
        job = Client(address, patience=0.5).job(service.put("RUNNING").id)
        events = job.watch()
        next(events)
    begin = time.monotonic()
    with pytest.raises(errors.Unavailable):
        list(events)
    assert time.monotonic() - begin < 10


def test_a_wait_that_runs_out_leaves_the_job_alone(client, service):
    job = client.job(service.put("RUNNING").id)
    with pytest.raises(TimeoutError, match="has not ended yet") as raised:
        job.result(timeout=0.3)
    assert isinstance(raised.value, errors.TimedOut)
    assert service.cancelled == []
    assert job.status() == "RUNNING"
    assert not job.done()


@pytest.mark.parametrize(("state", "error"), [("FAILED", errors.JobFailed), ("CANCELLED", errors.JobCancelled)])
def test_a_job_that_did_not_succeed_raises_the_services_own_sentence(client, service, state, error):
    job = client.job(service.put(state, "the energy became NaN at step 3").id)
    with pytest.raises(error, match="the energy became NaN at step 3") as raised:
        job.result()
    assert (raised.value.job, raised.value.outcome) == (job.id, "the energy became NaN at step 3")
    assert job.wait() is State[state]


def test_a_bad_specification_names_its_field_whoever_finds_it(client):
    with pytest.raises(errors.InvalidSpec) as found_here:
        client.submit({**SPEC, "plam": {}})
    assert found_here.value.field == "plam"
    with pytest.raises(errors.InvalidSpec) as found_there:
        client.submit({**SPEC, "problem": {"density": {"gaussian": {}}}})
    assert found_there.value.field == "problem.density.gaussian.scales"
    assert str(found_there.value) == "problem.density.gaussian.scales: wanted at least one scale, got none"


def test_validation_keeps_nothing(client, service):
    assert client.validate(SPEC) == 4096
    assert service.jobs == {}


def test_each_status_has_its_error(client, service):
    with pytest.raises(errors.NotFound, match="there is no job nix"):
        client.job("nix")
    with pytest.raises(errors.FailedPrecondition, match="no GPU"):
        client.submit({**SPEC, "problem": {"density": {"gaussian": {"scales": [1, 1], "correlation": 2}}}})
    job = client.job(service.put("SUCCEEDED").id)
    job.delete()
    with pytest.raises(errors.NotFound):
        job.fetch()


def test_jobs_come_page_by_page_newest_first(client, service):
    for number in range(7):
        service.put("SUCCEEDED" if number % 2 else "FAILED")
    assert [job.id for job in client.jobs()] == [f"job{number}" for number in range(7, 0, -1)]
    assert [job.id for job in client.jobs(states=["succeeded"])] == ["job6", "job4", "job2"]
    assert [job.id for job in client.jobs(limit=2)] == ["job7", "job6"]


def test_one_text_counts_as_a_list_of_it_and_states_may_be_written_small(client, service, monkeypatch):
    for state in ("FAILED", "RUNNING", "SUCCEEDED"):
        service.put(state)
    for states in ("running", "RUNNING", State.RUNNING, ["Running"], (state for state in [State.RUNNING])):
        assert [job.id for job in client.jobs(states=states)] == ["job2"]
    asked = []
    monkeypatch.setattr(service, "ListJobs", lambda request, _: asked.append(list(request.kinds)) or jobs_pb2.ListJobsResponse())
    with serving(service) as address:
        assert list(Client(address).jobs(kinds="density")) == []
        assert list(Client(address).jobs(kinds=("vqe", "magnet"))) == []
    assert asked == [["density"], ["vqe", "magnet"]]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda client: client.jobs(states="runing"), 'states: wanted one of queued, starting, .*, cancelled, got "runing"'),
        (lambda client: client.jobs(states=[3]), "states: wanted text, got 3"),
        (lambda client: client.jobs(kinds=5), "kinds: wanted a list of texts, got 5"),
        (lambda client: client.jobs(limit=-1), "limit: wanted a whole number of 0 or more, got -1"),
        (lambda client: client.jobs(limit="3"), 'limit: wanted a whole number of 0 or more, got "3"'),
        (lambda client: client.jobs(labels={"sample": 7}), r"labels\.sample: wanted text, got 7"),
        (lambda client: client.jobs(labels=["sample"]), "labels: wanted a dict such as"),
        (lambda client: client.job(7), "id: wanted text, got 7"),
        (lambda client: client.submit(5), "wanted a path, a dict or a JobSpec, got 5"),
        (lambda client: client.validate(None), "wanted a path, a dict or a JobSpec, got None"),
        (lambda client: client.submit(SPEC, request_id=7), "request_id: wanted text, got 7"),
        (lambda client: client.submit(SPEC).watch(after=-1), "after: wanted a whole number of 0 or more, got -1"),
        (lambda client: client.submit(SPEC).artifacts()[0].save(5), "folder: wanted a path, got 5"),
        (lambda _: Client(123), "address: wanted text, got 123"),
        (lambda _: Client(data=5), "data: wanted a path, got 5"),
    ],
)
def test_an_argument_that_cannot_be_is_refused_at_once_in_a_sentence_that_names_it(client, call, sentence):
    with pytest.raises(errors.InvalidSpec, match=f"^{sentence}"):
        call(client)


def test_watching_from_beyond_the_end_says_so_in_the_services_words(client, service):
    job = client.job(service.put("SUCCEEDED").id)
    with pytest.raises(errors.OutOfRange, match=r"^job job1 has 5 events so far$"):
        list(job.watch(after=9))


def test_cancelling_asks_the_service(client, service):
    job = client.job(service.put("RUNNING").id)
    assert job.cancel() is State.CANCELLING
    assert service.cancelled == [job.id]


def test_a_download_goes_on_where_the_connection_broke(client, service):
    service.chunks_per_connection, service.damage = 2, 1
    job = client.job(service.put("SUCCEEDED").id)
    array = job.artifacts()[0].load()
    assert np.array_equal(array, np.arange(1000.0))
    assert service.offsets == [0, 1000, 3000, 5000, 7000]  # the damaged chunk at 1000 is asked for again, nothing else twice


def test_bytes_that_are_not_what_was_stored_are_refused(client, service, tmp_path):
    job = client.job(service.put("SUCCEEDED").id)
    service.files["notes.txt"] = b"all is lost"
    with pytest.raises(errors.Corrupt, match="SHA-256"):
        job.artifacts()[1].save(tmp_path)
    assert list(tmp_path.iterdir()) == []
    service.damage = 1000
    with pytest.raises(errors.Corrupt, match="arrived damaged at byte 1000"):
        job.artifacts()[0].read()


def test_an_artifact_is_saved_under_its_own_name_and_nowhere_else(client, service, tmp_path):
    job = client.job(service.put("SUCCEEDED").id)
    path = job.artifacts()[1].save(tmp_path / "new")
    assert path.read_bytes() == b"all is well"
    assert path == tmp_path / "new" / "notes.txt"
    for name in ("../notes.txt", "/etc/notes", "..", ""):
        with pytest.raises(errors.Corrupt, match="leads out of its folder"):
            Artifact("j", results_pb2.Artifact(name=name), service).save(tmp_path)


def test_arrays_load_and_pickles_do_not(client, service):
    file = io.BytesIO()
    np.savez(file, x=np.eye(2), y=np.zeros(3))
    service.files = {"two.npz": file.getvalue(), "objects.npy": _npy(np.array([{}], dtype=object)), "m.ovf": b"ovf"}
    two, objects, ovf = client.job(service.put("SUCCEEDED").id).artifacts()
    assert set(two.load()) == {"x", "y"}
    with pytest.raises(ValueError, match="allow_pickle"):
        objects.load()
    with pytest.raises(errors.ThalwegError, match=r"m\.ovf has no reader here"):
        ovf.load()


def test_a_notebook_shows_what_the_user_wrote_as_text_not_as_html(client, service):
    spec = jobs_pb2.JobSpec(name="<script>alert(1)</script>")
    job = client.job(service.put("SUCCEEDED", "done", spec=spec).id)
    for page in (job._repr_html_(), job.result()._repr_html_()):
        assert "&lt;script&gt;" in page
        assert "<script>" not in page
        assert "-1.1362 ± 0.0015 Ha" in page


def test_a_notebook_shows_a_job_whose_service_has_gone(service):
    with serving(service) as address:
        job = Client(address, patience=0.2).job(service.put("RUNNING").id)
    assert "RUNNING" in job._repr_html_()


def test_following_shows_a_bar(client, service, capsys):
    ended = client.job(service.put("SUCCEEDED").id).follow()
    assert ended.known.state == jobs_pb2.JOB_STATE_SUCCEEDED
    assert "3/3" in capsys.readouterr().err


def test_an_address_where_nobody_answers_is_said_so_within_seconds():
    begin = time.monotonic()
    with pytest.raises(errors.NoService, match=r"no thalweg service answers at 127\.0\.0\.1:1; is it running\?"):
        Client("127.0.0.1:1").describe()
    assert time.monotonic() - begin < 15


def test_the_address_may_come_from_the_environment_and_an_explicit_folder_wins(monkeypatch, tmp_path):
    monkeypatch.setenv("THALWEG_SERVER", "there:50")
    assert Client().address == "there:50"
    assert Client("here:1").address == "here:1"
    assert Client(data=tmp_path).address is None
    monkeypatch.delenv("THALWEG_SERVER")
    monkeypatch.setenv("THALWEG_DATA", str(tmp_path / "a"))
    assert Client().data == tmp_path / "a"
    monkeypatch.delenv("THALWEG_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Client().data == tmp_path / "thalweg"


def test_a_closed_client_ends_the_watch_of_another_thread(client, service):
    job = client.job(service.put("RUNNING").id)
    ended: list[Exception] = []

    def watch() -> None:
        try:
            list(job.watch())
        except errors.ThalwegError as error:
            ended.append(error)

    thread = threading.Thread(target=watch)
    thread.start()
    time.sleep(0.3)
    client.close()
    thread.join(5)
    assert "closed" in str(ended[0])


def test_the_example_script_runs(service, monkeypatch, capsys, tmp_path):
    script = Path(__file__).parents[2] / "examples" / "submit.py"
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(SPEC))
    with serving(service) as address:
        monkeypatch.setenv("THALWEG_SERVER", address)
        runpy.run_path(str(script))["main"](spec)
    assert "<Result -1.1362 ± 0.0015 Ha" in capsys.readouterr().out


class Scripted:
    """A transport that answers from a list: no network."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.calls: list[str] = []

    def send(self, call, request, timeout=None):
        self.calls.append(call.path)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        yield answer

    def close(self) -> None:
        pass


def test_a_transport_of_ones_own_needs_no_network():
    job = jobs_pb2.Job(id="a", state=jobs_pb2.JOB_STATE_RUNNING)
    transport = Scripted(jobs_pb2.GetJobResponse(job=job), errors.Unavailable("gone"), jobs_pb2.CancelJobResponse(job=job))
    assert Client(transport=transport).job("a").cancel() is State.RUNNING
    assert transport.calls == [GET.path, CANCEL.path, CANCEL.path]


@pytest.mark.parametrize(
    ("value", "error", "unit", "text"),
    [
        (-1.136234, 0.00152, "Ha", "-1.1362 ± 0.0015 Ha"),
        (-1.13730603575, 0.0, "Ha", "-1.137306 Ha"),
        (223.8517529, 0.0, "", "223.852"),
        (1.0, 0.0996, "", "1.00 ± 0.10"),  # 0.0996 to two digits is 0.10
        (1234.5, 21.0, "", "1234 ± 21"),
        (0.0, 0.5, "", "0.00 ± 0.50"),
        (-0.001, 0.5, "", "0.00 ± 0.50"),
        (1234567.0, 1234.0, "", "(1.2346 ± 0.0012)e+06"),
        (-4.31234e-18, 2.13e-20, "J", "(-4.312 ± 0.021)e-18 J"),
        (2e-5, 3e-4, "", "(0.2 ± 3.0)e-04"),
        (5000.0, 1500.0, "", "5000 ± 1500"),
        (0.0, 0.000999, "Ha", "0.0000 ± 0.0010 Ha"),
        (1.0, 1e-20, "Ha", "1 Ha"),  # the last bit of a number is no error
        (float("nan"), 1.0, "", "unknown"),
        (1.5, float("nan"), "", "1.5 ± ?"),
        (float("inf"), 0.0, "", "inf"),
    ],
)
def test_an_error_has_two_digits_and_the_value_ends_at_the_same_place(value, error, unit, text):
    assert measured(value, error, unit) == text


def test_what_was_spent_reads_like_a_sentence():
    cost = {"circuits": 3840.0, "gradients": 0.0, "seconds": 12.34, "shots": 240_000.0}
    assert spent(cost) == "240,000 shots, 3,840 circuits, 12.3 s"
    assert spent(cost, replicas=4) == "240,000 shots, 3,840 circuits by 4 replicas together, 12.3 s"
    assert spent({"seconds": 0.04}, replicas=4) == "0.0 s"


@pytest.mark.parametrize(
    ("value", "line"), [(-1.25, "walk step 3, energy -1.25 Ha, 40 shots"), (math.nan, "walk step 3, 40 shots")]
)
def test_a_progress_line_says_nothing_of_an_energy_that_nobody_looked_at(value, line):
    assert progress_line(jobs_pb2.Progress(phase="walk", step=3, value=value, unit="Ha", cost={"shots": 40})) == line
