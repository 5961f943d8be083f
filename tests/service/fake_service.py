"""A service made of dictionaries, with faults to order: what the client's tests talk to over real gRPC on loopback."""

# ruff: noqa: N802   (the names of the methods are the wire's)
from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from thalweg.v1 import jobs_pb2, jobs_pb2_grpc, results_pb2

CHUNK = 1000


@dataclass
class FakeService(jobs_pb2_grpc.JobServiceServicer, jobs_pb2_grpc.CatalogServiceServicer):
    """Jobs that somebody put there; a submitted one succeeds at once.

    Args:
        lost_answers: how many submissions are carried out but not answered.
        events_per_connection: a watch breaks after so many events; 0 for never.
        chunks_per_connection: a download likewise.
        damage: how many chunks arrive with a wrong checksum.
        token: what every call but that of health must carry; empty for no matter.
        sizes: what files have on the service's disk, where that is not what their jobs say (bytes).
        notices_loss: whether it says so of such a file, or sends empty chunks.
        cannot: why it cannot answer any call now; empty where it can.
        pause: before it tells of a job (s).
    """

    lost_answers: int = 0
    events_per_connection: int = 0
    chunks_per_connection: int = 0
    damage: int = 0
    token: str = ""
    sizes: dict[str, int] = field(default_factory=dict)
    notices_loss: bool = False
    cannot: str = ""
    pause: float = 0.0
    jobs: dict[str, jobs_pb2.Job] = field(default_factory=dict)
    events: dict[str, list[jobs_pb2.JobEvent]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    by_request: dict[str, str] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    watches: int = 0
    offsets: list[int] = field(default_factory=list)
    carried: list[str | None] = field(default_factory=list)

    def put(self, state: str, outcome: str = "", steps: int = 3, **fields: object) -> jobs_pb2.Job:
        """A job that has come to `state`, after `steps` events of progress."""
        id = f"job{len(self.jobs) + 1}"
        number = jobs_pb2.JobState.Value(f"JOB_STATE_{state}")
        events = [jobs_pb2.JobEvent(state_change=jobs_pb2.StateChange(state=jobs_pb2.JOB_STATE_RUNNING))]
        events += [jobs_pb2.JobEvent(progress=_progress(step, steps)) for step in range(1, steps + 1)]
        if state in ("SUCCEEDED", "FAILED", "CANCELLED"):
            events.append(jobs_pb2.JobEvent(state_change=jobs_pb2.StateChange(state=number, reason=outcome)))
        for place, event in enumerate(events, 1):
            event.number = place
        job = jobs_pb2.Job(id=id, state=number, outcome=outcome, last_event=len(events), **fields)
        if state == "SUCCEEDED":
            job.result.CopyFrom(self.result())
            job.provenance.CopyFrom(results_pb2.Provenance(version="0.1.0", seed=2**63, packages={"torch": "2.13.0"}))
        self.jobs[id], self.events[id] = job, events
        return job

    def result(self) -> results_pb2.Result:
        return results_pb2.Result(
            value=-1.13623,
            standard_error=0.00152,
            unit="Ha",
            observables={
                "exact_energy": results_pb2.Observable(value=-1.13730604, unit="Ha"),
                "rhat_max": results_pb2.Observable(value=float("nan")),
            },
            cost={"shots": 240_000.0, "seconds": 12.34},
            stops={"all 3 steps were taken": 4},
            artifacts=[_about(name, content) for name, content in self.files.items()],
        )

    def SubmitJob(self, request, context):
        kind = request.spec.problem.density.gaussian
        if len(kind.scales) == 0:
            _refuse(context, "problem.density.gaussian.scales", "wanted at least one scale, got none")
        if kind.correlation > 1:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "plan.device: this machine has no GPU")
        if request.validate_only:
            return jobs_pb2.SubmitJobResponse(memory_estimate=4096)
        id = self.by_request.get(request.request_id) or self.put("SUCCEEDED", "all 3 steps were taken", spec=request.spec).id
        self.by_request[request.request_id] = id
        if self.lost_answers:
            self.lost_answers -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "the connection broke")
        return jobs_pb2.SubmitJobResponse(job=self.jobs[id])

    def GetJob(self, request, context):
        time.sleep(self.pause)
        return jobs_pb2.GetJobResponse(job=self._find(request.id, context))

    def ListJobs(self, request, context):
        fitting = [job for job in reversed(self.jobs.values()) if not request.states or job.state in request.states]
        start, size = int(request.page_token or 0), request.page_size
        more = str(start + size) if start + size < len(fitting) else ""
        return jobs_pb2.ListJobsResponse(jobs=fitting[start : start + size], next_page_token=more)

    def WatchJob(self, request, context) -> Iterator[jobs_pb2.WatchJobResponse]:
        self.watches += 1
        last = self._find(request.id, context).last_event
        if request.after > last:
            context.abort(grpc.StatusCode.OUT_OF_RANGE, f"job {request.id} has {last} events so far")
        sent = 0
        for event in self.events[request.id]:
            if event.number <= request.after:
                continue
            if self.events_per_connection and sent == self.events_per_connection:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the connection broke")
            sent += 1
            yield jobs_pb2.WatchJobResponse(event=event)
        if self.jobs[request.id].state == jobs_pb2.JOB_STATE_RUNNING:
            while context.is_active():
                time.sleep(0.02)

    def CancelJob(self, request, context):
        self.cancelled.append(request.id)
        job = self._find(request.id, context)
        job.state = jobs_pb2.JOB_STATE_CANCELLING
        return jobs_pb2.CancelJobResponse(job=job)

    def DeleteJob(self, request, context):
        del self.jobs[self._find(request.id, context).id]
        return jobs_pb2.DeleteJobResponse()

    def ReadArtifact(self, request, context) -> Iterator[jobs_pb2.ReadArtifactResponse]:
        content = self.files[request.name]
        size = self.sizes.get(request.name, len(content))
        if size != len(content) and self.notices_loss:
            context.abort(grpc.StatusCode.DATA_LOSS, f"artifact {request.name} is damaged: it has {size} bytes")
        self.offsets.append(request.offset)
        told, content = len(content), content[:size].ljust(size)
        for sent, offset in enumerate(range(request.offset, max(told, size), CHUNK)):
            if self.chunks_per_connection and sent == self.chunks_per_connection:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the connection broke")
            data = content[offset : offset + CHUNK]
            wrong = 1 if self.damage and offset > 0 else 0
            self.damage -= wrong
            yield jobs_pb2.ReadArtifactResponse(offset=offset, data=data, crc32=zlib.crc32(data) ^ wrong)

    def Describe(self, request, context):
        learning_rate = jobs_pb2.FieldDescription(name="learning_rate", type="number", required=True, description="Step.")
        adam = jobs_pb2.Description(name="adam", summary="Moments.", fields=[learning_rate], fits=["density.gaussian"])
        gaussian = jobs_pb2.Description(name="density.gaussian", summary="A normal density.", fits=["adam"])
        steps = jobs_pb2.FieldDescription(name="stop.plateau", type="integer", description="Steps without a decrease.")
        plan = jobs_pb2.Description(name="plan", summary="How far to walk.", fields=[steps])
        return jobs_pb2.DescribeResponse(problems=[gaussian], methods=[adam], plan=plan)

    def _find(self, id: str, context) -> jobs_pb2.Job:
        if id not in self.jobs:
            context.abort(grpc.StatusCode.NOT_FOUND, f"there is no job {id}")
        return self.jobs[id]


