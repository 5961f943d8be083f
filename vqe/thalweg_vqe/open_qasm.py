"""Circuits of the user's own, as OpenQASM 3: the part of the language that describes unitary circuits.

Read are: qubit and input declarations, gate definitions, the gates of stdgates.inc and RXX, RYY, RZZ, barriers. Each becomes
Pauli rotations and CX, up to a global phase; a controlled rotation is two of them:

    C-P(θ)  =  exp(-iθ P/4) exp(+iθ Z_c P/4)

Source: Cross et al., ACM Trans. Quantum Comput. 3 (2022) 12.
"""

from __future__ import annotations

import ast
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, NoReturn, TypeVar

from thalweg_core.errors import BadInput
from thalweg_vqe.hamiltonian import Register
from thalweg_vqe.pauli import Word
from thalweg_vqe.program import Cx, Gate, Program, Rotation

MOST_CHARACTERS = 2**20
"""Of a circuit in a job (arbitrary: 1 MiB, some ten thousand gates; what travels with a job is kept with it)."""

T = TypeVar("T")

_DEEPEST = 100
"""Definitions inside definitions; deeper ones call themselves."""


@dataclass(frozen=True)
class OpenQasm:
    """A circuit of the user's own, in OpenQASM 3; its parameters are `input float` declarations, in their order.

    Angles are a parameter times a number plus a number; one parameter may turn many gates. Measurements, classical code and
    gate modifiers are refused. In a specification's file, `file = "circuit.qasm"` stands for the text.

    Args:
        text: the circuit, on as many qubits as the Hamiltonian has; the first qubit declared is qubit 0.
    """

    text: str

    def __post_init__(self) -> None:
        if len(self.text) > MOST_CHARACTERS:
            raise BadInput("text", f"wanted at most {MOST_CHARACTERS} characters, got {len(self.text)}")
        read(self.text)

    def program(self, register: Register) -> Program:
        program = read(self.text)
        if program.qubits != register.qubits:
            raise BadInput("text", f"the circuit has {program.qubits} qubits, the Hamiltonian {register.qubits}")
        return program

    def hartree_fock(self, register: Register) -> None:
        """Unknown."""
        return


def read(text: str) -> Program:
    """The program of a circuit.

    Raises:
        BadInput: of the field text, with the line.
    """
    reader = _Reader([], {}, {}, {})
    for line, statement in _statements(text):
        reader.statement(line, statement)
    if not reader.qubits:
        raise BadInput("text", "the circuit declares no qubit; wanted for example qubit[4] q;")
    if not reader.inputs:
        raise BadInput("text", "the circuit has no parameter; wanted for example input float[64] theta;")
    qubits = sum(len(places) for places in reader.qubits.values())
    return Program(qubits, len(reader.inputs), tuple(reader.gates))


class Angle(NamedTuple):
    """constant + Σ_k slope_k θ_k (rad)."""

    constant: float
    slopes: Mapping[int, float]

    def times(self, factor: float) -> Angle:
        return Angle(factor * self.constant, {k: factor * slope for k, slope in self.slopes.items()})

    def plus(self, other: Angle) -> Angle:
        both = {k: self.slopes.get(k, 0.0) + other.slopes.get(k, 0.0) for k in {*self.slopes, *other.slopes}}
        return Angle(self.constant + other.constant, {k: slope for k, slope in both.items() if slope})


def _number(value: float) -> Angle:
    return Angle(value, {})


class _Definition(NamedTuple):
    parameters: list[str]
    qubits: list[str]
    body: list[tuple[int, str]]


