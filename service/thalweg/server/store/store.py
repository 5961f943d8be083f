"""The store: jobs, their events, checkpoints and artifacts in one SQLite file that the server and its workers share.

Every change of a job's state is a guarded UPDATE with its event in the same transaction. What a worker writes is in
`attempts.py`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

from thalweg.server.errors import AlreadyExists, NotFound, NotReady, Unreadable, quoted
from thalweg.server.store import schema
from thalweg.server.store.records import ENDED, MOVES, ArtifactRow, CheckpointRow, EventRow, JobRow, NewJob, State, WorkRow
from thalweg.server.store.writer import PATIENCE, Writer, connect
from thalweg.v1 import jobs_pb2

_JOB = ", ".join(JobRow._fields)
_WORK = ", ".join(WorkRow._fields)
_CHECKPOINT = ", ".join(CheckpointRow._fields)
_ARTIFACT = ", ".join(ArtifactRow._fields)


_WAL_MODE = 2  # byte 18 of a database's header (https://sqlite.org/fileformat2.html, 1.3)
_UNFINISHED = "state < 5"  # as the index of unfinished jobs has it


class Filter(NamedTuple):
    """Which jobs to list; what is empty does not filter. A kind also stands for the kinds below it: "density"."""

    states: tuple[State, ...] = ()
    kinds: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


class Store:
    """The jobs in a data folder.

    Reading blocks for microseconds and sees the last commit; writing gives a future that is done once it is on disk.

    Args:
        patience: how long a write waits for other processes' (s).
        make: whether to make the database where there is none.

    Raises:
        Unreadable: the database is another version's, is damaged, or is missing beside the files of jobs.
    """

    def __init__(self, folder: Path, patience: float = PATIENCE, make: bool = True) -> None:
        self.folder = folder
        if make:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.database = folder / "thalweg.sqlite"
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        _open(self.database, folder / "jobs", make)
        self._reader()  # held from here on: the files beside the database stay those that they are
        self.writer = Writer(self.database, patience)

    def check(self) -> None:
        """Read all of the database (1 GB: some seconds).

        Raises:
            Unreadable: it is damaged.
        """
        try:
            ((found,),) = self._reader().execute("PRAGMA quick_check(1)").fetchall()
        except sqlite3.DatabaseError as error:
            raise _unreadable(self.database, error) from None
        if found != "ok":
            raise _unreadable(self.database, sqlite3.DatabaseError(" ".join(found.split())))

    def require(self) -> None:
        """Raises sqlite3.OperationalError where what is written would be lost: the files are not those that were opened."""
        if trouble := self.writer.trouble():
            raise sqlite3.OperationalError(trouble)

    def close(self) -> None:
        """Write what waits, then let go of the file."""
        self.writer.close()
        for reader in self._readers:
            reader.close()

    def job_folder(self, job: str) -> Path:
        return self.folder / "jobs" / job

    # --- reading

    def job(self, job: str) -> JobRow:
        """Raises NotFound."""
        rows = self._jobs("WHERE id = ?", [job])
        if not rows:
            raise NotFound(f"there is no job {quoted(job)} here; `thalweg jobs list` shows what there is")
        return rows[0]

    def by_request(self, request_id: str) -> JobRow | None:
        return next(iter(self._jobs("WHERE request_id = ?", [request_id])), None)

    def jobs(self, which: Filter, before: int | None, limit: int, room: int | None = None) -> list[JobRow]:
        """Newest first, with numbers below `before`; no more of them than fill `room` bytes and one."""
        tests: list[tuple[str, list[Any]]] = []
        if which.states:
            tests.append((f"state IN ({_marks(which.states)})", list(which.states)))
        if which.kinds:
            either = " OR ".join("kind = ? OR substr(kind, 1, length(?) + 1) = ? || '.'" for _ in which.kinds)
            tests.append((f"({either})", [kind for kind in which.kinds for _ in range(3)]))
        for label in which.labels:
            tests.append(("EXISTS (SELECT 1 FROM json_each(jobs.labels) AS l WHERE l.key = ? AND l.value = ?)", list(label)))
        if before is not None:
            tests.append(("number < ?", [before]))
        where = "WHERE " + " AND ".join(test for test, _ in tests) if tests else ""
        values = [value for _, values in tests for value in values]
        return self._jobs(f"{where} ORDER BY number DESC LIMIT ?", [*values, limit], room)

    def queued(self, limit: int) -> list[WorkRow]:
        """Oldest first."""
        return self._unfinished("state = 1", limit)

    def at_work(self) -> list[WorkRow]:
        """Those that have a worker, or are about to."""
        return self._unfinished("state IN (2, 3, 4)")

    def any_unfinished(self) -> bool:
        return bool(self._reader().execute(f"SELECT EXISTS (SELECT 1 FROM jobs WHERE {_UNFINISHED})").fetchone()[0])

    def ids(self) -> set[str]:
        return {row[0] for row in self._reader().execute("SELECT id FROM jobs")}

    def ended(self, jobs: Collection[str]) -> set[str]:
        """Those of these jobs that have ended."""
        query = "SELECT id FROM jobs WHERE id = ? AND state >= 5"
        return {row[0] for job in jobs for row in self._reader().execute(query, [job])}

    def deleted(self) -> set[str]:
        """Jobs that were deleted, and whose folders may still be there."""
        return {row[0] for row in self._reader().execute("SELECT job FROM deleted")}

    def can_be_locked(self, within: float) -> bool:
        """Whether a write could begin now, or so many seconds later."""
        reader = self._reader()
        reader.execute(f"PRAGMA busy_timeout = {int(1000 * within)}")
        try:
            reader.execute("BEGIN IMMEDIATE")
            reader.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
        finally:
            reader.execute(f"PRAGMA busy_timeout = {int(1000 * PATIENCE)}")
        return True

    def state(self, job: str, attempt: int) -> State | None:
        """The state of a job as one of its attempts sees it; None where another attempt has taken over."""
        row = self._reader().execute("SELECT state FROM jobs WHERE id = ? AND attempt = ?", [job, attempt]).fetchone()
        return None if row is None else State(row[0])

    def events(self, job: str, after: int, limit: int = 1000) -> list[EventRow]:
        query = "SELECT number, time, body FROM events WHERE job = ? AND number > ? ORDER BY number LIMIT ?"
        return [EventRow(*row) for row in self._reader().execute(query, [job, after, limit])]

    def checkpoints(self, job: str) -> list[CheckpointRow]:
        """Oldest first."""
        query = f"SELECT {_CHECKPOINT} FROM checkpoints WHERE job = ? ORDER BY number"
        return [CheckpointRow(*row) for row in self._reader().execute(query, [job])]

    def has_checkpoint(self, job: str, attempt: int) -> bool:
        """Whether an attempt has left one."""
        query = "SELECT EXISTS (SELECT 1 FROM checkpoints WHERE job = ? AND attempt = ?)"
        return bool(self._reader().execute(query, [job, attempt]).fetchone()[0])

    def artifact(self, job: str, name: str) -> ArtifactRow:
        """Raises NotFound."""
        query = f"SELECT {_ARTIFACT} FROM artifacts WHERE job = ? AND name = ?"
        row = self._reader().execute(query, [job, name]).fetchone()
        if row is None:
            raise NotFound(f"job {job} has no artifact {quoted(name)}; its result lists what it has")
        return ArtifactRow(*row)

    def artifact_folders(self, job: str) -> set[str]:
        """Folders below the job's own in which its artifacts lie."""
        rows = self._reader().execute("SELECT DISTINCT path FROM artifacts WHERE job = ?", [job])
        return {Path(path).parts[0] for (path,) in rows}

    def version(self) -> int:
        """A number that differs from the last one asked for by this thread once anybody else has written."""
        return int(self._reader().execute("PRAGMA data_version").fetchone()[0])

    # --- writing

    def submit(self, new: NewJob) -> Future[JobRow]:
        """The job of this request, new or the one that it already made.

        Raises:
            AlreadyExists: the request_id was used for another spec.
        """
        return self.writer.write(lambda db: _submit(db, new))

    def cancel(self, job: str) -> Future[JobRow]:
        """Ask a job to stop; one that has ended stays as it is."""
        return self.writer.write(lambda db: _cancel(db, job))

    def delete(self, job: str) -> Future[None]:
        """Forget an ended job. Its folder is the caller's to remove, afterwards; then `removed` says so.

        Raises:
            NotReady: it has not ended.
        """
        return self.writer.write(lambda db: _delete(db, job))

    def removed(self, job: str) -> Future[None]:
        """The folder of a deleted job is gone."""

        def change(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM deleted WHERE job = ?", [job])

        return self.writer.write(change)

    def log(self, job: str, level: str, text: str) -> Future[None]:
        """A line of the log of a job, whoever works on it."""
        line = jobs_pb2.JobEvent(log_line=jobs_pb2.LogLine(level=level, text=text))
        return self.writer.write(lambda db: add_event(db, job, line))

    # --- within

    def _jobs(self, rest: str, values: Iterable[Any], room: int | None = None) -> list[JobRow]:
        rows: list[JobRow] = []
        for row in self._reader().execute(f"SELECT {_JOB} FROM jobs {rest}", list(values)):
            rows.append(_job_row(row))
            if room is not None and (room := room - rows[-1].size) < 0:
                break
        return rows

    def _unfinished(self, test: str, limit: int = -1) -> list[WorkRow]:
        """By numbers that stand in the query itself: SQLite takes the index of unfinished jobs only then."""
        query = f"SELECT {_WORK} FROM jobs WHERE {_UNFINISHED} AND {test} ORDER BY number LIMIT ?"
        rows = (WorkRow(*row) for row in self._reader().execute(query, [limit]))
        return [row._replace(state=State(row.state)) for row in rows]

    def _reader(self) -> sqlite3.Connection:
        """This thread's own connection."""
        reader: sqlite3.Connection | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = connect(self.database)
            self._readers.append(reader)
        return reader


def spec_hash(spec: bytes) -> bytes:
    """SHA-256 of a spec: whether two submissions ask for the same."""
    return hashlib.sha256(spec).digest()


def load(db: sqlite3.Connection, job: str) -> JobRow:
    """The job inside a transaction. Raises NotFound."""
    row = db.execute(f"SELECT {_JOB} FROM jobs WHERE id = ?", [job]).fetchone()
    if row is None:
        raise NotFound(f"there is no job {quoted(job)} here")
    return _job_row(row)


def move(
    db: sqlite3.Connection, job: JobRow | WorkRow, target: State, reason: str, columns: Mapping[str, Any] | None = None
) -> JobRow | None:
    """The job in another state, with the event that says so; None, and nothing written, where it is no longer what `job` says.

    With a job's end its checkpoints are forgotten; the caller removes their files.
    """
    if target not in MOVES[job.state]:
        raise ValueError(f"a job cannot go from {job.state.name} to {target.name}")
    if target in ENDED:
        columns = {"ended": time.time(), "outcome": reason, "pid": None, "pid_mark": None} | dict(columns or {})
    changed = {"state": target, **(columns or {})}
    sets = ", ".join(f"{name} = ?" for name in changed)
    guard = [job.id, job.state, job.attempt, job.beat]
    query = f"UPDATE jobs SET {sets} WHERE id = ? AND state = ? AND attempt = ? AND beat = ?"
    if db.execute(query, [*changed.values(), *guard]).rowcount == 0:
        return None
    if target in ENDED:
        db.execute("DELETE FROM checkpoints WHERE job = ?", [job.id])
    attempt = changed.get("attempt", job.attempt)
    change = jobs_pb2.StateChange(state=target.value, reason=reason, attempt=attempt)  # type: ignore[arg-type]
    add_event(db, job.id, jobs_pb2.JobEvent(state_change=change))
    return load(db, job.id)


def add_event(db: sqlite3.Connection, job: str, event: jobs_pb2.JobEvent) -> None:
    """The next event of a job."""
    db.execute("UPDATE jobs SET last_event = last_event + 1 WHERE id = ?", [job])
    query = "INSERT INTO events SELECT id, last_event, ?, ? FROM jobs WHERE id = ?"
    db.execute(query, [time.time(), event.SerializeToString(), job])


def _submit(db: sqlite3.Connection, new: NewJob) -> JobRow:
    digest = spec_hash(new.sent or new.spec)
    known = db.execute("SELECT id, spec_hash FROM jobs WHERE request_id = ?", [new.request_id]).fetchone()
    if known is not None:
        refuse_other_spec(new.request_id, known[0], known[1] == digest)
        return load(db, known[0])
    row = {
        "id": secrets.token_hex(6),
        "request_id": new.request_id or None,
        "spec_hash": digest,
        "spec": new.spec,
        "kind": new.kind,
        "labels": json.dumps(dict(new.labels), sort_keys=True),
        "cpus": new.cpus,
        "memory": new.memory,
        "device": new.device,
        "state": State.QUEUED,
        "created": time.time(),
    }
    db.execute(f"INSERT INTO jobs ({', '.join(row)}) VALUES ({_marks(row)})", list(row.values()))
    queued = jobs_pb2.StateChange(state=jobs_pb2.JOB_STATE_QUEUED, reason="accepted")
    add_event(db, str(row["id"]), jobs_pb2.JobEvent(state_change=queued))
    return load(db, str(row["id"]))


def refuse_other_spec(request_id: str, job: str, same: bool) -> None:
    """Raises AlreadyExists unless the spec is the same."""
    if not same:
        raise AlreadyExists(
            f"request_id {quoted(request_id)} was already used for job {job}, with another spec; choose a new one"
        )


def _cancel(db: sqlite3.Connection, job: str) -> JobRow:
    row = load(db, job)
    now = {"cancelled": time.time()}
    if row.state is State.QUEUED:
        words = "cancelled while it waited" if row.attempt else "cancelled before it started"
        return move(db, row, State.CANCELLED, words, now) or row
    if row.state in (State.STARTING, State.RUNNING):
        return move(db, row, State.CANCELLING, "asked to stop", now) or row
    return row


def _delete(db: sqlite3.Connection, job: str) -> None:
    row = load(db, job)
    if row.state not in ENDED:
        raise NotReady(f"job {job} is {row.state.name} and cannot be deleted yet; cancel it first")
    for table, column in (("artifacts", "job"), ("checkpoints", "job"), ("events", "job"), ("jobs", "id")):
        db.execute(f"DELETE FROM {table} WHERE {column} = ?", [job])
    db.execute("INSERT INTO deleted VALUES (?)", [job])


def _job_row(row: tuple[Any, ...]) -> JobRow:
    job = JobRow(*row)
    return job._replace(state=State(job.state))


def _open(path: Path, jobs: Path, make: bool) -> None:
    """Create the tables, or bring those of an earlier version up to date. Where nothing is to be done no lock is waited for.

    Raises:
        Unreadable: nothing was changed.
    """
    if make and (not path.exists() or path.stat().st_size == 0):
        _refuse_beside_jobs(path, jobs)
    if make:
        _refuse_foreign(path)
    try:
        db = connect(path, make=make)
    except sqlite3.DatabaseError as error:
        raise _unreadable(path, error) from None
    try:
        if (_version(db) != schema.VERSION or schema.NAMES - _tables(db)) and make:
            db.execute("BEGIN IMMEDIATE")
            _bring_up_to_date(db, path, jobs)
            db.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        raise _unreadable(path, error) from None
    finally:
        db.close()


def _refuse_foreign(path: Path) -> None:
    """A database that is not in WAL mode may be somebody else's: it is looked at before anything is changed in it.

    Raises:
        Unreadable: it holds other tables than ours.
    """
    try:
        with path.open("rb") as file:
            head = file.read(20)
        if len(head) < 20 or head[18] == _WAL_MODE:
            return
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            tables = _tables(db)
    except (OSError, sqlite3.Error):
        return  # whatever it is, it is said by whoever opens it
    if tables and "jobs" not in tables:
        raise Unreadable(f"{path} holds other tables than ours; restore it from a backup, or use another folder")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _tables(db: sqlite3.Connection) -> set[str]:
    return {row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def _bring_up_to_date(db: sqlite3.Connection, path: Path, jobs: Path) -> None:
    found, tables = _version(db), _tables(db)
    if not tables:
        found = schema.VERSION
        _refuse_beside_jobs(path, jobs)
        for statement in schema.TABLES.split(";\n"):
            db.execute(statement)
    elif found == 0 or (found == schema.VERSION and schema.NAMES - tables):
        raise Unreadable(f"{path} holds other tables than ours; restore it from a backup, or use another folder")
    elif found != schema.VERSION and found not in schema.MIGRATIONS:
        versions = f"tables {found}, ours {schema.VERSION}"
        raise Unreadable(f"{path} was written by another version of thalweg ({versions}); use another folder")
    for version in range(found, schema.VERSION):
        db.execute(schema.MIGRATIONS[version])
    db.execute(f"PRAGMA user_version = {schema.VERSION}")


def _refuse_beside_jobs(path: Path, jobs: Path) -> None:
    """A database that is not there, beside files of jobs, was lost or is not restored yet: a new one would know none of them."""
    found = sum(not path.name.startswith(".") for path in jobs.iterdir()) if jobs.is_dir() else 0
    if found:
        lost = f"{path} is missing or empty, but {jobs} holds the files of {found} jobs"
        raise Unreadable(f"{lost}; restore the database from a backup, or move {jobs} away to begin with no jobs")


def _unreadable(path: Path, error: sqlite3.DatabaseError) -> Exception:
    """A database that is damaged; what is wrong with the disk or with a lock stays what it is."""
    if isinstance(error, sqlite3.OperationalError):
        return error
    return Unreadable(
        f"{path} is no database of thalweg, or is damaged ({error}); restore it from a backup, or use another folder"
    )


def _marks(values: Collection[Any]) -> str:
    return ", ".join("?" * len(values))
