"""The SDK against a service with faults to order, over real gRPC on loopback."""

from __future__ import annotations

import fcntl
import io
import json
import math
import os
import runpy
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.service.fake_service import FakeService, serving

from thalweg import Client, addresses, credentials, errors, processes
from thalweg.cli import main
from thalweg.client import Artifact, State, embedded, transport
from thalweg.client import patience as client_patience
from thalweg.client import service as client_service
from thalweg.client.calls import CANCEL, GET, WATCH
from thalweg.client.embedded import Embedded
from thalweg.client.transport import Place, Wire
from thalweg.client.wording import measured, progress_line, spent
from thalweg.server import app
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


def test_a_service_that_answers_too_late_is_told_in_a_sentence_of_ours(client, service):
    service.pause = 2.0
    with pytest.raises(errors.TimedOut, match="the service has not answered in time: "):
        client._service.ask(GET, jobs_pb2.GetJobRequest(id=service.put("RUNNING").id), most=0.3)


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
        (lambda _: Client(data="a\0b"), r'data: wanted a path, got "a\\u0000b", which holds a zero byte'),
        (lambda _: Client(data="a\ud800"), r'data: wanted a path, got "a\\ud800", which no file can be called'),
        (
            lambda _: Client(data="~nobody-of-this-name/x"),
            "data: wanted a folder, got ~nobody-of-this-name/x, and there",
        ),
        (lambda _: Client("here: 1"), 'address: wanted an address such as "127.0.0.1:7433", got "here: 1"'),
        (lambda _: Client("here\udc80:1"), "address: wanted an address such as"),
        (lambda client: client.job("a\udc80"), r'id: wanted text in Unicode, got "a\\udc80"; character 2 is half of one'),
        (lambda client: client.job("a" * 5000), "id: wanted at most 4096 characters, got 5000"),
        (lambda client: client.jobs(labels={"a\ud800": "b"}), "labels: wanted text in Unicode"),
        (lambda client: client.submit(SPEC).artifacts()[0].save("a\0b"), "folder: wanted a path"),
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


@pytest.mark.parametrize(("size", "sentence"), [(2500, "ended at byte 2500"), (9000, "goes beyond its size at byte 8000")])
def test_an_artifact_of_another_length_than_its_row_says_is_refused_after_a_few_tries(client, service, size, sentence):
    job = client.job(service.put("SUCCEEDED").id)
    service.sizes["energy.npy"] = size
    with pytest.raises(errors.Corrupt, match=f"energy.npy of job job1 {sentence} of 8128, 4 times: it may be damaged in"):
        job.artifacts()[0].read()
    assert len(service.offsets) == 4


def test_an_artifact_whose_loss_the_service_notices_is_refused_in_its_words(client, service):
    job = client.job(service.put("SUCCEEDED").id)
    service.sizes["energy.npy"], service.notices_loss = 0, True
    with pytest.raises(errors.Corrupt, match=r"^artifact energy\.npy is damaged: it has 0 bytes$"):
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


@pytest.mark.slow
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


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Restarting:
    """A transport to a service that is away for some time after every stream of events that it breaks.

    Args:
        away: for how long, each time (s); then the job has ended.
        stands: how long a stream stands before it breaks (s).
    """

    def __init__(self, clock: Clock, *away: float, stands: float = 0.0) -> None:
        self.clock = clock
        self.away = list(away)
        self.stands = stands
        self.back = 0.0
        self.streams = 0

    def send(self, call, request, timeout=None):
        if self.clock.now < self.back:
            raise errors.Unavailable("connection refused")
        if call is GET:
            yield jobs_pb2.GetJobResponse(job=jobs_pb2.Job(id="a", state=jobs_pb2.JOB_STATE_QUEUED, last_event=1))
        elif self.away:
            assert call is WATCH
            self.streams += 1
            self.clock.now += self.stands
            self.back = self.clock.now + self.away.pop(0)
            raise errors.Unavailable("the stream broke")
        else:
            change = jobs_pb2.StateChange(state=jobs_pb2.JOB_STATE_SUCCEEDED)
            yield jobs_pb2.WatchJobResponse(event=jobs_pb2.JobEvent(number=2, state_change=change))

    def close(self) -> None:
        pass


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(client_service, "time", clock)
    monkeypatch.setattr(client_patience, "time", clock)
    return clock


