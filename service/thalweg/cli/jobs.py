"""`thalweg jobs`: find, follow, cancel, delete, fetch."""

from __future__ import annotations

from argparse import Namespace

from thalweg import specs
from thalweg.cli.connect import again, connect
from thalweg.cli.follow import Left, follow
from thalweg.cli.outcome import DONE
from thalweg.cli.places import check_folder, writing
from thalweg.cli.records import job_record, plain
from thalweg.cli.results import files, show_result
from thalweg.cli.run import detached, exit_code, show_all
from thalweg.cli.screen import Screen
from thalweg.client import State
from thalweg.client.wording import measured, progress_line
from thalweg.errors import FailedPrecondition, InvalidSpec
from thalweg.specs.fields import shown
from thalweg.v1 import jobs_pb2

DATE = "%Y-%m-%d %H:%M:%S UTC"


def list_jobs(args: Namespace, screen: Screen) -> int:
    with connect(args) as client:
        found = [job.known for job in client.jobs(args.state, args.kind, _labels(args.label), args.limit)]
    if screen.json:
        screen.object({"jobs": [job_record(job) for job in found]})
        return DONE
    if not found:
        screen.hint("no jobs")
    columns = ("id", "state", "problem", "method", "created", "name", "value")
    rows = [_summary(job, "%m-%d %H:%M" if screen.rich else DATE) for job in found]
    screen.table(columns, rows, whole=("id", "state", "problem", "value"))
    return DONE


def get(args: Namespace, screen: Screen) -> int:
    with connect(args) as client:
        job = client.job(args.id).known
    if screen.json:
        screen.object(job_record(job))
        return DONE
    screen.line(f"{job.id}  {State.of(job.state).lower()}{f', {job.outcome}' if job.outcome else ''}", "bold")
    if job.HasField("progress") and not State.of(job.state).ended:
        screen.line(progress_line(job.progress, job.spec.plan.replicas))
    screen.line(f"created {_time(job)}, attempt {job.attempt}, {job.last_event} events")
    for line in specs.to_toml(job.spec).rstrip().split("\n"):
        screen.line(line)
    return DONE


def watch(args: Namespace, screen: Screen) -> int:
    with connect(args) as client:
        job = client.job(args.id)
        try:
            ended = follow([job], screen)
        except Left as left:
            return detached([job], left, args, screen)
    show_all(ended, [{}], [None], args, screen)
    return exit_code(ended)


def cancel(args: Namespace, screen: Screen) -> int:
    with connect(args) as client:
        job = client.job(args.id)
        job.cancel()
        now = job.fetch()
    if screen.json:
        screen.object(job_record(now))
    else:
        screen.line(f"{now.id}: {State.of(now.state).lower()}")
    return DONE


def delete(args: Namespace, screen: Screen) -> int:
    with connect(args) as client:
        client.job(args.id).delete()
    if screen.json:
        screen.object({"id": args.id, "deleted": True})
    else:
        screen.line(f"{args.id}: deleted")
    return DONE


def result(args: Namespace, screen: Screen) -> int:
    """What the job brought home; exit 0 only if it succeeded."""
    with connect(args) as client:
        job = client.job(args.id).known
    if not State.of(job.state).ended:
        hint = again(args, "jobs", "watch", job.id)
        raise FailedPrecondition(f"job {job.id} is {State.of(job.state).lower()} and has no result yet; {hint} waits for it")
    if screen.json:
        screen.object(job_record(job))
    else:
        show_result(job, screen, files(job, None, again(args, "jobs", "artifacts", job.id, "--save", "DIR")))
    return exit_code([job])


def artifacts(args: Namespace, screen: Screen) -> int:
    if args.save:
        check_folder("--save", args.save)
    with connect(args) as client:
        found = client.job(args.id).artifacts()
        with writing("--save", args.save):
            saved = {artifact.name: artifact.save(args.save) for artifact in found} if args.save else {}
    if screen.json:
        paths = {name: {"path": str(path)} for name, path in saved.items()}
        screen.object({"id": args.id, "artifacts": [plain(one.about) | paths.get(one.name, {}) for one in found]})
        return DONE
    rows = [(str(saved.get(one.name, one.name)), f"{one.size:,}", one.media_type, one.description) for one in found]
    screen.table(("file", "bytes", "type", "what it holds"), rows)
    return DONE


def _labels(given: list[str]) -> dict[str, str]:
    for pair in given:
        if "=" not in pair:
            raise InvalidSpec("--label", f"wanted NAME=VALUE, got {shown(pair)}")
    return {name: value for name, _, value in (pair.partition("=") for pair in given)}


def _summary(job: jobs_pb2.Job, date: str) -> tuple[str, ...]:
    problem, method = job.spec.problem.WhichOneof("kind") or "", job.spec.method.WhichOneof("kind") or ""
    reached = measured(job.result.value, job.result.standard_error, job.result.unit) if job.HasField("result") else ""
    return job.id, State.of(job.state).lower(), problem, method, _time(job, date), job.spec.name, reached


def _time(job: jobs_pb2.Job, date: str = DATE) -> str:
    return job.create_time.ToDatetime().strftime(date)
