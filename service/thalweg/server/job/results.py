"""What a job brings home: the result, its arrays, and one honest sentence about how it ended."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thalweg.server.job.artifacts import ArtifactWriter
from thalweg.server.job.medians import median
from thalweg.server.job.posterior import posterior
from thalweg.server.job.progress import WARM_UP, total
from thalweg.server.job.recorder import COLUMNS
from thalweg.server.job.walking import Walked, under
from thalweg.server.spec.parsed_job import ParsedJob
from thalweg.server.store.records import State
from thalweg.v1 import results_pb2
from thalweg_core.landscape import Cost, EnergyEstimate
from thalweg_core.problem import Observed, Traits
from thalweg_core.streams import Stream
from thalweg_core.walking import descent_check
from thalweg_core.walking.descent_check import Ends
from thalweg_core.walking.outcomes import CONVERGED, Outcome
from thalweg_core.walking.stopping import Stop


class Ending(NamedTuple):
    """How a job ends."""

    state: State
    outcome: str
    result: results_pb2.Result | None


def finish(parsed_job: ParsedJob, traits: Traits, walked: Walked, artifact_writer: ArtifactWriter) -> Ending:
    """Write the arrays of a walk and measure its end; a trouble with its checkpoints is the last thing said of it."""
    ending = _brought(parsed_job, traits, walked, artifact_writer)
    return ending._replace(outcome=f"{ending.outcome}; {walked.resumed}") if walked.resumed else ending


def _brought(parsed_job: ParsedJob, traits: Traits, walked: Walked, artifact_writer: ArtifactWriter) -> Ending:
    outcomes = [Outcome(code) for code in walked.here.position.outcome[: parsed_job.plan.replicas].tolist()]
    cancelled = Outcome.CANCELLED in outcomes
    if walked.phase == WARM_UP:
        where = f"cancelled during warm-up, after step {walked.here.step} of {parsed_job.plan.warmup}"
        return Ending(State.CANCELLED, where, None)
    _put_trace(parsed_job, traits, walked, artifact_writer)
    if Outcome.LOST in outcomes:
        return Ending(State.FAILED, _lost(outcomes), None)
    if not parsed_job.draws and (unpaid := _unpaid(parsed_job, walked)):
        return Ending(State.FAILED, unpaid, None)
    result = results_pb2.Result(unit=traits.unit, stops={o.sentence: n for o, n in Counter(outcomes).items()})
    reading = None if parsed_job.draws else _measure(parsed_job, walked, artifact_writer, result)
    words = (
        _reasons(parsed_job, walked, outcomes, reading)
        if reading
        else posterior(parsed_job, traits, walked, artifact_writer, result)
    )
    if not parsed_job.draws and walked.here.step == 0 and not CONVERGED.intersection(outcomes):
        words = f"not a single step was taken: {words}"
    if words is None:
        too_few = f"{outcomes[0].sentence}, before there were enough draws to tell anything"
        return Ending(State.CANCELLED if cancelled else State.FAILED, too_few, None)
    _put_files(parsed_job, walked, artifact_writer)
    result.cost.update(_cost(walked, reading and reading.cost))
    result.artifacts.extend(
        results_pb2.Artifact(
            name=row.name, size=row.size, sha256=row.sha256, media_type=row.media_type, description=row.description
        )
        for row in artifact_writer.rows
    )
    if cancelled:
        return Ending(State.CANCELLED, f"cancelled on request after step {walked.here.step}; this is what it had", result)
    return Ending(State.SUCCEEDED, words, result)


def _measure(
    parsed_job: ParsedJob, walked: Walked, artifact_writer: ArtifactWriter, result: results_pb2.Result
) -> EnergyEstimate:
    """The energy of the answer, measured anew, with everything else worth knowing there."""
    problem, landscape, plan, position = parsed_job.problem, walked.landscape, parsed_job.plan, walked.here.position
    x = _answer(walked)
    rng = Stream.of(plan.seed, plan.replicas, walked.start.device).named("final")
    with under(f"problem.{parsed_job.problem_name}"):
        reading = problem.final(landscape, x, rng)
        observed = problem.observe(landscape, x)
    value, variance = array(reading.value), array(reading.value_var)
    result.value, result.standard_error = median(value, variance, plan.seed)
    for name, seen in observed.items():
        if np.isfinite(array(seen.value)).any():  # what no replica has is left out
            result.observables[name].CopyFrom(_observable(seen, plan.seed))
    artifact_writer.put_arrays(
        "final.npz",
        {
            "start": walked.start.cpu().numpy(),
            "x": x.contiguous().cpu().numpy(),
            "last": position.state.x.contiguous().cpu().numpy(),
            "value": value,
            "value_var": variance,
            "outcome": position.outcome.cpu().numpy(),
            "stopped_at": position.stopped_at.cpu().numpy(),
            **{f"observable.{name}": array(seen.value) for name, seen in observed.items()},
            **{f"observable_variance.{name}": array(seen.variance) for name, seen in observed.items()},
        },
        f"every replica's answer, energy measured anew ({result.unit or 'pure numbers'}): x, value, value_var, outcome,"
        " observables; last: where its last step led, which is not the answer of a method that averages",
    )
    return reading


def _observable(seen: Observed, seed: int) -> results_pb2.Observable:
    """The median over the replicas where it is a number."""
    value, variance = array(seen.value), array(seen.variance)
    known = np.isfinite(value)
    middle = median(value[known], np.nan_to_num(variance[known]), seed)
    return results_pb2.Observable(value=middle.value, standard_error=middle.standard_error, unit=seen.unit)


def _put_trace(parsed_job: ParsedJob, traits: Traits, walked: Walked, artifact_writer: ArtifactWriter) -> None:
    table, scale = walked.trace.table(walked.here), parsed_job.energy_scale
    scaled = {"value": table["value"] * scale, "value_var": table["value_var"] * scale**2}  # type: ignore[operator]
    unit = traits.unit or "pure numbers"
    columns = ", ".join(COLUMNS)
    described = f"step (S,), and for every replica (S, B): {columns}; value in {unit}, as each step saw it; costs add up"
    artifact_writer.put_arrays("trace.npz", table | scaled, described)


def _put_files(parsed_job: ParsedJob, walked: Walked, artifact_writer: ArtifactWriter) -> None:
    for file in parsed_job.problem.files(walked.landscape, walked.start, _answer(walked)):
        artifact_writer.put(*file)


def _answer(walked: Walked) -> Tensor:
    """What the walk found: where it stands, or its average where the method averages."""
    return walked.method.answer(walked.here.position.state)


def _unpaid(parsed_job: ParsedJob, walked: Walked) -> str:
    """Why the end cannot be measured within the budget; empty where it can."""
    limit, spent = parsed_job.plan.budget.shots, int(walked.here.position.spent.shots.max())
    if limit is None or walked.here.step > 0 or spent + walked.reserve <= limit:
        return ""
    taken = f"the first evaluation took {spent} shots of a replica, and the measurement at the end takes {walked.reserve}"
    remedy = "not a single step was taken; raise it, or let each evaluation take fewer shots"
    return f"plan.budget.shots = {limit} was too small: {taken}; {remedy}"


def _cost(walked: Walked, final: Cost | None) -> dict[str, float]:
    """Everything charged, summed over replicas: start, warm-up, walk, final measurement."""
    spent = walked.here.position.spent
    counts = total(spent if final is None else spent.plus(final), walked.extra)
    return {name: float(count) for name, count in counts.items()} | {"seconds": round(walked.seconds(), 3)}


def _reasons(parsed_job: ParsedJob, walked: Walked, outcomes: list[Outcome], reading: EnergyEstimate) -> str:
    """Why the replicas stopped, and what the method has to say of it. Converged is said only where a rule said so, and where
    the energy measured anew does not contradict it."""
    shown = _shown(parsed_job, walked, reading)
    words = [_reason(parsed_job, *row) for row in zip(outcomes, shown, strict=True)]
    remarks = walked.method.remarks(walked.landscape, walked.here.position.state)
    words = [_with(*row) for row in zip(outcomes, words, remarks, strict=True)]
    led = _led(parsed_job, walked, reading)
    counts = Counter(words).most_common()
    ends = {why: [end for other, end in zip(words, led, strict=True) if other == why] for why, _ in counts}
    if len(counts) == 1:
        return _told(words[0], led, len(words))
    return "; ".join(f"{n} of {len(words)} replicas: {_told(why, ends[why], len(words))}" for why, n in counts)


def _told(why: str, led: list[str], replicas: int) -> str:
    """A reason and where the walks that it stopped led; how many of them, only where they do not all agree."""
    counts = Counter(led).most_common()
    if len(counts) == 1:
        return f"{why}; {led[0]}" if led[0] else why
    return "; ".join([why, *(f"in {n} of {replicas} replicas {end}" for end, n in counts if end)])


def _led(parsed_job: ParsedJob, walked: Walked, reading: EnergyEstimate) -> list[str]:
    """Where each walk led, by the energy measured anew beside that of the first evaluation; "" where they cannot be compared."""
    if walked.here.step == 0 or not descent_check.comparable(walked.landscape):
        return [""] * len(reading.value)
    table, scale = walked.trace.table(walked.here), parsed_job.energy_scale
    value, variance = (torch.from_numpy(table[name][0]) for name in ("value", "value_var"))
    ends = Ends(value * scale, variance * scale**2, *(t.detach().double().cpu() for t in reading[:2]))
    return descent_check.remark(ends, walked.landscape.noisy)


def _with(outcome: Outcome, why: str, remark: str) -> str:
    """A reason and the method's remark; a method that stopped by itself says so in its own words."""
    if remark and outcome is Outcome.METHOD:
        return remark
    return f"{why}; {remark}" if remark else why


