"""The service, wired: a lock on the folder, the store, the executor, the RPCs, and the signals that end it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import ipaddress
import json
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from thalweg.server.errors import FolderTaken, Refused
from thalweg.server.executor import Executor
from thalweg.server.idle import Activity
from thalweg.server.interceptor import Translator
from thalweg.server.lock import locked
from thalweg.server.news import News
from thalweg.server.servicers import CatalogServicer, JobServicer
from thalweg.server.settings import grace_seconds, lease_seconds
from thalweg.server.store import Store
from thalweg.v1 import jobs_pb2, jobs_pb2_grpc
from thalweg.version import __version__

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

_log = logging.getLogger(__name__)


def serve(data: Path, address: str = "127.0.0.1:0", exit_when_idle: float | None = None) -> int:
    """Run the service of a folder until it is told to stop, or nobody needs it; the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("torch").setLevel(logging.WARNING)
    if (why := not_loopback(address)) is not None:
        print(why, file=sys.stderr)
        return CANNOT_SERVE
    try:
        with locked(data):
            return asyncio.run(_serve(data.resolve(), address, exit_when_idle))
    except Refused as refused:
        print(refused, file=sys.stderr)
        return FOLDER_TAKEN if isinstance(refused, FolderTaken) else CANNOT_SERVE
    except OSError as error:
        print(f"the folder {data} cannot be used: {error.strerror}", file=sys.stderr)
        return CANNOT_SERVE


def not_loopback(address: str) -> str | None:
    """Why an address cannot be served: there is neither encryption nor authentication, so only this machine may ask."""
    host, colon, port = address.rpartition(":")
    name = host.strip("[]")
    if not colon or not port.isdigit() or int(port) > 65535:
        return f'wanted an address such as "127.0.0.1:0", got "{address}"'
    try:
        local = name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        local = False
    if not local:
        return f"the service listens on loopback only, since it has no authentication: wanted 127.0.0.1 or [::1], got {host}"
    return None


async def _serve(data: Path, address: str, exit_when_idle: float | None) -> int:
    async with _store_and_executor(data) as (store, executor):
        activity, news = Activity(), News(store)
        server = aio.server(interceptors=[Translator(activity)], options=_OPTIONS)
        checker = health.aio.HealthServicer()
        jobs_pb2_grpc.add_JobServiceServicer_to_server(JobServicer(store, executor, news), server)  # type: ignore[no-untyped-call]
        jobs_pb2_grpc.add_CatalogServiceServicer_to_server(CatalogServicer(), server)  # type: ignore[no-untyped-call]
        health_pb2_grpc.add_HealthServicer_to_server(checker, server)
        names = [service.full_name for service in jobs_pb2.DESCRIPTOR.services_by_name.values()]
        reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
        try:
            port = server.add_insecure_port(address)
        except RuntimeError:
            print(f"cannot listen on {address}: is the port taken?", file=sys.stderr)
            return CANNOT_SERVE
        stopping = _on_signals()
        await server.start()
        for name in ("", *names):
            await checker.set(name, health_pb2.HealthCheckResponse.SERVING)
        telling = asyncio.create_task(news.run())
        threading.Thread(target=_warm, name="warm", daemon=True).start()
        with _published(data, f"{address.rpartition(':')[0]}:{port}"):
            await _until_done(store, executor, activity, stopping, exit_when_idle)
            await checker.enter_graceful_shutdown()
        telling.cancel()
        await server.stop(_GRACE)
    return 0


@contextlib.asynccontextmanager
async def _store_and_executor(data: Path) -> AsyncIterator[tuple[Store, Executor]]:
    store = Store(data)
    _sweep(store)
    executor = Executor(store, lease_seconds(), grace_seconds())
    executor.start()
    try:
        yield store, executor
    finally:
        await asyncio.to_thread(executor.stop)
        await asyncio.to_thread(store.close)


async def _until_done(
    store: Store, executor: Executor, activity: Activity, stopping: asyncio.Event, exit_when_idle: float | None
) -> None:
    """Until a signal or, where it was asked for, idleness. A service that ends when idle first waits for its workers."""
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _LOOK)
        if stopping.is_set():
            if exit_when_idle is None:
                return
            executor.draining = True
        if executor.draining and not store.at_work():
            return
        if store.any_unfinished():
            activity.touch()
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


@contextlib.contextmanager
def _published(data: Path, address: str) -> Iterator[None]:
    """DIR/server.json, where clients of this folder look; whole or absent."""
    path, aside = data / "server.json", data / ".server.json"
    aside.write_text(json.dumps({"address": address, "pid": os.getpid(), "version": __version__}) + "\n")
    aside.replace(path)
    print(f"thalweg {__version__} serves {data} at {address}", flush=True)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _sweep(store: Store) -> None:
    """Remove folders of jobs that are no longer in the store."""
    folder = store.folder / "jobs"
    known = store.ids()
    for path in folder.iterdir() if folder.exists() else ():
        if path.name not in known:
            shutil.rmtree(path, ignore_errors=True)


def _warm() -> None:
    """Import what the first submission needs, beside the first calls."""
    importlib.import_module("thalweg.server.admission")
