"""Which figures a job gets: told by what it brought home, never by what kind of problem it is."""

from __future__ import annotations

from thalweg.report import arrays, descent, draws, magnets
from thalweg.report.record import Record, has
from thalweg.report.style import Picture


def pictures(record: Record) -> list[Picture]:
    """The figures of a job in the order of reading; empty where it brought home no arrays."""
    trace, final, chains = arrays.trace_of(record), arrays.final_of(record), arrays.draws_of(record)
    if chains is not None:
        summaries = arrays.summaries_of(record)
        found = [
            draws.plane(chains, summaries),
            draws.worst_coordinates(chains, summaries),
            draws.forest(chains, summaries),
            draws.energies(trace, record.job.result.unit) if trace is not None else None,
        ]
    else:
        found = [
            magnets.pictures(record, final),
            descent.descent(record.job, trace, final, torque=has(record, "before.png")) if trace is not None else None,
        ]
    return [picture for picture in found if picture is not None]
