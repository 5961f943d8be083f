"""What the calibration of a device says of the qubits that a circuit uses.

The format is IBM's: qubits with T1, T2, readout errors; gates with their average error and their length, each
{"name", "value", "unit"}.

Source: `BackendProperties` in the documentation of qiskit-ibm-runtime.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

from thalweg_core.errors import BadInput

MOST_CHARACTERS = 2**21
"""Of a calibration in a job (arbitrary: four times a device of 133 qubits)."""

ONE_QUBIT = ("sx", "x", "u1", "u2", "u3")
TWO_QUBITS = ("cx", "ecr", "cz")
"""The gates that circuits are translated to, and RZ; a calibration's other ones are not used."""

_MOST_DIGITS = 4000  # of an integer; Python itself refuses to read 4300
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}  # both signs for micro


class Qubit(NamedTuple):
    """A physical qubit."""

    t1: float | None  # s; None: not known, no relaxation
    t2: float | None  # s
    false_one: float  # probability to read 1 where the bit is 0
    false_zero: float  # probability to read 0 where the bit is 1


class PhysicalGate(NamedTuple):
    """A gate on certain qubits."""

    name: str
    qubits: tuple[int, ...]
    error: float  # average gate infidelity, relaxation included
    time: float  # s


class Calibration(NamedTuple):
    """Some qubits of a device, numbered in the order in which they were chosen."""

    qubits: tuple[Qubit, ...]
    gates: tuple[PhysicalGate, ...]


@dataclass(frozen=True)
class BackendProperties:
    """The calibration of a device, as IBM's backends give it.

    In a specification's file, `file = "properties.json"` stands for the text.

    Args:
        text: JSON: qubits with T1, T2, prob_meas1_prep0 and prob_meas0_prep1 (or readout_error), gates with gate_error and
            gate_length. Times with their unit: "s", "ms", "us" or "ns". A gate whose error is 1 is out of order, and not used.
    """

    text: str

    def __post_init__(self) -> None:
        if len(self.text) > MOST_CHARACTERS:
            raise BadInput("text", f"wanted at most {MOST_CHARACTERS} characters, got {len(self.text)}")
        _read(self.text)

    @property
    def count(self) -> int:
        """Qubits of the device."""
        return len(_read(self.text).qubits)

    def chosen(self, qubits: Sequence[int]) -> Calibration:
        """What is known of some of the qubits, and of the gates between them.

        Raises:
            BadInput: of the field text: they are not joined by working gates, or cannot be read.
        """
        device = _read(self.text)
        places = {physical: place for place, physical in enumerate(qubits)}
        gates = tuple(
            gate._replace(qubits=tuple(places[q] for q in gate.qubits))
            for gate in device.gates
            if gate.error < 1 and set(gate.qubits) <= set(places)
        )
        for place, physical in enumerate(qubits):
            _check_qubit(physical, device.qubits[physical], {gate.name for gate in gates if gate.qubits == (place,)})
        if apart := _apart(len(qubits), gates):
            here, there = (", ".join(str(qubits[place]) for place in part) for part in apart)
            sentence = f"no working cx, ecr or cz joins the qubits {here} and {there}"
            raise BadInput("text", f"{sentence}; choose neighbours of the device in noise.qubits")
        return Calibration(tuple(device.qubits[physical] for physical in qubits), gates)


@lru_cache(maxsize=4)  # a job's check and its landscape ask for the same one
def _read(text: str) -> Calibration:
    """The whole device."""
    try:
        found = json.loads(text, parse_constant=_no_number, parse_int=_integer)
    except RecursionError:
        raise BadInput("text", "its objects and lists are nested too deeply") from None
    except ValueError as error:
        raise BadInput("text", f"is not JSON: {str(error)[:1].lower()}{str(error)[1:]}") from None
    if not (isinstance(found, dict) and isinstance(found.get("qubits"), list) and isinstance(found.get("gates"), list)):
        raise BadInput("text", 'wanted the JSON of a backend\'s properties, {"qubits": [[…], …], "gates": [{…}, …]}')
    qubits = tuple(_qubit(number, given) for number, given in enumerate(found["qubits"]))
    gates = (_gate(number, given, len(qubits)) for number, given in enumerate(found["gates"]))
    return Calibration(qubits, tuple(gate for gate in gates if gate.name in ONE_QUBIT + TWO_QUBITS))


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"a number cannot be {word}")


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"an integer has {len(digits)} digits, wanted at most {_MOST_DIGITS}")
    return int(digits)


