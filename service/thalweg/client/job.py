"""A job: follow it, wait for it, cancel it, fetch what it brought home."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from thalweg.client import arguments
from thalweg.client.artifact import Artifact
from thalweg.client.calls import CANCEL, DELETE, GET
from thalweg.client.pages import job_page
from thalweg.client.result import Result
from thalweg.client.service import Service
from thalweg.client.state import State
from thalweg.client.wording import standing
from thalweg.errors import JobCancelled, JobFailed, ThalwegError
from thalweg.v1 import jobs_pb2
from thalweg.visible import visible


@dataclass(frozen=True)
class Job:
    """A handle on a job of the service. Attributes are what is known already; methods ask.

    Args:
        known: the job as the service last told it.
    """

    service: Service = field(repr=False, compare=False)
    known: jobs_pb2.Job

    @property
    def id(self) -> str:
        return self.known.id

    @property
    def name(self) -> str:
        """The title in its specification, else the id."""
        return self.known.spec.name or self.known.id

    def fetch(self) -> jobs_pb2.Job:
        """The job as it is now. Raises NotFound."""
        return self.service.ask(GET, jobs_pb2.GetJobRequest(id=self.id)).job

    def status(self) -> State:
        """The state it is in; equals its name: `job.status() == "RUNNING"`."""
        return State.of(self.fetch().state)

    def done(self) -> bool:
        """Whether it has ended, however."""
        return self.status().ended

    def watch(self, after: int = 0, timeout: float | None = None) -> Iterator[jobs_pb2.JobEvent]:
        """Its events from number `after` + 1 on, each once and in order, until it ends; reconnects by itself.

        Raises:
            OutOfRange: there is no event `after` yet.
            Unavailable: the service went away and did not come back.
            TimedOut: `timeout` seconds are over.
        """
        return self.service.watch(self.id, arguments.whole("after", after, 0), timeout)

    def wait(self, timeout: float | None = None) -> State:
        """Wait until it has ended, however; returns the state it ended in. TimedOut does not cancel it."""
        return State.of(self._ended(timeout).state)

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the end and give the result.

        Raises:
            JobFailed, JobCancelled: with the service's sentence.
            TimedOut: `timeout` seconds are over; the job goes on.
        """
        ended = self._ended(timeout)
        state = State.of(ended.state)
        if state is not State.SUCCEEDED:
            raise (JobCancelled if state is State.CANCELLED else JobFailed)(self.id, ended.outcome)
        return Result(ended, self.service)

    def follow(self) -> Job:
        """Show a progress bar, in a terminal or a notebook, until it ends; returns the ended job."""
        from tqdm.auto import tqdm

        name = visible(self.name)
        with tqdm(desc=name, unit="step", dynamic_ncols=True) as bar:
            for event in self.watch():
                if event.HasField("progress"):
                    progress = event.progress
                    bar.total, bar.n = progress.steps or None, progress.step
                    bar.set_postfix_str(", ".join(standing(progress)))
                elif event.HasField("state_change"):
                    bar.set_description(f"{name} {State.of(event.state_change.state)}")
        return Job(self.service, self.fetch())

    def cancel(self) -> State:
        """Ask it to stop; what it has so far is kept. A job that has ended stays as it is."""
        return State.of(self.service.ask(CANCEL, jobs_pb2.CancelJobRequest(id=self.id)).job.state)

    def delete(self) -> None:
        """Remove it with its events and files. Raises FailedPrecondition while it has not ended."""
        self.service.ask(DELETE, jobs_pb2.DeleteJobRequest(id=self.id))

    def artifacts(self) -> list[Artifact]:
        """Its files so far."""
        return [Artifact(self.id, about, self.service) for about in self.fetch().result.artifacts]

    def __repr__(self) -> str:
        return f"<Job {self.id} {State.of(self.known.state)} when last seen>"

    def _repr_html_(self) -> str:
        try:
            return job_page(self.fetch())
        except ThalwegError:
            return job_page(self.known)  # a notebook is shown again long after its service has gone

    def _ended(self, timeout: float | None) -> jobs_pb2.Job:
        if State.of(self.known.state).ended:
            return self.known
        for _ in self.watch(self.known.last_event, timeout):
            pass
        return self.fetch()
