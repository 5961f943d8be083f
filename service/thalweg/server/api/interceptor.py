"""Our errors as gRPC statuses, in one place: no RPC method mentions a status code."""

from __future__ import annotations

import hmac
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import aio
from grpc_status import rpc_status

from thalweg import credentials
from thalweg.server import errors
from thalweg.server.api.idle import Activity
from thalweg.server.executor.trouble import damaged, trouble_of
from thalweg_core.errors import BadInput, Unavailable

Parse = Callable[[bytes], Any]

_log = logging.getLogger(__name__)

CODES: dict[type[Exception], int] = {
    Unavailable: code_pb2.FAILED_PRECONDITION,
    BadInput: code_pb2.INVALID_ARGUMENT,
    errors.NotFound: code_pb2.NOT_FOUND,
    errors.AlreadyExists: code_pb2.ALREADY_EXISTS,
    errors.NotReady: code_pb2.FAILED_PRECONDITION,
    errors.OutOfRange: code_pb2.OUT_OF_RANGE,
    errors.Draining: code_pb2.UNAVAILABLE,
    errors.MachineTrouble: code_pb2.UNAVAILABLE,
    errors.Unauthenticated: code_pb2.UNAUTHENTICATED,
    errors.Damaged: code_pb2.DATA_LOSS,
}

_OPEN = "/grpc.health.v1.Health/"
"""What anybody may call: it tells only whether the service works."""

_LONGEST = 900
"""Bytes of a text in UTF-8. A status travels in headers, which may have 8 KiB: the message there, where a byte that is not
ASCII takes three, and once more in the details, in base64, beside its field and its description."""


def status_of(error: Exception) -> status_pb2.Status:
    """The status of an error; for what nobody foresaw, a short INTERNAL with the traceback in the server's log."""
    error = _known(error)
    code = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), None)
    if code is None:
        _log.error("an RPC failed", exc_info=error)
        words = "the service met an error of its own (the server's log has the rest)"
        return status_pb2.Status(code=code_pb2.INTERNAL, message=words)
    status = status_pb2.Status(code=code, message=_cut(str(error)))
    if isinstance(error, BadInput):
        detail = any_pb2.Any()
        violation = error_details_pb2.BadRequest.FieldViolation(field=_cut(error.field), description=_cut(error.sentence))
        detail.Pack(error_details_pb2.BadRequest(field_violations=[violation]))
        status.details.append(detail)
    return status


def _known(error: Exception) -> Exception:
    """What the machine's trouble looks like from inside, as one of our errors."""
    if damaged(error):
        _log.error("the store is damaged: %s", error)
        return errors.Damaged(f"the store is damaged ({error}); end the service and restore thalweg.sqlite from a backup")
    trouble = trouble_of(error)
    if trouble is None or (isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.OperationalError)):
        return error
    _log.warning("an RPC could not be answered: %s: %s", type(error).__name__, error)
    return errors.MachineTrouble(f"{trouble.sentence} ({error}); the same call may succeed later")


def _cut(text: str) -> str:
    written = text.encode(errors="replace")
    return written.decode() if len(written) <= _LONGEST else f"{written[: _LONGEST - 3].decode(errors='ignore')}…"


class Translator(aio.ServerInterceptor):
    """Runs every RPC for whoever has the token, counts it as activity, and says what went wrong in the wire's words.

    Args:
        token: what callers have to show.
    """

    def __init__(self, activity: Activity, token: str) -> None:
        self._activity = activity
        ((_, self._wanted),) = credentials.metadata(token)

    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]], call: grpc.HandlerCallDetails
    ) -> Any:
        handler = await continuation(call)
        if handler is None or call.method.startswith(_OPEN):
            return handler
        if not self._may_call(call):
            return _refused(handler)
        parse = handler.request_deserializer
        if handler.unary_unary is not None:
            return handler._replace(unary_unary=self._unary(handler.unary_unary, parse), request_deserializer=None)
        if handler.unary_stream is not None:
            return handler._replace(unary_stream=self._stream(handler.unary_stream, parse), request_deserializer=None)
        return handler  # reflection streams both ways, and has no errors of ours

    def _may_call(self, call: grpc.HandlerCallDetails) -> bool:
        shown = [value for name, value in call.invocation_metadata or () if name == credentials.HEADER]
        return any(hmac.compare_digest(_bytes(value), self._wanted.encode()) for value in shown)

    def _unary(self, method: Callable[[Any, Any], Awaitable[Any]], parse: Parse) -> Callable[[Any, Any], Awaitable[Any]]:
        async def run(request: bytes, context: Any) -> Any:
            with self._activity:
                try:
                    return await method(_parsed(parse, request), context)
                except Exception as error:
                    await _abort(context, error)

        return run

    def _stream(self, method: Callable[[Any, Any], AsyncIterator[Any]], parse: Parse) -> Callable[[Any, Any], AsyncIterator[Any]]:
        async def run(request: bytes, context: Any) -> AsyncIterator[Any]:
            with self._activity:
                try:
                    async for response in method(_parsed(parse, request), context):
                        yield response
                except Exception as error:
                    await _abort(context, error)

        return run


def _parsed(parse: Parse, request: bytes) -> Any:
    """The message in the bytes of a request, where there is one."""
    try:
        return parse(request)
    except DecodeError:
        raise BadInput("", "the bytes of the request are no message of this call") from None


def _refused(handler: Any) -> Any:
    """The same call for somebody who has not shown the token."""
    wanted = "this service wants its token, as metadata `authorization: Bearer TOKEN`"
    sentence = f"{wanted}; it stands in the file `token` of the data folder"

    async def once(request: Any, context: Any) -> Any:
        await _abort(context, errors.Unauthenticated(sentence))

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        await _abort(context, errors.Unauthenticated(sentence))
        yield None

    if handler.response_streaming:
        make = grpc.stream_stream_rpc_method_handler if handler.request_streaming else grpc.unary_stream_rpc_method_handler
        return make(stream)
    return grpc.unary_unary_rpc_method_handler(once)


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


async def _abort(context: Any, error: Exception) -> NoReturn:
    if isinstance(error, aio.AbortError):
        raise error
    await context.abort_with_status(rpc_status.to_status(status_of(error)))
    raise AssertionError("abort raises")
