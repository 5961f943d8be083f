"""One attempt at one job, from its row in the store to its end. This process knows nothing of gRPC.

python -m thalweg.server.executor.worker DIR JOB ATTEMPT        what the fork server does without starting a new interpreter
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sqlite3
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import torch

from thalweg import processes
from thalweg.server import machine
from thalweg.server.errors import FencedOff
from thalweg.server.executor.trouble import Trouble, trouble_of
from thalweg.server.job.artifacts import ArtifactWriter
from thalweg.server.job.checkpoints import Checkpoints
from thalweg.server.job.heartbeat import FENCED_OFF, Heartbeat
from thalweg.server.job.notices import forward_logs
from thalweg.server.job.provenance import provenance
from thalweg.server.job.results import Ending, finish
from thalweg.server.job.walking import Walker, under
from thalweg.server.limits import limit_data, limit_memory, limited, out_of_memory
from thalweg.server.settings import lease_seconds
from thalweg.server.spec.describe import fitting_methods
from thalweg.server.spec.other_jobs import mentioned
from thalweg.server.spec.parsed_job import ParsedJob, read
from thalweg.server.store.attempts import Attempt
from thalweg.server.store.records import WORK, JobRow, State
from thalweg.server.store.store import Store
from thalweg.server.store.sweep import discard
from thalweg.server.store.writer import settled
from thalweg.v1 import jobs_pb2
from thalweg_core.errors import BadInput
from thalweg_core.problem import require

_log = logging.getLogger(__name__)

_SPARE = 2**29  # bytes that a machine has left whose memory is not at an end (arbitrary)
_TOLD_WITHIN = 5.0  # s; what cannot be told about the machine's trouble in the job's log stands in the attempt's


def main(folder: Path, job: str, number: int) -> int:
    """Work; the exit status is 0 once the store knows how the job ended, else how the machine kept it from ending."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True)
    os.umask(0o077)
    try:
        return _attempt(folder, job, number)
    except FencedOff as fenced:
        _log.warning("%s; this worker ends without a trace", fenced)
        return FENCED_OFF
    except (OSError, MemoryError, sqlite3.Error) as error:
        _log.exception("the machine is in trouble; the job is left to another worker")
        return int(trouble_of(error) or 1)


def _attempt(folder: Path, job: str, number: int) -> int:
    store = Store(folder, make=False)
    attempt = Attempt(store, job, number)
    row = attempt.begin(os.getpid(), processes.mark(os.getpid()) or "")
    with _place_of_its_own(store.job_folder(job)):
        _end(attempt, row, folder)
    discard(store, job)
    store.close()
    return 0


@contextlib.contextmanager
def _place_of_its_own(job_folder: Path) -> Iterator[None]:
    """Meanwhile the working directory is an empty one: no name in a specification is a file there, and what libraries leave
    behind goes with it."""
    here, place = Path.cwd(), job_folder / f"{WORK}{os.getpid()}"
    place.mkdir(parents=True, exist_ok=True)
    os.chdir(place)
    try:
        yield
    finally:
        os.chdir(here)
        shutil.rmtree(place, ignore_errors=True)


def _end(attempt: Attempt, row: JobRow, folder: Path) -> None:
    if row.state is State.CANCELLING:
        attempt.finish(State.CANCELLED, "cancelled before it started")
        return
    heartbeat = Heartbeat(attempt, lease_seconds())
    heartbeat.start()
    artifact_writer = ArtifactWriter(attempt.store.job_folder(row.id), attempt.number)
    with forward_logs(attempt):
        ending = _work(attempt, row, heartbeat, artifact_writer, folder)
    heartbeat.stop()
    result = None if ending.result is None else ending.result.SerializeToString()
    attempt.finish(ending.state, ending.outcome, result, artifact_writer.rows)
    _log.info("%s: %s", ending.state.name, ending.outcome)


def _work(attempt: Attempt, row: JobRow, heartbeat: Heartbeat, artifact_writer: ArtifactWriter, folder: Path) -> Ending:
    """The ending of the job, whatever happens; only a worker that was fenced off, or a machine in trouble, gets there later."""
    try:
        return _walk(attempt, row, heartbeat, artifact_writer)
    except FencedOff:
        raise
    except BadInput as bad:
        return Ending(State.FAILED, str(bad), None)
    except Exception as error:
        if out_of_memory(error):
            return _without_memory(attempt, row, error)
        if isinstance(error, (OSError, sqlite3.Error)):
            _tell(attempt, trouble_of(error) or Trouble.DISK, error)
            raise
        traceback.print_exc()
        attempt.log("error", f"the traceback is in {folder / 'jobs' / row.id / f'attempt-{attempt.number}.log'}")
        return Ending(State.FAILED, _sentence(error), None)


def _without_memory(attempt: Attempt, row: JobRow, error: Exception) -> Ending:
    """The job's own fault if it met its limit on a machine that has memory left; else the machine's, and raised."""
    own = limited() and (machine.free_memory() or 0) > _SPARE
    limit_data(None)
    traceback.print_exc()
    if own:
        sentence = (
            f"the job took far more memory than the {machine.size(row.memory)} that it was estimated to need;"
            " ask for fewer replicas, fewer steps, or a smaller problem"
        )
        return Ending(State.FAILED, sentence, None)
    _tell(attempt, Trouble.MEMORY, error)
    raise MemoryError(Trouble.MEMORY.sentence) from error


def _walk(attempt: Attempt, row: JobRow, heartbeat: Heartbeat, artifact_writer: ArtifactWriter) -> Ending:
    spec = jobs_pb2.JobSpec.FromString(row.spec)
    parsed_job = read(spec)
    torch.set_num_threads(parsed_job.plan.cpus)
    if parsed_job.plan.device != "cuda":
        limit_memory(row.memory)
    with under(f"problem.{parsed_job.problem_name}"):
        traits = parsed_job.problem.traits()
    if not traits.fits(parsed_job.method):  # where that showed too late to refuse the job at submission
        fitting = fitting_methods(traits, parsed_job.method.goal)
        require(parsed_job.method_name, parsed_job.method, parsed_job.problem_name, traits, fitting)
    walker = Walker(parsed_job, traits, Checkpoints(attempt, parsed_job.plan.checkpoint_every, parsed_job.plan.device), heartbeat)
    _describe(attempt, spec, parsed_job, repr(parsed_job.method), walker.landscape.width)
    walked = walker.walked()
    _describe(attempt, spec, parsed_job, repr(walked.method), walked.landscape.width)
    return finish(parsed_job, traits, walked, artifact_writer)


def _tell(attempt: Attempt, trouble: Trouble, error: Exception) -> None:
    """In the job's log, where that can still be written."""
    with contextlib.suppress(Exception):
        attempt.log("warning", f"{trouble.sentence} ({error}); the job waits for another worker").result(_TOLD_WITHIN)


def _describe(attempt: Attempt, spec: jobs_pb2.JobSpec, parsed_job: ParsedJob, method: str, width: int) -> None:
    where_from = provenance(parsed_job, attempt.number, method, width, mentioned(spec))
    settled(attempt.describe(where_from.SerializeToString()))


def _sentence(error: Exception) -> str:
    """An error of ours, in one line for somebody who cannot mend it."""
    words = " ".join(str(error).split())[:300]
    return (
        f"the worker met an error of its own: {type(error).__name__}: {words}"
        if words
        else f"the worker met {type(error).__name__}"
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
