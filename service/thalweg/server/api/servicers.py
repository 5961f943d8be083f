"""The RPCs: each translates, delegates, translates back. Their names are the wire's."""
# ruff: noqa: N802

from __future__ import annotations

import asyncio
import shutil
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from thalweg.server.api import pages, wire
from thalweg.server.api.checkers import Checked, Checkers
from thalweg.server.api.news import News
from thalweg.server.errors import Damaged, Draining, NotReady, OutOfRange
from thalweg.server.executor.executor import Executor
from thalweg.server.store.records import ENDED, JobRow, NewJob, State
from thalweg.server.store.store import Filter, Store, refuse_other_spec, spec_hash
from thalweg.server.store.writer import WRITTEN_WITHIN
from thalweg.v1 import jobs_pb2, jobs_pb2_grpc
from thalweg_core.errors import BadInput

T = TypeVar("T")

CHUNK = 2**20
"""Bytes of an artifact in one message."""

_PAGE, _LARGEST_PAGE = 50, 1000
_LARGEST_ANSWER = 3 * 2**20  # bytes; gRPC's own limit is 4 MiB
_LARGEST_FILTER = 64  # arbitrary
_LONGEST_ID = 128  # of a request; arbitrary


class JobServicer(jobs_pb2_grpc.JobServiceServicer):
    """The life of a job."""

    def __init__(self, store: Store, executor: Executor, news: News, checkers: Checkers) -> None:
        self._store, self._executor, self._news, self._checkers = store, executor, news, checkers
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
        checked = await self._checkers.admit(sent)
        if request.validate_only:
            spec = jobs_pb2.JobSpec.FromString(checked.spec)
            return jobs_pb2.SubmitJobResponse(job=jobs_pb2.Job(spec=spec), memory_estimate=checked.memory)
        row = await _written(self._store.submit(_new_job(request, sent, checked)))
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
        rows = await self._read(self._store.jobs, which, pages.before(which, request.page_token), size + 1, _LARGEST_ANSWER)
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
        row = await _written(self._store.cancel(request.id))
        self._executor.wake()
        return jobs_pb2.CancelJobResponse(job=wire.job(row))

    async def DeleteJob(self, request: jobs_pb2.DeleteJobRequest, context: Any) -> jobs_pb2.DeleteJobResponse:
        await _written(self._store.delete(request.id))
        await self._read(shutil.rmtree, self._store.job_folder(request.id), True)
        await _written(self._store.removed(request.id))
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
            data = await self._read(_chunk, path, offset, min(CHUNK, artifact.size - offset), artifact.name)
            yield jobs_pb2.ReadArtifactResponse(offset=offset, data=data, crc32=zlib.crc32(data))

    async def _job(self, job: str) -> JobRow:
        return await self._read(self._store.job, job)

    async def _read(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, function, *arguments)


class CatalogServicer(jobs_pb2_grpc.CatalogServiceServicer):
    """What the service knows."""

    def __init__(self, checkers: Checkers) -> None:
        self._checkers = checkers

    async def Describe(self, request: jobs_pb2.DescribeRequest, context: Any) -> jobs_pb2.DescribeResponse:
        return jobs_pb2.DescribeResponse.FromString(await self._checkers.describe())


async def _written(done: Future[T]) -> T:
    """What a change gave, once it is on disk. A caller that goes away before it is begun takes it back."""
    return await asyncio.wait_for(asyncio.wrap_future(done), WRITTEN_WITHIN)


def _new_job(request: jobs_pb2.SubmitJobRequest, sent: bytes, checked: Checked) -> NewJob:
    return NewJob(
        request_id=request.request_id,
        spec=checked.spec,
        sent=sent,
        kind=checked.kind,
        labels=dict(request.spec.labels),
        cpus=checked.cpus,
        memory=checked.memory,
        device=checked.device,
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
        room -= row.size
        if room < 0 and place > 0:
            return
        yield row


def _chunk(path: Path, offset: int, size: int, name: str) -> bytes:
    """Raises Damaged where the file is gone or has not so many bytes."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise Damaged(f"the file of artifact {name} is gone from the data folder") from None
    if len(data) < size:
        raise Damaged(f"artifact {name} is damaged: its file ends at byte {offset + len(data)}")
    return data
