"""From what a command returns or raises to one sentence and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from argparse import Namespace
from datetime import UTC, datetime

from thalweg.cli.connect import connect
from thalweg.cli.screen import Screen
from thalweg.client.embedded import data_folder
from thalweg.errors import InvalidSpec, ServiceFailed, ThalwegError

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def guarded(args: Namespace) -> int:
    """The exit code of `args.command(args, screen)`."""
    screen = Screen.of(args)
    try:
        return int(args.command(args, screen))
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
        screen.complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # `thalweg jobs list | head`: the reader has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if os.environ.get("THALWEG_DEBUG"):
            raise
        screen.complain(_unexpected(error, args))
        return FAILED


def _server_log(args: Namespace) -> str:
    """Where the embedded service explains itself; of one that runs elsewhere we know no log."""
    client = connect(args)
    return f"; see {client.data / 'server.log'}" if client.data else ""


def _unexpected(error: Exception, args: Namespace) -> str:
    """A fault of ours: keep the traceback where it can be found."""
    log = data_folder(args.data) / "cli.log"
    told = str(error).splitlines()
    sentence = f"unexpected {type(error).__name__}: {told[0] if told else 'no message'}"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as file:
            file.write(f"{datetime.now(UTC).isoformat()} {' '.join(sys.argv)}\n{''.join(traceback.format_exception(error))}\n")
    except OSError:
        return f"{sentence}; THALWEG_DEBUG=1 shows where"
    return f"{sentence}; the traceback is in {log} (THALWEG_DEBUG=1 prints it)"
