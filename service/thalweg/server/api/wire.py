"""Rows of the store as messages."""

from __future__ import annotations

from google.protobuf import timestamp_pb2

from thalweg.server.store.records import EventRow, JobRow
from thalweg.v1 import jobs_pb2, results_pb2


def job(row: JobRow) -> jobs_pb2.Job:
    message = jobs_pb2.Job(
        id=row.id,
        spec=jobs_pb2.JobSpec.FromString(row.spec),
        state=row.state.value,  # type: ignore[arg-type]
        outcome=row.outcome,
        attempt=row.attempt,
        create_time=timestamp(row.created),
        last_event=row.last_event,
    )
    if row.progress is not None:
        message.progress.ParseFromString(row.progress)
    if row.started is not None:
        message.start_time.CopyFrom(timestamp(row.started))
    if row.ended is not None:
        message.end_time.CopyFrom(timestamp(row.ended))
    if row.result is not None:
        message.result.ParseFromString(row.result)
    if row.provenance is not None:
        message.provenance.ParseFromString(row.provenance)
    return message


def result(row: JobRow) -> results_pb2.Result:
    return results_pb2.Result.FromString(row.result or b"")


def provenance(row: JobRow) -> results_pb2.Provenance:
    return results_pb2.Provenance.FromString(row.provenance or b"")


def event(row: EventRow) -> jobs_pb2.JobEvent:
    message = jobs_pb2.JobEvent.FromString(row.body)
    message.number = row.number
    message.time.CopyFrom(timestamp(row.time))
    return message


def timestamp(seconds: float) -> timestamp_pb2.Timestamp:
    """Seconds since 1970."""
    stamp = timestamp_pb2.Timestamp()
    stamp.FromNanoseconds(int(seconds * 1e9))
    return stamp