def _qubit(number: int, given: Any) -> Qubit:
    here = f"qubits[{number}]"
    values = _values(here, given)
    t1, t2 = (_time(here, name, values) for name in ("T1", "T2"))
    either = _probability(here, "readout_error", values)
    false_one, false_zero = (_probability(here, f"prob_meas{1 - bit}_prep{bit}", values) for bit in (0, 1))
    if false_one is None or false_zero is None:
        false_one = false_zero = either or 0.0
    return Qubit(t1, t2, false_one, false_zero)


def _gate(number: int, given: Any, qubits: int) -> PhysicalGate:
    here = f"gates[{number}]"
    if not (isinstance(given, dict) and isinstance(given.get("gate"), str) and isinstance(given.get("qubits"), list)):
        raise BadInput("text", f'{here}: wanted {{"gate": name, "qubits": […], "parameters": […]}}')
    on = tuple(given["qubits"])
    if not all(type(q) is int and 0 <= q < qubits for q in on) or len(set(on)) < len(on) or not on:
        raise BadInput("text", f"{here}: wanted different qubits from 0 to {qubits - 1}, got {_shown(list(on))}")
    values = _values(here, given.get("parameters", []))
    broken = values.get("operational", (1, ""))[0] == 0
    error = _probability(here, "gate_error", values) or 0.0
    return PhysicalGate(given["gate"], on, 1.0 if broken else error, _time(here, "gate_length", values, zero=True) or 0.0)


def _values(here: str, given: Any) -> Mapping[str, tuple[Any, Any]]:
    """Value and unit by name."""
    if not isinstance(given, list) or not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in given):
        raise BadInput("text", f'{here}: wanted a list of {{"name", "value", "unit"}}')
    return {one["name"]: (one.get("value"), one.get("unit", "")) for one in given}


def _shown(value: Any) -> str:
    """As it was written, and cut where it is long."""
    return json.dumps(value, ensure_ascii=False)[:60]


def _number(here: str, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e300 < value < 1e300:
        raise BadInput("text", f"{here}: wanted a number for {name}, got {_shown(value)}")
    return float(value)


def _time(here: str, name: str, values: Mapping[str, tuple[Any, Any]], zero: bool = False) -> float | None:
    """In seconds; None where it is not given."""
    if name not in values or values[name][0] is None:
        return None
    value, unit = _number(here, name, values[name][0]), values[name][1]
    if not isinstance(unit, str) or unit not in _SECONDS:
        raise BadInput("text", f"{here}: wanted {name} in s, ms, us or ns, got the unit {_shown(unit)}")
    if value < 0 or (value == 0 and not zero):
        raise BadInput("text", f"{here}: wanted {name} above 0, got {value:g} {unit}")
    return value * _SECONDS[unit]


def _probability(here: str, name: str, values: Mapping[str, tuple[Any, Any]]) -> float | None:
    if name not in values or values[name][0] is None:
        return None
    value = _number(here, name, values[name][0])
    if not 0 <= value <= 1:
        raise BadInput("text", f"{here}: wanted a probability for {name}, 0 to 1, got {value:g}")
    return value


def _check_qubit(physical: int, qubit: Qubit, gates: set[str]) -> None:
    if not ("sx" in gates or "u3" in gates):
        has = f"has no working sx or u3, only {', '.join(sorted(gates))}" if gates else "has no working gates"
        raise BadInput("text", f"qubit {physical} {has}; choose others in noise.qubits")
    if qubit.false_one + qubit.false_zero >= 1:
        says = f"is read wrongly with probabilities {qubit.false_one:g} and {qubit.false_zero:g}, and so tells nothing"
        raise BadInput("text", f"qubit {physical} {says}; choose others in noise.qubits")


def _apart(count: int, gates: Sequence[PhysicalGate]) -> tuple[list[int], list[int]] | None:
    """The qubits that two-qubit gates join with the first one, and those that they do not; None where they join all."""
    reached = {0}
    pairs = [gate.qubits for gate in gates if len(gate.qubits) == 2]
    for _ in range(count):
        reached |= {q for pair in pairs if reached & set(pair) for q in pair}
    rest = [q for q in range(count) if q not in reached]
    return (sorted(reached), rest) if rest else None
