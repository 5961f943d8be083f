"""Jobs and results in a notebook: small HTML, everything escaped."""

from __future__ import annotations

from html import escape

from thalweg.client.state import State
from thalweg.client.wording import fraction_done, measured, observed, progress_line, spent
from thalweg.v1 import jobs_pb2

COLOURS = {State.SUCCEEDED: "#2b8a3e", State.FAILED: "#c92a2a", State.CANCELLED: "#868e96"}
RUNNING = "#1864ab"


def job_page(job: jobs_pb2.Job) -> str:
    """Name, state, a bar and the value so far."""
    state = State.of(job.state)
    done = 1.0 if state is State.SUCCEEDED else fraction_done(job.progress) or 0.0
    colour = COLOURS.get(state, RUNNING)
    bar = (
        '<div style="background:#8884;border-radius:3px;height:6px;max-width:30em">'
        f'<div style="background:{colour};border-radius:3px;height:6px;width:{100 * done:.1f}%"></div></div>'
    )
    title = f"<b>{escape(job.spec.name or job.id)}</b> <span style='color:{colour}'>{state}</span>"
    standing = measured(job.result.value, job.result.standard_error, job.result.unit) if job.HasField("result") else ""
    line = standing or (progress_line(job.progress, job.spec.plan.replicas) if job.HasField("progress") else "")
    return f"<div>{title} <code>{escape(job.id)}</code>{bar}<div>{escape(line)}</div><div>{escape(job.outcome)}</div></div>"


def result_page(job: jobs_pb2.Job) -> str:
    """The value, every observable, what was spent, the files."""
    result = job.result
    rows = [("value", measured(result.value, result.standard_error, result.unit))]
    rows += [(name, observed(name, one)) for name, one in sorted(result.observables.items())]
    rows.append(("spent", spent(result.cost, job.spec.plan.replicas)))
    rows.append(("artifacts", ", ".join(artifact.name for artifact in result.artifacts)))
    cells = "".join(f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows)
    return f"<div><b>{escape(job.spec.name or job.id)}</b>: {escape(job.outcome)}<table>{cells}</table></div>"
