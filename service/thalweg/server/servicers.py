"""The RPCs: each translates, delegates, translates back. Their names are the wire's."""
# ruff: noqa: N802

from __future__ import annotations

import asyncio
import shutil
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from thalweg.server import pages, wire
from thalweg.server.errors import Draining, NotReady, OutOfRange
from thalweg.server.executor import Executor
from thalweg.server.news import News
from thalweg.server.records import ENDED, JobRow, NewJob, State
from thalweg.server.store import Filter, Store, refuse_other_spec, spec_hash
from thalweg.v1 import jobs_pb2, jobs_pb2_grpc
from thalweg_core.errors import BadInput

if TYPE_CHECKING:
    from thalweg.server.admission import Admission

T = TypeVar("T")

CHUNK = 2**20
"""Bytes of an artifact in one message."""

_PAGE, _LARGEST_PAGE = 50, 1000
_LARGEST_ANSWER = 3 * 2**20  # bytes; gRPC's own limit is 4 MiB
_LARGEST_FILTER = 64  # arbitrary
_LONGEST_ID = 128  # of a request; arbitrary


class JobServicer(jobs_pb2_grpc.JobServiceServicer):
    """The life of a job."""

    def __init__(self, store: Store, executor: Executor, news: News) -> None:
        self._store, self._executor, self._news = store, executor, news
        self._checkers = ThreadPoolExecutor(2, thread_name_prefix="admission")  # a molecule takes seconds: readers must not wait
        self._readers = ThreadPoolExecutor(8, thread_name_prefix="reader")

    async def SubmitJob(self, request: jobs_pb2.SubmitJobRequest, context: Any) -> jobs_pb2.SubmitJobResponse:
        if len(request.request_id) > _LONGEST_ID:
            raise BadInput("request_id", f"wanted at most {_LONGEST_ID} characters, such as a UUID")
        sent = request.spec.SerializeToString(deterministic=True)
        known = await self._read(self._store.by_request, request.request_id) if request.request_id else None
        if known is not None and not request.validate_only:
            refuse_other_spec(request.request_id, known.id, known.spec_hash == spec_hash(sent))
            return jobs_pb2.SubmitJobResponse(job=wire.job(known), memory_estimate=known.memory)
        if self._executor.draining:
            raise Draining("the service is about to stop and takes no new jobs; submit again in a moment")
        spec, admission = await self._run(self._checkers, _admit, self._store, request.spec)
        if request.validate_only:
            return jobs_pb2.SubmitJobResponse(job=jobs_pb2.Job(spec=spec), memory_estimate=admission.memory)
        row = await asyncio.wrap_future(self._store.submit(_new_job(request.request_id, sent, spec, admission)))
        self._executor.wake()
        return jobs_pb2.SubmitJobResponse(job=wire.job(row), memory_estimate=row.memory)

    async def GetJob(self, request: jobs_pb2.GetJobRequest, context: Any) -> jobs_pb2.GetJobResponse:
        return jobs_pb2.GetJobResponse(job=wire.job(await self._job(request.id)))

    async def ListJobs(self, request: jobs_pb2.ListJobsRequest, context: Any) -> jobs_pb2.ListJobsResponse:
        if request.page_size < 0:
            raise BadInput("page_size", f"wanted 1 to {_LARGEST_PAGE}, or 0 for {_PAGE}, got {request.page_size}")
        if max(len(request.states), len(request.kinds), len(request.labels)) > _LARGEST_FILTER:
            raise BadInput("", f"wanted at most {_LARGEST_FILTER} states, kinds and labels each to filter by")
        which = Filter(_states(request.states), tuple(request.kinds), tuple(sorted(request.labels.items())))
        size = min(request.page_size or _PAGE, _LARGEST_PAGE)
        rows = await self._read(self._store.jobs, which, pages.before(which, request.page_token), size + 1)
        shown = [wire.job(row) for row in _fitting(rows[:size])]
        more = pages.token(which, rows[len(shown) - 1].number) if len(rows) > len(shown) else ""
        return jobs_pb2.ListJobsResponse(jobs=shown, next_page_token=more)

    async def WatchJob(self, request: jobs_pb2.WatchJobRequest, context: Any) -> AsyncIterator[jobs_pb2.WatchJobResponse]:
        after = request.after
        while True:
            tick = self._news.tick()  # taken before looking, so that nothing falls between
            row = await self._job(request.id)
            if after > row.last_event:
                raise OutOfRange(f"job {row.id} has {row.last_event} events so far, and none after number {after}")
            events = await self._read(self._store.events, request.id, after)
            for event in events:
                yield jobs_pb2.WatchJobResponse(event=wire.event(event))
                after = event.number
            if row.state in ENDED and after >= row.last_event:
                return
            if not events:
                await tick

    async def CancelJob(self, request: jobs_pb2.CancelJobRequest, context: Any) -> jobs_pb2.CancelJobResponse:
        row = await asyncio.wrap_future(self._store.cancel(request.id))
        self._executor.wake()
        return jobs_pb2.CancelJobResponse(job=wire.job(row))

    async def DeleteJob(self, request: jobs_pb2.DeleteJobRequest, context: Any) -> jobs_pb2.DeleteJobResponse:
        await asyncio.wrap_future(self._store.delete(request.id))
        await self._read(shutil.rmtree, self._store.job_folder(request.id), True)
        return jobs_pb2.DeleteJobResponse()

    async def GetResult(self, request: jobs_pb2.GetResultRequest, context: Any) -> jobs_pb2.GetResultResponse:
        row = await self._job(request.id)
        if row.result is None:
            why = f"it {row.state.name}: {row.outcome}" if row.state in ENDED else f"it is {row.state.name}, not ended"
            raise NotReady(f"job {row.id} has no result: {why}")
        return jobs_pb2.GetResultResponse(result=wire.result(row), provenance=wire.provenance(row))

    async def ReadArtifact(
        self, request: jobs_pb2.ReadArtifactRequest, context: Any
    ) -> AsyncIterator[jobs_pb2.ReadArtifactResponse]:
        await self._job(request.id)
        artifact = await self._read(self._store.artifact, request.id, request.name)
        if request.offset > artifact.size:
            raise OutOfRange(f"artifact {artifact.name} has {artifact.size} bytes; there is none at offset {request.offset}")
        path = self._store.job_folder(request.id) / artifact.path
        for offset in range(request.offset, artifact.size, CHUNK):
            data = await self._read(_chunk, path, offset)
            yield jobs_pb2.ReadArtifactResponse(offset=offset, data=data, crc32=zlib.crc32(data))

    async def _job(self, job: str) -> JobRow:
        return await self._read(self._store.job, job)

    async def _read(self, function: Callable[..., T], *arguments: Any) -> T:
        return await self._run(self._readers, function, *arguments)

    async def _run(self, pool: ThreadPoolExecutor, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)


