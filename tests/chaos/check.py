"""After the chaos: every job has ended once, with the result of an undisturbed run."""

from __future__ import annotations

import time

import grpc

from thalweg.client.service import ends
from thalweg.server.store.records import State
from thalweg.v1 import jobs_pb2, results_pb2

from . import callers
from .processes import glance
from .scene import OnePort, Scene, verdict
from .specs import LABEL, SPECS, labelled

Reference = tuple[results_pb2.Result, dict[str, bytes]]

_ENDED = frozenset({State.SUCCEEDED.value, State.FAILED.value, State.CANCELLED.value})


def references(service: OnePort, seconds: float) -> dict[str, Reference]:
    """Each specification run undisturbed. The first compiles kernels where that was not done before."""
    jobs = {name: service.submit(labelled(name)) for name in SPECS}
    for job in jobs.values():
        service.ended(job.id, seconds)
    service.store.close()
    return {name: brought_home(service, service.job(job.id)) for name, job in jobs.items()}


def brought_home(service: OnePort, job: jobs_pb2.Job) -> Reference:
    """Result and artifacts, but for the seconds that it took."""
    result = results_pb2.Result()
    result.CopyFrom(job.result)
    result.cost.pop("seconds")
    return result, {artifact.name: service.content(job.id, artifact.name) for artifact in result.artifacts}


def drain(scene: Scene, seconds: float) -> list[jobs_pb2.Job]:
    """All jobs, once they have ended or the time is over."""
    end = time.monotonic() + seconds
    while True:
        jobs = _listed(scene)
        if all(job.state in _ENDED for job in jobs) or time.monotonic() > end:
            return jobs
        time.sleep(0.3)


def _listed(scene: Scene) -> list[jobs_pb2.Job]:
    found: list[jobs_pb2.Job] = []
    request = jobs_pb2.ListJobsRequest(page_size=200)
    while True:
        page = scene.service.jobs.ListJobs(request, timeout=30)
        found += page.jobs
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


def check(scene: Scene, jobs: list[jobs_pb2.Job], expected: dict[str, Reference]) -> None:
    """Each failure of a job becomes one of the record."""
    scene.record.count("jobs in the store", len(jobs))
    scene.record.count("jobs acknowledged", len(scene.record.acknowledged))
    known = {job.id for job in jobs}
    for request_id, job in scene.record.acknowledged.items():
        if job not in known:
            scene.record.fail(f"job {job} was acknowledged (request {request_id}) and is not there")
    for one in jobs:
        try:
            _check_job(scene, one, expected)
        except grpc.RpcError as error:
            scene.record.fail(f"job {one.id} could not be read: {verdict(error)[1]}")
    _check_requests(scene)
    _check_store(scene)


def _check_job(scene: Scene, job: jobs_pb2.Job, expected: dict[str, Reference]) -> None:
    name = job.spec.labels.get(LABEL, "")
    if job.state not in _ENDED:
        _check_waiting(scene, job)
        return
    scene.record.count("jobs ended")
    if wrong := wrong_events(scene.service.events(job.id), job.last_event):
        scene.record.fail(f"job {job.id} ({name}): {wrong}")
    if State(job.state) is not State.SUCCEEDED:
        scene.record.fail(f"job {job.id} ({name}) {State(job.state).name}: {job.outcome}{_story(scene, job)}")
    elif brought_home(scene.service, job) != expected[name]:
        scene.record.fail(f"job {job.id} ({name}) brought home other numbers than the undisturbed run")
    else:
        scene.record.count("jobs identical")


def wrong_events(events: list[jobs_pb2.JobEvent], last: int) -> str:
    """What is wrong with the events of an ended job, or nothing."""
    numbers = [event.number for event in events]
    if numbers != list(range(1, last + 1)):
        return f"its events are numbered {numbers}, its last is said to be {last}"
    endings = [event.number for event in events if ends(event)]
    if endings != [last]:
        return f"the events {endings} of {last} end it"
    return ""


def _check_waiting(scene: Scene, job: jobs_pb2.Job) -> None:
    """A job may wait if it is queued and its last event says why."""
    reasons = _reasons(scene, job)
    if State(job.state) is State.QUEUED and reasons and reasons[-1] != "accepted":
        scene.record.count("jobs that wait and say why")
        scene.record.say(f"job {job.id} waits: {reasons[-1]}")
    else:
        scene.record.fail(f"job {job.id} ({job.spec.labels.get(LABEL)}) is still {State(job.state).name}{_story(scene, job)}")


def _story(scene: Scene, job: jobs_pb2.Job) -> str:
    """Its changes of state, and the log of its last attempt, for the evidence."""
    logs = sorted((scene.data / "jobs" / job.id).glob("attempt-*.log"), key=lambda path: int(path.stem.partition("-")[2]))
    said = logs[-1].read_text(errors="replace").strip().splitlines()[-2:] if logs else []
    return f"; events: {_reasons(scene, job)[-8:]}; {logs[-1].name if logs else 'no log'}: {said}"


def _reasons(scene: Scene, job: jobs_pb2.Job) -> list[str]:
    """As far as they can be had in a second: the watch of a job that has not ended does not end."""
    reasons = []
    try:
        for response in scene.service.jobs.WatchJob(jobs_pb2.WatchJobRequest(id=job.id), timeout=1):
            event = response.event
            if event.HasField("state_change"):
                reasons.append(event.state_change.reason)
            elif event.HasField("log_line"):
                reasons.append(event.log_line.text)
    except grpc.RpcError:
        pass
    return reasons


def _check_requests(scene: Scene) -> None:
    """A request that is sent again gives the job that it made."""
    requests = dict(glance(scene.data, "SELECT request_id, id FROM jobs WHERE request_id IS NOT NULL"))
    for request_id, job in scene.record.acknowledged.items():
        if requests.get(request_id) != job:
            scene.record.fail(f"request {request_id} made job {job}, and the store has job {requests.get(request_id)} for it")


def _check_store(scene: Scene) -> None:
    said = glance(scene.data, "PRAGMA integrity_check")
    if said != [("ok",)]:
        scene.record.fail(f"the store is damaged: {said[:3]}")


def read_notes(scene: Scene) -> None:
    """What clients in processes of their own were told."""
    for line in scene.notes.read_text().splitlines() if scene.notes.exists() else ():
        kind, *rest = line.split(" ")
        if kind == callers.ACKNOWLEDGED:
            scene.record.acknowledge(rest[0], rest[1])
        elif kind == callers.FOLLOWED:
            scene.record.count("jobs followed to their end by a client")
        elif kind == callers.WRONG:
            scene.record.fail(" ".join(rest))
        else:
            scene.record.count(f"client met {rest[0]}")
            if rest[0] not in CLEAN:
                scene.record.fail(f"a client met {rest[0]}: {' '.join(rest[1:])}")


CLEAN = frozenset({"Unavailable", "NoService", "Exhausted", "FailedPrecondition"})
"""Errors of the client that say that the service is down or has no room."""
