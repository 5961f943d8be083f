"""One tiny job each second: the service answers or refuses cleanly, in bounded time, whatever goes on."""

from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import grpc

from .faults import submission
from .scene import Scene, verdict
from .specs import TINY

_EVERY = 1.0  # s


class Probe:
    """Runs from `start` to `stop`, a thread for each submission."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._rng = scene.rng("probe")
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(2 + int(scene.pace.probe / _EVERY))
        self._thread = threading.Thread(target=self._run, name="probe")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """The submissions that are under way are waited for."""
        self._over.set()
        self._thread.join()
        self._pool.shutdown()

    def _run(self) -> None:
        while not self._over.wait(_EVERY):
            self._pool.submit(self._ask, str(uuid.UUID(int=self._rng.getrandbits(128), version=4)))

    def _ask(self, request_id: str) -> None:
        began = time.monotonic()
        kind = ask(self._scene, request_id, self._scene.pace.probe)
        self._scene.record.count(f"probe {kind}")
        self._scene.record.lasted(f"probe {kind}", time.monotonic() - began)


def ask(scene: Scene, request_id: str, deadline: float) -> str:
    """Submit the tiny job: "answered", "refused", "hung", "wrong", or "suspended"; "hung" and "wrong" are failures of the
    service, and "suspended" is what hung while everything was."""
    began = time.monotonic()
    try:
        scene.record.acknowledge(request_id, scene.service.jobs.SubmitJob(submission(TINY, request_id), timeout=deadline).job.id)
        return "answered"
    except (grpc.RpcError, ValueError) as error:
        kind, words = ("refused", "") if isinstance(error, ValueError) else verdict(error)
    if kind == "hung" and scene.went_on > began:
        return "suspended"
    if kind in ("hung", "wrong"):
        scene.record.fail(f"a probe was {'not answered' if kind == 'hung' else 'answered'} within {deadline:.1f} s: {words}")
    else:
        scene.record.count(f"probe refused: {words[:70] or 'no channel while the server was started'}")
    return kind
