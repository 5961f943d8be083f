"""One attempt at one job, from its row in the store to its end. This process knows nothing of gRPC.

python -m thalweg.server.worker DIR JOB ATTEMPT        what the fork server does without starting a new interpreter
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from pathlib import Path

import torch

from thalweg.server import machine
from thalweg.server.artifacts import Shelf
from thalweg.server.attempts import Attempt
from thalweg.server.blueprint import Blueprint, read
from thalweg.server.errors import FencedOff
from thalweg.server.keeper import Keeper
from thalweg.server.notices import told
from thalweg.server.other_jobs import mentioned
from thalweg.server.provenance import provenance
from thalweg.server.pulse import FENCED_OFF, Pulse
from thalweg.server.records import JobRow, State
from thalweg.server.results import Ending, bring_home
from thalweg.server.settings import lease_seconds
from thalweg.server.store import Store
from thalweg.server.walking import Walker, under
from thalweg.v1 import jobs_pb2
from thalweg_core.errors import BadInput

_log = logging.getLogger(__name__)


def main(folder: Path, job: str, number: int) -> int:
    """Work; the exit status is 0 once the store knows how the job ended."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True)
    store = Store(folder)
    attempt = Attempt(store, job, number)
    try:
        row = attempt.begin(os.getpid(), machine.mark(os.getpid()) or "")
        _end(attempt, row, folder)
    except FencedOff as fenced:
        _log.warning("%s; this worker ends without a trace", fenced)
        return FENCED_OFF
    store.close()
    return 0


def _end(attempt: Attempt, row: JobRow, folder: Path) -> None:
    if row.state is State.CANCELLING:
        attempt.finish(State.CANCELLED, "cancelled before it started")
        return
    pulse = Pulse(attempt, lease_seconds())
    pulse.start()
    shelf = Shelf(attempt.store.job_folder(row.id), attempt.number)
    with told(attempt):
        ending = _work(attempt, row, pulse, shelf, folder)
    pulse.stop()
    result = None if ending.result is None else ending.result.SerializeToString()
    attempt.finish(ending.state, ending.outcome, result, shelf.rows)
    _log.info("%s: %s", ending.state.name, ending.outcome)


def _work(attempt: Attempt, row: JobRow, pulse: Pulse, shelf: Shelf, folder: Path) -> Ending:
    """The ending of the job, whatever happens; only a worker that was fenced off does not get that far."""
    try:
        return _walk(attempt, row, pulse, shelf)
    except FencedOff:
        raise
    except BadInput as bad:
        return Ending(State.FAILED, str(bad), None)
    except Exception as error:
        traceback.print_exc()
        attempt.log("error", f"the traceback is in {folder / 'jobs' / row.id / f'attempt-{attempt.number}.log'}")
        return Ending(State.FAILED, _sentence(error), None)


def _walk(attempt: Attempt, row: JobRow, pulse: Pulse, shelf: Shelf) -> Ending:
    spec = jobs_pb2.JobSpec.FromString(row.spec)
    blueprint = read(spec)
    torch.set_num_threads(blueprint.plan.cpus)
    with under(f"problem.{blueprint.problem_name}"):
        traits = blueprint.problem.traits()
    walker = Walker(blueprint, traits, Keeper(attempt, blueprint.plan.checkpoint_every, blueprint.plan.device), pulse)
    _describe(attempt, spec, blueprint, repr(blueprint.kernel), walker.landscape.width)
    walked = walker.walked()
    _describe(attempt, spec, blueprint, repr(walked.kernel), walked.landscape.width)
    return bring_home(blueprint, traits, walked, shelf)


def _describe(attempt: Attempt, spec: jobs_pb2.JobSpec, blueprint: Blueprint, method: str, width: int) -> None:
    where_from = provenance(blueprint, attempt.number, method, width, mentioned(spec))
    attempt.describe(where_from.SerializeToString()).result()


def _sentence(error: Exception) -> str:
    """An error of ours, in one line for somebody who cannot mend it."""
    if isinstance(error, MemoryError):
        return "this machine ran out of memory; ask for fewer replicas, fewer steps, or a smaller problem"
    words = " ".join(str(error).split())[:300]
    return (
        f"the worker met an error of its own: {type(error).__name__}: {words}"
        if words
        else f"the worker met {type(error).__name__}"
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
