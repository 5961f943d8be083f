"""How a call reaches the service: one method, so that a test can stand in for the network."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import grpc
from google.protobuf.message import Message

from thalweg import credentials
from thalweg.client.calls import Answer, Call
from thalweg.client.complaints import translated
from thalweg.errors import NoService, ThalwegError, Unauthenticated, Unavailable

NO_PROXY = [("grpc.enable_http_proxy", 0)]  # $http_proxy would get every call, and nothing is encrypted
OPTIONS = [
    *NO_PROXY,
    ("grpc.keepalive_time_ms", 30_000),  # a dead server is noticed while a watch waits; the service allows one per 10 s
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
]
TOKEN_WITHIN = 1.0  # s; arbitrary: a service that has just started may answer before its token is written


class Transport(Protocol):
    """Carries calls; every failure is a ThalwegError, and Unavailable is one that may be tried again."""

    def send(self, call: Call[Answer], request: Message, timeout: float | None = None) -> Iterator[Answer]:
        """The answers: one, or as many as stream in. `timeout` in seconds."""
        ...

    def close(self) -> None: ...


class Place(NamedTuple):
    """Where a service answers."""

    address: str
    """ "host:port"."""
    token: str | None
    """What a call carries, where it is known."""
    refusal: str
    """The complaint when the service does not accept that: where the token was looked for, and what to do."""
    lives: Callable[[], bool]
    """Whether it may still be the same service: another process may listen there since, and must not get the token."""


class Line(NamedTuple):
    """An open channel, and the place that it leads to."""

    channel: grpc.Channel
    place: Place


class Wire:
    """gRPC to wherever `locate` says that the service is, with the token that it finds; asked again after a loss.

    Args:
        locate: gives the place; may start a service. Raises NoService where there is none. Once there was one, that is
            Unavailable: a service that starts again may be late.
    """

    def __init__(self, locate: Callable[[], Place]) -> None:
        self._locate = locate
        self._locating = threading.Lock()  # held for as long as a service takes to start
        self._lock = threading.Lock()
        self._line: Line | None = None
        self._met = False
        self._closed = False

    def send(self, call: Call[Answer], request: Message, timeout: float | None = None) -> Iterator[Answer]:
        until = time.monotonic() + TOKEN_WITHIN
        while True:
            line = self._open()
            try:
                yield from self._answers(line, call, request, timeout)
                return
            except grpc.RpcError as error:
                complaint = translated(error)
                if isinstance(complaint, Unavailable | Unauthenticated):
                    self._forget(line)
                if not isinstance(complaint, Unauthenticated):
                    raise complaint from error
                if time.monotonic() > until:
                    raise Unauthenticated(line.place.refusal) from error
            time.sleep(0.1)

    def close(self) -> None:
        """End every call that is under way; this transport carries no more."""
        with self._lock:
            self._closed = True
            if self._line is not None:
                self._line.channel.close()

    def _answers(self, line: Line, call: Call[Answer], request: Message, timeout: float | None) -> Iterator[Answer]:
        metadata = credentials.metadata(line.place.token)
        written, read = type(request).SerializeToString, call.answer.FromString
        if not call.streams:
            yield line.channel.unary_unary(call.path, written, read)(request, timeout=timeout, metadata=metadata)
            return
        answers = line.channel.unary_stream(call.path, written, read)(request, timeout=timeout, metadata=metadata)
        try:
            yield from answers
        finally:
            answers.cancel()  # a reader that walks away leaves nothing running

    def _open(self) -> Line:
        with self._locating:
            return self._known() or self._keep(self._place())

    def _known(self) -> Line | None:
        with self._lock:
            if self._closed:
                raise ThalwegError("this client is closed")
            if self._line is not None and not self._line.place.lives():
                self._line.channel.close()
                self._line = None
            return self._line

    def _keep(self, place: Place) -> Line:
        line = Line(grpc.insecure_channel(place.address, OPTIONS), place)
        with self._lock:
            if self._closed:
                line.channel.close()
                raise ThalwegError("this client is closed")
            self._line = line
        return line

    def _place(self) -> Place:
        try:
            place = self._locate()
        except NoService as error:
            if self._met:
                raise Unavailable(str(error)) from error
            raise
        self._met = True
        return place

    def _forget(self, line: Line) -> None:
        with self._lock:
            if self._line is line and not self._closed:
                self._line = None