class _Reader(NamedTuple):
    """What was read so far."""

    gates: list[Gate]
    qubits: dict[str, list[int]]
    inputs: dict[str, Angle]
    definitions: dict[str, _Definition]

    def statement(self, line: int, statement: str) -> None:
        if re.fullmatch(r"OPENQASM\s+3(\.\d+)?", statement) or re.fullmatch(r'include\s+"stdgates.inc"', statement):
            return
        if found := re.fullmatch(r"OPENQASM\s+(\S+)", statement):
            _refuse(line, f"wanted OPENQASM 3, got {found[1]}; Qiskit's qasm3.dumps writes it")
        elif found := re.fullmatch(r"qubit\s*(?:\[\s*(\d+)\s*\])?\s+?([^\W\d]\w*)", statement):
            first = sum(len(places) for places in self.qubits.values())
            self._new(line, found[2], self.qubits)[found[2]] = list(range(first, first + int(found[1] or 1)))
        elif found := re.fullmatch(r"input\s+(?:float|angle)\s*(?:\[\s*\d+\s*\])?\s+?([^\W\d]\w*)", statement):
            name = _name(found[1])
            self._new(line, name, self.inputs)[name] = Angle(0.0, {len(self.inputs): 1.0})
        elif found := re.fullmatch(r"gate\s+([^\W\d]\w*)\s*(?:\(([^)]*)\))?\s*([^{(]*)\{(.*)\}", statement, re.DOTALL):
            body = [(line + offset, inner) for offset, inner in _pieces(found[4], 0)]
            parameters = [_name(name) for name in _listed(found[2] or "")]
            self._new(line, found[1], self.definitions)[found[1]] = _Definition(parameters, _listed(found[3]), body)
        else:
            self._call(line, statement, self.inputs, self._operands, 0)

    def _new(self, line: int, name: str, table: dict[str, T]) -> dict[str, T]:
        if name in table:
            _refuse(line, f"{name} is declared twice")
        return table

    def _call(
        self, line: int, statement: str, names: Mapping[str, Angle], operands: Callable[[int, str], list[int]], depth: int
    ) -> None:
        found = re.fullmatch(r"([^\W\d]\w*)\s*(?:\((.*?)\))?\s*([\w\[\],\s]*)", statement, re.DOTALL)
        if found is None or found[1] in _CLASSICAL:
            known = "wanted qubits, input floats, gate definitions and gates; the energy's own measurements are added later"
            _refuse(line, f'cannot read "{_short(statement)}"; {known}')
        name, places = found[1], [operands(line, text) for text in _listed(found[3])]
        if name in ("barrier", "gphase"):
            return
        angles = [_evaluated(line, text, names) for text in _listed(found[2] or "")]
        for qubits in _broadcast(line, places):
            self._apply(line, name, angles, qubits, depth)

    def _apply(self, line: int, name: str, angles: list[Angle], qubits: list[int], depth: int) -> None:
        if len(set(qubits)) < len(qubits):
            _refuse(line, f"{name} is given a qubit twice")
        if definition := self.definitions.get(name):
            _check_count(line, name, angles, len(definition.parameters), qubits, len(definition.qubits))
            if depth > _DEEPEST:
                _refuse(line, f"the gate {name} is defined by itself")
            here = dict(zip(definition.parameters, angles, strict=True))
            wires = dict(zip(definition.qubits, qubits, strict=True))

            def wire(line: int, text: str) -> list[int]:
                return [wires[text]] if text in wires else _refuse(line, f"no qubit is called {text} in the gate {name}")

            for inner, statement in definition.body:
                self._call(inner, statement, here, wire, depth + 1)
        elif standard := _STANDARD.get(name):
            _check_count(line, name, angles, standard.parameters, qubits, standard.qubits)
            for gate in standard.gates(angles, qubits):
                self.gates.append(gate if isinstance(gate, Cx) else _rotation(line, name, *gate))
        else:
            _refuse(line, f"no gate is called {name}; wanted one of stdgates.inc, or a definition before it")

    def _operands(self, line: int, text: str) -> list[int]:
        found = re.fullmatch(r"([^\W\d]\w*)\s*(?:\[\s*(\d+)\s*\])?", text)
        places = self.qubits.get(found[1]) if found else None
        if found is None or places is None:
            _refuse(line, f"no qubit is called {text}")
        if found[2] is None:
            return places
        if int(found[2]) >= len(places):
            _refuse(line, f"{found[1]} has {len(places)} qubits, got {text}")
        return [places[int(found[2])]]


def _rotation(line: int, name: str, word: Word, angle: Angle) -> Rotation:
    if not angle.slopes:
        return Rotation(word, None, offset=angle.constant)
    if len(angle.slopes) > 1:
        _refuse(line, f"{name} turns by more than one parameter; wanted one, times a number, plus a number")
    ((parameter, slope),) = angle.slopes.items()
    return Rotation(word, parameter, slope, angle.constant)


