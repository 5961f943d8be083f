"""The client that the arguments ask for, and the arguments that lead back to it."""

from __future__ import annotations

import shlex
from argparse import Namespace

from thalweg.cli.screen import Screen
from thalweg.client import Client
from thalweg.client.embedded import Embedded
from thalweg.errors import BadArgument, InvalidSpec

FLAGS = {"address": "--server", "data": "--data"}


def connect(args: Namespace) -> Client:
    """Raises InvalidSpec with the flag as it was written."""
    try:
        return Client(args.server, args.data)
    except BadArgument as error:
        raise InvalidSpec(FLAGS.get(error.field, error.field), error.sentence) from error


def announce(client: Client, screen: Screen) -> None:
    """Tell whoever sits at a terminal that a service has to be started first: it takes seconds."""
    if screen.err.is_terminal and client.data is not None and Embedded(client.data).address() is None:
        screen.hint(f"starting the embedded service of {client.data}")


def again(args: Namespace, *words: str) -> str:
    """A command line that reaches the same service: "thalweg jobs watch ID --data demo/data"."""
    where = ["--server", args.server] if args.server else ["--data", str(args.data)] if args.data else []
    return shlex.join(["thalweg", *words, *where])
