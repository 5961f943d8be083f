"""`thalweg report`: one file about one job or several."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from thalweg.cli.connect import connect
from thalweg.cli.outcome import DONE
from thalweg.cli.places import check_report, writing
from thalweg.cli.screen import Screen
from thalweg.client import Client
from thalweg.v1 import jobs_pb2


@dataclass(frozen=True)
class Fetched:
    """A job whose artifacts are fetched when the report asks for them; a thalweg.report.record.Record."""

    client: Client
    job: jobs_pb2.Job

    def read(self, name: str) -> bytes:
        return next(artifact for artifact in self.client.artifacts(self.job) if artifact.name == name).read()


def report(args: Namespace, screen: Screen) -> int:
    check_report("--output", args.output)
    with connect(args) as client:
        found = [client.job(id).known for id in args.ids]
        written = write_report(client, found, args.output, "--output", screen)
    if screen.json:
        screen.object({"files": [str(path) for path in written]})
    return DONE


def write_report(client: Client, jobs: Sequence[jobs_pb2.Job], path: Path, flag: str, screen: Screen) -> list[Path]:
    """Write the report that `flag` asked for, and say where it is."""
    from thalweg.report import write

    with writing(flag, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        written = write([Fetched(client, job) for job in jobs], path)
    if not screen.json:
        for file in written:
            screen.line(f"report     {file}")
    return written
