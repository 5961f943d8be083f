"""The summary of a run as a table."""

from __future__ import annotations

from collections.abc import Iterator

from .faults import BOTH, FAULTS
from .record import Record

NO_DISK = "DISK FILLING WAS NOT EXERCISED: no file system can be mounted here"


def table(record: Record, without: frozenset[str], disk: bool) -> str:
    lines = ["", *_faults(record, without), *_jobs(record), *_probe(record), *_durations(record)]
    if not disk:
        lines.append(NO_DISK)
    lines += ["", f"{len(record.failures)} failures" if record.failures else "no failure"]
    return "\n".join([*lines, *(f"  {failure}" for failure in record.failures)])


def _faults(record: Record, without: frozenset[str]) -> Iterator[str]:
    yield "fault                                                how often"
    for name, fault in FAULTS.items():
        for counter in fault.counters:
            yield _row(counter, "left out" if name in without else str(record.counts[counter]))
    yield _row(BOTH, str(record.counts[BOTH]))
    yield _row("thawed", str(record.counts["thawed"]))
    yield _row("server start refused, then tried again", str(record.counts["server start refused"]))
    for what in ("disk full", "no inode free"):
        yield _row(what, f"{record.seconds.get(what, 0.0):.1f} s")


def _jobs(record: Record) -> Iterator[str]:
    names = ["jobs acknowledged", "jobs in the store", "jobs ended", "jobs identical", "jobs that wait and say why"]
    for name in [*names, "jobs followed to their end by a client"]:
        yield _row(name, str(record.counts[name]))


def _probe(record: Record) -> Iterator[str]:
    for kind in ("answered", "refused", "suspended", "hung", "wrong"):
        slowest = record.slowest.get(f"probe {kind}")
        yield _row(f"probe {kind}", f"{record.counts[f'probe {kind}']}" + (f", slowest {slowest:.2f} s" if slowest else ""))
    for what in sorted(record.counts):
        if what.startswith(("probe refused:", "client met")):
            yield _row(f"  {what}", str(record.counts[what]))


def _durations(record: Record) -> Iterator[str]:
    for what in ("server start", "server end after SIGTERM", "first submission after the chaos"):
        if what in record.slowest:
            yield _row(f"{what}, slowest", f"{record.slowest[what]:.2f} s")


def _row(what: str, value: str) -> str:
    return f"{what:<52} {value}"
