"""Starting and going on: what a service does to its folder, and what it says where it cannot use it."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from thalweg.server import app
from thalweg.server.__main__ import main
from thalweg.server.api.idle import Activity
from thalweg.server.app import CANNOT_SERVE, FOLDER_TAKEN
from thalweg.server.store.records import State

from .conftest import Service

Make = Callable[..., Service]
Sampling = Callable[..., dict[str, Any]]

BROKEN = """
import errno, sqlite3, sys
from thalweg.server import app

def fails(*_):
    raise {error}

app.{what} = fails
from thalweg.server.__main__ import main
sys.exit(main())
"""


def started(folder: Path, *program: str) -> subprocess.CompletedProcess[str]:
    """A service that is expected to end by itself."""
    command = [sys.executable, *(program or ("-m", "thalweg.server")), "--data", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def modes(folder: Path) -> Iterator[tuple[Path, int]]:
    for path in [folder, *folder.rglob("*")]:
        yield path, stat.S_IMODE(path.stat().st_mode)


def test_what_a_service_keeps_is_for_the_eyes_of_its_user_only(own_service: Make, sampling: Sampling) -> None:
    service = own_service()
    rows = [service.ended(service.submit(sampling(steps=4, cpus=cpus)).id) for cpus in (1, 2)]  # forked, and on its own
    assert {row.state for row in rows} == {State.SUCCEEDED}
    kept = dict(modes(service.data))
    assert {"thalweg.sqlite", "token", "trace.npz", "attempt-1.log"} <= {path.name for path in kept}
    started_by_the_test = service.data / "server.log"
    assert [path for path, mode in kept.items() if mode & 0o077 and path != started_by_the_test] == []


def test_a_folder_that_others_could_read_is_closed_to_them(own_service: Make, sampling: Sampling) -> None:
    service = own_service()
    service.stop()
    database = service.data / "thalweg.sqlite"
    service.data.chmod(0o755)
    database.chmod(0o644)
    service.start()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (service.data, database)] == [0o700, 0o600]


def test_a_folder_of_other_files_is_not_made_ours(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.tex").write_text("the only copy")
    tmp_path.chmod(0o755)
    refused = started(tmp_path)
    assert refused.returncode == CANNOT_SERVE
    wanted = f'{tmp_path} holds other files than a service\'s, such as "work"; wanted a folder of its own, or a new one\n'
    assert refused.stderr == wanted
    assert [path.name for path in tmp_path.iterdir()] == ["work"]
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


@pytest.mark.parametrize("name", ["token", "server.json"])
def test_a_file_that_only_has_a_name_of_ours_is_not_taken_for_ours(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("of somebody's own")
    (tmp_path / name).chmod(0o644)
    assert f'such as "{name}"' in started(tmp_path).stderr
    assert (tmp_path / name).read_text() == "of somebody's own"


def test_a_database_of_somebody_else_is_left_as_it_was(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "thalweg.sqlite") as db:
        db.execute("CREATE TABLE holidays (day TEXT)")
    db.close()
    tmp_path.chmod(0o755)
    before = (tmp_path / "thalweg.sqlite").read_bytes()
    assert "holds other tables than ours" in started(tmp_path).stderr
    assert (tmp_path / "thalweg.sqlite").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["thalweg.sqlite"]
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


@pytest.mark.parametrize("kind", ["file", "link"])
def test_the_working_directory_is_an_empty_one_whatever_lies_in_its_place(own_service: Make, tmp_path: Path, kind: str) -> None:
    service = own_service()
    service.stop()
    place, elsewhere = service.data / ".thalweg-work", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "basis").write_text("the user's own")
    shutil.rmtree(place)
    if kind == "file":
        place.write_text("")
    else:
        place.symlink_to(elsewhere)
    service.start()
    assert place.is_dir() and not place.is_symlink() and not list(place.iterdir())
    assert (elsewhere / "basis").read_text() == "the user's own"


def test_files_that_somebody_put_into_our_folder_stay(own_service: Make) -> None:
    service = own_service()
    service.stop()
    (service.data / "work").mkdir()
    (service.data / "work" / "thesis.tex").write_text("the only copy")
    service.start()
    assert (service.data / "work" / "thesis.tex").read_text() == "the only copy"


def test_a_service_that_begins_anew_serves_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Any] = []
    monkeypatch.setattr(app, "serve", lambda *given: served.append(given) or 0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["thalweg", "--data", "here"])
    assert main() == 0
    assert served[0][0] == tmp_path / "here"  # whatever the working directory is by then


def test_no_second_service_starts_on_a_folder_whatever_is_removed_from_it(own_service: Make) -> None:
    service = own_service()
    for path in service.data.glob("server.*"):
        path.unlink()
    second = started(service.data)
    assert second.returncode == FOLDER_TAKEN
    assert "another thalweg service holds the lock" in second.stderr


def test_a_damaged_store_is_a_sentence_at_the_start_and_is_left_as_it_was(own_service: Make, sampling: Sampling) -> None:
    service = own_service()
    service.events(service.submit(sampling(steps=4)).id)  # until it has ended; nobody else has the database open then
    service.stop()
    database = service.data / "thalweg.sqlite"
    whole = database.read_bytes()
    for where in (50, len(whole) - 13_000):  # in the schema; in a page that is not read at once
        database.write_bytes(whole[:where] + b"damage" * 2000 + whole[where + 12_000 :])
        refused = started(service.data)
        assert refused.returncode == CANNOT_SERVE
        assert refused.stderr.startswith(f"{database} is no database of thalweg, or is damaged")
        assert refused.stderr.count("\n") == 1
    database.write_bytes(whole)
    service.start()
    assert [job.state for job in service.jobs.ListJobs(app.jobs_pb2.ListJobsRequest()).jobs] == [int(State.SUCCEEDED)]


@pytest.mark.parametrize(
    ("what", "error", "words"),
    [
        ("sweep", "OSError(errno.ENOSPC, 'No space left on device')", "No space left on device (the disk is full)"),
        ("Store", "sqlite3.OperationalError('database or disk is full')", "database or disk is full (the disk is full)"),
        ("_own", "OSError(errno.EROFS, 'Read-only file system')", "Read-only file system"),
    ],
)
def test_a_disk_that_is_full_at_the_start_is_a_sentence(tmp_path: Path, what: str, error: str, words: str) -> None:
    refused = started(tmp_path, "-c", BROKEN.format(what=what, error=error))
    assert refused.returncode == CANNOT_SERVE
    assert f"the folder {tmp_path} cannot be used: {words}" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_store_that_cannot_be_read_for_a_moment_does_not_end_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_AFTER_ERROR", 0.01)
    looks: list[str] = []

    class Failing:
        def any_unfinished(self) -> bool:
            looks.append("look")
            if len(looks) < 3:
                raise sqlite3.OperationalError("disk I/O error")
            stopping.set()
            return False

    class Idle:
        draining = False

    stopping = asyncio.Event()
    asyncio.run(asyncio.wait_for(app._until_done(Failing(), Idle(), Activity(), stopping, None), 30))  # type: ignore[arg-type]
    assert len(looks) == 3
