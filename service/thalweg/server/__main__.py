"""python -m thalweg.server --data DIR: the service of a folder, until SIGTERM."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m thalweg.server", description="Serve the jobs of a data folder.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="where jobs live; made if it is not there")
    parser.add_argument("--address", default="127.0.0.1:0", help="loopback address to listen on; port 0 takes a free one")
    parser.add_argument(
        "--exit-when-idle", type=float, default=None, metavar="SECONDS", help="end by itself after so long without jobs and calls"
    )
    given = parser.parse_args()

    from thalweg.server.app import serve

    return serve(given.data.absolute(), given.address, given.exit_when_idle)


if __name__ == "__main__":
    sys.exit(main())
