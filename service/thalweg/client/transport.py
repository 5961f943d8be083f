"""How a call reaches the service: one method, so that a test can stand in for the network."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Protocol

import grpc
from google.protobuf.message import Message

from thalweg.client.calls import Answer, Call
from thalweg.client.complaints import translated
from thalweg.errors import ThalwegError, Unavailable

OPTIONS = [
    ("grpc.keepalive_time_ms", 30_000),  # a dead server is noticed while a watch waits; the service allows one per 10 s
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]


class Transport(Protocol):
    """Carries calls; every failure is a ThalwegError, and Unavailable is one that may be tried again."""

    def send(self, call: Call[Answer], request: Message, timeout: float | None = None) -> Iterator[Answer]:
        """The answers: one, or as many as stream in. `timeout` in seconds."""
        ...

    def close(self) -> None: ...


class Wire:
    """gRPC to wherever `locate` says that the service is; asked anew after the service was lost.

    Args:
        locate: gives the address, "host:port"; may start a service. Raises NoService where there is none.
    """

    def __init__(self, locate: Callable[[], str]) -> None:
        self._locate = locate
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._closed = False

    def send(self, call: Call[Answer], request: Message, timeout: float | None = None) -> Iterator[Answer]:
        channel = self._open()
        try:
            if call.streams:
                yield from self._stream(channel, call, request, timeout)
            else:
                method = channel.unary_unary(call.path, type(request).SerializeToString, call.answer.FromString)
                yield method(request, timeout=timeout)
        except grpc.RpcError as error:
            complaint = translated(error)
            if isinstance(complaint, Unavailable):
                self._forget(channel)
            raise complaint from error

    def close(self) -> None:
        """End every call that is under way; this transport carries no more."""
        with self._lock:
            self._closed = True
            if self._channel is not None:
                self._channel.close()

    def _stream(self, channel: grpc.Channel, call: Call[Answer], request: Message, timeout: float | None) -> Iterator[Answer]:
        method = channel.unary_stream(call.path, type(request).SerializeToString, call.answer.FromString)
        answers = method(request, timeout=timeout)
        try:
            yield from answers
        finally:
            answers.cancel()  # a reader that walks away leaves nothing running

    def _open(self) -> grpc.Channel:
        with self._lock:
            if self._closed:
                raise ThalwegError("this client is closed")
            if self._channel is None:
                self._channel = grpc.insecure_channel(self._locate(), OPTIONS)
            return self._channel

    def _forget(self, channel: grpc.Channel) -> None:
        with self._lock:
            if self._channel is channel and not self._closed:
                self._channel = None
