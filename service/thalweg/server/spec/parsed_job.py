"""A job read from its spec: problem × method × plan as dataclasses."""

from __future__ import annotations

import hashlib
import math
import sys
from dataclasses import replace
from typing import Any, NamedTuple, cast

from google.protobuf.message import Message

from thalweg.server.spec import catalog
from thalweg.server.spec.decode import choose, decode
from thalweg.server.spec.plan import Plan
from thalweg.v1 import jobs_pb2
from thalweg_core.errors import BadInput
from thalweg_core.method import Goal, Method
from thalweg_core.problem import Problem


class ParsedJob(NamedTuple):
    """What a worker builds from."""

    problem_name: str  # "density.gaussian"
    problem: Problem[Any]
    method_name: str  # "hmc"
    method: Method
    plan: Plan

    @property
    def draws(self) -> bool:
        """Whether every step counts, as for a sampler."""
        return self.method.goal is Goal.DRAWS

    @property
    def energy_scale(self) -> float:
        """Energy as it is reported over U: 1 unless the problem reports it in a unit that people know."""
        return self.problem.energy_scale

    def sha256(self) -> str:
        """Hash of the specification with all defaults filled in."""
        return hashlib.sha256(repr((self.problem, self.method, self.plan)).encode()).hexdigest()


def read(spec: jobs_pb2.JobSpec) -> ParsedJob:
    """A spec, read. Energies that the user gave in the unit of the reports are in the landscape's own here.

    Raises:
        BadInput: with the path of the field in the spec, such as "problem.magnet.grid.cells".
    """
    problem_name, problem = _built("problem", spec.problem, catalog.PROBLEMS)
    method_name, method = _built("method", spec.method, catalog.METHODS)
    try:
        plan = decode(spec.plan, Plan)
    except BadInput as bad:
        raise bad.under("plan") from None
    scale = problem.energy_scale
    if plan.stop.value is not None:
        value = _in_natural_units("plan.stop.value", plan.stop.value, scale)
        plan = replace(plan, stop=replace(plan.stop, value=value))
    if scale != 1.0:
        given = {name: getattr(method, name) for name in method.energies}
        natural = {name: _in_natural_units(f"method.{method_name}.{name}", energy, scale) for name, energy in given.items()}
        method = replace(method, **natural)
    return ParsedJob(problem_name, cast(Problem[Any], problem), method_name, cast(Method, method), plan)


def _in_natural_units(field: str, energy: float, scale: float) -> float:
    """An energy that was given in the unit of the reports, in the landscape's own.

    Raises:
        BadInput: there it overflows, or vanishes.
    """
    natural = energy / scale
    if math.isinf(natural):
        raise BadInput(field, f"wanted an energy of at most {sys.float_info.max * scale:.3g} in size, got {energy:g}")
    if natural == 0 != energy:
        raise BadInput(field, f"wanted 0, or an energy of at least {sys.float_info.min * scale:.3g} in size, got {energy:g}")
    return natural


def _built(side: str, message: Message, names: Any) -> tuple[str, Any]:
    try:
        name, chosen = choose(message)
    except BadInput as bad:
        raise bad.under(side) from None
    try:
        return name, decode(chosen, catalog.load(names[name].where))
    except BadInput as bad:
        raise bad.under(f"{side}.{name}") from None
