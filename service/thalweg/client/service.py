"""The service as its clients see it: every call is asked again, with patience, while nobody answers."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from google.protobuf.message import Message

from thalweg.client.calls import GET, WATCH, Answer, Call
from thalweg.client.state import State
from thalweg.client.transport import Transport
from thalweg.errors import NoService, TimedOut, Unavailable
from thalweg.v1 import jobs_pb2

ANSWER_WITHIN = 120.0  # s; arbitrary: a submission may have to build a molecule before it is accepted


class Service:
    """Calls on a transport.

    Args:
        transport: what carries them.
        patience: how long to go on asking while nobody answers (s).
    """

    def __init__(self, transport: Transport, patience: float = 60.0) -> None:
        self._transport = transport
        self._patience = patience

    def ask(self, call: Call[Answer], request: Message) -> Answer:
        """The one answer. Every call of ours may be repeated: a submission carries its request_id."""
        pauses = self.pauses()
        while True:
            try:
                return next(self._transport.send(call, request, ANSWER_WITHIN))
            except Unavailable as lost:
                wait_or_give_up(pauses, lost)

    def stream(self, call: Call[Answer], request: Message, timeout: float | None = None) -> Iterator[Answer]:
        """Answers as they come, once: whoever reads knows where to go on."""
        return self._transport.send(call, request, timeout)

    def watch(self, job: str, after: int = 0, timeout: float | None = None) -> Iterator[jobs_pb2.JobEvent]:
        """Every event of a job after number `after`, each once and in order, across lost connections.

        Ends after the event that ends the job.

        Raises:
            Unavailable: nobody answered for as long as the patience lasts.
            TimedOut: `timeout` seconds are over.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pauses = self.pauses()
        while True:
            lost = Unavailable(f"the service stopped sending the events of job {job}")
            try:
                request = jobs_pb2.WatchJobRequest(id=job, after=after)
                for response in self._transport.send(WATCH, request, _left(deadline, job)):
                    if response.event.number <= after:
                        continue
                    after, pauses = response.event.number, self.pauses()
                    yield response.event
                    if ends(response.event):
                        return
                if self._ended_at(job, after):
                    return
            except Unavailable as error:
                lost = error
            except TimedOut:
                raise _waited(job) from None
            wait_or_give_up(pauses, lost)

    def pauses(self) -> Iterator[float]:
        """Growing pauses (s), until the patience is over; spread, so that many clients do not come back at once."""
        until, pause = time.monotonic() + self._patience, 0.05
        while time.monotonic() < until:
            yield pause * random.uniform(0.5, 1.0)
            pause = min(2 * pause, 2.0)

    def close(self) -> None:
        self._transport.close()

    def _ended_at(self, job: str, number: int) -> bool:
        known = self.ask(GET, jobs_pb2.GetJobRequest(id=job)).job
        return State.of(known.state).ended and known.last_event <= number


def ends(event: jobs_pb2.JobEvent) -> bool:
    """Whether this is the last event of its job."""
    return event.HasField("state_change") and State.of(event.state_change.state).ended


def wait_or_give_up(pauses: Iterator[float], lost: Unavailable) -> None:
    pause = next(pauses, None)
    if pause is None or isinstance(lost, NoService):
        raise lost
    time.sleep(pause)


def _left(deadline: float | None, job: str) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise _waited(job)
    return left


def _waited(job: str) -> TimedOut:
    return TimedOut(f"job {job} has not ended yet; it goes on, and can be waited for again")
