"""`thalweg run` and `thalweg submit`: hand in specifications, follow the jobs, bring home what they made."""

from __future__ import annotations

import json
import threading
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from thalweg import specs
from thalweg.cli import interrupts
from thalweg.cli.connect import again, announce, connect
from thalweg.cli.follow import Left, follow
from thalweg.cli.interrupts import INTERRUPTED
from thalweg.cli.outcome import DONE, FAILED
from thalweg.cli.places import check_folder, check_report, writing
from thalweg.cli.records import job_record
from thalweg.cli.report import write_report
from thalweg.cli.results import files, show_result
from thalweg.cli.screen import Screen
from thalweg.client import Client, Job, State
from thalweg.errors import FailedPrecondition, InvalidSpec, ThalwegError
from thalweg.v1 import jobs_pb2

Saved = Mapping[str, Path]
ANSWER_WITHIN = 2.0  # s; arbitrary: who pressed Ctrl-C does not wait longer


def run(args: Namespace, screen: Screen) -> int:
    """Submit, follow, fetch, print."""
    folders = _folders(args.specs, args.out)
    for folder in filter(None, folders):
        check_folder("--out", folder)
    if args.report:
        check_report("--report", args.report)
    read = read_all(args.specs)
    with connect(args) as client:
        announce(client, screen)
        jobs = submit_all(client, args.specs, read)
        try:
            ended = follow(jobs, screen)
        except Left as left:
            return detached(jobs, left, args, screen)
        saved = [_save(client, job, folder) if folder else {} for job, folder in zip(ended, folders, strict=True)]
        if not screen.json:
            show_all(ended, saved, folders, args, screen)
        if args.report:
            write_report(client, ended, args.report, "--report", screen)
    if screen.json:  # the one object comes last, when nothing can go wrong any more
        show_all(ended, saved, folders, args, screen)
    return exit_code(ended)


def submit(args: Namespace, screen: Screen) -> int:
    """Submit and print the ids; follow only if asked."""
    read = read_all(args.specs)
    with connect(args) as client:
        announce(client, screen)
        jobs = submit_all(client, args.specs, read)
        if not args.follow:
            return _accepted(jobs, args, screen)
        try:
            ended = follow(jobs, screen)
        except Left as left:
            return detached(jobs, left, args, screen)
    show_all(ended, [{}] * len(ended), [None] * len(ended), args, screen)
    return exit_code(ended)


def read_all(paths: Sequence[Path]) -> list[jobs_pb2.JobSpec]:
    """Every specification, before any service is troubled."""
    read = []
    for path in paths:
        with _complaints_name(path, paths):
            read.append(specs.load(path))
    return read


def submit_all(client: Client, paths: Sequence[Path], read: Sequence[jobs_pb2.JobSpec]) -> list[Job]:
    """All of them or none: several are checked by the service before the first is handed in."""
    if len(paths) > 1:
        for path, spec in zip(paths, read, strict=True):
            with _complaints_name(path, paths):
                client.validate(spec)
    jobs = []
    for path, spec in zip(paths, read, strict=True):
        with _complaints_name(path, paths):
            jobs.append(client.submit(spec))
    return jobs


def show_all(
    ended: Sequence[jobs_pb2.Job], saved: Sequence[Saved], folders: Sequence[Path | None], args: Namespace, screen: Screen
) -> None:
    """Results on stdout; of several jobs, one JSON object still."""
    if screen.json:
        _records([job_record(job, paths) for job, paths in zip(ended, saved, strict=True)], screen)
        return
    for job, folder in zip(ended, folders, strict=True):
        fetch = again(args, "jobs", "artifacts", job.id, "--save", "DIR")
        show_result(job, screen, files(job, folder, fetch))
        if len(ended) > 1:
            screen.line("")


def detached(jobs: Sequence[Job], left: Left, args: Namespace, screen: Screen) -> int:
    """Ctrl-C leaves the jobs alone, and says how to come back to them."""
    interrupts.no_more()
    lines = ["", "detached; " + ("the job goes on" if len(jobs) == 1 else "the jobs go on")]
    for job in jobs:
        lines.append(f"  follow it again  {again(args, 'jobs', 'watch', job.id)}")
        lines.append(f"  stop it          {again(args, 'jobs', 'cancel', job.id)}")
    for line in lines:
        screen.note(line)
    if screen.json:
        _records([job_record(job) for job in now(jobs, left.heard)], screen)
    return INTERRUPTED


def now(jobs: Sequence[Job], heard: Sequence[jobs_pb2.Job]) -> list[jobs_pb2.Job]:
    """The jobs as they are; as they were last heard of, where the service does not answer at once."""
    known = list(heard)

    def ask(index: int, job: Job) -> None:
        with suppress(ThalwegError):
            known[index] = job.fetch()

    threads = [threading.Thread(target=ask, args=one, daemon=True) for one in enumerate(jobs)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + ANSWER_WITHIN
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return list(known)


def exit_code(ended: Sequence[jobs_pb2.Job]) -> int:
    return DONE if all(State.of(job.state) is State.SUCCEEDED for job in ended) else FAILED


def _accepted(jobs: Sequence[Job], args: Namespace, screen: Screen) -> int:
    if screen.json:
        _records([job_record(job.known) for job in jobs], screen)
        return DONE
    for job in jobs:
        screen.line(job.id)
        screen.hint(f"{job.name}: accepted; follow it with  {again(args, 'jobs', 'watch', job.id)}")
    return DONE


def _records(records: Sequence[dict[str, Any]], screen: Screen) -> None:
    """One JSON object, of several jobs too."""
    screen.object(records[0] if len(records) == 1 else {"jobs": records})


@contextmanager
def _complaints_name(path: Path, paths: Sequence[Path]) -> Iterator[None]:
    """Of several files, say which one; what this machine cannot do is bad input too."""
    try:
        yield
    except InvalidSpec as error:
        named = len(paths) == 1 or error.sentence.startswith(str(path))
        raise InvalidSpec(error.field, error.sentence, "" if named else str(path)) from error
    except FailedPrecondition as error:
        raise InvalidSpec("", str(error), "" if len(paths) == 1 else str(path)) from error


def _folders(paths: Sequence[Path], out: Path | None) -> list[Path | None]:
    """Where each job's files go: `out` itself for one job, a folder named after the specification for each of several."""
    if out is None or len(paths) == 1:
        return [out] * len(paths)
    stems = [path.stem for path in paths]
    return [out / (stem if stems.count(stem) == 1 else f"{stem}-{number}") for number, stem in enumerate(stems, 1)]


def _save(client: Client, job: jobs_pb2.Job, folder: Path) -> dict[str, Path]:
    """Artifacts and job.json into a folder; the paths by name."""
    with writing("--out", folder):
        folder.mkdir(parents=True, exist_ok=True)
        saved = {artifact.name: artifact.save(folder) for artifact in client.artifacts(job)}
        record = json.dumps(job_record(job, saved), ensure_ascii=False, allow_nan=False, indent=2)
        # half a character, of a path that is no UTF-8, is written as JSON writes it
        (folder / "job.json").write_text(record + "\n", encoding="utf-8", errors="backslashreplace")
    return saved
