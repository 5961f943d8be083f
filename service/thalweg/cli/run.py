"""`thalweg run` and `thalweg submit`: hand in specifications, follow the jobs, bring home what they made."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from thalweg import specs
from thalweg.cli.connect import again, announce, connect
from thalweg.cli.follow import follow
from thalweg.cli.outcome import DONE, FAILED, INTERRUPTED
from thalweg.cli.records import job_record
from thalweg.cli.report import write_report
from thalweg.cli.results import files, show_result
from thalweg.cli.screen import Screen
from thalweg.client import Client, Job, State
from thalweg.errors import FailedPrecondition, InvalidSpec
from thalweg.v1 import jobs_pb2

Saved = Mapping[str, Path]


def run(args: Namespace, screen: Screen) -> int:
    """Submit, follow, fetch, print."""
    read = read_all(args.specs)
    with connect(args) as client:
        announce(client, screen)
        jobs = submit_all(client, args.specs, read)
        try:
            ended = follow(jobs, screen)
        except KeyboardInterrupt:
            return detached(jobs, args, screen)
        folders = _folders(args.specs, args.out)
        saved = [_save(client, job, folder) if folder else {} for job, folder in zip(ended, folders, strict=True)]
        show_all(ended, saved, folders, args, screen)
        if args.report:
            write_report(client, ended, args.report, screen)
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
        except KeyboardInterrupt:
            return detached(jobs, args, screen)
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
        records = [job_record(job, paths) for job, paths in zip(ended, saved, strict=True)]
        screen.object(records[0] if len(records) == 1 else {"jobs": records})
        return
    for job, folder in zip(ended, folders, strict=True):
        fetch = again(args, "jobs", "artifacts", job.id, "--save", "DIR")
        show_result(job, screen, files(job, folder, fetch))
        if len(ended) > 1:
            screen.line("")


def detached(jobs: Sequence[Job], args: Namespace, screen: Screen) -> int:
    """Ctrl-C leaves the jobs alone, and says how to come back to them."""
    if screen.json:
        _accepted(jobs, args, screen)
    lines = ["", "detached; " + ("the job goes on" if len(jobs) == 1 else "the jobs go on")]
    for job in jobs:
        lines.append(f"  follow it again  {again(args, 'jobs', 'watch', job.id)}")
        lines.append(f"  stop it          {again(args, 'jobs', 'cancel', job.id)}")
    screen.err.file.write("\n".join(lines) + "\n")
    return INTERRUPTED


def exit_code(ended: Sequence[jobs_pb2.Job]) -> int:
    return DONE if all(State.of(job.state) is State.SUCCEEDED for job in ended) else FAILED


def _accepted(jobs: Sequence[Job], args: Namespace, screen: Screen) -> int:
    if screen.json:
        records = [job_record(job.known) for job in jobs]
        screen.object(records[0] if len(records) == 1 else {"jobs": records})
        return DONE
    for job in jobs:
        screen.line(job.id)
        screen.hint(f"{job.name}: accepted; follow it with  {again(args, 'jobs', 'watch', job.id)}")
    return DONE


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
    folder.mkdir(parents=True, exist_ok=True)
    saved = {artifact.name: artifact.save(folder) for artifact in client.artifacts(job)}
    (folder / "job.json").write_text(json.dumps(job_record(job, saved), ensure_ascii=False, allow_nan=False, indent=2) + "\n")
    return saved