def test_whoever_waits_for_a_service_is_told_why_once_for_each_reason(clock, caplog):
    patience = client_patience.Patience(60)
    for number in range(100):
        reason = errors.Unavailable("nobody answers at 127.0.0.1:7433" if number < 50 else "the connection broke")
        before = clock.now
        try:
            patience.bear(reason)
        except errors.Unavailable:
            break
        told = [record.getMessage() for record in caplog.records]
        assert bool(told) == (before > client_patience.TOLD_AFTER)
    assert 55 < clock.now < 62
    assert len(told) == 2
    assert told[0].startswith("nobody answers at 127.0.0.1:7433; it is asked for 5")
    assert told[1].startswith("the connection broke; it is asked for ")


def test_the_patience_with_a_reason_begins_with_the_reason(clock):
    patience, tries = client_patience.Patience(60), 0
    while clock.now < 25:
        patience.bear(errors.Unavailable("nobody answers"))
    with pytest.raises(errors.CannotNow):
        while True:
            tries += 1
            patience.bear(errors.CannotNow("it has not loaded yet"))
    assert tries > 10
    assert 44 < clock.now < 48


def test_a_service_that_says_why_it_cannot_is_not_asked_for_long(service, clock):
    service.cannot = "the disk is full"
    with serving(service) as address, pytest.raises(errors.CannotNow, match=r"^the disk is full$"):
        Client(address).submit(SPEC)
    assert client_patience.REASONED <= clock.now < client_patience.REASONED + 2


