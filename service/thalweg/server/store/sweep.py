"""Files that belong to nothing any more: what is removed at a job's end, and what a service finds when it starts.

A folder of a job that the store does not know stays: the database may have been restored from an older backup.
"""

from __future__ import annotations

import contextlib
import logging
import shutil

from thalweg.server.store.records import ARTIFACTS, CHECKPOINTS, PROBE, WORK
from thalweg.server.store.store import Store
from thalweg.server.store.writer import settled

_log = logging.getLogger(__name__)


def sweep(store: Store) -> None:
    """Remove the folders of deleted jobs, and what ended ones need no more. A folder of no known job stays, and is named."""
    folder = store.folder / "jobs"
    found = {path.name for path in folder.iterdir()} if folder.exists() else set()
    for leftover in [name for name in found if name.startswith(PROBE)]:
        shutil.rmtree(folder / leftover, ignore_errors=True)
        found.discard(leftover)
    for job in store.deleted():
        shutil.rmtree(folder / job, ignore_errors=True)
        settled(store.removed(job))
    for job in store.ended(found):
        discard(store, job)
    if unknown := sorted(found - store.ids() - store.deleted()):
        _log.warning("%s holds files of %d jobs that the store does not know, such as %s", folder, len(unknown), unknown[0])


def discard(store: Store, job: str) -> None:
    """Remove what nobody needs of a job that has ended: its checkpoints, and what lost attempts have left."""
    folder, kept = store.job_folder(job), store.artifact_folders(job)
    with contextlib.suppress(FileNotFoundError):
        for path in list(folder.iterdir()):
            ours = path.name == CHECKPOINTS or path.name.startswith((WORK, ARTIFACTS))
            if ours and path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)
