"""The client that the arguments ask for, and the arguments that lead back to it."""

from __future__ import annotations

import shlex
from argparse import Namespace

from thalweg.client import Client


def connect(args: Namespace) -> Client:
    return Client(args.server, args.data)


def again(args: Namespace, *words: str) -> str:
    """A command line that reaches the same service: "thalweg jobs watch ID --data demo/data"."""
    where = ["--server", args.server] if args.server else ["--data", str(args.data)] if args.data else []
    return shlex.join(["thalweg", *words, *where])