def _evaluated(line: int, text: str, names: Mapping[str, Angle]) -> Angle:
    """An expression of numbers and parameters, as an angle."""
    try:
        return _value(ast.parse(text.strip(), mode="eval").body, names)
    except (SyntaxError, ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
        _refuse(line, f'wanted an angle such as 2*theta + pi/2, got "{_short(text)}"')


def _value(node: ast.expr, names: Mapping[str, Angle]) -> Angle:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and math.isfinite(node.value):
        return _number(float(node.value))
    if isinstance(node, ast.Name):
        return names[node.id] if node.id in names else _number(_CONSTANTS[node.id])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return _value(node.operand, names).times(-1.0 if isinstance(node.op, ast.USub) else 1.0)
    if isinstance(node, ast.BinOp):
        a, b = _value(node.left, names), _value(node.right, names)
        if isinstance(node.op, ast.Add):
            return a.plus(b)
        if isinstance(node.op, ast.Sub):
            return a.plus(b.times(-1.0))
        if isinstance(node.op, ast.Mult) and not (a.slopes and b.slopes):
            return a.times(b.constant) if not b.slopes else b.times(a.constant)
        if isinstance(node.op, ast.Div) and not b.slopes:
            return a.times(1 / b.constant)
        if isinstance(node.op, ast.Pow) and not a.slopes and not b.slopes:
            return _number(float(a.constant**b.constant))
    raise ValueError("not an angle")


Step = Cx | tuple[Word, Angle]
Recipe = Callable[[Sequence[Angle], Sequence[int]], list[Step]]


class _Standard(NamedTuple):
    parameters: int
    qubits: int
    gates: Recipe


def _x(q: int, angle: Angle) -> Step:
    return Word(1 << q, 0), angle


def _y(q: int, angle: Angle) -> Step:
    return Word(1 << q, 1 << q), angle


def _z(q: int, angle: Angle) -> Step:
    return Word(0, 1 << q), angle


def _with_z(control: int, step: Step) -> Step:
    assert not isinstance(step, Cx)
    word, angle = step
    return Word(word.x, word.z | 1 << control), angle


def _controlled(turn: Callable[[int, Angle], Step]) -> Recipe:
    return lambda a, q: [turn(q[1], a[0].times(0.5)), _with_z(q[0], turn(q[1], a[0].times(-0.5)))]


def _fixed(turn: Callable[[int, Angle], Step], angle: float) -> Recipe:
    return lambda a, q: [turn(q[0], _number(angle))]


def _hadamard(q: int) -> list[Step]:
    return [_z(q, _number(math.pi)), _y(q, _number(math.pi / 2))]


def _general(q: int, theta: Angle, phi: Angle, lam: Angle) -> list[Step]:
    """U(θ, φ, λ) = RZ(φ) RY(θ) RZ(λ)."""
    return [_z(q, lam), _y(q, theta), _z(q, phi)]


def _controlled_phase(angle: Angle, c: int, t: int) -> list[Step]:
    half = angle.times(0.5)
    return [_z(c, half), _z(t, half), (Word(0, 1 << c | 1 << t), half.times(-1.0))]


def _flip_phase(a: int, b: int, c: int) -> list[Step]:
    """-1 on |111⟩:  exp[iπ (1 - Z_a)(1 - Z_b)(1 - Z_c)/8]."""
    one, two, three = 1 << a, 1 << b, 1 << c
    sets = (one, two, three, one | two, one | three, two | three, one | two | three)
    return [(Word(0, mask), _number(math.pi / 4 * (1 if mask.bit_count() % 2 else -1))) for mask in sets]


def _controlled_general(a: Sequence[Angle], c: int, t: int) -> list[Step]:
    """CU(θ, φ, λ, γ), which also gives the control the phase γ."""
    theta, phi, lam, gamma = a
    sum_, difference = phi.plus(lam).times(0.5), lam.plus(phi.times(-1.0)).times(0.5)
    there = _general(t, theta.times(-0.5), _number(0.0), sum_.times(-1.0))
    back = _general(t, theta.times(0.5), phi, _number(0.0))
    return [_z(c, gamma), _z(c, sum_), _z(t, difference), Cx(c, t), *there, Cx(c, t), *back]


def _swap(a: int, b: int) -> list[Step]:
    return [Cx(a, b), Cx(b, a), Cx(a, b)]


def _pair(make: Callable[[int], Word]) -> Recipe:
    return lambda a, q: [(make(1 << q[0] | 1 << q[1]), a[0])]


_RIGHT = _number(math.pi / 2)
_STANDARD: dict[str, _Standard] = {
    "id": _Standard(0, 1, lambda a, q: []),
    "x": _Standard(0, 1, _fixed(_x, math.pi)),
    "y": _Standard(0, 1, _fixed(_y, math.pi)),
    "z": _Standard(0, 1, _fixed(_z, math.pi)),
    "s": _Standard(0, 1, _fixed(_z, math.pi / 2)),
    "sdg": _Standard(0, 1, _fixed(_z, -math.pi / 2)),
    "t": _Standard(0, 1, _fixed(_z, math.pi / 4)),
    "tdg": _Standard(0, 1, _fixed(_z, -math.pi / 4)),
    "sx": _Standard(0, 1, _fixed(_x, math.pi / 2)),
    "h": _Standard(0, 1, lambda a, q: _hadamard(q[0])),
    "rx": _Standard(1, 1, lambda a, q: [_x(q[0], a[0])]),
    "ry": _Standard(1, 1, lambda a, q: [_y(q[0], a[0])]),
    **{name: _Standard(1, 1, lambda a, q: [_z(q[0], a[0])]) for name in ("rz", "p", "phase", "u1")},
    "u2": _Standard(2, 1, lambda a, q: _general(q[0], _RIGHT, a[0], a[1])),
    **{name: _Standard(3, 1, lambda a, q: _general(q[0], a[0], a[1], a[2])) for name in ("U", "u3")},
    **{name: _Standard(0, 2, lambda a, q: [Cx(q[0], q[1])]) for name in ("cx", "CX")},
    "cy": _Standard(0, 2, lambda a, q: [_z(q[1], _RIGHT.times(-1.0)), Cx(q[0], q[1]), _z(q[1], _RIGHT)]),
    "cz": _Standard(0, 2, lambda a, q: _controlled_phase(_number(math.pi), q[0], q[1])),
    "ch": _Standard(
        0,
        2,
        lambda a, q: [
            _y(q[1], _number(-math.pi / 4)),
            *_controlled_phase(_number(math.pi), q[0], q[1]),
            _y(q[1], _number(math.pi / 4)),
        ],
    ),
    **{name: _Standard(1, 2, lambda a, q: _controlled_phase(a[0], q[0], q[1])) for name in ("cp", "cphase")},
    "crx": _Standard(1, 2, _controlled(_x)),
    "cry": _Standard(1, 2, _controlled(_y)),
    "crz": _Standard(1, 2, _controlled(_z)),
    "cu": _Standard(4, 2, lambda a, q: _controlled_general(a, q[0], q[1])),
    "swap": _Standard(0, 2, lambda a, q: _swap(q[0], q[1])),
    "rxx": _Standard(1, 2, _pair(lambda mask: Word(mask, 0))),
    "ryy": _Standard(1, 2, _pair(lambda mask: Word(mask, mask))),
    "rzz": _Standard(1, 2, _pair(lambda mask: Word(0, mask))),
    "ccx": _Standard(0, 3, lambda a, q: [*_hadamard(q[2]), *_flip_phase(q[0], q[1], q[2]), *_hadamard(q[2])]),
    "cswap": _Standard(
        0,
        3,
        lambda a, q: [Cx(q[2], q[1]), *_hadamard(q[2]), *_flip_phase(q[0], q[1], q[2]), *_hadamard(q[2]), Cx(q[2], q[1])],
    ),
}

_CONSTANTS = {"pi": math.pi, "π": math.pi, "tau": math.tau, "τ": math.tau, "euler": math.e, "ℇ": math.e}
_CLASSICAL = {"bit", "measure", "reset", "if", "for", "while", "def", "return", "let", "const", "input", "output", "int", "float"}


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """The statements with their lines, without comments."""
    blank = re.sub(r"//[^\n]*", "", re.sub(r"/\*.*?\*/", lambda found: "\n" * found[0].count("\n"), text, flags=re.DOTALL))
    if blank.count("{") != blank.count("}"):
        _refuse(text.count("\n") + 1, "braces do not match")
    yield from _pieces(blank, 1)


def _pieces(text: str, line: int) -> Iterator[tuple[int, str]]:
    """What stands between semicolons, or ends with a closing brace."""
    for found in re.finditer(r"\s*([^;{}]*(?:\{[^{}]*\}|;|$))", text):
        statement = found[1].rstrip(";").strip()
        if statement:
            yield line + text.count("\n", 0, found.start(1)), statement


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _name(text: str) -> str:
    return unicodedata.normalize("NFKC", text)  # as Python reads names in expressions


def _broadcast(line: int, places: list[list[int]]) -> Iterator[list[int]]:
    """A gate on whole registers is one on each of their qubits."""
    width = max((len(qubits) for qubits in places), default=0)
    if any(len(qubits) not in (1, width) for qubits in places):
        _refuse(line, "registers of different lengths are given to one gate")
    for k in range(width):
        yield [qubits[k if len(qubits) > 1 else 0] for qubits in places]


def _check_count(line: int, name: str, angles: Sequence[Angle], parameters: int, qubits: Sequence[int], wires: int) -> None:
    if (len(angles), len(qubits)) != (parameters, wires):
        wanted = f"wanted {parameters} angle(s) and {wires} qubit(s) for {name}"
        _refuse(line, f"{wanted}, got {len(angles)} and {len(qubits)}")


def _short(text: str) -> str:
    return " ".join(text.split())[:60]


def _refuse(line: int, sentence: str) -> NoReturn:
    raise BadInput("text", f"line {line}: {sentence}")
