"""Follow several jobs at once: bars on a terminal, lines in a pipe, nothing when quiet."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Protocol

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from thalweg.cli.screen import Screen
from thalweg.client import Job, State
from thalweg.client.wording import fraction_done, progress_line, spent, standing, steps_done
from thalweg.v1 import jobs_pb2
from thalweg.visible import visible

LINE_EVERY = 5.0  # s between two lines of progress of one job; arbitrary
COLOURS = {State.SUCCEEDED: "green", State.FAILED: "red", State.CANCELLED: "yellow"}


class Left(KeyboardInterrupt):
    """Ctrl-C while jobs were followed.

    Args:
        heard: the jobs as their last events told.
    """

    def __init__(self, heard: Sequence[jobs_pb2.Job]) -> None:
        super().__init__()
        self.heard = heard


def follow(jobs: Sequence[Job], screen: Screen) -> list[jobs_pb2.Job]:
    """Show what happens until all jobs have ended; returns them as they ended, in order. Raises Left on Ctrl-C."""
    heard = [copy(job.known) for job in jobs]
    try:
        with _display(jobs, screen) as display:
            for index, event in merged(jobs):
                learn(heard[index], event)
                display.show(index, event)
        return [job.fetch() for job in jobs]
    except KeyboardInterrupt:
        raise Left(heard) from None


def copy(job: jobs_pb2.Job) -> jobs_pb2.Job:
    fresh = jobs_pb2.Job()
    fresh.CopyFrom(job)
    return fresh


def learn(job: jobs_pb2.Job, event: jobs_pb2.JobEvent) -> None:
    """Put what an event tells into the job."""
    job.last_event = event.number
    if event.HasField("progress"):
        job.progress.CopyFrom(event.progress)
    elif event.HasField("state_change"):
        job.state, job.attempt = event.state_change.state, event.state_change.attempt
        if State.of(job.state).ended:
            job.outcome = event.state_change.reason


def merged(jobs: Sequence[Job]) -> Iterator[tuple[int, jobs_pb2.JobEvent]]:
    """The events of all jobs as they come, each with the place of its job; one thread per job reads."""
    arrivals: queue.SimpleQueue[tuple[int, jobs_pb2.JobEvent | Exception | None]] = queue.SimpleQueue()

    def read(index: int, job: Job) -> None:
        try:
            for event in job.watch():
                arrivals.put((index, event))
            arrivals.put((index, None))
        except Exception as error:
            arrivals.put((index, error))

    for index, job in enumerate(jobs):
        threading.Thread(target=read, args=(index, job), daemon=True).start()
    open_watches = len(jobs)
    while open_watches:
        index, arrival = arrivals.get()
        if arrival is None:
            open_watches -= 1
        elif isinstance(arrival, Exception):
            raise arrival
        else:
            yield index, arrival


class Display(Protocol):
    def show(self, index: int, event: jobs_pb2.JobEvent) -> None: ...

    def __enter__(self) -> Display: ...

    def __exit__(self, *_: object) -> None: ...


def _display(jobs: Sequence[Job], screen: Screen) -> Display:
    if screen.quiet:
        return Nothing()
    return Bars(jobs, screen) if screen.err.is_terminal else Lines(jobs, screen)


class Nothing:
    """No display."""

    def show(self, index: int, event: jobs_pb2.JobEvent) -> None:
        pass

    def __enter__(self) -> Nothing:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Lines(Nothing):
    """A line per change of state, log line, and now and then per progress."""

    def __init__(self, jobs: Sequence[Job], screen: Screen) -> None:
        self._jobs = jobs
        self._screen = screen
        self._next = [0.0] * len(jobs)

    def __enter__(self) -> Lines:
        return self

    def show(self, index: int, event: jobs_pb2.JobEvent) -> None:
        if event.HasField("progress"):
            if time.monotonic() < self._next[index]:
                return
            self._next[index] = time.monotonic() + LINE_EVERY
        self._screen.hint(told(self._jobs[index], event))


class Bars:
    """A bar per job, redrawn in place."""

    def __init__(self, jobs: Sequence[Job], screen: Screen) -> None:
        self._screen = screen
        self._jobs = jobs
        wide = screen.err.width > 110
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            _text("{task.description}"),
            BarColumn(bar_width=None if wide else 10),
            _text("{task.fields[steps]}"),
            _text("{task.fields[standing]}", "cyan"),
            *([_text("{task.fields[spent]}", "dim")] if wide else []),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            expand=True,
            console=screen.err,
        )
        self._tasks = [self._task(job) for job in jobs]

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, index: int, event: jobs_pb2.JobEvent) -> None:
        task = self._tasks[index]
        if event.HasField("progress"):
            self._advance(task, event.progress, self._jobs[index].known.spec.plan.replicas)
        elif event.HasField("state_change"):
            self._change(task, State.of(event.state_change.state))
        else:
            self._progress.console.print(visible(told(self._jobs[index], event)), markup=False)

    def _task(self, job: Job) -> TaskID:
        name = visible(job.name)
        name = name if len(name) <= 32 else f"{name[:31]}…"
        return self._progress.add_task(name, total=None, steps="", standing="", spent="", state="")

    def _advance(self, task: TaskID, progress: jobs_pb2.Progress, replicas: int) -> None:
        done = fraction_done(progress)
        self._progress.update(
            task,
            total=None if done is None else 1.0,
            completed=done or 0.0,
            steps=steps_done(progress),
            standing=", ".join(standing(progress)),
            spent=spent({name: number for name, number in progress.cost.items() if name in ("shots", "gradients")}, replicas),
        )

    def _change(self, task: TaskID, state: State) -> None:
        self._progress.update(task, state=f"[{COLOURS.get(state, 'blue')}]{state.lower()}")
        if state.ended:
            if state is State.SUCCEEDED:
                self._progress.update(task, total=1.0, completed=1.0)
            self._progress.stop_task(task)


def _text(template: str, style: str = "none") -> TextColumn:
    """A column that is cut, not wrapped, where the terminal is narrow."""
    return TextColumn(template, style=style, markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))


def told(job: Job, event: jobs_pb2.JobEvent) -> str:
    """An event of a job as a line."""
    if event.HasField("progress"):
        said = progress_line(event.progress, job.known.spec.plan.replicas)
    elif event.HasField("state_change"):
        reason = event.state_change.reason
        said = f"{State.of(event.state_change.state).lower()}{f', {reason}' if reason else ''}"
    else:
        level, text = event.log_line.level, event.log_line.text
        said = text if level == "info" else f"{level}: {text}"
    return f"{job.name}: {said}"