def _shown(parsed_job: ParsedJob, walked: Walked, reading: EnergyEstimate) -> list[bool]:
    """Whether the energy of each answer, measured anew, is under plan.stop.value by two standard errors; exact ones need no test.

    The look that stopped a walk was the luckiest of many, and few shots of which none was rare show too small an error; the
    measurement at the end was not chosen by its result. An error of zero is no error known.
    """
    value, variance, goal = array(reading.value), array(reading.value_var), parsed_job.plan.stop.value
    if goal is None or not walked.landscape.noisy:
        return [True] * len(value)
    return list((variance > 0) & (value + 2 * np.sqrt(variance) <= goal * parsed_job.energy_scale))


def _reason(parsed_job: ParsedJob, outcome: Outcome, shown: bool) -> str:
    if outcome is Outcome.VALUE and not shown:
        return "a look seemed to reach plan.stop.value, but the answer, measured anew, is not under it by two standard errors"
    if outcome is not Outcome.STEPS:
        return f"converged: {outcome.sentence}" if outcome in CONVERGED else outcome.sentence
    steps = parsed_job.plan.last_step(parsed_job.method.goal)
    tested = parsed_job.plan.stop != Stop()
    return (
        f"all {steps} steps of the plan were done; {'no stop rule had fired by then' if tested else 'no convergence was tested'}"
    )


def _lost(outcomes: list[Outcome]) -> str:
    lost = outcomes.count(Outcome.LOST)
    who = "" if len(outcomes) == 1 else f"{lost} of {len(outcomes)} replicas: "
    return f"{who}{Outcome.LOST.sentence}"


def array(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.detach().double().cpu().numpy()
