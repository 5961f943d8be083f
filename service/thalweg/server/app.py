"""The service, wired: a lock on the folder, the store, the executor, the RPCs, and the signals that end it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from thalweg import credentials, processes
from thalweg.addresses import parsed
from thalweg.server.api.checkers import PLACE, Checkers
from thalweg.server.api.idle import Activity
from thalweg.server.api.interceptor import Translator
from thalweg.server.api.news import News
from thalweg.server.api.servicers import CatalogServicer, JobServicer
from thalweg.server.errors import FolderTaken, Refused, Unreadable, quoted
from thalweg.server.executor.awake import Awake
from thalweg.server.executor.executor import Executor
from thalweg.server.executor.local_launcher import LocalLauncher
from thalweg.server.executor.trouble import trouble_of
from thalweg.server.executor.watchdog import Watchdog
from thalweg.server.settings import grace_seconds, lease_seconds
from thalweg.server.store.lock import locked
from thalweg.server.store.store import Store
from thalweg.server.store.sweep import sweep
from thalweg.v1 import jobs_pb2, jobs_pb2_grpc
from thalweg.version import __version__

CATALOG = jobs_pb2.DESCRIPTOR.services_by_name["CatalogService"].full_name
FOLDER_TAKEN, CANNOT_SERVE = 3, 2
"""Exit statuses."""

_OPTIONS = [
    ("grpc.so_reuseport", 0),  # or two servers would share the port, each with half of the calls
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),  # clients look every 30 s whether a watch still lives
    ("grpc.http2.max_ping_strikes", 0),  # on a machine too busy to answer, several of these looks arrive at once
    ("grpc.keepalive_permit_without_calls", 1),
]
_GRACE = 1.0  # s for running RPCs once the service stops; a watch goes on at the next one
_LOOK = 0.2  # s between two looks at whether to stop
_PATIENCE = 10.0  # s that a write of the service waits for the lock of the store: callers may ask again
_AFTER_ERROR = 1.0  # s

_log = logging.getLogger(__name__)


def serve(data: Path, address: str = "127.0.0.1:0", exit_when_idle: float | None = None) -> int:
    """Run the service of a folder until it is told to stop, or nobody needs it; the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if (why := not_loopback(address)) is not None:
        print(why, file=sys.stderr)
        return CANNOT_SERVE
    os.umask(0o077)
    try:
        with locked(data):
            _require_ours(data.resolve())
            return asyncio.run(_serve(data.resolve(), _numbered(address), exit_when_idle))
    except Refused as refused:
        print(refused, file=sys.stderr)
        return FOLDER_TAKEN if isinstance(refused, FolderTaken) else CANNOT_SERVE
    except (OSError, sqlite3.Error) as error:
        trouble, reason = trouble_of(error), getattr(error, "strerror", None) or error
        print(f"the folder {data} cannot be used: {reason}{f' ({trouble.sentence})' if trouble else ''}", file=sys.stderr)
        return CANNOT_SERVE


def _require_ours(data: Path) -> None:
    """Changes nothing.

    Raises:
        Unreadable: the folder holds other things than ours.
    """
    if (data / "thalweg.sqlite").exists() or any((data / "jobs").glob("*")):  # the store says what is wrong with these
        return
    if others := sorted(path.name for path in data.iterdir() if not _ours(path)):
        found = quoted(others[0])
        raise Unreadable(f"{data} holds other files than a service's, such as {found}; wanted a folder of its own, or a new one")


def _ours(path: Path) -> bool:
    """Whether this may lie in a folder that no service has worked in yet: made by a client, or by the file system."""
    if path.name == "token":
        return credentials.is_private(path) and credentials.read_from(path) is not None
    return path.name in (PLACE, "jobs", "server.log", "lost+found")


def _own(data: Path) -> None:
    """The folder, and what the service keeps in it, for the eyes of this user only; the working directory is an empty one."""
    data.chmod(0o700)
    for path in data.glob("thalweg.sqlite*"):
        path.chmod(0o600)
    place = data / PLACE
    if place.is_symlink() or place.is_file():
        place.unlink()
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(exist_ok=True)
    os.chdir(place)


def _numbered(address: str) -> str:
    """The same with a number in place of "localhost", which may lead to several."""
    wanted = parsed(address)
    return str(wanted._replace(host="127.0.0.1") if wanted.host == "localhost" else wanted)


def not_loopback(address: str) -> str | None:
    """Why an address cannot be served: nothing is encrypted, the token of a call neither, so only this machine may ask."""
    try:
        wanted = parsed(address)
    except ValueError as error:
        return f"--address: {error}"
    if not wanted.is_here:
        return f"the service listens on loopback only, since nothing is encrypted: wanted 127.0.0.1 or [::1], got {wanted.host}"
    return None


