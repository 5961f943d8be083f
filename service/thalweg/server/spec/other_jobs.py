"""What a job takes from another one's end: looked up when it is submitted, and kept in its own spec.

    start = { job = { id = "5e1f…", replica = 2 } }    →    start = { values = { angles = […], job = "5e1f…", replica = 2 } }
    deflation = [{ job = "5e1f…" }]                    →    deflation = [{ angles = […], job = "5e1f…" }]

So a job that was accepted is complete by itself, whatever becomes of the other, and says where it began.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import NamedTuple, cast
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from thalweg.server.errors import NotFound
from thalweg.server.spec import catalog
from thalweg.server.store.records import ENDED, JobRow
from thalweg.server.store.store import Store
from thalweg.v1 import jobs_pb2
from thalweg_core.errors import BadInput
from thalweg_core.method import Goal, Method

_ENDS = "final.npz"


def mentioned(spec: jobs_pb2.JobSpec) -> list[str]:
    """The ids of the jobs from whose ends a spec was given something."""
    vqe = spec.problem.vqe
    return [job for job in (vqe.start.values.job, *(lower.job for lower in vqe.deflation)) if job]


class End(NamedTuple):
    """Where a job ended."""

    angles: list[float]  # rad
    replica: int


def looked_up(store: Store, spec: jobs_pb2.JobSpec) -> jobs_pb2.JobSpec:
    """The same spec with the angles of other jobs in place of their ids.

    Raises:
        BadInput: there is no such job, or it has no angles to give.
    """
    if not spec.problem.HasField("vqe"):
        return spec
    out = jobs_pb2.JobSpec()
    out.CopyFrom(spec)
    vqe = out.problem.vqe
    if vqe.start.HasField("job"):
        asked = spec.problem.vqe.start.job
        try:
            found = end(store, asked.id, asked.replica if asked.HasField("replica") else None)
        except BadInput as bad:
            raise bad.under("problem.vqe.start.job") from None
        vqe.start.values.angles.extend(found.angles)
        vqe.start.values.job, vqe.start.values.replica = asked.id, found.replica
    for number, lower in enumerate(vqe.deflation):
        if lower.HasField("job") and not lower.angles:
            try:
                lower.angles.extend(end(store, lower.job).angles)
            except BadInput as bad:
                raise BadInput(f"problem.vqe.deflation[{number}].job", bad.sentence) from None
    return out


def end(store: Store, job: str, replica: int | None = None) -> End:
    """Where a replica of a VQE job ended: the one with the lowest energy, measured anew, if none is named.

    Raises:
        BadInput: of the fields id and replica.
    """
    row = _row(store, job)
    kept = _kept(store, row)
    ends, energies = kept["x"], kept["value"]
    if replica is None:
        replica = int(np.argmin(np.where(np.isfinite(energies), energies, np.inf)))
    elif replica >= len(ends):
        raise BadInput("replica", f"job {job} has {len(ends)} replicas, 0 to {len(ends) - 1}; got {replica}")
    return End(ends[replica].astype(float).tolist(), replica)


def _row(store: Store, job: str) -> JobRow:
    """The row of a job that ended with a result."""
    try:
        row = store.job(job)
    except NotFound:
        near = get_close_matches(job, store.ids(), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else "; `thalweg jobs list` shows what there is"
        raise BadInput("id", f'there is no job "{job[:60]}" here{hint}') from None
    if row.kind != "vqe":
        raise BadInput("id", f"job {job} is a {row.kind}, and has no angles; wanted a job of problem.vqe")
    if row.state not in ENDED:
        raise BadInput("id", f"job {job} is {row.state.name}; wait for its end: thalweg jobs watch {job}")
    if row.result is None:
        raise BadInput("id", f"job {job} ended without a result: it {row.state.name}: {row.outcome}")
    return row


def _kept(store: Store, row: JobRow) -> dict[str, NDArray[np.float64]]:
    """The ends of all replicas, (B, P) angles and (B,) energies."""
    spec = jobs_pb2.JobSpec.FromString(row.spec)
    method = spec.method.WhichOneof("kind") or ""
    if cast(Method, catalog.load(catalog.METHODS[method].where)).goal is Goal.DRAWS:
        raise BadInput("id", f"job {row.id} sampled (method.{method}): its chains end anywhere; wanted a job that went downhill")
    if spec.problem.vqe.ansatz.HasField("adapt"):
        grown = "and this one is not grown: its angles belong to other operators"
        raise BadInput("id", f"job {row.id} grew a circuit of its own (ansatz.adapt), {grown}")
    try:
        path = store.job_folder(row.id) / store.artifact(row.id, _ENDS).path
        with np.load(path, allow_pickle=False) as kept:
            return {"x": kept["x"], "value": kept["value"]}
    except (NotFound, OSError, KeyError, ValueError, BadZipFile):
        raise BadInput("id", f"the files of job {row.id} are gone, or cannot be read") from None
