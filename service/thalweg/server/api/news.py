"""Tells watchers that something was written, by this process or by a worker: SQLite's own change counter, looked at often."""

from __future__ import annotations

import asyncio
import logging

from thalweg.server.store.store import Store

_LOOK = 0.05  # s
_AFTER_ERROR = 1.0  # s

_log = logging.getLogger(__name__)


class News:
    """One look every 50 ms, however many watch."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._next: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tick(self) -> asyncio.Future[None]:
        """Done when anything has been written after this call; shielded, since many wait for the same."""
        return asyncio.shield(self._next)

    async def run(self) -> None:
        """Until cancelled. Reads in the loop's own thread: it takes microseconds."""
        seen: int | None = None
        while True:
            await asyncio.sleep(_LOOK)
            try:
                version = self._store.version()
            except Exception as error:
                _log.warning("the store could not be looked at: %s; trying again", error)
                await asyncio.sleep(_AFTER_ERROR)
                continue
            if version != seen:
                seen, told = version, self._next
                self._next = asyncio.get_running_loop().create_future()
                told.set_result(None)
