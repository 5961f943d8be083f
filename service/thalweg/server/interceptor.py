"""Our errors as gRPC statuses, in one place: no RPC method mentions a status code."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import aio
from grpc_status import rpc_status

from thalweg.server import errors
from thalweg.server.idle import Activity
from thalweg_core.errors import BadInput, Unavailable

_log = logging.getLogger(__name__)

CODES: dict[type[Exception], int] = {
    Unavailable: code_pb2.FAILED_PRECONDITION,
    BadInput: code_pb2.INVALID_ARGUMENT,
    errors.NotFound: code_pb2.NOT_FOUND,
    errors.AlreadyExists: code_pb2.ALREADY_EXISTS,
    errors.NotReady: code_pb2.FAILED_PRECONDITION,
    errors.OutOfRange: code_pb2.OUT_OF_RANGE,
    errors.Draining: code_pb2.UNAVAILABLE,
}


def status_of(error: Exception) -> status_pb2.Status:
    """The status of an error; for what nobody foresaw, a short INTERNAL with the traceback in the server's log."""
    code = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), None)
    if code is None:
        _log.error("an RPC failed", exc_info=error)
        words = (
            "the store cannot be written; is the disk full?"
            if isinstance(error, sqlite3.Error)
            else "the service met an error of its own"
        )
        return status_pb2.Status(code=code_pb2.INTERNAL, message=f"{words} (the server's log has the rest)")
    status = status_pb2.Status(code=code, message=str(error))
    if isinstance(error, BadInput):
        detail = any_pb2.Any()
        violation = error_details_pb2.BadRequest.FieldViolation(field=error.field, description=error.sentence)
        detail.Pack(error_details_pb2.BadRequest(field_violations=[violation]))
        status.details.append(detail)
    return status


class Translator(aio.ServerInterceptor):
    """Runs every RPC, counts it as activity, and says what went wrong in the wire's words."""

    def __init__(self, activity: Activity) -> None:
        self._activity = activity

    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]], call: grpc.HandlerCallDetails
    ) -> Any:
        handler = await continuation(call)
        if handler is None:
            return None
        if handler.unary_unary is not None:
            return handler._replace(unary_unary=self._unary(handler.unary_unary))
        if handler.unary_stream is not None:
            return handler._replace(unary_stream=self._stream(handler.unary_stream))
        return handler  # reflection streams both ways, and has no errors of ours

    def _unary(self, method: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
        async def run(request: Any, context: Any) -> Any:
            with self._activity:
                try:
                    return await method(request, context)
                except Exception as error:
                    await _abort(context, error)

        return run

    def _stream(self, method: Callable[[Any, Any], AsyncIterator[Any]]) -> Callable[[Any, Any], AsyncIterator[Any]]:
        async def run(request: Any, context: Any) -> AsyncIterator[Any]:
            with self._activity:
                try:
                    async for response in method(request, context):
                        yield response
                except Exception as error:
                    await _abort(context, error)

        return run


async def _abort(context: Any, error: Exception) -> NoReturn:
    if isinstance(error, aio.AbortError):
        raise error
    await context.abort_with_status(rpc_status.to_status(status_of(error)))
    raise AssertionError("abort raises")
