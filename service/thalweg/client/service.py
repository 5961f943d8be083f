"""The service as its clients see it: every call is asked again, with patience, while nobody answers."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from google.protobuf.message import Message

from thalweg.client.calls import GET, WATCH, Answer, Call
from thalweg.client.patience import Patience
from thalweg.client.state import State
from thalweg.client.transport import Transport
from thalweg.errors import TimedOut, Unavailable
from thalweg.v1 import jobs_pb2

ANSWER_WITHIN = 120.0  # s; arbitrary: a submission may have to build a molecule before it is accepted
BREAKS = 60  # streams of events that may break at once, one after the other, while the service answers; most of a minute
STOOD = 1.0  # s; a stream that lasted so long did not break at once


class Service:
    """Calls on a transport.

    Args:
        transport: what carries them.
        patience: how long to go on asking while nobody answers (s).
    """

    def __init__(self, transport: Transport, patience: float = 60.0) -> None:
        self._transport = transport
        self._patience = patience

    def ask(self, call: Call[Answer], request: Message, most: float = math.inf) -> Answer:
        """The one answer, within `most` seconds. Every call of ours may be repeated: a submission carries its request_id."""
        patience, until = self.patience(most), time.monotonic() + most
        while True:
            try:
                left = max(until - time.monotonic(), 0.001)
                return next(self._transport.send(call, request, min(ANSWER_WITHIN, left)))
            except Unavailable as lost:
                patience.bear(lost)

    def stream(self, call: Call[Answer], request: Message, timeout: float | None = None) -> Iterator[Answer]:
        """Answers as they come, once: whoever reads knows where to go on."""
        return self._transport.send(call, request, timeout)

    def watch(self, job: str, after: int = 0, timeout: float | None = None) -> Iterator[jobs_pb2.JobEvent]:
        """Every event of a job after number `after`, each once and in order, across lost connections.

        Ends after the event that ends the job. The patience runs from each loss until the service answers again, however
        long the job has been silent.

        Raises:
            Unavailable: nobody answered for as long as the patience lasts.
            TimedOut: `timeout` seconds are over.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        patience = Patience(math.inf, BREAKS)
        while True:
            lost, begun = Unavailable(f"the service stopped sending the events of job {job}"), time.monotonic()
            try:
                request = jobs_pb2.WatchJobRequest(id=job, after=after)
                for response in self._transport.send(WATCH, request, _left(deadline, job)):
                    if response.event.number <= after:
                        continue
                    after, patience = response.event.number, Patience(math.inf, BREAKS)
                    yield response.event
                    if ends(response.event):
                        return
            except Unavailable as error:
                lost = error
            except TimedOut:
                raise _waited(job) from None
            if time.monotonic() - begun > STOOD:
                patience = Patience(math.inf, BREAKS)
            if self._ended_at(job, after, deadline):
                return
            patience.bear(lost)

    def patience(self, most: float = math.inf) -> Patience:
        """With one call, for `most` seconds at most."""
        return Patience(min(self._patience, most))

    def close(self) -> None:
        self._transport.close()

    def _ended_at(self, job: str, number: int, deadline: float | None) -> bool:
        """Whether a job has ended with this event; asked with a patience of its own."""
        left = _left(deadline, job)
        try:
            known = self.ask(GET, jobs_pb2.GetJobRequest(id=job), math.inf if left is None else left).job
        except Unavailable:
            _left(deadline, job)
            raise
        except TimedOut as error:
            _left(deadline, job)
            raise Unavailable(f"the service has not answered for {ANSWER_WITHIN:.0f} s") from error
        return State.of(known.state).ended and known.last_event <= number


def ends(event: jobs_pb2.JobEvent) -> bool:
    """Whether this is the last event of its job."""
    return event.HasField("state_change") and State.of(event.state_change.state).ended


def _left(deadline: float | None, job: str) -> float | None:
    """Seconds until a deadline. Raises TimedOut when it is over."""
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise _waited(job)
    return left


def _waited(job: str) -> TimedOut:
    return TimedOut(f"job {job} has not ended yet; it goes on, and can be waited for again")
