"""A Qiskit circuit as Pauli rotations and CX gates, up to its global phase.

Gates of the table below are written down, any other is taken apart by its own definition until only those are left:

    U(θ, φ, λ) = RZ(φ) RY(θ) RZ(λ),     exp(-i (aα + bβ + c) P/2) = exp(-i (aα + c) P/2) exp(-i bβ P/2)

This file knows Qiskit and no torch: who reads a user's circuit is up in a second.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from qiskit.circuit import (
    AnnotatedOperation,
    Barrier,
    ControlFlowOp,
    Delay,
    Instruction,
    Measure,
    Parameter,
    ParameterExpression,
    QuantumCircuit,
    Reset,
)
from qiskit.circuit.library import standard_gates as standard
from qiskit.transpiler.passes import HighLevelSynthesis

from thalweg_core.errors import BadInput

MOST_GATES = 100_000
"""Rotations and CX gates of one circuit (arbitrary: a gradient asks for two circuits a rotation)."""

_DEEPEST = 100
"""Definitions inside definitions (arbitrary)."""

_LOOKED_AT = (-1.3, 0.7, 2.9)
"""Where an angle must be as linear as its slopes say (rad; arbitrary)."""


class Turn(NamedTuple):
    """exp(-i φ P/2),  φ = scale · θ_parameter + offset, P by its two masks: `program.Rotation`, to be sent."""

    x: int
    z: int
    parameter: int | None
    scale: float
    offset: float  # rad


class Flip(NamedTuple):
    """CX: `program.Cx`, to be sent."""

    control: int
    target: int


class Angle(NamedTuple):
    """constant + Σ_k slope_k θ_k (rad)."""

    constant: float
    slopes: Mapping[int, float] = {}


Gates = list[Turn | Flip]
Recipe = Callable[[Sequence[Angle], Sequence[int]], Gates]


def translated(circuit: QuantumCircuit, parameters: Sequence[Parameter]) -> Gates:
    """The gates of a circuit over these parameters, numbered in their order.

    Raises:
        BadInput: of no field; it is no unitary circuit, or its angles are not linear in the parameters.
    """
    gates: Gates = []
    places = {parameter: number for number, parameter in enumerate(parameters)}
    for instruction in circuit.data:
        _add(gates, places, instruction.operation, _qubits(circuit, instruction), 0)
    return gates


def _add(gates: Gates, places: Mapping[Parameter, int], operation: Instruction, qubits: list[int], depth: int) -> None:
    recipe = _RECIPES.get(getattr(operation, "base_class", type(operation)))
    if isinstance(operation, Barrier | Delay):
        return
    if recipe is not None and getattr(operation, "ctrl_state", 1) == 1:
        gates += recipe([_angle(operation.name, angle, places) for angle in operation.params], qubits)
    else:
        definition = _definition(operation, depth)
        for inner in definition.data:
            _add(gates, places, inner.operation, [qubits[q] for q in _qubits(definition, inner)], depth + 1)
    if len(gates) > MOST_GATES:
        raise BadInput("", f"wanted a circuit of at most {MOST_GATES} rotations and CX gates, got more")


def _qubits(circuit: QuantumCircuit, instruction: Any) -> list[int]:
    return [circuit.find_bit(qubit).index for qubit in instruction.qubits]


def _definition(operation: Instruction, depth: int) -> QuantumCircuit:
    """What a gate is made of."""
    name = operation.name
    if isinstance(operation, Measure | Reset | ControlFlowOp):
        later = "; the energy's own measurements are added later" if isinstance(operation, Measure) else ""
        raise BadInput("", f'wanted gates only, no measurement, reset or control flow, got "{name}"{later}')
    definition: QuantumCircuit | None = (
        _synthesized(operation) if isinstance(operation, AnnotatedOperation) else operation.definition
    )
    if definition is None:
        raise BadInput("", f'the gate "{name}" is no standard gate, and is not defined by other gates')
    if depth >= _DEEPEST:
        raise BadInput("", f'the gate "{name}" is defined by gates inside gates, more than {_DEEPEST} deep')
    return definition


def _synthesized(operation: AnnotatedOperation) -> QuantumCircuit:
    """A gate that is controlled, inverted or repeated by a note, with the note carried out."""
    noted = QuantumCircuit(operation.num_qubits)
    noted.append(operation, noted.qubits)
    carried_out: QuantumCircuit = HighLevelSynthesis()(noted)
    return carried_out


def _angle(name: str, given: Any, places: Mapping[Parameter, int]) -> Angle:
    """An angle of Qiskit's as constant + Σ slope_k θ_k."""
    for parameter in getattr(given, "parameters", ()):
        if parameter not in places:
            raise BadInput("", f'the gate "{name}" turns by a parameter "{parameter.name}" that the circuit has not')
    if isinstance(given, Parameter):
        return Angle(0.0, {places[given]: 1.0})
    try:
        angle = _linear(given, places) if isinstance(given, ParameterExpression) else Angle(float(given))
    except (TypeError, ValueError, ArithmeticError, RuntimeError):  # complex, not linear, without a value
        wanted = "wanted an angle such as 2*theta + pi/2, linear in the parameters"
        raise BadInput("", f'{wanted}, got "{short(given)}" for the gate "{name}"') from None
    if not all(map(math.isfinite, (angle.constant, *angle.slopes.values()))):
        raise BadInput("", f'wanted finite angles (rad), got {short(given)} for the gate "{name}"')
    return angle


