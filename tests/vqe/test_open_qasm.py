"""OpenQASM 3: circuits that Qiskit writes and simulates, read back to the same states; what is no circuit is refused."""

import numpy as np
import pytest
import torch
from qiskit import qasm3
from qiskit.circuit import Parameter, ParameterVector, QuantumCircuit
from qiskit.circuit.library import efficient_su2, excitation_preserving
from qiskit.quantum_info import Operator
from qiskit.quantum_info import Statevector as QiskitState

from thalweg_core.errors import BadInput
from thalweg_vqe.circuits import circuit
from thalweg_vqe.open_qasm import OpenQasm, read

HEADER = 'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float[64] a;\nqubit[3] q;\n'


def overlap(program, theta, theirs):
    """Between our state and Qiskit's."""
    angles = program.angles(torch.tensor([theta], dtype=torch.float64))[0].tolist()
    return abs(np.vdot(QiskitState(circuit(program, angles)).data, theirs.data))


@pytest.mark.parametrize(
    "theirs", [efficient_su2(3, reps=2), excitation_preserving(3, reps=1), excitation_preserving(4, "fsim", reps=1)]
)
def test_parametrized_circuits_of_qiskits_library_are_read_back(theirs):
    program = read(qasm3.dumps(theirs))
    assert (program.qubits, program.parameters) == (theirs.num_qubits, theirs.num_parameters)
    theta = np.random.default_rng(1).uniform(-3, 3, program.parameters).tolist()
    wanted = QiskitState(theirs.assign_parameters(theta))
    assert overlap(program, theta, wanted) == pytest.approx(1, abs=1e-12)


NAMES = ["id", "x", "y", "z", "s", "sdg", "t", "tdg", "sx", "h", "cx", "cy", "cz", "ch", "swap", "ccx", "cswap"]
TURNS = {"rx": 1, "ry": 1, "rz": 1, "p": 1, "cp": 1, "crx": 1, "cry": 1, "crz": 1, "rxx": 1, "ryy": 1, "rzz": 1}
WIRES = dict.fromkeys(["cx", "cy", "cz", "ch", "swap", "cp", "crx", "cry", "crz", "rxx", "ryy", "rzz", "cu"], 2)
WIRES |= {"ccx": 3, "cswap": 3}
FREE = {"u": (3, 1), "cu": (4, 2), "u2": (2, 1)}


@pytest.mark.parametrize("name", [*NAMES, *TURNS, *FREE])
def test_every_gate_does_what_qiskits_gate_does_up_to_a_phase(name):
    """Random states before and after, so that no entry of the matrix can hide."""
    rng = np.random.default_rng(4)
    ours, a = QuantumCircuit(3), Parameter("a")
    for q in range(3):
        ours.ry(a * rng.normal() + rng.normal(), q)
        ours.rz(2 - a, q)
    ours.cx(0, 1)
    ours.cx(1, 2)
    qubits = [2, 0, 1][: WIRES.get(name, 1)]
    if name in FREE and name != "u2":
        getattr(ours, name)(*rng.uniform(-3, 3, FREE[name][0]), *qubits)
        text = qasm3.dumps(ours)
    elif name == "u2":
        before = qasm3.dumps(ours)
        text = before + "u2(0.3, -1.1) q[2];\n"
        ours.u(np.pi / 2, 0.3, -1.1, 2)
    else:
        getattr(ours, name)(*[a * 0.7 - np.pi / 3] * TURNS.get(name, 0), *qubits)
        text = qasm3.dumps(ours)
    program = read(text)
    assert overlap(program, [0.83], QiskitState(ours.assign_parameters({a: 0.83}))) == pytest.approx(1, abs=1e-12)


