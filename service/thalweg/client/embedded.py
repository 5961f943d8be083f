"""The embedded service: one service process per data folder, started by whoever needs it first, ending when idle.

DIR/server.json   {"address", "pid", "version"} of the service that runs; removed when it ends cleanly
DIR/server.log    what it printed
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import grpc

from thalweg.errors import NoService

START_WITHIN = 90.0  # s; a cold start loads torch and qiskit from a slow disk
IDLE_SECONDS = 10
FOLDER_TAKEN = 3  # exit status of a service whose folder has one already
HEALTH = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"  # HealthCheckResponse(status=SERVING); two bytes, not worth a dependency


def data_folder(given: str | os.PathLike[str] | None = None) -> Path:
    """The data folder: as given, else $THALWEG_DATA, else thalweg/ in the user's XDG data home."""
    if given is not None:
        return Path(given).expanduser().absolute()
    if named := os.environ.get("THALWEG_DATA"):
        return Path(named).expanduser().absolute()
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "thalweg"


class Embedded:
    """The service of a data folder; calling it gives the address, starting the service if need be.

    Raises:
        NoService: it does not start; the sentence names the log.
    """

    def __init__(self, data: Path) -> None:
        self.data = data
        self._process: subprocess.Popen[bytes] | None = None  # kept, so that an early end is seen and reaped

    def __call__(self) -> str:
        address = self.address()
        if address is None:
            self._start()
            address = self._await()
        return address

    def address(self) -> str | None:
        """Where the service of this folder answers, None if none does."""
        try:
            written = json.loads((self.data / "server.json").read_text())
            address, pid = str(written["address"]), int(written["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return address if _alive(pid) and answers(address) else None

    def _start(self) -> None:
        require_server()
        command = [sys.executable, "-m", "thalweg.server", "--data", str(self.data), "--exit-when-idle", str(IDLE_SECONDS)]
        try:
            self.data.mkdir(parents=True, exist_ok=True)
            with (self.data / "server.log").open("ab") as log:
                # its own session: Ctrl-C here must not reach the jobs. Its own folder: no file of the user's shadows a module.
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.data, start_new_session=True
                )
        except OSError as error:
            raise NoService(f"the embedded service cannot use {self.data}: {error.strerror}") from None

    def _await(self) -> str:
        """Wait until somebody answers: our process, or one that another client started at the same moment."""
        until = time.monotonic() + START_WITHIN
        while time.monotonic() < until:
            address = self.address()
            if address is not None:
                return address
            ended = self._process.poll() if self._process is not None else None
            if ended == FOLDER_TAKEN:  # by one that is still starting, or just ending
                time.sleep(0.5)
                self._start()
            elif ended is not None:
                break
            time.sleep(0.05)
        log = self.data / "server.log"
        raise NoService(f"the embedded service of {self.data} did not start; the reason is in {log}{self._last_words()}")

    def _last_words(self) -> str:
        try:
            lines = (self.data / "server.log").read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return f" (it ends: {lines[-1].strip()[:200]})" if lines else ""


def require_server() -> None:
    """Raises NoService where the packages that compute are not installed."""
    if find_spec("torch") is None:
        raise NoService("a service on this machine lacks what computes: pip install 'thalweg[server]', or name a running service")


class Fixed:
    """A service that somebody else runs; the first call makes sure that there is one.

    Raises:
        NoService: nobody answers within a few seconds.
    """

    def __init__(self, address: str, within: float = 5.0) -> None:
        self.address = address
        self._within = within
        self._met = False

    def __call__(self) -> str:
        until = time.monotonic() + self._within
        while not self._met:
            self._met = answers(self.address)
            if not self._met and time.monotonic() > until:
                raise NoService(f"no thalweg service answers at {self.address}; is it running? `thalweg serve` starts one")
            if not self._met:
                time.sleep(0.1)
        return self.address


def answers(address: str, within: float = 2.0) -> bool:
    """Whether a service at this address says that it serves."""
    with grpc.insecure_channel(address) as channel:
        check = channel.unary_unary(HEALTH, bytes, bytes)
        try:
            return bool(check(b"", timeout=within) == SERVING)
        except grpc.RpcError:
            return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's, but alive
    return True