def test_a_command_that_waits_says_so(service, clock, capsys):
    service.cannot = "the disk is full"
    with serving(service) as address:
        assert main(["--server", address, "jobs", "list"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].startswith("thalweg: the disk is full; it is asked for ")
    assert said[1] == "thalweg: the disk is full"


def test_the_patience_with_a_silent_job_begins_anew_whenever_the_service_has_answered(clock):
    service = client_service.Service(Restarting(clock, 40, 50, 40, 50), patience=60)
    assert [event.number for event in service.watch("a", after=1)] == [2]
    assert clock.now > 180
    with pytest.raises(errors.Unavailable, match="connection refused"):
        list(client_service.Service(Restarting(clock, 70), patience=60).watch("a", after=1))


def test_streams_that_stood_may_break_any_number_of_times_and_those_that_break_at_once_may_not(clock):
    often = [0.0] * (3 * client_service.BREAKS)
    standing = Restarting(clock, *often, stands=2 * client_service.STOOD)
    assert [event.number for event in client_service.Service(standing).watch("a", after=1)] == [2]
    breaking = Restarting(clock, *often)
    with pytest.raises(errors.Unavailable, match="the stream broke"):
        list(client_service.Service(breaking).watch("a", after=1))
    assert breaking.streams == client_service.BREAKS + 1


def test_a_wait_ends_in_time_while_the_service_is_away(clock):
    with pytest.raises(errors.TimedOut, match="has not ended yet"):
        list(client_service.Service(Restarting(clock, 40), patience=60).watch("a", after=1, timeout=20))
    assert 20 <= clock.now < 22


def test_a_service_that_was_there_is_waited_for_and_one_that_never_was_is_not(service):
    def restarts() -> Iterator[str]:
        yield address
        for _ in range(3):
            yield ""
        yield address

    def locate() -> Place:
        if found := next(known):
            return Place(found, None, "", lambda: True)
        raise errors.NoService("it did not start")

    service.events_per_connection = 2
    with serving(service) as address:
        known = restarts()
        job = Client(transport=Wire(locate)).job(service.put("SUCCEEDED", steps=1).id)
        assert [event.number for event in job.watch()] == [1, 2, 3]
        assert list(known) == []
    known = iter([""])
    with pytest.raises(errors.NoService, match="it did not start"):
        Client(transport=Wire(locate)).describe()


def test_a_client_can_be_closed_while_it_waits_for_a_service_to_start():
    starting, closed = threading.Event(), threading.Event()

    def locate() -> Place:
        starting.set()
        assert closed.wait(60)
        return Place("127.0.0.1:1", None, "", lambda: True)

    client, ended = Client(transport=Wire(locate)), list[str]()

    def describe() -> None:
        try:
            client.describe()
        except errors.ThalwegError as error:
            ended.append(str(error))

    thread = threading.Thread(target=describe)
    thread.start()
    assert starting.wait(60)
    client.close()
    closed.set()
    thread.join(60)
    assert ended == ["this client is closed"]


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """Where the tokens of this user's services are published."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("THALWEG_TOKEN", raising=False)
    return tmp_path


def test_every_call_carries_the_token_that_the_service_published_for_its_port(service, home):
    service.token = "s3cret"
    with serving(service) as address:
        credentials.publish(address, service.token)
        client = Client(address)
        job = client.submit(SPEC)
        assert len(list(job.watch())) == 5
        assert job.result().artifact("notes.txt").read() == b"all is well"
        client.describe()
        assert [one.id for one in client.jobs()] == [job.id]
        assert job.cancel() is State.CANCELLING
        job.delete()
    assert service.carried == ["Bearer s3cret"] * len(service.carried)
    assert len(service.carried) == 7


def test_a_token_in_the_environment_comes_before_one_that_is_published(service, home, monkeypatch):
    service.token = "mine"
    monkeypatch.setenv("THALWEG_TOKEN", "mine")
    with serving(service) as address:
        credentials.publish(address, "another")
        Client(address).describe()


def test_a_service_that_comes_back_with_another_token_is_asked_with_that_one(service, home):
    service.token = "first"
    with serving(service) as address:
        credentials.publish(address, "first")
        client = Client(address)
        client.describe()
        service.token = "second"
        credentials.publish(address, "second")
        client.describe()
        service.token = "third"
        threading.Timer(0.3, credentials.publish, (address, "third")).start()  # it answers before its token is written
        assert len(list(client.submit(SPEC).watch())) == 5


def test_a_token_that_is_not_accepted_is_a_sentence_that_says_where_it_was_looked_for(service, home, monkeypatch):
    monkeypatch.setattr(transport, "TOKEN_WITHIN", 0.0)
    service.token = "right"
    job = service.put("RUNNING").id
    with serving(service) as address:
        way_out = r"set \$THALWEG_TOKEN to the token in the file `token` of its data folder$"
        file = credentials.published(address)
        with pytest.raises(errors.Unauthenticated, match=f"does not accept what {file} says, and .* is not set; {way_out}"):
            Client(address).describe()
        monkeypatch.setenv("THALWEG_TOKEN", "wrong")
        with pytest.raises(errors.Unauthenticated, match=rf"does not accept the token in \$THALWEG_TOKEN; {way_out}"):
            next(Client(address).job(job).watch())
        monkeypatch.setenv("THALWEG_TOKEN", "two words")
        with pytest.raises(errors.BadArgument, match=r"^\$THALWEG_TOKEN: wanted a token: letters") as refused:
            Client(address).describe()
    assert "two words" not in str(refused.value)


def test_a_published_token_never_leaves_this_machine(home):
    for here in ("127.0.0.1:7433", "[::1]:7433"):
        credentials.publish(here, "s3cret")
        assert credentials.of_address(here) == credentials.of_address("localhost:7433") == "s3cret"
        assert credentials.meant_by("localhost:7433") == here  # not where the name may lead, too
        for other in {"127.0.0.1:7433", "[::1]:7433", "127.0.0.2:7433"} - {here}:
            assert credentials.of_address(other) is None  # anybody may listen there
    for there in ("example.org:7433", "10.0.0.1:7433", "127.0.0.1.example.org:7433", "7433", "localhost:../services/7433"):
        assert credentials.of_address(there) is None


def published_by(pid: int) -> dict[str, Any]:
    """What a service with this process number publishes, but for its address."""
    credentials.publish("127.0.0.1:1", "s3cret")
    return json.loads(credentials.published("127.0.0.1:1").read_text()) | {"pid": pid, "mark": processes.mark(pid)}


def gone() -> dict[str, Any]:
    """What a service has published that was killed."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        left = published_by(process.pid)
        process.kill()
    return left


@pytest.mark.parametrize("reused", [False, True])
def test_whoever_listens_where_a_service_was_killed_gets_no_token(service, home, monkeypatch, reused):
    monkeypatch.setattr(transport, "TOKEN_WITHIN", 0.0)
    left = gone()
    if reused:
        left |= {"pid": os.getpid()}  # its number belongs to another process by now
    service.token = "s3cret"
    with serving(service) as address:
        file = credentials.published(address)
        file.write_text(json.dumps(left | {"address": address}))
        with pytest.raises(errors.Unauthenticated, match=f"the service that {file} names is gone"):
            Client(address).describe()
        data = home / "data"
        data.mkdir()
        (data / "token").write_text("s3cret\n")
        (data / "server.json").write_text(json.dumps(left | {"address": address, "version": "0"}))
        assert embedded.Embedded(data).address() is None
    assert set(service.carried) == {None}


def test_a_client_that_has_called_before_gives_its_token_to_nobody_who_took_the_port(service, home, monkeypatch):
    monkeypatch.setattr(transport, "TOKEN_WITHIN", 0.0)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner, serving(service) as address:
        credentials.publish(address, "s3cret")
        file = credentials.published(address)
        file.write_text(json.dumps(published_by(owner.pid) | {"address": address}))
        client = Client(address)
        client.describe()
        assert service.carried == ["Bearer s3cret"]
        owner.kill()
        owner.wait()
        client.describe()  # whoever answers by now asks for no token
        file.unlink()
        client.describe()
    assert service.carried == ["Bearer s3cret", None, None]


def test_a_service_that_withdraws_its_token_is_asked_for_nothing_more_with_it(service, home):
    with serving(service) as address:
        credentials.publish(address, "s3cret")
        client = Client(address)
        client.describe()
        credentials.withdraw(address, "s3cret")  # it ends, and lives on for a moment without its port
        client.describe()
    assert service.carried == ["Bearer s3cret", None]


def test_no_proxy_gets_a_call(service, home, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as proxy, serving(service) as address:
        proxy.setblocking(False)
        for variable in ("http_proxy", "https_proxy", "grpc_proxy"):
            monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        Client(address).describe()
        with pytest.raises(BlockingIOError):  # nobody has come
            proxy.accept()


def test_what_killed_services_have_published_goes_with_the_next_one(home):
    credentials.publish("127.0.0.1:7001", "ours")
    other = credentials.published("127.0.0.1:7002")
    other.write_text(json.dumps(gone()))
    elsewhere = credentials.published("127.0.0.1:7003")
    elsewhere.write_text(json.dumps(gone() | {"machine": "another one with the same home", "address": "127.0.0.1:7003"}))
    (other.parent / ".7005.17").write_text("")  # is being written by another service
    credentials.publish("127.0.0.1:7004", "ours")
    assert {".7005.17", "7001", "7003", "7004"} == {path.name for path in other.parent.iterdir()} - {"1"}
    assert credentials.of_address("127.0.0.1:7003") is None


def test_a_token_that_others_could_have_read_is_written_again_by_its_service(tmp_path):
    path = credentials.kept_in(tmp_path)
    path.write_text("everybody-knows\n")
    path.chmod(0o644)
    assert credentials.of_folder(tmp_path) != "everybody-knows"
    kept = credentials.read_from(path)
    assert credentials.of_folder(tmp_path) == kept


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:²",
        "127.0.0.1:" + "7" * 5000,
        "127.0.0.1:",
        "[::1",
        "host:99999",
        "127.0.0.1:７４３３",
        "7433",
        "a b:1",
        "",
        "x://y:1",
    ],
)
def test_what_is_no_address_is_refused_alike_wherever_it_is_given(address, monkeypatch):
    with pytest.raises(ValueError, match=r'^wanted an address such as "127\.0\.0\.1:7433", got') as refused:
        addresses.parsed(address)
    assert len(str(refused.value)) < 200
    assert not addresses.is_here(address)
    assert credentials.of_address(address) is None
    assert app.not_loopback(address) == f"--address: {refused.value}"
    if address:
        with pytest.raises(errors.BadArgument, match=r"^address: wanted an address"):
            Client(address)
        monkeypatch.setenv("THALWEG_SERVER", address)
        with pytest.raises(errors.BadArgument, match=r"^\$THALWEG_SERVER: wanted an address"):
            Client()


