"""A probe writes into the data folder and the store: so a machine in trouble is told from a job that kills its workers.

It does not write into `jobs/`, nor ask for a worker's memory: trouble of these alone is not seen by it.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from thalweg.server.executor.trouble import trouble_of
from thalweg.server.store import schema
from thalweg.server.store.writer import connect

_BYTES = 2**20  # arbitrary: a small job writes less
_PATIENCE = 5.0  # s for the lock of the store


def probe(folder: Path) -> int:
    """Write a file and a transaction in the data folder; 0, or the status of the trouble that it met."""
    path = folder / f".probe-{os.getpid()}"
    try:
        with path.open("wb") as file:
            file.write(bytes(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        _write(folder / "thalweg.sqlite")
    except (OSError, MemoryError, sqlite3.Error) as error:
        return int(trouble_of(error) or 1)
    finally:
        path.unlink(missing_ok=True)
    return 0


def _write(database: Path) -> None:
    """A transaction that leaves everything as it is, in a database whose tables are there."""
    db = connect(database, _PATIENCE)
    try:
        db.execute("BEGIN IMMEDIATE")
        db.execute(f"PRAGMA user_version = {schema.VERSION}")
        db.execute("COMMIT")
    finally:
        db.close()
