"""A probe writes where workers write: so a machine in trouble is told from a job that kills its workers.

It makes a folder beside those of the jobs, with a file in it, and a transaction in the store. It does not ask for a worker's
memory: how much there is free is looked at when a loss is judged.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

from thalweg.server.executor.trouble import trouble_of
from thalweg.server.store.records import PROBE
from thalweg.server.store.writer import connect

_BYTES = 2**20  # arbitrary: a small job writes less
_PATIENCE = 5.0  # s for the lock of the store


def probe(folder: Path) -> int:
    """Write as a worker does; 0, or the status of the trouble that it met."""
    place = folder / "jobs" / f"{PROBE}{os.getpid()}"
    try:
        place.parent.mkdir(exist_ok=True)
        place.mkdir(exist_ok=True)
        with (place / "file").open("wb") as file:
            file.write(bytes(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        _write(folder / "thalweg.sqlite")
    except (OSError, MemoryError, sqlite3.Error) as error:
        return int(trouble_of(error) or 1)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return 0


def _write(database: Path) -> None:
    """A transaction that leaves everything as it is, in a database whose tables are there."""
    db = connect(database, _PATIENCE)
    try:
        db.execute("BEGIN IMMEDIATE")
        db.execute("SELECT id FROM jobs LIMIT 1").fetchall()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("COMMIT")
    finally:
        db.close()
