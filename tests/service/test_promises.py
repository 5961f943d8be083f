"""What was acknowledged is on disk: no kill -9 of the server, wherever it falls in a commit, loses or doubles a job."""

from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from thalweg.server.store.records import NewJob, State
from thalweg.server.store.store import Store
from thalweg.v1 import jobs_pb2

from .conftest import until

SERVER = """
import os, signal, sys, threading
from pathlib import Path
from thalweg.server.store import writer
from thalweg.server.store.records import NewJob
from thalweg.server.store.store import Store

place, after, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
commits, transaction = 0, writer._transaction

class Falling:
    # A connection whose process dies at one place of one commit.
    def __init__(self, db):
        self._db = db
    def __getattr__(self, name):
        return getattr(self._db, name)
    def execute(self, sql, *values):
        if sql == 'COMMIT' and place == 'before commit' and commits == after:
            print('fell', place, file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        done = self._db.execute(sql, *values)
        if sql == 'COMMIT' and place == 'before acknowledgement' and commits == after:
            print('fell', place, file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return done

def counted(db, changes):
    global commits
    commits += 1
    return transaction(Falling(db), changes)

writer._transaction = counted
store = Store(folder)

def client(number):
    for i in range(50):
        request = f'{number}-{i}'
        row = store.submit(NewJob(request, request.encode(), 'density')).result()
        os.write(1, f'{request} {row.id}\\n'.encode())

threads = [threading.Thread(target=client, args=[n]) for n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@pytest.mark.parametrize("place", ["before commit", "before acknowledgement"])
@pytest.mark.parametrize("after", [1, 3, 10])
def test_what_was_acknowledged_survives_a_server_killed_in_a_commit(tmp_path: Path, place: str, after: int) -> None:
    command = [sys.executable, "-c", SERVER, place, str(after), str(tmp_path)]
    fallen = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert fallen.stderr == f"fell {place}\n"  # it died where it was meant to
    assert fallen.returncode == -9
    acknowledged = dict(line.split() for line in fallen.stdout.splitlines())
    store = Store(tmp_path)
    try:
        for request, job in acknowledged.items():
            row = store.by_request(request)
            assert row is not None
            assert (row.id, row.state, row.last_event) == (job, State.QUEUED, 1)
            assert len(store.events(job, 0)) == 1
        again = {request: store.submit(NewJob(request, request.encode(), "density")).result().id for request in acknowledged}
        assert again == acknowledged
        integrity = store.writer.write(lambda db: db.execute("PRAGMA integrity_check").fetchone()[0]).result()
        assert integrity == "ok"
        orphans = store.writer.write(
            lambda db: db.execute("SELECT count(*) FROM jobs WHERE id NOT IN (SELECT job FROM events)").fetchone()[0]
        ).result()
        assert orphans == 0
    finally:
        store.close()


def test_acknowledged_jobs_survive_a_killed_server_and_run_after_its_restart(own_service, sampling) -> None:  # type: ignore[no-untyped-def]
    service = own_service()
    service.submit(sampling(), check=True)  # everything is loaded
    acknowledged: dict[str, str] = {}

    def client() -> None:
        while True:
            request = str(uuid.uuid4())
            try:
                acknowledged[request] = service.submit(sampling(steps=4, warmup=4), request).id
            except Exception:
                return

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: len(acknowledged) >= 20, 30)
    service.kill()
    for thread in threads:
        thread.join()
    service.start()
    for request, job in acknowledged.items():
        row = service.store.by_request(request)
        assert row is not None
        assert row.id == job
        assert service.ended(job).state is State.SUCCEEDED


def test_a_watch_over_a_killed_server_sees_every_number_once(own_service, sampling) -> None:  # type: ignore[no-untyped-def]
    service = own_service()
    job = service.submit(sampling(steps=2000))
    numbers: list[int] = []
    for response in service.jobs.WatchJob(jobs_pb2.WatchJobRequest(id=job.id)):
        numbers.append(response.event.number)
        if response.event.progress.phase == "walk":
            break
    service.kill()
    service.start()
    numbers += [event.number for event in service.events(job.id, after=numbers[-1])]
    assert numbers == list(range(1, service.job(job.id).last_event + 1))
