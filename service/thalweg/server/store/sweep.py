"""Files that belong to nothing any more: what is removed at a job's end, and what a service finds when it starts.

A folder of a job that the store does not know stays: the database may have been restored from an older backup.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from thalweg.server.store.records import CHECKPOINTS
from thalweg.server.store.store import Store
from thalweg.server.store.writer import settled

_log = logging.getLogger(__name__)


def sweep(store: Store) -> None:
    """Remove the folders of deleted jobs, and the checkpoints of ended ones. A folder of no known job stays, and is named."""
    folder = store.folder / "jobs"
    found = {path.name for path in folder.iterdir()} if folder.exists() else set()
    for job in store.deleted():
        shutil.rmtree(folder / job, ignore_errors=True)
        settled(store.removed(job))
    for job in store.ended(found):
        discard(folder / job)
    if unknown := sorted(found - store.ids() - store.deleted()):
        _log.warning("%s holds files of %d jobs that the store does not know, such as %s", folder, len(unknown), unknown[0])


def discard(job_folder: Path) -> None:
    """Remove the checkpoints of a job that has ended."""
    shutil.rmtree(job_folder / CHECKPOINTS, ignore_errors=True)
