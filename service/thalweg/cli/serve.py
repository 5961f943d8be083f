"""`thalweg serve`: become the service."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from argparse import Namespace
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from thalweg.cli.connect import FLAGS
from thalweg.cli.screen import Screen
from thalweg.client import arguments
from thalweg.client.embedded import FOLDER_TAKEN, SERVER, WORDS, answers, data_folder, require_server
from thalweg.errors import BadArgument, InvalidSpec, NoService
from thalweg.specs.fields import cut


def serve(args: Namespace, screen: Screen) -> int:
    """Replace this process by the service, so that signals reach it and its exit code is ours."""
    if args.server:
        sentence = "names a service that runs already; leave it out, or choose with --address where this one listens"
        raise InvalidSpec("--server", sentence)
    require_server()
    try:
        folder = data_folder(args.data)
    except BadArgument as error:
        raise InvalidSpec(FLAGS.get(error.field, error.field), error.sentence) from error
    if args.address:
        arguments.address("--address", args.address)
    command = [*SERVER, "--data", str(folder)]
    command += ["--address", args.address] if args.address else []
    screen.hint(f"data folder {folder}; Ctrl-C ends the service")
    if not screen.json:
        os.execv(sys.executable, command)
    return _beside(command, folder, screen)


def _beside(command: Sequence[str], folder: Path, screen: Screen) -> int:
    """The service as a child, so that stdout holds one JSON object and nothing that the service prints."""
    # signals reach it from here, once
    service = subprocess.Popen(
        command, stdout=sys.stderr, stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True
    )
    said = deque[str](maxlen=1)
    relay = threading.Thread(target=_relay, args=(service.stderr, said), daemon=True)
    relay.start()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: service.send_signal(number))
    where = _served(service, folder)
    if where is None:
        relay.join(1.0)
        screen.complain(NoService(_failure(service.returncode, folder, said)))
    else:
        screen.object({**where, "data": str(folder)})
    status = _ended(service)
    relay.join(1.0)
    return status


def _ended(service: subprocess.Popen[str]) -> int:
    """The service's exit code. A signal just before a wait without an end would be passed on only after it."""
    while True:
        with suppress(subprocess.TimeoutExpired):
            return service.wait(1.0)


def _relay(source: IO[str], said: deque[str]) -> None:
    """Pass on what the service says to people, and keep the last line of it."""
    for line in source:
        said.append(line.strip())
        with suppress(OSError):
            sys.stderr.write(line)
            sys.stderr.flush()


def _failure(status: int, folder: Path, said: deque[str]) -> str:
    if status == FOLDER_TAKEN:
        return f"{folder} has a service already"
    return ": ".join([f"the service of {folder} did not start", *(cut(line, WORDS) for line in said if line)])


def _served(service: subprocess.Popen[str], folder: Path) -> dict[str, object] | None:
    """What the folder's server.json says once this service answers; None if it ends before."""
    while service.poll() is None:
        with suppress(OSError, ValueError, KeyError, TypeError):  # the file goes when the service ends; another may lie there
            written = json.loads((folder / "server.json").read_text())
            if written["pid"] == service.pid and answers(written["address"]):
                return {name: written[name] for name in ("address", "pid", "version")}
        time.sleep(0.05)
    return None
