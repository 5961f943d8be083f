"""Whether a job can be done here at all: everything that can be told before it starts."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch

from thalweg.server import machine
from thalweg.server.errors import quoted
from thalweg.server.job.posterior import FEWEST
from thalweg.server.job.recorder import draw_bytes, kept_rows, row_bytes, written_rows
from thalweg.server.spec.decode import choose
from thalweg.server.spec.describe import fitting_methods
from thalweg.server.spec.parsed_job import ParsedJob, read
from thalweg.v1 import jobs_pb2
from thalweg_core.chains.warm_up import PANEL, needs
from thalweg_core.errors import BadInput, Mismatch, Unaffordable, Unavailable
from thalweg_core.landscape import EXACT_VALUE
from thalweg_core.method import Goal, state_numbers
from thalweg_core.problem import Traits, require
from thalweg_core.streams import Stream
from thalweg_core.walking.growth import afford
from thalweg_core.walking.stopping import Stop
from thalweg_core.walking.walk import Rules
from thalweg_physics.magnet.dynamics.spins import PRECESSION

_LARGEST_SPEC = 3 * 2**20  # bytes; a job with its result goes into one message, of 4 MiB at most
_MOST_LABELS = 64  # arbitrary
_LONGEST_NAME = 200  # characters; arbitrary
_LONGEST_LABEL = 100  # characters of a key and of a value; arbitrary
_USABLE = 0.9  # of the memory: the rest is the system's

_WORKER = 48 * 2**20  # bytes that a worker takes whatever its job is: threads, the store, what is imported late
_STEP_COPIES = 7  # of the state, in a step: before, after, stopped replicas apart; L-BFGS carries its pairs to another point
_TRACE_COPIES = 3  # in blocks, as one table, and by columns
_DRAW_COPIES = 5  # in blocks, as one array, for mean and standard deviation, and what the allocator keeps
_STATISTICS_COPIES = 18  # of the draws whose statistics are taken together: ranks, spectra, and what the allocator keeps
_STATISTICS = 8 * 2**21  # bytes of as many draws as are taken together
_STEP_OBJECTS = 2560  # bytes of the objects that hold one step until the next checkpoint
_MOST_WAITING = 20_000  # steps until the next checkpoint, where time decides
_COUNTS = 24  # numbers of a replica in a position beside its state: what it spent, how it stopped, what the rules remember
_POSITIONS = 3  # files of one phase: two, and the one that is being written
_FINAL = 8  # arrays of the size of x among the artifacts
_SOME_CHECKPOINTS = 1000  # where time decides
_CHECKPOINT_FILES = 2**14  # bytes of two files beyond what they hold: headers, and parts of blocks
_LITTLE = 2**22  # bytes of logs, events and small files


class Admission(NamedTuple):
    parsed_job: ParsedJob
    traits: Traits
    memory: int  # bytes
    disk: int  # bytes


def admit(spec: jobs_pb2.JobSpec, folder: Path | None = None) -> Admission:
    """What a worker would build, and the memory and disk it would need.

    Args:
        spec: the job.
        folder: where its files would be written; left out, their size is not compared with what is free.

    Raises:
        BadInput: something cannot be as it was asked for; with the path of the field.
        Unavailable: it could be, but not on this machine.
    """
    _check_size(spec)
    parsed_job = read(spec)
    try:
        traits = parsed_job.problem.quick_traits()
    except BadInput as bad:
        raise bad.under(f"problem.{parsed_job.problem_name}") from None
    fitting = fitting_methods(traits, parsed_job.method.goal)
    require(parsed_job.method_name, parsed_job.method, parsed_job.problem_name, traits, fitting)
    _check_warm_up(parsed_job, traits)
    _check_temperature(spec, parsed_job, traits)
    try:
        parsed_job.method.check(parsed_job.problem)
    except BadInput as bad:
        raise bad.under(f"method.{parsed_job.method_name}") from None
    try:
        _check_plan(parsed_job, traits)
        needed = estimate(parsed_job, traits)
        _check_memory(needed.memory)
        if folder is not None:
            _check_disk(needed.disk, folder)
    except BadInput as bad:
        raise bad.under("plan") from None
    _check_budget(parsed_job, traits)
    return Admission(parsed_job, traits, *needed)


def _check_size(spec: jobs_pb2.JobSpec) -> None:
    if spec.ByteSize() > _LARGEST_SPEC:
        raise BadInput("", f"wanted a specification of at most {_LARGEST_SPEC} bytes, got {spec.ByteSize()}")
    if len(spec.labels) > _MOST_LABELS:
        raise BadInput("labels", f"wanted at most {_MOST_LABELS}, got {len(spec.labels)}")
    if len(spec.name) > _LONGEST_NAME:
        raise BadInput("name", f"wanted at most {_LONGEST_NAME} characters, got {len(spec.name)}")
    for key, value in sorted(spec.labels.items()):
        for part, text in (("key", key), ("value", value)):
            if len(text) > _LONGEST_LABEL:
                sentence = f"wanted a {part} of at most {_LONGEST_LABEL} characters, got {len(text)}"
                raise BadInput(f"labels[{quoted(key)}]", sentence)


def _check_warm_up(parsed_job: ParsedJob, traits: Traits) -> None:
    """A step size that is left out is found by the acceptance of the method, or of its Metropolised twin."""
    path = f"method.{parsed_job.method_name}"
    for need in sorted(needs(parsed_job.method) - traits.knows, key=lambda capability: capability.name):
        sentence = (
            "has to be given here: warm-up finds it by exact energies in flat space,"
            f" but problem.{parsed_job.problem_name} {traits.why_not(need)}"
        )
        raise Mismatch(f"{path}.step_size", sentence)


def _check_temperature(spec: jobs_pb2.JobSpec, parsed_job: ParsedJob, traits: Traits) -> None:
    """A temperature of 1 is a default for pure numbers only."""
    given = choose(spec.method).value
    if parsed_job.energy_scale != 1.0 and "temperature" in parsed_job.method.energies and not given.HasField("temperature"):
        sentence = f"wanted k_B T in {traits.unit}, in which problem.{parsed_job.problem_name} reports its energy, got none"
        raise BadInput(f"method.{parsed_job.method_name}.temperature", f"{sentence}; 300 K is 4.14e-21 J")


def _check_plan(parsed_job: ParsedJob, traits: Traits) -> None:
    plan, method, name = parsed_job.plan, parsed_job.method, parsed_job.method_name
    if method.goal is Goal.DRAWS:
        if plan.stop != Stop():
            raise BadInput("stop", f"method.{name} samples, and every draw counts: leave the rules out, and set plan.steps")
        if plan.last_step(method.goal) < FEWEST:
            raise BadInput(
                "steps", f"wanted at least {FEWEST} draws per chain, so that their error can be told, got {plan.steps}"
            )
        if method.adaptation() and plan.warmup == 0:
            raise BadInput(
                "warmup", f"wanted steps to find method.{name}.step_size in, got 0; set some 200, or give the step size"
            )
    elif plan.warmup:
        raise BadInput("warmup", f"method.{name} is an optimizer, which has nothing to adapt: leave it out")
    if plan.stop.max_torque is not None and PRECESSION not in traits.knows:
        problem = f"problem.{parsed_job.problem_name}"
        raise BadInput("stop.max_torque", f"{problem} has no magnetic torque; use plan.stop.gradient_norm")
    if plan.budget.shots is not None and EXACT_VALUE in traits.knows:
        raise BadInput(
            "budget.shots", f"problem.{parsed_job.problem_name} as given here takes no shots; use plan.budget.gradients"
        )
    if plan.device == "cuda" and not torch.cuda.is_available():
        raise Unavailable("device", 'torch finds no CUDA device on this machine; use plan.device = "cpu"')
    if plan.cpus > machine.processors():
        raise BadInput("cpus", f"wanted at most the {machine.processors()} processors of this machine, got {plan.cpus}")


def _check_budget(parsed_job: ParsedJob, traits: Traits) -> None:
    """Whether it pays for the first evaluation and the end, as far as the problem knows their price without being opened."""
    problem, plan = parsed_job.problem, parsed_job.plan
    if plan.budget.shots is None:
        return
    try:
        place = problem.dry_run()
    except BadInput as bad:
        raise bad.under(f"problem.{parsed_job.problem_name}") from None
    if place is None:
        return
    rules = Rules(budget=plan.budget, reserve=0 if parsed_job.draws else problem.final_shots(place))
    x = torch.zeros(1, traits.dimension, dtype=torch.float64)
    try:
        afford(parsed_job.method, place, x, Stream.of(plan.seed, 1), rules)
    except Unaffordable as dear:
        raise dear.under("plan") from None
    except BadInput as bad:
        raise bad.under(f"method.{parsed_job.method_name}") from None


def _check_memory(needed: int) -> None:
    available = machine.memory()
    if needed > _USABLE * available:
        raise BadInput(
            "replicas",
            f"the job would need about {machine.size(needed)} of memory, and this machine has {machine.size(available)};"
            " ask for fewer replicas, fewer steps, or a smaller problem",
        )


def _check_disk(needed: int, folder: Path) -> None:
    free = machine.free_disk(folder)
    if needed > free:
        raise Unavailable(
            "replicas",
            f"the job would write about {machine.size(needed)}, and {machine.size(free)} are free below {folder};"
            " ask for fewer replicas or fewer steps, or make room there",
        )


class Needs(NamedTuple):
    """Bytes that a job takes at most at once."""

    memory: int
    disk: int


def estimate(parsed_job: ParsedJob, traits: Traits) -> Needs:
    """Upper bounds, of which jobs take a fifth and more."""
    position = _position_bytes(parsed_job, traits)
    return Needs(_memory(parsed_job, traits, position), _disk(parsed_job, traits, position))


def _memory(parsed_job: ParsedJob, traits: Traits, position: int) -> int:
    """The landscape and its evaluations, the state with the copies that a step makes of it, and what is recorded."""
    plan, method = parsed_job.plan, parsed_job.method
    steps, rows = plan.last_step(method.goal), _rows(parsed_job)
    asked = sum(traits.memory_of.get(need, 0) for need in method.needs)
    landscape = traits.memory + asked + rows * traits.memory_per_replica
    waiting = min(steps, plan.checkpoint_every or _MOST_WAITING) * _STEP_OBJECTS
    trace = _TRACE_COPIES * kept_rows(steps, plan.replicas) * row_bytes(plan.replicas)
    drawn = steps * draw_bytes(plan.replicas, traits.size) if parsed_job.draws else 0
    draws = _DRAW_COPIES * drawn + _STATISTICS_COPIES * min(drawn, _STATISTICS)
    return _WORKER + landscape + _STEP_COPIES * position + waiting + trace + draws


def _disk(parsed_job: ParsedJob, traits: Traits, position: int) -> int:
    """The newest positions of each phase, all that was recorded, and the artifacts, which hold it once more."""
    plan, method = parsed_job.plan, parsed_job.method
    steps = plan.last_step(method.goal)
    positions = (_POSITIONS + (_POSITIONS - 1 if plan.warmup else 0)) * position
    trace = (written_rows(steps, plan.replicas) + kept_rows(steps, plan.replicas)) * row_bytes(plan.replicas)
    draws = 2 * steps * draw_bytes(plan.replicas, traits.size) if parsed_job.draws else 0
    checkpoints = plan.asked_for(method.goal) // plan.checkpoint_every if plan.checkpoint_every else _SOME_CHECKPOINTS
    return _LITTLE + positions + trace + draws + _CHECKPOINT_FILES * checkpoints + _FINAL * 8 * plan.replicas * traits.size


def _rows(parsed_job: ParsedJob) -> int:
    """Replicas that walk at once."""
    return max(parsed_job.plan.replicas, PANEL) if parsed_job.method.adaptation() else parsed_job.plan.replicas


def _position_bytes(parsed_job: ParsedJob, traits: Traits) -> int:
    """The method's state and what the rules remember, for all replicas."""
    rules = 4 * (parsed_job.plan.stop.plateau or 0) + _COUNTS
    return 8 * _rows(parsed_job) * (state_numbers(parsed_job.method, traits.size) + rules)
