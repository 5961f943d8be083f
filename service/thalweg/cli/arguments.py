"""The words of the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, NoReturn

from thalweg.cli import describe, jobs, report, run, serve
from thalweg.cli.screen import Unwritable
from thalweg.client.state import State
from thalweg.errors import InvalidSpec
from thalweg.specs.fields import cut
from thalweg.version import __version__

EPILOG = """\
examples:
  thalweg run examples/h2.toml               on this machine, with live progress
  thalweg submit examples/skyrmion.toml      hand in and go home
  thalweg jobs watch ID                      come back to it
  thalweg describe problems vqe              every field, its unit, its default

A service: --server, else $THALWEG_SERVER, else the embedded one of the data folder (--data, else $THALWEG_DATA)."""


class Usage(InvalidSpec):
    """A command line that cannot be read."""


class Parser(argparse.ArgumentParser):
    """Words in full only, and a complaint that is one sentence like every other."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise Usage("", f"{cut(message.removeprefix('argument '), 1000)}; `{self.prog} --help` tells more")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Help and version, by which argparse would not notice that they cannot be written."""
        try:
            (file or sys.stderr).write(message)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Unwritable.because(error) from error


def parser() -> argparse.ArgumentParser:
    """Every command with its arguments; `args.command(args, screen)` runs it."""
    shared = _shared()
    top = Parser(
        prog="thalweg",
        description="Goes down, and explores, energy landscapes.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_shared()],
    )
    top.add_argument("--version", action="version", version=f"thalweg {__version__}")
    top.set_defaults(server=None, data=None, json=False, quiet=False)
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    _serve(commands, shared)
    _run(commands, shared)
    _submit(commands, shared)
    _jobs(commands, shared)
    _report(commands, shared)
    _describe(commands, shared)
    return top


def _shared() -> argparse.ArgumentParser:
    """What may stand before or behind every command.

    Defaults are suppressed, so that what stands before is not undone behind; each parser of its own takes a copy, because
    `set_defaults` writes into the arguments that parsers share.
    """
    shared = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    shared.add_argument("--server", metavar="ADDRESS", help="host:port of a running service")
    shared.add_argument("--data", metavar="DIR", type=Path, help="data folder of the embedded service")
    shared.add_argument("--json", action="store_true", help="print exactly one JSON object")
    shared.add_argument("--quiet", "-q", action="store_true", help="no progress, only results")
    return shared


def _command(commands: Any, shared: argparse.ArgumentParser, name: str, function: Any, help: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help, parents=[shared])
    command.set_defaults(command=function)
    return command


def _serve(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = _command(commands, shared, "serve", serve.serve, "run a service until Ctrl-C")
    command.add_argument("--address", metavar="HOST:PORT", help="where to listen; loopback only")


def _run(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = _command(commands, shared, "run", run.run, "submit, follow and fetch; exit 0 only if all succeed")
    command.add_argument("specs", metavar="SPEC", nargs="+", type=Path, help=".toml or .json")
    command.add_argument("--out", metavar="DIR", type=Path, help="save artifacts and job.json here; of several, in a folder each")
    command.add_argument("--report", metavar="FILE", type=Path, help="write one report, .html or .md")


def _submit(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = _command(commands, shared, "submit", run.submit, "hand in a job and print its id")
    command.add_argument("specs", metavar="SPEC", nargs="+", type=Path, help=".toml or .json")
    command.add_argument("--follow", action="store_true", help="stay until it ends; exit 0 only if it succeeds")


def _jobs(commands: Any, shared: argparse.ArgumentParser) -> None:
    group = commands.add_parser("jobs", help="find, follow, cancel and fetch jobs", parents=[shared])
    verbs = group.add_subparsers(metavar="VERB", required=True)
    listing = _command(verbs, shared, "list", jobs.list_jobs, "jobs, newest first")
    states = [state.value.lower() for state in State if state is not State.UNSPECIFIED]
    listing.add_argument("--state", action="append", default=[], choices=states, help="in this state; may be repeated")
    listing.add_argument("--kind", action="append", default=[], metavar="NAME", help="of this problem kind: vqe, magnet …")
    listing.add_argument("--label", action="append", default=[], metavar="NAME=VALUE", help="with this label; may be repeated")
    listing.add_argument("--limit", type=_count, default=50, metavar="N", help="at most this many (default 50)")
    for name, function, help in (
        ("get", jobs.get, "what is known of a job"),
        ("watch", jobs.watch, "follow a job until it ends; exit 0 only if it succeeds"),
        ("cancel", jobs.cancel, "ask a job to stop; what it has is kept"),
        ("delete", jobs.delete, "remove an ended job with its files"),
        ("result", jobs.result, "the result of an ended job"),
    ):
        _command(verbs, shared, name, function, help).add_argument("id", metavar="JOB")
    files = _command(verbs, shared, "artifacts", jobs.artifacts, "the files of a job")
    files.add_argument("id", metavar="JOB")
    files.add_argument("--save", metavar="DIR", type=Path, help="fetch them into this folder")


def _count(word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) <= 10 and 0 < int(word) < 2**31):
        raise argparse.ArgumentTypeError(f"wanted a whole number of 1 or more, got {cut(word)}")
    return int(word)


def _report(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = _command(commands, shared, "report", report.report, "one report of one job or several")
    command.add_argument("ids", metavar="JOB", nargs="+")
    command.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help=".html or .md")


def _describe(commands: Any, shared: argparse.ArgumentParser) -> None:
    command = _command(commands, shared, "describe", describe.describe, "problems, methods and the plan: fields, units, defaults")
    command.add_argument("what", nargs="?", choices=["problems", "methods", "plan"])
    command.add_argument("name", nargs="?", metavar="NAME", help='such as "vqe", "density.gaussian", "adam"')