def test_one_parameter_may_turn_many_gates_by_multiples():
    theta = ParameterVector("θ", 2)
    theirs = QuantumCircuit(2)
    theirs.rx(2 * theta[0] + 0.1, 0)
    theirs.ry(-theta[1] / 3, 1)
    theirs.cx(0, 1)
    theirs.rz(theta[0] - np.pi, 1)
    program = read(qasm3.dumps(theirs))
    assert [(r.parameter, r.scale, r.offset) for r in program.turned] == [
        (0, 2.0, pytest.approx(0.1)),
        (1, pytest.approx(-1 / 3), 0.0),
        (0, 1.0, pytest.approx(-np.pi)),
    ]
    values = {theta[0]: 0.4, theta[1]: -1.3}
    assert overlap(program, [0.4, -1.3], QiskitState(theirs.assign_parameters(values))) == pytest.approx(1, abs=1e-12)


def test_definitions_registers_comments_and_broadcasts_are_read():
    text = """OPENQASM 3;  // a comment
    include "stdgates.inc";
    input float t; /* two
    lines */
    gate pair(x) a, b { ry(x / 2) a; cx a, b; }
    gate twice(x) a, b { pair(x) a, b; pair(-x + 2 * pi) b, a; }
    qubit[2] q;
    qubit r;
    h q;
    barrier q;
    twice(t) q[0], r;
    """
    theirs = QuantumCircuit(3)
    theirs.h([0, 1])
    for turn, a, b in ((0.9, 0, 2), (-0.9 + 2 * np.pi, 2, 0)):
        theirs.ry(turn / 2, a)
        theirs.cx(a, b)
    assert overlap(read(text), [0.9], QiskitState(theirs)) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "declares no qubit"),
        ("qubit[2] q; h q[0];", "has no parameter"),
        ("OPENQASM 2.0;\n", "line 1: wanted OPENQASM 3, got 2.0"),
        (HEADER + "rx(a) q[3];", r"line 5: q has 3 qubits, got q\[3\]"),
        (HEADER + "rx(a) r[0];", "line 5: no qubit is called r"),
        (HEADER + "\nrx(b) q[0];", 'line 6: wanted an angle such as 2\\*theta \\+ pi/2, got "b"'),
        (HEADER + "rx(a*a) q[0];", "wanted an angle"),
        (HEADER + "rx(sin(a)) q[0];", "wanted an angle"),
        (HEADER + "rx(1/0) q[0];", "wanted an angle"),
        (HEADER + "input float b;\nrx(a+b) q[0];", "line 6: rx turns by more than one parameter"),
        (HEADER + "rx q[0];", r"wanted 1 angle\(s\) and 1 qubit\(s\) for rx, got 0 and 1"),
        (HEADER + "cx q[0], q[0];", "a qubit twice"),
        (HEADER + "foo(a) q[0];", "no gate is called foo"),
        (HEADER + "bit[3] c;", 'cannot read "bit\\[3\\] c"'),
        (HEADER + "measure q;", "measurements are added later"),
        (HEADER + "ctrl @ x q[0], q[1];", "cannot read"),
        (HEADER + "if (a > 0) { x q[0]; }", "cannot read"),
        (HEADER + "qubit q;", "q is declared twice"),
        (HEADER + "gate g(x) b { g(x) b; }\ng(a) q[0];", "is defined by itself"),
        (HEADER + "gate g(x) b { rx(x) b;", "braces"),
        ("nothing at all", "line 1: no qubit is called at all"),
        ("x" * (2**20 + 1), "at most 1048576 characters"),
    ],
)
def test_what_is_no_unitary_circuit_is_refused_with_the_line(text, part):
    with pytest.raises(BadInput, match=part) as refused:
        OpenQasm(text)
    assert refused.value.field == "text"


def test_a_gate_written_by_hand_has_the_matrix_of_its_definition():
    """RXX through its own definition, as Qiskit writes gates that the standard file lacks."""
    theirs, a = QuantumCircuit(2), Parameter("a")
    theirs.rxx(a, 0, 1)
    program = read(qasm3.dumps(theirs))
    angles = program.angles(torch.tensor([[0.6]], dtype=torch.float64))[0].tolist()
    assert Operator(circuit(program, angles)).equiv(Operator(theirs.assign_parameters({a: 0.6})))
