"""The embedded service: one service process per data folder, started by whoever needs it first, ending when idle.

DIR/server.json   {"address", "pid", "mark", "version"} of the service that runs; removed when it ends cleanly
DIR/server.log    what it printed
DIR/token         what its calls carry; the service writes it
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

import grpc

from thalweg import credentials, processes
from thalweg.client import arguments
from thalweg.client.transport import NO_PROXY, Place
from thalweg.errors import BadArgument, NoService

START_WITHIN = 90.0  # s; a cold start loads torch and qiskit from a slow disk
IDLE_SECONDS = 10
FOLDER_TAKEN = 3  # exit status of a service whose folder has one already
HEALTH = "/grpc.health.v1.Health/Check"
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"  # HealthCheckResponse(status=…); two bytes, not worth a dependency
SERVER = (sys.executable, "-P", "-m", "thalweg.server")  # -P: no file of the working folder stands in for a module
WORDS = 500  # characters of the log that a complaint repeats; arbitrary


def data_folder(given: str | os.PathLike[str] | None = None) -> Path:
    """The data folder: as given, else $THALWEG_DATA, else thalweg/ in the user's XDG data home.

    Raises:
        BadArgument: there can be no such folder.
    """
    if given is not None:
        return _folder("data", given)
    if named := os.environ.get("THALWEG_DATA"):
        return _folder("$THALWEG_DATA", named)
    if home := os.environ.get("XDG_DATA_HOME"):
        return Path(home) / "thalweg"
    return _folder("data", "~/.local/share/thalweg")


def _folder(name: str, given: str | os.PathLike[str]) -> Path:
    text = arguments.path(name, given)
    try:
        return Path(text).expanduser().absolute()
    except (RuntimeError, OSError):  # no such user; no working folder any more
        raise BadArgument(name, f"wanted a folder, got {text}, and there is no such place; name another one") from None


def open_log(path: Path) -> BinaryIO:
    """A log to append to, which only this user can read. Raises OSError."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


class Embedded:
    """The service of a data folder; calling it gives the place, starting the service if need be.

    Raises:
        NoService: it does not start; the sentence names the log.
    """

    def __init__(self, data: Path) -> None:
        self.data = data
        self._process: subprocess.Popen[bytes] | None = None  # kept, so that an early end is seen and reaped
        self._log = data / "server.log"
        self._logged = 0  # bytes of the log before our service wrote

    def __call__(self) -> Place:
        address = self.address()
        if address is None:
            self._start()
            address = self._await()
        file = credentials.kept_in(self.data)
        refusal = (
            f"the service of {self.data} does not accept what {file} says; only the user who started the service can read it"
        )
        return Place(address, credentials.read_from(file), refusal, lambda: self._written() == address)

    def address(self) -> str | None:
        """Where the service of this folder answers, None if none does."""
        written = self._written()
        return written if written is not None and answers(written) else None

    def _written(self) -> str | None:
        """Where it should answer, None if none runs."""
        try:
            written = json.loads((self.data / "server.json").read_text())
            address, pid = str(written["address"]), int(written["pid"])
            mark = str(written.get("mark") or processes.mark(pid))  # earlier versions wrote none
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
            return None
        return address if processes.lives(pid, mark) else None

    def _start(self) -> None:
        require_server()
        command = [*SERVER, "--data", str(self.data), "--exit-when-idle", str(IDLE_SECONDS)]
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open_log(self._log) as log:
                self._logged = log.tell()
                # its own session: Ctrl-C here must not reach the jobs
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
        written = self._written()
        if written is not None and health(written) == NOT_SERVING:
            raise NoService(f"the service of {self.data} runs, but says that it cannot work; see {self._log}")
        raise NoService(f"the embedded service of {self.data} did not start; the reason is in {self._log}{self._last_words()}")

    def _last_words(self) -> str:
        try:
            with self._log.open("rb") as log:
                log.seek(self._logged)
                lines = log.read().decode(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return f" (it ends: {lines[-1].strip()[:WORDS]})" if lines else ""


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

    def __call__(self) -> Place:
        until = time.monotonic() + self._within
        while not self._met:
            said = health(self.address)
            self._met = said == SERVING
            if not self._met and time.monotonic() > until:
                raise NoService(self._absent(said))
            if not self._met:
                time.sleep(0.1)
        token = credentials.of_address(self.address)
        return Place(credentials.meant_by(self.address), token, self._refusal(), credentials.still_there(self.address))

    def _absent(self, said: bytes | None) -> str:
        if said == NOT_SERVING:
            return f"the service at {self.address} runs, but says that it cannot work; see server.log in its data folder"
        return f"no thalweg service answers at {self.address}; is it running? `thalweg serve` starts one"

    def _refusal(self) -> str:
        variable = f"${credentials.VARIABLE}"
        way_out = f"set {variable} to the token in the file `token` of its data folder"
        return f"the service at {self.address} does not accept {credentials.looked_for(self.address)}; {way_out}"


def answers(address: str) -> bool:
    """Whether a service at this address says that it serves."""
    return health(address) == SERVING


def health(address: str, within: float = 2.0) -> bytes | None:
    """What the service at this address says of itself: SERVING, NOT_SERVING; None where nobody answers."""
    with grpc.insecure_channel(address, NO_PROXY) as channel:
        try:
            return bytes(channel.unary_unary(HEALTH, bytes, bytes)(b"", timeout=within))
        except grpc.RpcError:
            return None
