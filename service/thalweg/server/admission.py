"""Whether a job can be done here at all: everything that can be told before it starts."""

from __future__ import annotations

from typing import NamedTuple

import torch

from thalweg.server import machine
from thalweg.server.blueprint import Blueprint, read
from thalweg.server.decode import choose
from thalweg.server.describe import fitting_methods
from thalweg.server.posterior import FEWEST
from thalweg.server.recorder import trace_bytes
from thalweg.v1 import jobs_pb2
from thalweg_core.adapt import PANEL, needs, needs_warm_up
from thalweg_core.errors import BadInput, Mismatch, Unaffordable, Unavailable
from thalweg_core.growth import afford
from thalweg_core.kernel import ChecksProblem, Goal
from thalweg_core.landscape import EXACT_VALUE
from thalweg_core.problem import RehearsesUnopened, Traits, end_shots, require
from thalweg_core.stopping import Stop
from thalweg_core.streams import Stream
from thalweg_core.walk import Rules
from thalweg_physics.magnet.spins import PRECESSION

_LARGEST_SPEC = 3 * 2**20  # bytes; a job with its result goes into one message, of 4 MiB at most
_MOST_LABELS = 64  # arbitrary
_USABLE = 0.9  # of the memory: the rest is the system's


class Admission(NamedTuple):
    blueprint: Blueprint
    traits: Traits
    memory: int  # bytes


def admit(spec: jobs_pb2.JobSpec) -> Admission:
    """What a worker would build, and the memory it would need.

    Raises:
        BadInput: something cannot be as it was asked for; with the path of the field.
        Unavailable: it could be, but not on this machine.
    """
    _check_size(spec)
    blueprint = read(spec)
    try:
        traits = blueprint.problem.traits()
    except BadInput as bad:
        raise bad.under(f"problem.{blueprint.problem_name}") from None
    fitting = fitting_methods(traits, blueprint.kernel.goal)
    require(blueprint.method_name, blueprint.kernel, blueprint.problem_name, traits, fitting)
    _check_warm_up(blueprint, traits)
    _check_temperature(spec, blueprint, traits)
    if isinstance(blueprint.kernel, ChecksProblem):
        try:
            blueprint.kernel.check(blueprint.problem)
        except BadInput as bad:
            raise bad.under(f"method.{blueprint.method_name}") from None
    try:
        _check_plan(blueprint, traits)
        memory = _check_memory(blueprint, traits)
    except BadInput as bad:
        raise bad.under("plan") from None
    _check_budget(blueprint, traits)
    return Admission(blueprint, traits, memory)


def _check_size(spec: jobs_pb2.JobSpec) -> None:
    if spec.ByteSize() > _LARGEST_SPEC:
        raise BadInput("", f"wanted a specification of at most {_LARGEST_SPEC} bytes, got {spec.ByteSize()}")
    if len(spec.labels) > _MOST_LABELS:
        raise BadInput("labels", f"wanted at most {_MOST_LABELS}, got {len(spec.labels)}")


def _check_warm_up(blueprint: Blueprint, traits: Traits) -> None:
    """A step size that is left out is found by the acceptance of the method, or of its Metropolised twin."""
    method = f"method.{blueprint.method_name}"
    for need in sorted(needs(blueprint.kernel) - traits.knows, key=lambda capability: capability.name):
        sentence = (
            "has to be given here: warm-up finds it by exact energies in flat space,"
            f" but problem.{blueprint.problem_name} {traits.why_not(need)}"
        )
        raise Mismatch(f"{method}.step_size", sentence)


def _check_temperature(spec: jobs_pb2.JobSpec, blueprint: Blueprint, traits: Traits) -> None:
    """A temperature of 1 is a default for pure numbers only."""
    given = choose(spec.method).value
    if blueprint.energy_scale != 1.0 and hasattr(blueprint.kernel, "temperature") and not given.HasField("temperature"):
        sentence = f"wanted k_B T in {traits.unit}, in which problem.{blueprint.problem_name} reports its energy, got none"
        raise BadInput(f"method.{blueprint.method_name}.temperature", f"{sentence}; 300 K is 4.14e-21 J")