def folder_of(data: Path, address: str) -> Path:
    """A data folder whose service is this process."""
    data.mkdir()
    (data / "server.json").write_text(
        json.dumps({"address": address, "pid": os.getpid(), "mark": processes.mark(os.getpid()), "version": "0"})
    )
    return data


def test_the_token_of_an_embedded_service_stands_in_its_folder_and_is_only_read_there(service, home, monkeypatch):
    monkeypatch.setattr(transport, "TOKEN_WITHIN", 0.0)
    monkeypatch.setenv("THALWEG_TOKEN", "of another service")
    service.token = "s3cret"
    with serving(service) as address:
        data = folder_of(home / "data", address)
        with pytest.raises(errors.Unauthenticated, match=f"the service of {data} does not accept what {data}/token says"):
            Client(data=data).describe()
        assert [path.name for path in data.iterdir()] == ["server.json"]
        (data / "token").write_text("s3cret\n")
        Client(data=data).describe()


@pytest.mark.parametrize("content", [b"", b"\n", b"two words\n", b"\xff\xfe", "τ".encode(), b"a\0b"])
def test_what_cannot_be_a_token_is_none_and_is_written_again_by_its_service(tmp_path, content):
    path = credentials.kept_in(tmp_path)
    path.write_bytes(content)
    assert credentials.read_from(path) is None
    made = credentials.of_folder(tmp_path)
    assert credentials.read_from(path) == made == credentials.of_folder(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600


@contextmanager
def held(data: Path) -> Iterator[None]:
    """A data folder that a service holds."""
    for_lock = [os.open(data, os.O_RDONLY), os.open(data / "server.lock", os.O_RDWR | os.O_CREAT)]
    for file in for_lock:
        fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        for file in for_lock:
            os.close(file)


def test_a_service_that_runs_and_says_that_it_cannot_work_is_told_from_one_that_is_not_there(service, home, monkeypatch):
    monkeypatch.setattr(embedded, "START_WITHIN", 2.0)
    with serving(service, healthy=False) as address:
        data = folder_of(home / "data", address)
        with held(data), pytest.raises(errors.NoService) as refused:
            Client(data=data).describe()
        assert str(refused.value) == f"the service of {data} runs, but says that it cannot work; see {data}/server.log"
        monkeypatch.setattr(embedded.Fixed.__init__, "__defaults__", (0.1,))
        with pytest.raises(errors.NoService, match=f"the service at {address} runs, but says that it cannot work"):
            Client(address).describe()


def test_the_last_words_of_a_service_that_did_not_start_are_its_own(home, monkeypatch):
    data = home / "data"
    data.mkdir()
    (data / "server.log").write_text("words of yesterday\n")
    monkeypatch.setattr(embedded, "SERVER", ("/bin/sh", "-c", "exit 2"))
    with pytest.raises(errors.NoService, match=r"did not start; the reason is in .*server\.log$"):
        Embedded(data)()
    monkeypatch.setattr(embedded, "SERVER", ("/bin/sh", "-c", "echo the folder cannot be used; exit 2"))
    with pytest.raises(errors.NoService, match=r"server\.log \(it ends: the folder cannot be used\)$"):
        Embedded(data)()


def test_a_new_data_folder_and_its_log_are_for_its_user_only(home, monkeypatch):
    monkeypatch.setattr(embedded, "SERVER", ("/bin/sh", "-c", "exit 2"))
    umask = os.umask(0)
    try:
        with pytest.raises(errors.NoService):
            Embedded(home / "data")()
    finally:
        os.umask(umask)
    assert [(home / name).stat().st_mode & 0o777 for name in ("data", "data/server.log")] == [0o700, 0o600]


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
