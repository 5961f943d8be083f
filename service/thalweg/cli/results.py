"""The result of a job on the screen: each number with its error, beside the truth where that is known."""

from __future__ import annotations

from pathlib import Path

from thalweg.cli.follow import COLOURS
from thalweg.cli.screen import Screen
from thalweg.client import State
from thalweg.client.wording import ERROR_DIGITS, measured, observed, spent
from thalweg.v1 import jobs_pb2, results_pb2

COLUMNS = ("quantity", "result", "truth", "result − truth")
TRUTH = "exact_"  # the observable "exact_X" is the truth of "X"; the job's own value goes by the name "energy"


def show_result(job: jobs_pb2.Job, screen: Screen, where: str = "") -> None:
    """State, outcome, numbers, what was spent, where the files are (`where`)."""
    state = State.of(job.state)
    screen.line(": ".join(filter(None, [job.spec.name or job.id, state.lower(), job.outcome])), COLOURS.get(state, "blue"))
    if job.HasField("result"):
        numbers = rows(job.result)
        width = len(COLUMNS) if any(truth for _, _, truth, _ in numbers) else 2
        screen.table(COLUMNS[:width], [row[:width] for row in numbers], headed=True)
        for sentence, replicas in sorted(job.result.stops.items()):
            screen.line(f"stopped    {sentence} ({replicas} {'replica' if replicas == 1 else 'replicas'})")
        screen.line(f"spent      {spent(job.result.cost, job.spec.plan.replicas)}")
    if where:
        screen.line(f"artifacts  {where}")


def rows(result: results_pb2.Result) -> list[tuple[str, str, str, str]]:
    """Quantity, result, truth, difference; truths have no row of their own."""
    own = results_pb2.Observable(value=result.value, standard_error=result.standard_error, unit=result.unit)
    known = {"energy": own, **dict(sorted(result.observables.items()))}
    beside = {name for name in known if name.startswith(TRUTH) and name.removeprefix(TRUTH) in known}
    return [_row(name, one, known.get(TRUTH + name)) for name, one in known.items() if name not in beside]


def _row(name: str, one: results_pb2.Observable, truth: results_pb2.Observable | None) -> tuple[str, str, str, str]:
    result = observed(name, one)
    if truth is None:
        return name, result, "", ""
    error = (one.standard_error**2 + truth.standard_error**2) ** 0.5
    difference = measured(one.value - truth.value, error, one.unit, ERROR_DIGITS)
    return name, result, observed(name, truth), difference


def files(job: jobs_pb2.Job, folder: Path | None, fetch: str) -> str:
    """Where the files are: in a folder, or the command that fetches them."""
    count = len(job.result.artifacts)
    if not count:
        return ""
    many = "1 file" if count == 1 else f"{count} files"
    return f"{many} in {folder}" if folder else f"{many} in the service; {fetch} fetches them"