class Door(grpc.ServerInterceptor):
    """Lets nobody in without the token of the service."""

    def __init__(self, service: FakeService) -> None:
        self._service = service

    def intercept_service(self, continuation, call):
        if call.method.startswith("/grpc.health"):
            return continuation(call)
        carried = dict(call.invocation_metadata).get("authorization")
        self._service.carried.append(carried)
        if self._service.token and carried != f"Bearer {self._service.token}":
            return grpc.unary_unary_rpc_method_handler(_closed) if "Watch" not in call.method else _CLOSED_STREAM
        if why := self._service.cannot:
            status = rpc_status.to_status(status_pb2.Status(code=code_pb2.UNAVAILABLE, message=why))
            return grpc.unary_unary_rpc_method_handler(lambda _request, context: context.abort_with_status(status))
        return continuation(call)


def _closed(request, context):
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "wanted the token of this service")


_CLOSED_STREAM = grpc.unary_stream_rpc_method_handler(_closed)


@contextmanager
def serving(service: FakeService, healthy: bool = True) -> Iterator[str]:
    """The address at which it answers."""
    server = grpc.server(ThreadPoolExecutor(8), interceptors=[Door(service)])
    jobs_pb2_grpc.add_JobServiceServicer_to_server(service, server)
    jobs_pb2_grpc.add_CatalogServiceServicer_to_server(service, server)
    checker = health.HealthServicer()
    checker.set("", health_pb2.HealthCheckResponse.SERVING if healthy else health_pb2.HealthCheckResponse.NOT_SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checker, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def _about(name: str, content: bytes) -> results_pb2.Artifact:
    digest = hashlib.sha256(content).hexdigest()
    return results_pb2.Artifact(name=name, size=len(content), sha256=digest, media_type="text/plain", description="numbers")


def _progress(step: int, steps: int) -> jobs_pb2.Progress:
    return jobs_pb2.Progress(phase="walk", step=step, steps=steps, value=-1.0, standard_error=0.1, unit="Ha")


def _refuse(context, path: str, sentence: str) -> None:
    bad = error_details_pb2.BadRequest(field_violations=[{"field": path, "description": sentence}])
    packed = any_pb2.Any()
    packed.Pack(bad)
    status = status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message=f"{path}: {sentence}", details=[packed])
    context.abort_with_status(rpc_status.to_status(status))
