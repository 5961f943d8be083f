"""How far a job is, in numbers for people."""

from __future__ import annotations

import math

import numpy as np
import torch

from thalweg.server.job.medians import median
from thalweg.server.job.recorder import Here
from thalweg.server.spec.parsed_job import ParsedJob
from thalweg.v1 import jobs_pb2
from thalweg_core.chains.running_diagnostics import Running, summarize
from thalweg_core.landscape import Cost, Landscape
from thalweg_core.problem import Traits
from thalweg_core.walking.stopping import gradient_norm

WARM_UP, WALK = "warm-up", "walk"

_QUICK = 256  # draws of the bootstrap: a number that is seen for a quarter of a second needs no more


def progress(
    parsed_job: ParsedJob,
    traits: Traits,
    landscape: Landscape,
    phase: str,
    here: Here,
    extra: Cost | None,
    running: Running | None,
) -> jobs_pb2.Progress:
    """Of a walk that stands here; `extra` is what rows beside the replicas have spent, `running` what the draws say so far."""
    plan, position = parsed_job.plan, here.position
    seen, scale = position.state.seen, parsed_job.energy_scale
    steps = plan.warmup if phase == WARM_UP else plan.asked_for(parsed_job.method.goal)
    values, variances = (t[: plan.replicas].double().cpu().numpy() for t in (seen.value, seen.value_var))
    report = jobs_pb2.Progress(
        phase=phase,
        step=here.step,
        steps=steps,
        unit=traits.unit,
        cost={name: float(spent) for name, spent in total(position.spent, extra).items()},
    )
    if np.isfinite(values).all():
        middle = median(values * scale, variances * scale**2, plan.seed, _QUICK)
        report.value, report.standard_error = middle.value, middle.standard_error
    else:
        report.value = math.nan
    norm = float(gradient_norm(landscape.manifold, position.state)[: plan.replicas].double().median())
    if np.isfinite(norm):
        report.gradient_norm = norm
    if steps:
        report.fraction = here.step / steps
    if running is not None and np.isfinite(largest := float((summary := summarize(running)).rhat.max())):
        report.rhat, report.ess = largest, float(summary.ess.min())
    return report


def total(spent: Cost, extra: Cost | None) -> dict[str, int]:
    """Sums over all rows, by name."""
    sums = {name: int(torch.sum(column)) for name, column in spent._asdict().items()}
    if extra is not None:
        sums = {name: count + int(torch.sum(getattr(extra, name))) for name, count in sums.items()}
    return sums
