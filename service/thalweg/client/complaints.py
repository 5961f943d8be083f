"""gRPC statuses as our errors, with the service's own sentence."""

from __future__ import annotations

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from thalweg.errors import (
    AlreadyExists,
    CannotNow,
    Corrupt,
    Exhausted,
    FailedPrecondition,
    InvalidSpec,
    NotFound,
    OutOfRange,
    ServiceFailed,
    ThalwegError,
    TimedOut,
    Unauthenticated,
    Unavailable,
)

KINDS: dict[grpc.StatusCode, type[ThalwegError]] = {
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition,
    grpc.StatusCode.OUT_OF_RANGE: OutOfRange,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Exhausted,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.DATA_LOSS: Corrupt,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.CANCELLED: Unavailable,  # not by us: we stop reading then; a server that shuts down cancels
}
LATE = "the service has not answered in time: it is busy, or does not work; ask again in a moment"
BROKEN_STREAM = ("RST_STREAM", "Stream removed", "GOAWAY")  # how a killed server shows in INTERNAL and UNKNOWN


def translated(error: grpc.RpcError) -> ThalwegError:
    """The same failure as a ThalwegError."""
    code, details = error.code(), error.details() or ""
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return _invalid(error, details)
    if code is grpc.StatusCode.UNAVAILABLE and _said_by_the_service(error):
        return CannotNow(details)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:  # gRPC says it, never the service: "Deadline Exceeded"
        return TimedOut(LATE)
    if code in KINDS:
        return KINDS[code](details or f"the service answered {code.name}")
    if any(sign in details for sign in BROKEN_STREAM):
        return Unavailable(details)
    internal = code is grpc.StatusCode.INTERNAL and details
    return ServiceFailed(details if internal else f"the service answered {code.name}: {details}")


def _said_by_the_service(error: grpc.RpcError) -> bool:
    """Whether a status comes from it: gRPC's own, for a connection that is lost, carry no details."""
    try:
        return rpc_status.from_call(error) is not None
    except (AttributeError, ValueError):  # of a test's own, or not the same as the status
        return False


def _invalid(error: grpc.RpcError, details: str) -> InvalidSpec:
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(bad) and bad.field_violations:
            first = bad.field_violations[0]
            return InvalidSpec(first.field, first.description.removeprefix(f"{first.field}: "))
    return InvalidSpec("", details)
