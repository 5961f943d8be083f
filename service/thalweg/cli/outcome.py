"""From what a command returns or raises to one sentence and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from thalweg.cli import interrupts
from thalweg.cli.connect import connect
from thalweg.cli.interrupts import INTERRUPTED
from thalweg.cli.screen import Screen, Unwritable, silence
from thalweg.client.embedded import data_folder, open_log
from thalweg.errors import BadArgument, InvalidSpec, ServiceFailed, ThalwegError
from thalweg.specs.fields import cut

DONE, FAILED, BAD_INPUT = 0, 1, 2


def guarded(parser: ArgumentParser, words: Sequence[str]) -> int:
    """The exit code of a command line; whatever goes wrong is one sentence."""
    screen = Screen.of("--json" in words)
    code = _run(parser, words, screen)
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        silence(1)
    except OSError as error:  # what argparse printed: help on a full device
        screen.complain(Unwritable.because(error))
        return FAILED
    return code


def _run(parser: ArgumentParser, words: Sequence[str], screen: Screen) -> int:
    args = Namespace(data=None, server=None)
    try:
        args = parser.parse_args(words)
        screen = Screen.of(args.json, args.quiet)
        with screen.warnings():
            return int(args.command(args, screen))
    except SystemExit as ended:  # --help, --version
        return int(ended.code or DONE)
    except InvalidSpec as error:
        screen.complain(error)
        return BAD_INPUT
    except ServiceFailed as error:
        screen.complain(ServiceFailed(f"{error}{_server_log(args)}"))
        return FAILED
    except ThalwegError as error:
        screen.complain(error)
        return FAILED
    except KeyboardInterrupt:
        interrupts.no_more()
        screen.complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # `thalweg jobs list | head`: the reader has enough
        silence(1)
        return FAILED
    except Exception as error:
        if os.environ.get("THALWEG_DEBUG"):
            raise
        screen.complain(_unexpected(error, args.data))
        return FAILED


def _server_log(args: Namespace) -> str:
    """Where the embedded service explains itself; of one that runs elsewhere we know no log."""
    client = connect(args)
    return f"; see {client.data / 'server.log'}" if client.data else ""


def _unexpected(error: Exception, data: Path | None) -> str:
    """A fault of ours: keep the traceback where it can be found."""
    told = str(error).splitlines()
    sentence = f"unexpected {type(error).__name__}: {cut(told[0], 500) if told else 'no message'}"
    try:
        log = data_folder(data) / "cli.log"
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open_log(log) as file:
            entry = f"{datetime.now(UTC).isoformat()} {' '.join(sys.argv)}\n{''.join(traceback.format_exception(error))}\n"
            file.write(entry.encode(errors="backslashreplace"))
    except (OSError, BadArgument):
        return f"{sentence}; THALWEG_DEBUG=1 shows where"
    return f"{sentence}; the traceback is in {log} (THALWEG_DEBUG=1 prints it)"
