"""`thalweg serve`: become the service."""

from __future__ import annotations

import os
import sys
from argparse import Namespace

from thalweg.cli.screen import Screen
from thalweg.client.embedded import data_folder, require_server


def serve(args: Namespace, screen: Screen) -> int:
    """Replace this process by the service, so that signals reach it and its exit code is ours."""
    require_server()
    folder = data_folder(args.data)
    command = [sys.executable, "-m", "thalweg.server", "--data", str(folder)]
    command += ["--address", args.address] if args.address else []
    screen.hint(f"data folder {folder}; Ctrl-C ends the service")
    os.execv(sys.executable, command)
