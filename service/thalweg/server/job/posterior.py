"""What the draws of a sampler say: means with Monte Carlo errors, and whether the chains can be believed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from thalweg.server.job.artifacts import ArtifactWriter
from thalweg.server.job.walking import Walked
from thalweg.server.spec.parsed_job import ParsedJob
from thalweg.v1 import results_pb2
from thalweg_core.chains.diagnostics import Quality, mcse_mean, quality
from thalweg_core.problem import Traits

FEWEST = 4
"""Draws a chain below which nothing can be said."""

AGREE = 1.01
"""Split R-hat below which chains agree (Vehtari et al. 2021)."""

ENOUGH = 400
"""Effective draws above which the diagnostics themselves can be believed (the same)."""

_MOST_COORDINATES = 4096  # summarized; arbitrary. The draws hold all of them.
_AT_ONCE = 2**21  # numbers whose autocovariance is taken together: some 100 MB


def posterior(
    parsed_job: ParsedJob, traits: Traits, walked: Walked, artifact_writer: ArtifactWriter, result: results_pb2.Result
) -> str | None:
    """Fill the result from the draws, write them down, and say in one sentence what they are worth; None for too few."""
    position, scale = walked.here.position, parsed_job.energy_scale
    steps = int(position.stopped_at.min())  # chains that a budget stopped early have this many in common
    if walked.draws is None or steps < FEWEST:
        return None
    x, energy = walked.draws.column("x", steps), walked.draws.column("value", steps).double() * scale
    acceptance = walked.draws.column("acceptance", steps).double()
    result.value = float(energy.mean())
    result.standard_error = _error(energy)
    flat = x.reshape(*x.shape[:2], -1)
    worth = _qualities(flat[:, :, :_MOST_COORDINATES].double())
    _observe(result, "rhat_max", float(worth.rhat.max()))
    _observe(result, "ess_bulk_min", float(worth.ess_bulk.min()))
    _observe(result, "ess_tail_min", float(worth.ess_tail.min()))
    _observe(result, "acceptance", float(acceptance.mean(dim=0).median()), _error(acceptance))
    for name, number in walked.method.result_numbers().items():
        _observe(result, name, number)
    artifact_writer.put_array("draws.npy", x.numpy(), f"every draw: (S, B, *E) = {tuple(x.shape)}")
    artifact_writer.put_json(
        "summary.json", _summary(parsed_job, flat, worth), "every coordinate: mean, sd, mcse, ess_bulk, ess_tail, rhat"
    )
    _put_final(walked, artifact_writer, scale)
    return f"{steps} draws from each of {x.shape[1]} chains; {_verdict(worth)}"


def _verdict(worth: Quality) -> str:
    rhat, ess = float(worth.rhat.max()), float(torch.minimum(worth.ess_bulk, worth.ess_tail).min())
    if math.isnan(rhat) or math.isnan(ess):
        return "whether they can be believed cannot be told: R-hat needs at least two chains that move"
    if rhat > AGREE:
        return f"the chains do not agree yet: split R-hat is up to {rhat:.3f}, wanted at most {AGREE}; take more steps"
    if ess < ENOUGH:
        return f"the chains agree (split R-hat at most {rhat:.4f}), but only {ess:.0f} draws are effective; take more steps"
    return f"the chains agree: split R-hat at most {rhat:.4f}, at least {ess:.0f} effective draws"


def _qualities(draws: Tensor) -> Quality:
    """Of every coordinate of draws (S, B, d), some coordinates at a time."""
    width = max(1, _AT_ONCE // (draws.shape[0] * draws.shape[1]))
    parts = [quality(draws[:, :, first : first + width].contiguous()) for first in range(0, draws.shape[2], width)]
    return Quality(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _summary(parsed_job: ParsedJob, draws: Tensor, worth: Quality) -> list[dict[str, Any]]:
    columns = {
        "mean": draws.double().mean(dim=(0, 1)),
        "sd": draws.double().flatten(0, 1).std(dim=0),
        "mcse": worth.mcse_mean,
        "ess_bulk": worth.ess_bulk,
        "ess_tail": worth.ess_tail,
        "rhat": worth.rhat,
    }
    names = list(_names(parsed_job, draws.shape[2]))[: len(worth.rhat)]
    return [{"name": name, **{label: float(column[i]) for label, column in columns.items()}} for i, name in enumerate(names)]


def _names(parsed_job: ParsedJob, count: int) -> Iterator[str]:
    yield from parsed_job.problem.coordinates() or (f"x[{i}]" for i in range(count))


def _put_final(walked: Walked, artifact_writer: ArtifactWriter, scale: float) -> None:
    position = walked.here.position
    seen = position.state.seen
    arrays = {
        "start": walked.start,
        "x": position.state.x.contiguous(),
        "value": seen.value.double() * scale,
        "value_var": seen.value_var.double() * scale**2,
        "outcome": position.outcome,
        "stopped_at": position.stopped_at,
    }
    artifact_writer.put_arrays(
        "final.npz", {name: t.cpu().numpy() for name, t in arrays.items()}, "where every chain started and ended"
    )


def _observe(result: results_pb2.Result, name: str, value: float, error: float = 0.0) -> None:
    """Numbers that are none are left out; R-hat is infinite where chains stand still apart."""
    if not math.isnan(value):
        result.observables[name].CopyFrom(
            results_pb2.Observable(value=value, standard_error=error if math.isfinite(error) else 0.0)
        )


def _error(draws: Tensor) -> float:
    """Standard error of the mean of draws (S, B), 0 where it cannot be told."""
    error = float(mcse_mean(draws[:, :, None])[0])
    return error if math.isfinite(error) else 0.0