async def _serve(data: Path, address: str, exit_when_idle: float | None) -> int:
    awake = Awake()
    async with contextlib.AsyncExitStack() as held:
        held.callback(awake.stop)
        store, executor, checkers = await held.enter_async_context(_parts(data, awake))
        token = credentials.of_folder(data)
        activity, news = Activity(), News(store)
        server = aio.server(interceptors=[Translator(activity, token)], options=_OPTIONS)
        checker = health.aio.HealthServicer()
        servicer = JobServicer(store, executor, news, checkers)
        jobs_pb2_grpc.add_JobServiceServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
        jobs_pb2_grpc.add_CatalogServiceServicer_to_server(CatalogServicer(checkers), server)  # type: ignore[no-untyped-call]
        health_pb2_grpc.add_HealthServicer_to_server(checker, server)
        names = [service.full_name for service in jobs_pb2.DESCRIPTOR.services_by_name.values()]
        reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
        try:
            port = server.add_insecure_port(address)
        except RuntimeError:
            print(f"cannot listen on {address}: is the port taken?", file=sys.stderr)
            return CANNOT_SERVE
        stopping = _on_signals()
        again = ["--data", str(data), "--address", address]
        again += [] if exit_when_idle is None else ["--exit-when-idle", str(exit_when_idle)]
        where = str(parsed(address)._replace(port=port))
        with _Published(data, where, token) as published:  # before it answers any call
            await server.start()
            watchdog = Watchdog({"writer": store.writer, "executor": executor}, awake, again, published.withdraw)
            looks = dict.fromkeys(("", *names), watchdog.trouble)
            looks[CATALOG] = lambda: watchdog.trouble() or checkers.trouble()
            beside = [asyncio.create_task(task) for task in (news.run(), _tell_health(looks, checker), _warm(checkers))]
            try:
                await _until_done(store, executor, activity, stopping, exit_when_idle)
            finally:
                watchdog.stop()
            await checker.enter_graceful_shutdown()
        for task in beside:
            task.cancel()
        await server.stop(_GRACE)
    return 0


@contextlib.asynccontextmanager
async def _parts(data: Path, awake: Awake) -> AsyncIterator[tuple[Store, Executor, Checkers]]:
    store = Store(data, _PATIENCE)
    store.check()
    _own(data)
    sweep(store)
    executor = Executor(store, LocalLauncher(data, lease_seconds(), awake), lease_seconds(), grace_seconds(), awake)
    checkers = Checkers(data)
    executor.start()
    try:
        yield store, executor, checkers
    finally:
        checkers.close()
        await asyncio.to_thread(executor.stop)
        await asyncio.to_thread(store.close)


async def _tell_health(looks: Mapping[str, Callable[[], str]], checker: Any) -> None:
    """Until cancelled: whether each service works, for whoever asks. A look gives why it does not; empty where it does."""
    said: dict[str, str | None] = dict.fromkeys(looks)
    while True:
        for name, look in looks.items():
            try:
                trouble = look()
            except Exception as error:
                trouble = f"its own look at itself failed: {error}"
            if trouble != said[name]:
                response = health_pb2.HealthCheckResponse
                await checker.set(name, response.NOT_SERVING if trouble else response.SERVING)
                if not name and (trouble or said[name]):
                    _log.error("the service does not work: %s", trouble) if trouble else _log.info("the service works again")
                said[name] = trouble
        await asyncio.sleep(_LOOK)


async def _warm(checkers: Checkers) -> None:
    """Load what the first submission needs, beside the first calls."""
    with contextlib.suppress(Refused, ValueError, RuntimeError):  # it is said again to whoever submits
        await checkers.describe()


async def _until_done(
    store: Store, executor: Executor, activity: Activity, stopping: asyncio.Event, exit_when_idle: float | None
) -> None:
    """Until a signal or, where it was asked for, idleness. A service that ends when idle first waits for its workers."""
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _LOOK)
        if stopping.is_set():
            if exit_when_idle is None or store.writer.trouble():
                return
            executor.draining = True
        try:
            if executor.draining and not store.at_work():
                return
            if store.any_unfinished() and not store.writer.trouble():
                activity.touch()
        except Exception as error:  # it is looked at again: nothing that a disk does ends the service
            _log.warning("the store cannot be read: %s", error)
            if stopping.is_set():
                return
            activity.touch()
            await asyncio.sleep(_AFTER_ERROR)
        if exit_when_idle is not None and activity.idle_seconds() >= exit_when_idle:
            return


def _on_signals() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; a second one ends the process as if there were no handler."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()

    def stop(number: int) -> None:
        stopping.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread: the caller's affair
            loop.add_signal_handler(number, stop, number)
    return stopping


class _Published:
    """While the service answers: DIR/server.json, where clients of this folder look, whole or absent; and its token, which
    clients of the address find by it. Raises OSError where the first cannot be written."""

    def __init__(self, data: Path, address: str, token: str) -> None:
        self._data, self._address, self._token = data, address, token

    def __enter__(self) -> _Published:
        path, aside = self._data / "server.json", self._data / ".server.json"
        about = {"address": self._address, "pid": os.getpid(), "mark": processes.mark(os.getpid()), "version": __version__}
        aside.write_text(json.dumps(about) + "\n")
        aside.replace(path)
        try:
            credentials.publish(self._address, self._token)
        except OSError as error:
            _log.warning("the token is not published for the port (%s); clients need %s", error, credentials.VARIABLE)
        print(f"thalweg {__version__} serves {self._data} at {self._address}", flush=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.withdraw()

    def withdraw(self) -> None:
        """From here on whoever listens at the address is somebody else."""
        with contextlib.suppress(OSError):
            (self._data / "server.json").unlink(missing_ok=True)
        credentials.withdraw(self._address, self._token)
