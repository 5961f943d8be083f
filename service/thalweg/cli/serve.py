"""`thalweg serve`: become the service."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from thalweg.cli.screen import Screen
from thalweg.client.embedded import FOLDER_TAKEN, answers, data_folder, require_server
from thalweg.errors import InvalidSpec, NoService


def serve(args: Namespace, screen: Screen) -> int:
    """Replace this process by the service, so that signals reach it and its exit code is ours."""
    if args.server:
        sentence = "names a service that runs already; leave it out, or choose with --address where this one listens"
        raise InvalidSpec("--server", sentence)
    require_server()
    folder = data_folder(args.data)
    command = [sys.executable, "-m", "thalweg.server", "--data", str(folder)]
    command += ["--address", args.address] if args.address else []
    screen.hint(f"data folder {folder}; Ctrl-C ends the service")
    if not screen.json:
        os.execv(sys.executable, command)
    return _beside(command, folder, screen)


def _beside(command: Sequence[str], folder: Path, screen: Screen) -> int:
    """The service as a child, so that stdout holds one JSON object and nothing that the service prints."""
    service = subprocess.Popen(command, stdout=sys.stderr, start_new_session=True)  # signals reach it from here, once
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: service.send_signal(number))
    where = _served(service, folder)
    if where is None:
        taken = service.returncode == FOLDER_TAKEN
        screen.complain(NoService(f"{folder} has a service already" if taken else f"the service of {folder} did not start"))
    else:
        screen.object({**where, "data": str(folder)})
    return service.wait()


def _served(service: subprocess.Popen[bytes], folder: Path) -> dict[str, object] | None:
    """What the folder's server.json says once this service answers; None if it ends before."""
    while service.poll() is None:
        with suppress(OSError):  # the file goes when the service ends
            written = json.loads((folder / "server.json").read_text())
            if written["pid"] == service.pid and answers(written["address"]):
                return {name: written[name] for name in ("address", "pid", "version")}
        time.sleep(0.05)
    return None
