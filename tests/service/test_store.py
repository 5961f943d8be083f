"""The store: what is acknowledged stays, what is guarded does not change, what waits together is committed together."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from thalweg.server.errors import AlreadyExists, FencedOff, NotFound, NotReady, Unreadable
from thalweg.server.store import attempts, schema, writer
from thalweg.server.store.attempts import Attempt
from thalweg.server.store.records import AT_WORK, ENDED, MOVES, JobRow, NewJob, State, WorkRow
from thalweg.server.store.store import Filter, Store, move
from thalweg.server.store.sweep import sweep
from thalweg.v1 import jobs_pb2


def new(request_id: str = "", spec: bytes = b"", kind: str = "density.gaussian", **labels: str) -> NewJob:
    return NewJob(request_id, spec, kind, labels)


def begun(store: Store, request_id: str = "") -> tuple[JobRow, Attempt]:
    """A job that runs, and the attempt that runs it."""
    job = store.submit(new(request_id)).result()
    claimed = attempts.claim(store, job).result()
    assert claimed is not None
    attempt = Attempt(store, job.id, claimed.attempt)
    return attempt.begin(1, "mark"), attempt


def states(store: Store, job: str) -> list[int]:
    events = [jobs_pb2.JobEvent.FromString(event.body) for event in store.events(job, 0)]
    return [event.state_change.state for event in events if event.WhichOneof("kind") == "state_change"]


def test_fifty_threads_with_one_request_id_make_one_job(store: Store) -> None:
    gate, ids = threading.Barrier(50), []

    def submit() -> None:
        gate.wait()
        ids.append(store.submit(new("the same")).result().id)

    threads = [threading.Thread(target=submit) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 50
    assert len(set(ids)) == 1
    assert store.ids() == set(ids)
    assert len(store.events(ids[0], 0)) == 1


def test_a_request_id_with_another_spec_is_refused_and_leaves_nothing(store: Store) -> None:
    first = store.submit(new("r", b"one")).result()
    with pytest.raises(AlreadyExists, match=first.id):
        store.submit(new("r", b"two")).result()
    assert store.ids() == {first.id}


def test_submissions_without_a_request_id_are_all_different(store: Store) -> None:
    assert store.submit(new()).result().id != store.submit(new()).result().id


def test_what_waits_together_is_committed_together(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    commits: list[int] = []
    transaction = writer._transaction

    def counted(db: sqlite3.Connection, changes: list[writer.Change]) -> object:
        commits.append(len(changes))
        return transaction(db, changes)

    monkeypatch.setattr(writer, "_transaction", counted)
    held, release = threading.Event(), threading.Event()

    def hold(db: sqlite3.Connection) -> None:
        held.set()
        release.wait(10)

    blocker = store.writer.write(hold)
    assert held.wait(10)
    futures = [store.submit(new(str(i))) for i in range(40)]
    release.set()
    blocker.result()
    assert len({future.result().id for future in futures}) == 40
    assert commits == [1, 40]


def test_a_change_that_fails_leaves_its_neighbours_in_the_group_alone(store: Store) -> None:
    held, release = threading.Event(), threading.Event()
    blocker = store.writer.write(lambda db: (held.set(), release.wait(10)))
    assert held.wait(10)
    before = store.submit(new("before"))
    broken = store.writer.write(lambda db: db.execute("INSERT INTO jobs (id) VALUES ('half')"))
    after = store.submit(new("after"))
    release.set()
    blocker.result()
    with pytest.raises(sqlite3.IntegrityError):
        broken.result()
    assert store.ids() == {before.result().id, after.result().id}


def test_a_group_that_cannot_be_committed_is_acknowledged_to_nobody(store: Store) -> None:
    def unwritable(db: sqlite3.Connection) -> None:
        db.execute("PRAGMA query_only = 1")

    store.writer.write(unwritable).result()
    with pytest.raises(sqlite3.OperationalError):
        store.submit(new()).result()
    assert store.ids() == set()


def test_every_commit_is_synced_to_disk(store: Store) -> None:
    def settings(db: sqlite3.Connection) -> tuple[str, int]:
        return db.execute("PRAGMA journal_mode").fetchone()[0], db.execute("PRAGMA synchronous").fetchone()[0]

    assert store.writer.write(settings).result() == ("wal", 2)  # 2 is FULL


def test_every_state_has_its_event_in_order(store: Store) -> None:
    job, attempt = begun(store)
    attempt.finish(State.SUCCEEDED, "done", b"")
    assert states(store, job.id) == [State.QUEUED, State.STARTING, State.RUNNING, State.SUCCEEDED]
    assert [event.number for event in store.events(job.id, 0)] == [1, 2, 3, 4]
    assert store.job(job.id).last_event == 4


@pytest.mark.parametrize("source", State)
@pytest.mark.parametrize("target", State)
def test_only_the_moves_in_the_table_are_made(store: Store, source: State, target: State) -> None:
    job = store.submit(new()).result()
    store.writer.write(lambda db: db.execute("UPDATE jobs SET state = ? WHERE id = ?", [source, job.id])).result()
    row = store.job(job.id)
    if target in MOVES[source]:
        moved = store.writer.write(lambda db: move(db, row, target, "")).result()
        assert moved is not None
        assert moved.state is target
    else:
        with pytest.raises(ValueError, match="cannot go"):
            store.writer.write(lambda db: move(db, row, target, "")).result()
        assert store.job(job.id) == row


def test_a_state_that_ended_is_never_left() -> None:
    assert all(not MOVES[state] for state in ENDED)


WRITES: list[Callable[[Attempt], object]] = [
    lambda a: a.begin(2, "other"),
    lambda a: a.renew(),
    lambda a: a.report(jobs_pb2.Progress(step=9)).result(),
    lambda a: a.log("info", "late").result(),
    lambda a: a.keep("walk", 9, "late", None).result(),
    lambda a: a.describe(b"late").result(),
    lambda a: a.forget(1).result(),
    lambda a: a.finish(State.FAILED, "late"),
    lambda a: a.finish(State.SUCCEEDED, "late", b"late"),
    lambda a: a.wanted(),
]


def everything(store: Store) -> list[list[tuple[object, ...]]]:
    tables = ("jobs", "events", "checkpoints", "artifacts")
    return store.writer.write(lambda db: [db.execute(f"SELECT * FROM {table}").fetchall() for table in tables]).result()


@pytest.mark.parametrize("write", WRITES)
def test_a_zombie_writes_nothing_while_its_successor_works(store: Store, write: Callable[[Attempt], object]) -> None:
    job, zombie = begun(store)
    lost = attempts.lose(store, store.job(job.id), "silent").result()
    assert lost is not None
    assert lost.state is State.QUEUED
    before = everything(store)
    with pytest.raises(FencedOff):
        write(zombie)  # between the two attempts
    assert everything(store) == before
    claimed = attempts.claim(store, lost).result()
    assert claimed is not None
    Attempt(store, job.id, claimed.attempt).begin(3, "successor")
    before = everything(store)
    with pytest.raises(FencedOff):
        write(zombie)
    assert everything(store) == before


@pytest.mark.parametrize("write", WRITES)
def test_nothing_is_written_after_the_end(store: Store, write: Callable[[Attempt], object]) -> None:
    _, attempt = begun(store)
    attempt.finish(State.SUCCEEDED, "done", b"result")
    before = everything(store)
    with pytest.raises(FencedOff):
        write(attempt)
    assert everything(store) == before


def test_a_beat_that_comes_just_before_the_verdict_keeps_the_lease(store: Store) -> None:
    job, attempt = begun(store)
    stale = store.job(job.id)
    attempt.renew()
    assert attempts.lose(store, stale, "silent").result() is None
    assert store.job(job.id).state is State.RUNNING


def test_a_job_whose_workers_all_die_fails_in_the_end(store: Store) -> None:
    job = store.submit(new()).result()
    for number in range(1, attempts.MOST_LOSSES + 1):
        claimed = attempts.claim(store, store.job(job.id)).result()
        assert claimed is not None
        assert claimed.attempt == number
        attempts.lose(store, claimed, "the worker was killed by SIGKILL").result()
    row = store.job(job.id)
    assert row.state is State.FAILED
    assert "SIGKILL" in row.outcome


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_job_is_not_given_up_for_what_is_not_its_fault(store: Store, checkpoint: bool) -> None:
    job = store.submit(new()).result()
    for number in range(1, 3 * attempts.MOST_LOSSES):
        claimed = attempts.claim(store, store.job(job.id)).result()
        assert claimed is not None
        if checkpoint:  # it gets further with every attempt
            attempt = Attempt(store, job.id, number)
            attempt.begin(1, "")
            attempt.keep("walk", number, "path", None).result()
            lost = attempts.lose(store, store.job(job.id), "preempted").result()
        else:  # what the machine did
            lost = attempts.lose(store, claimed, "the disk is full", counts=False).result()
        assert lost is not None
        assert lost.state is State.QUEUED


def test_a_job_lost_while_it_was_cancelled_is_not_run_again(store: Store) -> None:
    job, _ = begun(store)
    assert store.cancel(job.id).result().state is State.CANCELLING
    lost = attempts.lose(store, store.job(job.id), "the worker is gone").result()
    assert lost is not None
    assert lost.state is State.CANCELLED


def test_two_who_claim_the_same_job_get_it_once(store: Store) -> None:
    job = store.submit(new()).result()
    claims = [attempts.claim(store, job), attempts.claim(store, job)]
    assert [claim.result() is None for claim in claims] == [False, True]


def test_cancelling_what_has_ended_changes_nothing(store: Store) -> None:
    job, attempt = begun(store)
    attempt.finish(State.SUCCEEDED, "done")
    before = everything(store)
    assert store.cancel(job.id).result().state is State.SUCCEEDED
    assert everything(store) == before


def test_only_an_ended_job_can_be_deleted_and_then_nothing_is_left(store: Store) -> None:
    job, attempt = begun(store, "request")
    attempt.keep("walk", 1, "path", None).result()
    with pytest.raises(NotReady, match="cancel it first"):
        store.delete(job.id).result()
    attempt.finish(State.SUCCEEDED, "done")
    store.delete(job.id).result()
    assert everything(store) == [[], [], [], []]
    with pytest.raises(NotFound):
        store.job(job.id)


def test_lists_go_newest_first_through_every_filter(store: Store) -> None:
    a = store.submit(new(kind="density.gaussian", team="red", run="1")).result()
    b = store.submit(new(kind="vqe", team="red")).result()
    c = store.submit(new(kind="density.double_well", team="blue")).result()
    store.cancel(b.id).result()

    def ids(**which: object) -> list[str]:
        return [row.id for row in store.jobs(Filter(**which), None, 10)]  # type: ignore[arg-type]

    assert ids() == [c.id, b.id, a.id]
    assert ids(kinds=("density",)) == [c.id, a.id]
    assert ids(kinds=("density.gaussian", "vqe")) == [b.id, a.id]
    assert ids(kinds=("dens",)) == []
    assert ids(states=(State.CANCELLED,)) == [b.id]
    assert ids(labels=(("team", "red"),)) == [b.id, a.id]
    assert ids(labels=(("team", "red"), ("run", "1"))) == [a.id]
    assert ids(states=(State.QUEUED,), kinds=("density",), labels=(("team", "blue"),)) == [c.id]
    assert [row.id for row in store.jobs(Filter(), b.number, 10)] == [a.id]
    assert [row.id for row in store.jobs(Filter(), None, 2)] == [c.id, b.id]


def test_another_process_sees_a_change_by_the_change_counter(store: Store) -> None:
    seen = store.version()
    assert store.version() == seen
    store.submit(new()).result()
    assert store.version() != seen


def test_every_state_is_queued_at_work_or_ended() -> None:
    assert {State.QUEUED} | AT_WORK | ENDED == set(State)


def test_a_store_that_is_missing_or_empty_beside_files_of_jobs_is_not_made_anew(tmp_path: Path) -> None:
    (tmp_path / "jobs" / "5e1f").mkdir(parents=True)
    for _ in range(2):
        with pytest.raises(
            Unreadable, match=r"thalweg.sqlite is missing or empty, but .*jobs holds the files of 1 jobs; restore"
        ):
            Store(tmp_path)
        assert (tmp_path / "jobs" / "5e1f").exists()
        (tmp_path / "thalweg.sqlite").write_bytes(b"")  # emptied
    (tmp_path / "thalweg.sqlite").unlink()
    with sqlite3.connect(tmp_path / "thalweg.sqlite") as db:  # a database without tables
        db.execute("PRAGMA user_version = 0")
    with pytest.raises(Unreadable, match="holds the files of 1 jobs"):
        Store(tmp_path)
    with sqlite3.connect(tmp_path / "thalweg.sqlite") as db:  # the same, of our version
        db.execute(f"PRAGMA user_version = {schema.VERSION}")
    with pytest.raises(Unreadable, match="holds the files of 1 jobs"):
        Store(tmp_path)


def test_workers_and_checkers_make_no_database(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        Store(tmp_path, make=False)
    assert not list(tmp_path.iterdir())
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        Store(tmp_path / "missing", make=False)


@pytest.mark.parametrize("version", [0, schema.VERSION])
def test_a_database_of_other_tables_is_left_alone(tmp_path: Path, version: int) -> None:
    with sqlite3.connect(tmp_path / "thalweg.sqlite") as db:
        db.execute("CREATE TABLE holidays (day TEXT)")
        db.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(Unreadable, match="holds other tables than ours"):
        Store(tmp_path)
    with sqlite3.connect(tmp_path / "thalweg.sqlite") as db:
        assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [("holidays",)]


def test_a_file_that_is_no_database_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "thalweg.sqlite").write_bytes(b"no database at all" * 1000)
    with pytest.raises(Unreadable, match="is no database of thalweg, or is damaged"):
        Store(tmp_path)
    assert (tmp_path / "thalweg.sqlite").read_bytes().startswith(b"no database")


def test_tables_of_the_version_before_are_brought_up_to_date_with_their_jobs(tmp_path: Path) -> None:
    store = Store(tmp_path)
    job = store.submit(new("kept")).result()
    store.close()
    with sqlite3.connect(tmp_path / "thalweg.sqlite") as db:
        db.execute("DROP TABLE deleted")
        db.execute("PRAGMA user_version = 2")
    store = Store(tmp_path)
    assert store.by_request("kept") == job
    store.cancel(job.id).result()
    store.delete(job.id).result()
    assert store.deleted() == {job.id}
    store.close()


@pytest.mark.parametrize("version", [1, schema.VERSION + 1])
def test_tables_of_a_version_that_we_do_not_know_are_left_alone(tmp_path: Path, version: int) -> None:
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / "thalweg.sqlite") as db:
        db.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(Unreadable, match="written by another version"):
        Store(tmp_path)


def test_only_folders_of_deleted_jobs_are_swept_away(store: Store) -> None:
    kept, deleted = store.submit(new()).result(), store.submit(new()).result()
    for name in (kept.id, deleted.id, "restored"):  # the last one is of a job newer than the backup of the database
        (store.job_folder(name) / "artifacts-001").mkdir(parents=True)
    store.cancel(deleted.id).result()
    store.delete(deleted.id).result()
    (store.folder / "jobs" / ".probe-17").mkdir()  # of a probe that was killed
    sweep(store)
    assert {path.name for path in (store.folder / "jobs").iterdir()} == {kept.id, "restored"}
    assert store.deleted() == set()


def test_unfinished_jobs_are_found_by_their_index_and_without_their_specifications(store: Store) -> None:
    seen: list[str] = []
    store._reader().set_trace_callback(seen.append)
    store.queued(10)
    store.at_work()
    store.any_unfinished()
    store._reader().set_trace_callback(None)
    plans = [row[-1] for query in seen for row in store._reader().execute(f"EXPLAIN QUERY PLAN {query}")]
    assert len(seen) == 3
    assert sum("INDEX jobs_unfinished" in step for step in plans) == 3
    assert not any(step.startswith("SCAN jobs") and "INDEX" not in step for step in plans)
    assert not {"spec", "result", "provenance", "labels"} & set(WorkRow._fields)


def test_a_list_takes_no_more_of_the_rows_than_there_is_room_for(store: Store) -> None:
    for number in range(20):
        store.submit(NewJob(str(number), bytes(2**20), "density")).result()
    rows = store.jobs(Filter(), None, 1000, room=3 * 2**20)
    assert [row.request_id for row in rows] == ["19", "18", "17"]


def test_a_job_that_has_ended_has_no_checkpoints(store: Store) -> None:
    job, attempt = begun(store)
    attempt.keep("walk", 1, "path", None).result()
    attempt.finish(State.SUCCEEDED, "done")
    assert store.checkpoints(job.id) == []
