"""What every part of a run shares: the service on its folder and port, the record, the frozen processes, the time."""

from __future__ import annotations

import math
import random
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from tests.service.conftest import Service

from thalweg.client.complaints import translated
from thalweg.errors import Exhausted, FailedPrecondition, ThalwegError, TimedOut, Unavailable

from .disk import SmallDisk
from .processes import Freezer
from .record import Record

UNHURRIED = 1.5  # s for the first submission to a new server on a machine that does nothing else: it imports the engines
SLOWEST = 6.0  # arbitrary


class Pace:
    """Times (s) that grow with how slow this machine is now: a lease must be longer than the import of torch takes.

    Args:
        cold: how long the first submission to a new server took.
    """

    def __init__(self, cold: float) -> None:
        self.slowness = min(max(1.0, cold / UNHURRIED), SLOWEST)
        self.lease = 3.0 * self.slowness
        self.probe = 20.0 * self.slowness  # for an answer: a frozen checker is replaced, then a lock, a lease, a commit
        self.recovered = 10.0 * self.slowness  # from the end of the chaos to the first submission that is accepted
        self.end = 15.0 * self.slowness  # for a server that was told to end
        self.start = 30.0 * self.slowness  # for a server to start, once there is room and nobody is frozen
        self.extra = 30.0 * self.slowness  # of chaos, at most, where a fault has not struck yet


class OnePort(Service):
    """A service that is started again on the port it had, whose calls see its end as a remote client does."""

    def __init__(self, data: Path, record: Record, **environment: str) -> None:
        self.record, self.end_within = record, 15.0
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{taken.getsockname()[1]}"
        super().__init__(data, **environment)

    def start(self, *arguments: str) -> None:
        if hasattr(self, "channel"):
            self.channel.close()  # or the next channel to this port would inherit how long this one waits to connect again
        super().start("--address", self.address, *arguments)

    def start_with(self, pace: Pace) -> None:
        """End it and start it with the lease of this pace."""
        self.terminate()
        self._environment["THALWEG_LEASE_SECONDS"] = f"{pace.lease:g}"
        self.end_within = pace.end
        self.start()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self) -> float:
        """SIGTERM; how long it took to end (s)."""
        began = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(self.end_within)
        except subprocess.TimeoutExpired:
            self.record.fail(f"the server had not ended {self.end_within:.1f} s after SIGTERM, and was killed{self.last_words()}")
            self.kill()
        return time.monotonic() - began

    def start_until_up(self, seconds: float) -> bool:
        """Start it, again and again where it cannot start, as whatever keeps a service running would."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            try:
                self.start()
                self.record.lasted("server start", time.monotonic() - began)
                return True
            except (OSError, ValueError, AssertionError):  # it ended, or there is no room for what it writes first
                self.record.count("server start refused")
                if self.process.poll() is None:
                    self.record.fail(f"a server neither served nor ended within 120 s of its start{self.last_words()}")
                    self.kill()
                time.sleep(0.3)
        return False

    def last_words(self, lines: int = 3) -> str:
        """The end of the server's log, for the evidence."""
        try:
            said = (self.data / "server.log").read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return "; its log ends: " + " | ".join(said[-lines:]) if said else ""


@dataclass
class Scene:
    """A run.

    Args:
        without: names of faults that are left out.
        disk: the file system of the data folder; None where none can be mounted.
        notes: file that clients write to.
    """

    service: OnePort
    record: Record
    pace: Pace
    seed: int
    without: frozenset[str]
    disk: SmallDisk | None
    notes: Path
    freezer: Freezer = field(default_factory=Freezer)
    over: threading.Event = field(default_factory=threading.Event)
    late: threading.Event = field(default_factory=threading.Event)  # only faults are waited for that have not struck yet
    restarting: threading.Lock = field(default_factory=threading.Lock)
    locked: threading.Event = field(default_factory=threading.Event)  # another process holds the write lock
    went_on: float = -math.inf  # when everything went on that was suspended; infinite while it is (monotonic)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Meanwhile nobody can answer, and who is asked is not to be blamed for it."""
        self.went_on = math.inf
        try:
            yield
        finally:
            self.went_on = time.monotonic()

    @property
    def data(self) -> Path:
        return self.service.data

    def rng(self, name: str) -> random.Random:
        """The random numbers of one part: the same for a seed, whatever the others do."""
        return random.Random(f"{self.seed} {name}")


def verdict(error: Exception) -> tuple[str, str]:
    """How a call ended that gave no answer: "refused", "hung" or "wrong", with the sentence."""
    said = translated(error) if isinstance(error, grpc.RpcError) else error
    words = f"{type(said).__name__}: {said}"
    if isinstance(said, TimedOut):
        return "hung", words
    clean = isinstance(said, Unavailable | Exhausted | FailedPrecondition)
    return ("refused" if clean else "wrong"), words if isinstance(said, ThalwegError) else repr(said)
