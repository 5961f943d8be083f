"""One job laid out for the page: everything as text, nothing left to decide for HTML or Markdown."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from thalweg.report import verdict
from thalweg.report.arrays import Summary, summaries_of, worst_first
from thalweg.report.figures import pictures
from thalweg.report.record import Record
from thalweg.report.rounding import Quantity, count, plain, quantity
from thalweg.report.style import Picture
from thalweg.report.verdict import Fact
from thalweg.specs import to_toml
from thalweg.v1 import jobs_pb2
from thalweg.visible import visible

_DEAREST = ("shots", "gradients", "evaluations", "circuits", "seconds")
_MOST_ROWS = 12
"""Coordinates in the table of diagnostics: the worst ones; all of them stand in summary.json."""


class Diagnostic(NamedTuple):
    """A coordinate's row, as text."""

    name: str
    mean: Quantity
    sd: str
    ess_bulk: str
    ess_tail: str
    rhat: str


class Kept(NamedTuple):
    """A file that the job kept."""

    name: str
    size: str
    sha256: str
    description: str


class Section(NamedTuple):
    """A job on the page."""

    anchor: str
    title: str
    kind: str  # "vqe · adam"
    state: str
    well: bool  # whether it succeeded
    when: str
    verdict: str
    error: str  # the true error where the truth is known, for the comparison
    spent: str  # the cost in a few words, likewise
    value: Fact | None
    facts: list[Fact]
    outcome: str
    pictures: list[Picture]
    observables: list[Fact]
    diagnostics: list[Diagnostic]
    coordinates: int
    cost: list[tuple[str, str]]
    spender: str  # " by 4 replicas together"; empty where there is one
    stops: list[tuple[str, int]]
    spec: str
    provenance: list[tuple[str, str]]
    artifacts: list[Kept]


def section(record: Record, number: int) -> Section:
    """The job as the report's section of this number."""
    job = record.job
    rows = summaries_of(record)
    return Section(
        anchor=f"job-{number}",
        title=visible(job.spec.name) or job.id or f"Job {number}",
        kind=kind(job),
        state=verdict.state(job),
        well=verdict.ended_well(job),
        when=job.end_time.ToDatetime().strftime("%Y-%m-%d %H:%M UTC") if job.HasField("end_time") else "",
        verdict=verdict.sentence(record),
        error=next((str(fact.quantity) for fact in verdict.table(job) if fact.name == verdict.in_words("energy_error")), ""),
        spent=_briefly(job),
        value=verdict.value(record),
        facts=verdict.facts(job),
        outcome=_sentence(job.outcome),
        pictures=pictures(record),
        observables=verdict.table(job),
        diagnostics=[_diagnostic(rows[place]) for place in worst_first(rows)[:_MOST_ROWS]],
        coordinates=len(rows),
        cost=_costs(job),
        spender=f" by {job.spec.plan.replicas} replicas together" if job.spec.plan.replicas > 1 else "",
        stops=sorted(job.result.stops.items(), key=lambda item: -item[1]),
        spec=_spec(job),
        provenance=_provenance(job),
        artifacts=[Kept(a.name, _bytes(a.size), a.sha256, a.description) for a in job.result.artifacts],
    )


def _spec(job: jobs_pb2.Job) -> str:
    """The specification, whole but for texts as long as a file: those are cut."""
    long = re.compile(r'"(((?:[^"\\]|\\u....|\\.){60})(?:[^"\\]|\\.){2000,})"')  # an escape stays whole
    return long.sub(lambda found: f'"{found[2]}… ({len(found[1])} characters)"', to_toml(job.spec))


def kind(job: jobs_pb2.Job) -> str:
    """Problem and method: "density.logistic_regression · hmc"."""
    problem = job.spec.problem.WhichOneof("kind") or ""
    if problem == "density":
        problem = ".".join(filter(None, (problem, job.spec.problem.density.WhichOneof("kind"))))
    return " · ".join(filter(None, (problem, job.spec.method.WhichOneof("kind"))))


def _diagnostic(row: Summary) -> Diagnostic:
    def whole(size: float) -> str:
        return count(size) if math.isfinite(size) else "–"

    rhat = f"{row.rhat:.3f}" if math.isfinite(row.rhat) else "–"
    return Diagnostic(row.name, quantity(row.mean, row.mcse), plain(row.sd, 3), whole(row.ess_bulk), whole(row.ess_tail), rhat)


def _sentence(outcome: str) -> str:
    """With a capital and a full stop; the path of a field, which is case-sensitive, keeps its small letters."""
    start = outcome[:1] if re.match(r"[a-z_]+\.[a-z]", outcome) else outcome[:1].upper()
    return f"{start}{visible(outcome[1:]).rstrip('.')}." if outcome else ""


def _spent(name: str, spent: float) -> str:
    return f"{plain(spent, 3)} s" if name == "seconds" or name.endswith("_seconds") else count(spent)


def _costs(job: jobs_pb2.Job) -> list[tuple[str, str]]:
    """What was spent, the dearest kind first; what was not is left out."""
    cost = {name: spent for name, spent in job.result.cost.items() if spent != 0}
    return [
        (name, _spent(name, cost[name])) for name in (*(n for n in _DEAREST if n in cost), *sorted(set(cost) - set(_DEAREST)))
    ]


def _briefly(job: jobs_pb2.Job) -> str:
    """The dearest kind of cost and the time: "1 320 000 shots, 12.3 s"."""
    cost = job.result.cost
    largest_cost = next((f"{count(cost[name])} {name}" for name in _DEAREST[:3] if cost.get(name, 0) > 0), "")
    return ", ".join(filter(None, (largest_cost, _spent("seconds", cost["seconds"]) if "seconds" in cost else "")))


def _bytes(size: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{plain(size / scale, 3)} {unit}"
    return f"{size} B"


def _provenance(job: jobs_pb2.Job) -> list[tuple[str, str]]:
    if not job.HasField("provenance"):
        return [("job", job.id)] if job.id else []
    origin = job.provenance
    rows = [
        ("job", job.id),
        ("thalweg", " ".join(filter(None, (origin.version, origin.revision and f"({origin.revision[:12]})")))),
        ("method", origin.method),
        ("seed", str(origin.seed)),
        ("spec SHA-256", origin.spec_sha256),
        ("packages", ", ".join(f"{name} {version}" for name, version in sorted(origin.packages.items()))),
        ("Python", origin.python),
        ("platform", origin.platform),
        ("processor", origin.processor),
        ("device", origin.device),
        ("threads", str(origin.threads) if origin.threads else ""),
        ("batch width", str(origin.batch_width) if origin.batch_width else ""),
        ("began from", ", ".join(f"the end of job {job}" for job in origin.other_jobs)),
        ("attempts", str(origin.attempts) if origin.attempts else ""),
    ]
    return [(name, text) for name, text in rows if text]