def _linear(given: ParameterExpression, places: Mapping[Parameter, int]) -> Angle:
    slopes = {parameter: float(given.gradient(parameter)) for parameter in given.parameters}
    constant = float(given.bind(dict.fromkeys(slopes, 0.0)))
    for number, value in enumerate(_LOOKED_AT):
        point = {parameter: value + number * place for place, parameter in enumerate(slopes)}
        expected = constant + sum(slope * point[parameter] for parameter, slope in slopes.items())
        if not math.isclose(float(given.bind(point)), expected, rel_tol=1e-9, abs_tol=1e-9):
            raise ValueError("not linear")
    return Angle(constant, {places[parameter]: slope for parameter, slope in slopes.items() if slope})


def short(given: Any, most: int = 60) -> str:
    """What was written, cut where it is long."""
    text = " ".join(str(given).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _turns(x: int, z: int, angle: Angle) -> Gates:
    """A turn for each parameter; the constant goes with the first."""
    if not angle.slopes:
        return [Turn(x, z, None, 1.0, angle.constant)]
    turns = [Turn(x, z, parameter, slope, 0.0) for parameter, slope in sorted(angle.slopes.items())]
    return [turns[0]._replace(offset=angle.constant), *turns[1:]]


def _word(letter: str, qubits: Sequence[int]) -> tuple[int, int]:
    mask = sum(1 << q for q in qubits)
    return (mask if letter in "XY" else 0), (mask if letter in "YZ" else 0)


def _by(letter: str) -> Recipe:
    """A turn by the gate's only angle about this letter on all its qubits."""
    return lambda angles, qubits: _turns(*_word(letter, qubits), angles[0])


def _fixed(letter: str, angle: float) -> Recipe:
    return lambda angles, qubits: _turns(*_word(letter, qubits), Angle(angle))


def _hadamard(angles: Sequence[Angle], qubits: Sequence[int]) -> Gates:
    return [*_fixed("Z", math.pi)(angles, qubits), *_fixed("Y", math.pi / 2)(angles, qubits)]


def _general(angles: Sequence[Angle], qubits: Sequence[int]) -> Gates:
    theta, phi, lam = angles
    return [gate for letter, angle in (("Z", lam), ("Y", theta), ("Z", phi)) for gate in _by(letter)([angle], qubits)]


_RECIPES: Mapping[type, Recipe] = {
    standard.IGate: lambda angles, qubits: [],
    standard.CXGate: lambda angles, qubits: [Flip(*qubits)],
    standard.HGate: _hadamard,
    **dict.fromkeys((standard.UGate, standard.U3Gate), _general),
    **dict.fromkeys((standard.RXGate, standard.RXXGate), _by("X")),
    **dict.fromkeys((standard.RYGate, standard.RYYGate), _by("Y")),
    **dict.fromkeys((standard.RZGate, standard.RZZGate, standard.PhaseGate, standard.U1Gate), _by("Z")),
    standard.XGate: _fixed("X", math.pi),
    standard.YGate: _fixed("Y", math.pi),
    standard.ZGate: _fixed("Z", math.pi),
    standard.SGate: _fixed("Z", math.pi / 2),
    standard.SdgGate: _fixed("Z", -math.pi / 2),
    standard.TGate: _fixed("Z", math.pi / 4),
    standard.TdgGate: _fixed("Z", -math.pi / 4),
    standard.SXGate: _fixed("X", math.pi / 2),
    standard.SXdgGate: _fixed("X", -math.pi / 2),
}
