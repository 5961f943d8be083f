"""Specifications with something wrong in them, from valid ones: every field of the wire, whatever its message will hold tomorrow.

A base is a valid spec and the part of it that is mutated. Fields are taken from the descriptors, so that a new one is mutated
without a line here; a new member of a oneof needs a base, and `unreached` says which have none.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from io import BytesIO
from typing import Any, NamedTuple

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from thalweg import specs
from thalweg.server.spec.describe import describe
from thalweg.v1 import jobs_pb2

Path = tuple[str | int, ...]


class Base(NamedTuple):
    """A valid spec."""

    spec: jobs_pb2.JobSpec
    within: Path  # the part that is mutated
    dear: bool = False  # a check takes a second: a few mutations only
    valid: bool = True  # else it asks for another job's end, and there is no such job


class Mutation(NamedTuple):
    """One change of a spec."""

    path: Path
    change: str
    apply: Callable[[Message], None]  # at the message that holds the field

    def __str__(self) -> str:
        return f"{written(self.path)} {self.change}"


class Mutant(NamedTuple):
    """A spec that was changed."""

    name: str
    spec: jobs_pb2.JobSpec
    small: bool  # no number of the changes makes the job long


# --- valid specs

_ISING: dict[str, Any] = {"transverse_field_ising": {"sites": 2}}
_H2: dict[str, Any] = {"molecule": {"atoms": "H 0 0 0; H 0 0 0.735"}}
_DUMP = "&FCI NORB=2,NELEC=2,MS2=0, &END\n0.5 1 1 1 1\n0.5 1 1 0 0\n"
_QASM = 'OPENQASM 3;\ninclude "stdgates.inc";\ninput float a;\nqubit[2] q;\nry(a) q[0];\ncx q[0], q[1];\n'
_PROPERTIES = json.dumps(
    {"qubits": [[], []], "gates": [{"gate": "sx", "qubits": [q]} for q in (0, 1)] + [{"gate": "cx", "qubits": [0, 1]}]}
)
_FILM: dict[str, Any] = {
    "grid": {"cells": [4, 4, 1], "cell_size": [1e-9, 1e-9, 1e-9], "periodic": [True, True, False]},
    "material": {
        "saturation_magnetization": 580e3,
        "exchange_stiffness": 15e-12,
        "interfacial_dmi": 3e-3,
        "uniaxial_anisotropy": {"constant": 6e5, "axis": [0, 0, 1]},
    },
    "external_field": [0.0, 0.0, 0.01],
    "start": {"random": {}},
}


def _circuit(**parts: Any) -> dict[str, Any]:
    fine = {
        "hamiltonian": _ISING,
        "ansatz": {"real_amplitudes": {"reps": 0}},
        "estimator": {"shots": 100},
        "start": {"zeros": {}},
    }
    return {"vqe": fine | parts}


def _aer(**noise: Any) -> dict[str, Any]:
    return _circuit(estimator={"shots": 100, "engine": "aer", "noise": noise})


def _qpy() -> bytes:
    from qiskit import QuantumCircuit, qpy
    from qiskit.circuit import Parameter

    circuit, file = QuantumCircuit(2), BytesIO()
    circuit.ry(Parameter("a"), 0)
    circuit.cx(0, 1)
    qpy.dump(circuit, file)
    return file.getvalue()


_HAMILTONIANS: dict[str, dict[str, Any]] = {
    "molecule": _H2,
    "active space": {"molecule": {**_H2["molecule"], "active_space": {"electrons": 2, "orbitals": 2}}},
    "pauli sum": {"pauli_sum": {"terms": [{"word": "ZX", "coefficient": 0.5}, {"word": "XI", "coefficient": 1.0}]}},
    "fcidump": {"fcidump": {"text": _DUMP}},
    "ising": _ISING,
    "xxz": {"heisenberg_xxz": {"sites": 2}},
    "hubbard": {"fermi_hubbard": {"columns": 2}},
}
_ANSAETZE = {
    **dict.fromkeys(("efficient_su2", "real_amplitudes", "hamiltonian_variational", "excitation_preserving"), _ISING),
    **dict.fromkeys(("uccsd", "k_up_ccgsd", "adapt"), _H2),
}
_ESTIMATORS: dict[str, dict[str, Any]] = {
    "estimator": _circuit(),
    "exact": _circuit(estimator={"shots": 0}),
    "noise": _aer(one_qubit_error=1e-3, t1=1e-4, t2=1e-4, one_qubit_time=1e-8, false_one=0.01),
    "calibration": _aer(qubits=[0, 1], backend_properties={"text": _PROPERTIES}),
}
_STARTS: dict[str, dict[str, Any]] = {
    "zeros": {"zeros": {}},
    "uniform": {"uniform": 0.1},
    "values": {"values": {"angles": [0.1, 0.2]}},
}
_MAGNET_STARTS: dict[str, dict[str, Any]] = {
    "skyrmion": {"skyrmion": {"radius": 1.5e-9}},
    "uniform": {"uniform": {"direction": [0, 0, 1]}},
    "random": {"random": {}},
}
_DENSITIES: dict[str, dict[str, Any]] = {
    "gaussian": {"scales": [1.0, 2.0], "correlation": 0.5},
    "double_well": {},
    "logistic_regression": {"dataset": "breast_cancer", "batch_size": 20},
}
_ON_A_CIRCUIT = _circuit()
_GAUSSIAN = {"density": {"gaussian": {"scales": [1.0, 2.0]}}}
_SAMPLERS = ("ula", "mala", "hmc")


def _spec(problem: dict[str, Any], method: str = "adam", **plan: Any) -> jobs_pb2.JobSpec:
    fields = {"step_size": 0.1} if method in _SAMPLERS else {}
    steps = {"steps": 4 if method in _SAMPLERS else 2}
    return specs.load({"name": "a base", "problem": problem, "method": {method: fields}, "plan": steps | plan})


@cache
def bases() -> Mapping[str, Base]:
    """By name. Together they choose every member of every oneof."""
    vqe, magnet, density = ("problem", "vqe"), ("problem", "magnet"), ("problem", "density")
    out = {f"hamiltonian {n}": Base(_spec(_circuit(hamiltonian=h)), (*vqe, "hamiltonian")) for n, h in _HAMILTONIANS.items()}
    for name, hamiltonian in _ANSAETZE.items():
        problem = _circuit(hamiltonian=hamiltonian, ansatz={name: {}})
        out[f"ansatz {name}"] = Base(_spec(problem), (*vqe, "ansatz"))
    out["ansatz open_qasm"] = Base(_spec(_circuit(ansatz={"open_qasm": {"text": _QASM}})), (*vqe, "ansatz", "open_qasm"), True)
    out["ansatz qpy"] = Base(_spec(_circuit(ansatz={"qpy": {"content": _qpy()}})), (*vqe, "ansatz", "qpy"), True)
    out |= {f"estimator {name}": Base(_spec(problem), (*vqe, "estimator")) for name, problem in _ESTIMATORS.items()}
    out |= {f"start {name}": Base(_spec(_circuit(start=start)), (*vqe, "start")) for name, start in _STARTS.items()}
    determinant = _circuit(hamiltonian=_H2, ansatz={"efficient_su2": {"reps": 0}}, start={"hartree_fock": 0.1})
    out["start hartree_fock"] = Base(_spec(determinant), (*vqe, "start"))
    out["start job"] = Base(_spec(_circuit(start={"job": {"id": "0" * 32}})), (*vqe, "start", "job"), valid=False)
    lower = [{"angles": [0.1, 0.2], "weight": 3.0}]
    out["deflation"] = Base(_spec(_circuit(deflation=lower)), vqe)
    out["magnet"] = Base(_spec({"magnet": _FILM}, "llg"), magnet)
    for name, start in _MAGNET_STARTS.items():
        out[f"magnet start {name}"] = Base(_spec({"magnet": _FILM | {"start": start}}), (*magnet, "start"))
    for method in ("ula", "hmc"):
        sampled = _spec({"magnet": _FILM}, method)
        getattr(sampled.method, method).temperature = 4e-21
        out[f"magnet {method}"] = Base(sampled, ("method", method))
    for name, fields in _DENSITIES.items():
        out[f"density {name}"] = Base(_spec({"density": {name: fields}}), (*density, name))
    for method in jobs_pb2.JobSpec.DESCRIPTOR.fields_by_name["method"].message_type.oneofs_by_name["kind"].fields:
        problem = {"magnet": _FILM} if method.name == "llg" else _GAUSSIAN if method.name in _SAMPLERS else _ON_A_CIRCUIT
        out[f"method {method.name}"] = Base(_spec(problem, method.name), ("method",))
    rules: dict[str, Any] = {"stop": {"gradient_norm": 1e-3}, "budget": {"shots": 10**6}}
    out["plan circuit"] = Base(_spec(_ON_A_CIRCUIT, **rules), ("plan",))
    out["plan magnet"] = Base(_spec({"magnet": _FILM}, "llg", stop={"value": -1.0}), ("plan",))
    out["plan draws"] = Base(_spec(_GAUSSIAN, "mala", replicas=2, warmup=2), ("plan",))
    out["whole"] = Base(_spec(_GAUSSIAN, "gradient_descent"), ())
    return out


# --- changes

_LARGE = (2.0**31, 1e12, 2.0**63 - 1, 1e170, 1e300, -1e300, 1e308, -1e308)
_NUMBERS = (0.0, -0.0, -1.0, 5e-324, -5e-324, 1e-170, *_LARGE, math.inf, -math.inf, math.nan)
_WHOLE = (0, 1, 2, -1, 7, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**31), -(2**63))
_TEXTS = (
    "",
    " ",
    "x" * 5000,
    "é\N{PILE OF POO}",
    "a\n\x00\x1b[31m\u202e",
    "../../../etc/passwd",
    "(((((",
    "(sto-3g)",
    ")" * 1000,
    '"' * 100,
    "%s{0}",
    "1e300",
)
_BYTES = (b"", b"\x00", b"QISKIT", b"\xff" * 1000)
_RANGES = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63),
    FieldDescriptor.TYPE_UINT32: (0, 2**32),
    FieldDescriptor.TYPE_UINT64: (0, 2**64),
    FieldDescriptor.TYPE_ENUM: (-(2**31), 2**31),
}
_SMALL = 100
"""Above it a whole number may make a job long: of steps, shots, cells."""


def mutations(root: Message, within: Path = ()) -> list[Mutation]:
    """Every change of one field at or below a place, whether the field is set or not."""
    return list(_below(at(root, within), within))


def _below(message: Message, path: Path) -> Iterator[Mutation]:
    for field in message.DESCRIPTOR.fields:
        here = (*path, field.name)
        for change, apply in _changes(message, field):
            yield Mutation(here, change, apply)
        if field.message_type is None or _is_map(field):
            continue
        if field.is_repeated:
            if getattr(message, field.name):
                yield from _below(getattr(message, field.name)[0], (*here, 0))
        elif message.HasField(field.name):
            yield from _below(getattr(message, field.name), here)


def _changes(message: Message, field: Any) -> Iterator[tuple[str, Callable[[Message], None]]]:
    name = field.name
    yield "left out", lambda m: m.ClearField(name)
    if _is_map(field):
        yield from _changes_of_map(name)
    elif field.is_repeated:
        yield from _changes_of_list(field, list(getattr(message, name)))
    elif field.message_type is not None:
        yield "empty", lambda m: _emptied(m, name)
        yield "filled with ones", lambda m: _filled(_emptied(m, name))
    else:
        for value in values(field, getattr(message, name)):
            yield f"= {value!r:.30}", lambda m, value=value: setattr(m, name, value)  # type: ignore[misc]


def _changes_of_map(name: str) -> Iterator[tuple[str, Callable[[Message], None]]]:
    for text in _TEXTS:
        yield f"with the key {text!r:.30}", lambda m, text=text: getattr(m, name).update({text: "1"})  # type: ignore[misc]
        yield f"with the value {text!r:.30}", lambda m, text=text: getattr(m, name).update({"k": text})  # type: ignore[misc]
    yield "with 65 entries", lambda m: getattr(m, name).update({str(i): "" for i in range(65)})


def _changes_of_list(field: Any, items: list[Any]) -> Iterator[tuple[str, Callable[[Message], None]]]:
    def become(new: list[Any]) -> Callable[[Message], None]:
        def apply(message: Message) -> None:
            message.ClearField(field.name)
            getattr(message, field.name).extend(new)

        return apply

    one = items[:1] or [field.message_type._concrete_class() if field.message_type else values(field, None)[0]]
    yield "doubled", become(items * 2 or one * 2)
    yield "one less", become(items[:-1])
    yield "one more", become([*items, *one])
    yield "with 2000 entries", become(one * 2000)
    if field.message_type is None:
        for value in values(field, items[0] if items else None):
            yield f"[0] = {value!r:.30}", become([value, *items[1:]])
            if len(items) > 1:
                yield f"all = {value!r:.30}", become([value] * len(items))
    else:
        yield "with an empty one", become([*items, type(one[0])()])


def values(field: Any, given: Any) -> list[Any]:
    """What a scalar of this type may be on the wire, and nobody wants it to be; some of it only for what it is."""
    if field.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
        return list(_NUMBERS)
    if field.type == FieldDescriptor.TYPE_STRING:
        return [*_TEXTS, *sorted(words()[field.name]), *([given[: len(given) // 2], given + given] if given else [])]
    if field.type == FieldDescriptor.TYPE_BYTES:
        return [*_BYTES, *([given[: len(given) // 2], given[:-1]] if given else [])]
    if field.type == FieldDescriptor.TYPE_BOOL:
        return [False, True]
    low, high = _RANGES[field.type]
    return [number for number in _WHOLE if low <= number < high]


@cache
def words() -> Mapping[str, set[str]]:
    """What the catalogue quotes where it describes a field of this name: "equal", "parity", "float32"."""
    said, out = describe(), defaultdict[str, set[str]](set)
    for description in (*said.problems, *said.methods, said.plan):
        for field in description.fields:
            out[field.name.rpartition(".")[2]] |= set(re.findall(r'"([\w-]+)"', field.description))
    return out


def _emptied(message: Message, name: str) -> Message:
    message.ClearField(name)
    inner: Message = getattr(message, name)
    inner.SetInParent()
    return inner


def _filled(message: Message) -> Message:
    """Every field set, to something small; of a oneof the first member."""
    for field in message.DESCRIPTOR.fields:
        oneof = field.containing_oneof
        if oneof is not None and len(oneof.fields) > 1 and field is not oneof.fields[0]:
            continue
        if _is_map(field):
            getattr(message, field.name)["1"] = "1"
        elif field.message_type is not None:
            inner = getattr(message, field.name).add() if field.is_repeated else _emptied(message, field.name)
            _filled(inner)
        else:
            one = b"1" if field.type == FieldDescriptor.TYPE_BYTES else "1" if field.type == FieldDescriptor.TYPE_STRING else 1
            getattr(message, field.name).append(one) if field.is_repeated else setattr(message, field.name, one)
    return message


def _is_map(field: Any) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


# --- specs that were changed


def mutants(name: str) -> list[Mutant]:
    """Those of a base: one change each, two at once, and every method in place of its own."""
    base = bases()[name]
    single = mutations(base.spec, base.within)
    draw = random.Random(name)
    if base.dear:
        return [_mutant(name, base, change) for change in draw.sample(single, min(8, len(single)))]
    out = [_mutant(name, base, change) for change in single]
    anywhere = mutations(base.spec)
    for _ in range(len(single) // 4):
        out.append(_mutant(name, base, draw.choice(single), draw.choice(anywhere)))
    if base.within[:1] == ("problem",):
        crossed = [change for change in anywhere if change.path[:1] == ("method",) and change.change == "empty"]
        out += [_mutant(name, base, change) for change in crossed]
    return out


def _mutant(name: str, base: Base, *changes: Mutation) -> Mutant:
    spec = jobs_pb2.JobSpec()
    spec.CopyFrom(base.spec)
    for change in changes:
        try:
            change.apply(at(spec, change.path[:-1]))
        except IndexError:  # the other change took the list away
            continue
    return Mutant(f"{name}: {' and '.join(map(str, changes))}", spec, not any(_long(change.change) for change in changes))


def _long(change: str) -> bool:
    _, equals, number = change.partition("= ")
    return (equals != "" and number.isdigit() and int(number) > _SMALL) or "2000" in change


def at(root: Message, path: Path) -> Any:
    """The message at a path."""
    for step in path:
        root = getattr(root, step) if isinstance(step, str) else root[step]  # type: ignore[index]
    return root


def written(path: Path) -> str:
    """As a user writes it: "problem.vqe.deflation[0].angles"."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def unreached() -> list[str]:
    """Fields of the wire that no mutation of any base changes."""
    changed = {tuple(s for s in c.path if isinstance(s, str)) for b in bases().values() for c in mutations(b.spec, b.within)}
    changed |= {base.within[: n + 1] for base in bases().values() for n in range(len(base.within))}
    return [written(path) for path in _fields(jobs_pb2.JobSpec.DESCRIPTOR, ()) if path not in changed]


def _fields(descriptor: Any, path: Path) -> Iterator[Path]:
    for field in descriptor.fields:
        yield (*path, field.name)
        if field.message_type is not None and not _is_map(field):
            yield from _fields(field.message_type, (*path, field.name))