class CatalogServicer(jobs_pb2_grpc.CatalogServiceServicer):
    """What the service knows."""

    async def Describe(self, request: jobs_pb2.DescribeRequest, context: Any) -> jobs_pb2.DescribeResponse:
        return await asyncio.to_thread(_describe)


def _admit(store: Store, sent: jobs_pb2.JobSpec) -> tuple[jobs_pb2.JobSpec, Admission]:
    """The spec with what it takes from other jobs, and what it comes to."""
    from thalweg.server.admission import admit  # loads torch, which takes seconds: not before the service answers
    from thalweg.server.other_jobs import looked_up

    spec = looked_up(store, sent)
    return spec, admit(spec)


def _describe() -> jobs_pb2.DescribeResponse:
    from thalweg.server.describe import describe

    return describe()


def _new_job(request_id: str, sent: bytes, spec: jobs_pb2.JobSpec, admission: Admission) -> NewJob:
    plan = admission.blueprint.plan
    return NewJob(
        request_id=request_id,
        spec=spec.SerializeToString(deterministic=True),
        sent=sent,
        kind=admission.blueprint.problem_name,
        labels=dict(spec.labels),
        cpus=plan.cpus,
        memory=admission.memory,
        device=plan.device,
    )


def _states(numbers: Any) -> tuple[State, ...]:
    for number in numbers:
        if number not in set(State):
            raise BadInput("states", f"there is no state number {number}")
    return tuple(State(number) for number in numbers)


def _fitting(rows: list[JobRow]) -> Iterator[JobRow]:
    """As many as one message holds, but at least one."""
    room = _LARGEST_ANSWER
    for place, row in enumerate(rows):
        room -= sum(len(part or b"") for part in (row.spec, row.result, row.progress, row.provenance)) + 512
        if room < 0 and place > 0:
            return
        yield row


def _chunk(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(CHUNK)
