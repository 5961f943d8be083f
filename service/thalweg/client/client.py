"""The client: submit specifications, find jobs, ask what the service knows."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from thalweg import specs
from thalweg.client import arguments
from thalweg.client.artifact import Artifact
from thalweg.client.calls import DESCRIBE, GET, LIST, SUBMIT
from thalweg.client.embedded import Embedded, Fixed, data_folder
from thalweg.client.job import Job
from thalweg.client.service import Service
from thalweg.client.transport import Transport, Wire
from thalweg.v1 import jobs_pb2


class Client:
    """A connection to a thalweg service.

        job = Client().submit("h2.toml")
        print(job.result())

    Args:
        address: "host:port" of a service that runs; left out, $THALWEG_SERVER, else the embedded service of `data`,
            which is started when it is first needed and ends when it is idle.
        data: folder of the embedded service; left out, $THALWEG_DATA, else thalweg/ in the user's data home.
        patience: how long to go on asking while the service does not answer (s).
        transport: what carries the calls instead of gRPC; for tests.

    Nothing is sent before a method is called. Methods may be called from several threads.

    Raises:
        BadArgument: here and in every method, for an argument that cannot be as it was given.
    """

    def __init__(
        self,
        address: str | None = None,
        data: str | os.PathLike[str] | None = None,
        *,
        patience: float = 60.0,
        transport: Transport | None = None,
    ) -> None:
        if address is not None:
            arguments.address("address", address)
        if data is not None:
            arguments.path("data", data)
        if not address and data is None and (named := os.environ.get("THALWEG_SERVER")):
            address = arguments.address("$THALWEG_SERVER", named)
        self.address = address
        self.data = None if address else data_folder(data)
        locate = Fixed(address) if address else Embedded(data_folder(data))
        self._service = Service(transport or Wire(locate), patience)

    def submit(self, spec: specs.Source, request_id: str | None = None) -> Job:
        """Hand in a specification: a path (.toml, .json), a dict or a JobSpec. It is on disk when this returns.

        Args:
            request_id: a UUID; the same one with the same specification gives the same job, however often it is sent.

        Raises:
            InvalidSpec: with the path of the field and what to do.
            FailedPrecondition: the machine lacks what the job asks for.
        """
        request_id = str(uuid.uuid4()) if request_id is None else arguments.text("request_id", request_id)
        request = jobs_pb2.SubmitJobRequest(spec=specs.load(spec), request_id=request_id)
        return Job(self._service, self._service.ask(SUBMIT, request).job)

    def validate(self, spec: specs.Source) -> int:
        """Check a specification; nothing is kept. Returns the memory that the job is estimated to need (bytes).

        Raises:
            InvalidSpec, FailedPrecondition: as `submit` would.
        """
        request = jobs_pb2.SubmitJobRequest(spec=specs.load(spec), validate_only=True)
        return self._service.ask(SUBMIT, request).memory_estimate

    def job(self, id: str) -> Job:
        """The job with this id. Raises NotFound."""
        return Job(self._service, self._service.ask(GET, jobs_pb2.GetJobRequest(id=arguments.text("id", id))).job)

    def artifacts(self, job: jobs_pb2.Job) -> list[Artifact]:
        """Handles on the files that a job's message lists."""
        return [Artifact(job.id, about, self._service) for about in job.result.artifacts]

    def jobs(
        self,
        states: str | Iterable[str] = (),
        kinds: str | Iterable[str] = (),
        labels: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> Iterator[Job]:
        """Jobs, newest first: in any of these states, of any of these problem kinds, with all of these labels.

        Args:
            states: one or several, `State.RUNNING` or "running".
            kinds: one or several, "vqe".
            limit: at most this many; left out, all.
        """
        if limit is not None:
            arguments.whole("limit", limit, 0)
        request = jobs_pb2.ListJobsRequest(
            states=[state.on_the_wire for state in arguments.states("states", states)],
            kinds=arguments.texts("kinds", kinds),
            labels=arguments.labels("labels", labels or {}),
            page_size=min(limit or 50, 1000),
        )
        return islice(self._pages(request), limit)

    def describe(self) -> jobs_pb2.DescribeResponse:
        """Problems, methods and the plan with their fields, units and defaults, and what fits what."""
        return self._service.ask(DESCRIBE, jobs_pb2.DescribeRequest())

    def close(self) -> None:
        """End every watch of this client. Jobs go on."""
        self._service.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.address!r})" if self.address else f"Client(data={str(self.data)!r})"

    def _pages(self, request: jobs_pb2.ListJobsRequest) -> Iterator[Job]:
        while True:
            page = self._service.ask(LIST, request)
            for job in page.jobs:
                yield Job(self._service, job)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token