def _check_plan(blueprint: Blueprint, traits: Traits) -> None:
    plan, kernel, method = blueprint.plan, blueprint.kernel, blueprint.method_name
    if kernel.goal is Goal.DRAWS:
        if plan.stop != Stop():
            raise BadInput("stop", f"method.{method} samples, and every draw counts: leave the rules out, and set plan.steps")
        if plan.last_step(kernel.goal) < FEWEST:
            raise BadInput(
                "steps", f"wanted at least {FEWEST} draws per chain, so that their error can be told, got {plan.steps}"
            )
        if needs_warm_up(kernel) and plan.warmup == 0:
            raise BadInput(
                "warmup", f"wanted steps to find method.{method}.step_size in, got 0; set some 200, or give the step size"
            )
    elif plan.warmup:
        raise BadInput("warmup", f"method.{method} is an optimizer, which has nothing to adapt: leave it out")
    if plan.stop.max_torque is not None and PRECESSION not in traits.knows:
        raise BadInput("stop.max_torque", f"problem.{blueprint.problem_name} has no magnetic torque; use plan.stop.gradient_norm")
    if plan.budget.shots is not None and EXACT_VALUE in traits.knows:
        raise BadInput(
            "budget.shots", f"problem.{blueprint.problem_name} as given here takes no shots; use plan.budget.gradients"
        )
    if plan.device == "cuda" and not torch.cuda.is_available():
        raise Unavailable("device", 'torch finds no CUDA device on this machine; use plan.device = "cpu"')
    if plan.cpus > machine.processors():
        raise BadInput("cpus", f"wanted at most the {machine.processors()} processors of this machine, got {plan.cpus}")


def _check_budget(blueprint: Blueprint, traits: Traits) -> None:
    """Whether it pays for the first look and the end, as far as the problem knows their price without being opened."""
    problem, plan = blueprint.problem, blueprint.plan
    if plan.budget.shots is None or not isinstance(problem, RehearsesUnopened):
        return
    try:
        place = problem.rehearsal()
    except BadInput as bad:
        raise bad.under(f"problem.{blueprint.problem_name}") from None
    if place is None:
        return
    rules = Rules(budget=plan.budget, reserve=0 if blueprint.draws else end_shots(problem, place))
    x = torch.zeros(1, traits.dimension, dtype=torch.float64)
    try:
        afford(blueprint.kernel, place, x, Stream.of(plan.seed, 1), rules)
    except Unaffordable as dear:
        raise dear.under("plan") from None
    except BadInput as bad:
        raise bad.under(f"method.{blueprint.method_name}") from None


def _check_memory(blueprint: Blueprint, traits: Traits) -> int:
    """Bytes that the job will need at most at once."""
    needed, available = estimate(blueprint, traits), machine.memory()
    if needed > _USABLE * available:
        raise BadInput(
            "replicas",
            f"the job would need about {needed / 2**30:.1f} GiB of memory, and this machine has {available / 2**30:.1f} GiB;"
            " ask for fewer replicas, fewer steps, or a smaller problem",
        )
    return needed


def estimate(blueprint: Blueprint, traits: Traits) -> int:
    """Bytes: the landscape, its replicas, what the method asks of it, the trace, and the draws twice, since they are written at
    the end as one array."""
    plan, kernel = blueprint.plan, blueprint.kernel
    rows = max(plan.replicas, PANEL) if needs_warm_up(kernel) else plan.replicas
    steps = plan.last_step(kernel.goal)
    draws = 2 * 8 * steps * plan.replicas * (traits.dimension + 1) if blueprint.draws else 0
    asked = sum(traits.memory_of.get(need, 0) for need in kernel.needs)
    return traits.memory + asked + rows * traits.memory_per_replica + trace_bytes(steps, plan.replicas) + draws
