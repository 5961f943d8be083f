"""The calls of the wire, each with its path and the type of its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message

from thalweg.v1 import jobs_pb2

Answer = TypeVar("Answer", bound=Message)


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """One method of a gRPC service.

    Args:
        path: "/package.Service/Method".
        answer: type of what comes back.
        streams: whether answers keep coming.
    """

    path: str
    answer: type[Answer]
    streams: bool = False


SUBMIT = Call("/thalweg.v1.JobService/SubmitJob", jobs_pb2.SubmitJobResponse)
GET = Call("/thalweg.v1.JobService/GetJob", jobs_pb2.GetJobResponse)
LIST = Call("/thalweg.v1.JobService/ListJobs", jobs_pb2.ListJobsResponse)
WATCH = Call("/thalweg.v1.JobService/WatchJob", jobs_pb2.WatchJobResponse, streams=True)
CANCEL = Call("/thalweg.v1.JobService/CancelJob", jobs_pb2.CancelJobResponse)
DELETE = Call("/thalweg.v1.JobService/DeleteJob", jobs_pb2.DeleteJobResponse)
READ = Call("/thalweg.v1.JobService/ReadArtifact", jobs_pb2.ReadArtifactResponse, streams=True)
DESCRIBE = Call("/thalweg.v1.CatalogService/Describe", jobs_pb2.DescribeResponse)
