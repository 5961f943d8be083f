"""Circuits of other programs, read by Qiskit in a process of its own.

    python -m thalweg_vqe.ansatze.user.foreign open_qasm|qpy SECONDS

A file on standard input, its gates as JSON on standard output.

What somebody sends may be broken, or without end: a few lines of gates defined by gates are a million gates. This process
has little memory and little time, and whoever asked it survives it.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import sys
from collections.abc import Sequence
from typing import NamedTuple

import openqasm3
import qiskit_qasm3_import
from openqasm3 import ast
from openqasm3.parser import QASM3ParsingError
from qiskit import qpy
from qiskit.circuit import Parameter, QuantumCircuit

from thalweg_core.errors import BadInput
from thalweg_vqe.ansatze.user.translation import Gates, short, translated

Statement = ast.Statement | ast.Pragma

MEMORY = 4 * 2**30
"""Of address space, bytes (arbitrary: three times what Qiskit takes by itself)."""

MOST_QUBITS = 60
"""A basis state is a number of 64 bits."""


class Read(NamedTuple):
    """A circuit as it is sent back."""

    qubits: int
    parameters: int
    gates: Gates


def main(kind: str, seconds: int) -> None:
    """Answer what stands on standard input, in so much processor time."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    with contextlib.suppress(ValueError, OSError):  # not every system limits it
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.stdout.write(answer(kind, sys.stdin.buffer.read()))


def answer(kind: str, content: bytes) -> str:
    """A circuit, or a sentence that says why there is none."""
    try:
        read = of_qpy(content) if kind == "qpy" else of_open_qasm(content.decode())
    except BadInput as bad:
        return json.dumps({"refused": bad.sentence})
    return json.dumps(read._asdict())


def of_qpy(content: bytes) -> Read:
    """The only circuit of a QPY file, over its parameters in Qiskit's order.

    Raises:
        BadInput: of no field.
    """
    try:
        circuits = qpy.load(io.BytesIO(content))
    except BaseException as error:  # its Rust part panics where a file is broken, and that is no Exception
        raise BadInput("", f"Qiskit cannot read it: {_reason(error)}") from None
    if len(circuits) != 1:
        raise BadInput("", f"wanted one circuit, got {len(circuits)}; qpy.dump(circuit, file) writes one")
    try:
        return _read(circuits[0], circuits[0].parameters)
    except Exception as error:
        raise BadInput("", _reason(error)) from None


def of_open_qasm(text: str) -> Read:
    """The circuit of a text in OpenQASM 3, over its inputs in the order of their declarations.

    Raises:
        BadInput: of no field, with the line.
    """
    program = _parsed(text)
    if program.version is not None and not program.version.startswith("3"):
        raise BadInput("", f"wanted OPENQASM 3, got {program.version}; Qiskit's qasm3.dumps writes it")
    for statement in program.statements:
        if not isinstance(statement, _UNITARY):
            wanted = "wanted qubits, inputs, gates and their definitions; the energy's own measurements are added later"
            raise BadInput("", f"{_place(text, statement)}: {wanted}")
    _check_qubits(text, program.statements)
    try:
        return _converted(program.statements)
    except Exception as error:
        statement = program.statements[_first_to_fail(program.statements)]
        raise BadInput("", f"{_place(text, statement)}: {_reason(error)}") from None


_UNITARY = (
    *(ast.Include, ast.QubitDeclaration, ast.IODeclaration, ast.AliasStatement, ast.QuantumGateDefinition),
    *(ast.QuantumGate, ast.QuantumPhase, ast.QuantumBarrier),
)


def _parsed(text: str) -> ast.Program:
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # where ANTLR complains
            return openqasm3.parse(text) if text.strip() else ast.Program([])
    except QASM3ParsingError as error:
        met = error.__cause__.args[0] if error.__cause__ and error.__cause__.args else None
        token = getattr(met, "offendingToken", None)
        if token is None:  # "L3:C0: what is wrong"
            line, _, rest = str(error).removeprefix("L").partition(":")
            raise BadInput("", f"line {line}: {_lower(rest.partition(': ')[2])}") from None
        end = "the text ends in the middle of a statement" if token.text == "<EOF>" else f'did not expect "{short(token.text)}"'
        raise BadInput("", f"line {token.line}: {end}") from None
    except Exception as error:
        raise BadInput("", f"Qiskit's reader of OpenQASM cannot read it: {_reason(error)}") from None


def _check_qubits(text: str, statements: Sequence[Statement]) -> None:
    """Refuses what no Hamiltonian here has, before Qiskit makes an object of each."""
    for statement in statements:
        size = statement.size if isinstance(statement, ast.QubitDeclaration) else None
        if isinstance(size, ast.IntegerLiteral) and size.value > MOST_QUBITS:
            raise BadInput("", f"{_place(text, statement)}: wanted at most {MOST_QUBITS} qubits, got {size.value}")


def _converted(statements: Sequence[Statement]) -> Read:
    circuit = qiskit_qasm3_import.convert(ast.Program(list(statements)))
    known = {parameter.name: parameter for parameter in circuit.parameters}
    inputs = [statement.identifier.name for statement in statements if isinstance(statement, ast.IODeclaration)]
    return _read(circuit, [known[name] for name in inputs])


def _first_to_fail(statements: Sequence[Statement]) -> int:
    """The first statement with which reading fails: what stands before it can be read."""
    low, high = 0, len(statements) - 1
    while low < high:
        middle = (low + high) // 2
        try:
            _converted(statements[: middle + 1])
            low = middle + 1
        except Exception:
            high = middle
    return low


def _read(circuit: QuantumCircuit, parameters: Sequence[Parameter]) -> Read:
    return Read(circuit.num_qubits, len(parameters), translated(circuit, parameters))


def _place(text: str, statement: Statement) -> str:
    span = statement.span
    assert span is not None  # the parser gives one to everything
    written = text.splitlines()[span.start_line - 1][span.start_column :]
    return f'line {span.start_line}: cannot read "{short(written)}"'


def _reason(error: BaseException) -> str:
    """What went wrong, as far as its first line tells."""
    if isinstance(error, BadInput):
        return error.sentence
    if isinstance(error, TypeError) and "argument" in str(error):
        return "a gate is given too few or too many angles"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    words = getattr(error, "message", None) or str(error) or type(error).__name__
    line = words.strip().splitlines()[0].rstrip(".: ")
    line = line[1:-1] if line[:1] == line[-1:] == "'" else line
    where, _, rest = line.partition(": ")
    return short(_lower(rest if where.replace(",", "").isdigit() else line), 200)


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
