"""What a job found, in a sentence and a handful of numbers, beside the truth where it is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from thalweg.report.descent import CHEMICAL_ACCURACY, exact_energy, in_hartree
from thalweg.report.record import Record, has
from thalweg.report.rounding import Quantity, plain, prefix, quantity
from thalweg.v1 import jobs_pb2, results_pb2

_ENDED = {
    jobs_pb2.JOB_STATE_SUCCEEDED: "succeeded",
    jobs_pb2.JOB_STATE_FAILED: "failed",
    jobs_pb2.JOB_STATE_CANCELLED: "was cancelled",
}
_TELLING = (
    "exact_energy", "energy_error", "topological_charge", "skyrmion_radius", "max_torque",
    "rhat_max", "ess_bulk_min", "ess_tail_min", "acceptance",
)  # fmt: skip
"""Observables that deserve large print, in this order."""
_WORDS = {
    "rhat_max": "largest R̂",
    "ess_bulk_min": "smallest bulk ESS",
    "ess_tail_min": "smallest tail ESS",
    "true_energy": "true energy at the end",
    "hartree_fock_energy": "Hartree–Fock energy",
    "dmi_energy": "DMI energy",
    "zeeman_energy": "Zeeman energy",
    **{f"mean_m{axis}": f"mean m_{axis}" for axis in "xyz"},
    "energy_error": "true error at the end",
}
_WHOLE = frozenset({"ess_bulk_min", "ess_tail_min"})
MIXED = 1.01
"""R̂ up to which chains count as mixed. Source: Vehtari et al., Bayesian Analysis 16 (2021) 667."""
_FACTS = 4  # that fit one line of a page
_SIGMAS = 3  # arbitrary: standard errors below zero from which an error is called negative
_ROUNDING = 1e-9  # Ha; of double precision, for energies that have no standard error


class Fact(NamedTuple):
    """A name with its number."""

    name: str
    quantity: Quantity


def state(job: jobs_pb2.Job) -> str:
    """The state in a word: "succeeded", "running"."""
    return jobs_pb2.JobState.Name(job.state).removeprefix("JOB_STATE_").lower()


def ended_well(job: jobs_pb2.Job) -> bool:
    return job.state == jobs_pb2.JOB_STATE_SUCCEEDED


def value(record: Record) -> Fact | None:
    """The number the job was about; None where it has no result."""
    job = record.job
    if not job.HasField("result"):
        return None
    name = "Mean energy" if has(record, "draws.npy") else "Energy"
    return Fact(name, quantity(job.result.value, job.result.standard_error, job.result.unit))


def sentence(record: Record) -> str:
    """What came out, in one line."""
    job = record.job
    found = value(record)
    if found is None:
        return (
            f"The job {_ENDED[job.state]} without a result."
            if job.state in _ENDED
            else f"No result yet: the job is {state(job)}."
        )
    observables = job.result.observables
    exact = exact_energy(job)
    if exact is None:
        return f"{found.name} {found.quantity}{_beside(record)}."
    words = f"{found.name} {found.quantity}, beside {quantity(exact, 0.0, job.result.unit)} exactly"
    if "energy_error" not in observables or not _known(observables["energy_error"]):
        return f"{words}."
    error = observables["energy_error"]
    side = "above" if error.value >= 0 else "below"
    words += f": the noiseless energy at the end lies {name_quantity('energy_error', error, absolute=True)} {side} it"
    if in_hartree(job.result.unit):
        within = "within" if abs(error.value) <= CHEMICAL_ACCURACY else "outside"
        words += f", {within} chemical accuracy ({plain(CHEMICAL_ACCURACY * 1e3)} mHa)"
    return f"{words}.{_out_of_sector(record)}"


def _out_of_sector(record: Record) -> str:
    """A state below the lowest energy of its sector is none of that sector: what to think of an error that is negative."""
    observables = record.job.result.observables
    error = observables["energy_error"]
    if error.value >= -max(_SIGMAS * error.standard_error, _ROUNDING):
        return ""
    words = (
        " The state lies below the lowest energy of the sector that the reference belongs to, so the circuit has left that sector"
    )
    if "electrons" in observables and _known(observables["electrons"]):
        words += f": it holds {name_quantity('electrons', observables['electrons'])} electrons"
    return f"{words}."


def _beside(record: Record) -> str:
    """What else deserves to stand in the sentence."""
    observables = record.job.result.observables
    if "rhat_max" in observables and not observables["rhat_max"].value <= MIXED:
        return f", not to be trusted yet: the chains disagree, R̂ is up to {plain(observables['rhat_max'].value, 4)}"
    beside = [name for name in ("topological_charge", "skyrmion_radius") if name in observables and _known(observables[name])]
    return "".join(f", {in_words(name)} {name_quantity(name, observables[name])}" for name in beside)


def _known(observable: results_pb2.Observable) -> bool:
    return math.isfinite(observable.value)


def facts(job: jobs_pb2.Job) -> list[Fact]:
    """The few observables that tell most, for large print."""
    observables = job.result.observables
    known = [name for name in _TELLING if name in observables]
    return _named((known or sorted(observables))[:_FACTS], observables)


def table(job: jobs_pb2.Job) -> list[Fact]:
    """All observables, the telling ones first, then by name."""
    observables = job.result.observables
    telling = [name for name in _TELLING if name in observables]
    rest = sorted(name for name in observables if name not in _TELLING)
    return _named((*telling, *rest), observables)


def _named(names: Sequence[str], observables: Mapping[str, results_pb2.Observable]) -> list[Fact]:
    """Observables of one kind, such as the energies of a magnet, under one prefix: that of the largest."""
    sizes: dict[tuple[str, str], float] = {}
    for name, one in observables.items():
        size = max(filter(math.isfinite, (abs(one.value), one.standard_error)), default=0.0)
        sizes[_kind(name, one)] = max(sizes.get(_kind(name, one), 0.0), size)

    def fact(name: str, one: results_pb2.Observable) -> Fact:
        return Fact(in_words(name), name_quantity(name, one, size=sizes[_kind(name, one)]))

    return [fact(name, observables[name]) for name in names]


def _kind(name: str, one: results_pb2.Observable) -> tuple[str, str]:
    """zeeman_energy in J is of the kind of dmi_energy in J."""
    return name.rpartition("_")[2], one.unit


def name_quantity(name: str, observable: results_pb2.Observable, absolute: bool = False, size: float | None = None) -> Quantity:
    """An observable ready to print; errors of energies in mHa. size: of the number that chooses the prefix, else its own."""
    number = abs(observable.value) if absolute else observable.value
    if name in _WHOLE and math.isfinite(number):
        number = round(number)
    exponent = None if size is None else prefix(size, observable.unit)
    if in_hartree(observable.unit) and name.endswith("_error"):
        exponent = _milli_or_less(number)
    digits = 4 if name.endswith("_error") else 7 if name.endswith("energy") else 5  # arbitrary; the artifacts hold them all
    return quantity(number, observable.standard_error, observable.unit, exponent, digits)


def _milli_or_less(error: float) -> int:
    """The prefix of an error in hartree: mHa, which chemists compare, unless it is far too large a unit."""
    return next((exponent for exponent in (-3, -6, -9) if abs(error) >= 10.0 ** (exponent - 2)), -9) if error else -3


def in_words(name: str) -> str:
    """skyrmion_radius -> "skyrmion radius"."""
    return _WORDS.get(name, name.replace("_", " "))
