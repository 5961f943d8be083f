"""Circuits of the user's own: Qiskit's states of what Qiskit writes, in OpenQASM 3 and in QPY; what is no circuit is refused."""

import io
import os

import numpy as np
import pytest
import torch
from qiskit import qasm3, qpy
from qiskit.circuit import Gate, Parameter, ParameterVector, QuantumCircuit
from qiskit.circuit.library import (
    PauliEvolutionGate,
    RYGate,
    XGate,
    efficient_su2,
    excitation_preserving,
    get_standard_gate_name_mapping,
    n_local,
)
from qiskit.quantum_info import SparsePauliOp, random_unitary
from qiskit.quantum_info import Statevector as QiskitState

from thalweg_core.errors import BadInput, Unavailable
from thalweg_core.streams import Stream
from thalweg_vqe.ansatze.user import foreign, user_circuit
from thalweg_vqe.ansatze.user.open_qasm import OpenQasm
from thalweg_vqe.ansatze.user.qpy import Qpy
from thalweg_vqe.engines.aer.qiskit_circuits import circuit
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.hamiltonians.hamiltonian import Register
from thalweg_vqe.hamiltonians.pauli_sum import PauliSum, PauliTerm
from thalweg_vqe.problem import Vqe
from thalweg_vqe.starts import Uniform

HEADER = 'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float[64] a;\nqubit[3] q;\n'
ASKED = user_circuit.asked


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """Most circuits are read in this process: starting another one takes a second."""
    monkeypatch.setattr(user_circuit, "asked", lambda kind, content: foreign.answer(kind, content).encode())
    user_circuit.read.cache_clear()


def dumped(*circuits):
    file = io.BytesIO()
    qpy.dump(list(circuits), file)
    return file.getvalue()


def as_qpy(theirs):
    return Qpy(dumped(theirs)).program(Register(theirs.num_qubits, None))


def as_qasm(theirs):
    return OpenQasm(qasm3.dumps(theirs)).program(Register(theirs.num_qubits, None))


def overlap(program, theta, theirs):
    """Between our state and Qiskit's."""
    angles = program.angles(torch.tensor([theta], dtype=torch.float64))[0].tolist()
    return abs(np.vdot(QiskitState(circuit(program, angles)).data, theirs.data))


@pytest.mark.parametrize("read", [as_qpy, as_qasm])
@pytest.mark.parametrize(
    "theirs",
    [
        efficient_su2(3, reps=2),
        excitation_preserving(3, reps=1),
        excitation_preserving(4, "fsim", reps=1),
        n_local(3, ["rx", "p"], "crz", reps=2),
    ],
)
def test_parametrized_circuits_of_qiskits_library_are_read_back(theirs, read):
    program = read(theirs)
    assert (program.qubits, program.parameters) == (theirs.num_qubits, theirs.num_parameters)
    theta = np.random.default_rng(1).uniform(-3, 3, program.parameters).tolist()
    wanted = QiskitState(theirs.assign_parameters(theta))
    assert overlap(program, theta, wanted) == pytest.approx(1, abs=1e-12)


NOT_UNITARY = {"measure", "reset", "delay"}
GATES = {name: gate for name, gate in get_standard_gate_name_mapping().items() if name not in NOT_UNITARY}


def between_random_states(gate, angles):
    """A gate in the middle of a circuit, so that no entry of its matrix can hide."""
    rng = np.random.default_rng(4)
    qubits = max(3, gate.num_qubits)
    theirs, a = QuantumCircuit(qubits), Parameter("a")
    for q in range(qubits):
        theirs.ry(a * rng.normal() + rng.normal(), q)
        theirs.rz(2 - a, q)
    for q in range(qubits - 1):
        theirs.cx(q, q + 1)
    theirs.append(type(gate.to_mutable())(*angles), rng.permutation(qubits)[: gate.num_qubits].tolist())
    for q in range(qubits):
        theirs.ry(rng.normal(), q)
    return theirs, a


@pytest.mark.parametrize("name", GATES)
def test_every_standard_gate_does_what_qiskits_does_up_to_a_phase(name):
    """Over angles in several parameters: those that the gate puts together must come apart again."""
    b = ParameterVector("b", 4)
    angles = [0.7 * b[k] - np.pi / (3 + k) for k in range(len(GATES[name].params))]
    theirs, a = between_random_states(GATES[name], angles)
    values = {a: 0.83} | {b[k]: 1.1 - 0.9 * k for k in range(len(angles))}
    theta = [values[parameter] for parameter in theirs.parameters]
    assert overlap(as_qpy(theirs), theta, QiskitState(theirs.assign_parameters(values))) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", ["u1", "u2", "u3", "U", "phase", "cphase", "CX", "id", "ccx", "cswap", "ch", "cu", "swap", "cy"])
def test_every_name_of_openqasms_standard_file_is_known(name):
    gate = GATES.get({"U": "u", "phase": "p", "cphase": "cp", "CX": "cx"}.get(name, name))
    gate = gate or {"u1": GATES["p"], "u2": GATES["r"], "u3": GATES["u"]}[name]
    values = [0.3, -1.1, 0.7, 0.4][: len(gate.params)]
    theirs, a = QuantumCircuit(3), Parameter("a")
    theirs.rx(a, [0, 1, 2])
    call = f"{name}({', '.join(map(str, values))})" if values else name
    text = qasm3.dumps(theirs) + f"{call} {', '.join(f'q[{q}]' for q in range(gate.num_qubits))};\n"
    if name == "u2":
        theirs.u(np.pi / 2, *values, 0)
    else:
        theirs.append(type(gate.to_mutable())(*values), range(gate.num_qubits))
    program = OpenQasm(text).program(Register(3, None))
    assert overlap(program, [0.83], QiskitState(theirs.assign_parameters([0.83]))) == pytest.approx(1, abs=1e-12)


def test_gates_without_a_name_are_taken_apart():
    a = Parameter("a")
    theirs = QuantumCircuit(4, global_phase=a / 3)
    theirs.append(PauliEvolutionGate(SparsePauliOp.from_list([("XXYZ", 0.3), ("ZZII", 0.2)]), time=a), range(4))
    theirs.append(XGate().control(3, ctrl_state=5), [0, 1, 2, 3])
    theirs.append(RYGate(a).control(2, ctrl_state=1, annotated=True), [2, 1, 3])
    theirs.append(RYGate(a).control(2, ctrl_state=1, annotated=False), [0, 1, 2])
    theirs.append(efficient_su2(1, reps=1).assign_parameters([a, 2 * a, 0.1, 0.2]).to_gate().control(1, annotated=True), [2, 0])
    theirs.cx(0, 3, ctrl_state=0)
    theirs.unitary(random_unitary(8, seed=1), [0, 1, 3])
    theirs.compose(efficient_su2(2, reps=1).assign_parameters([0.1 * k for k in range(8)]).to_gate(), [1, 3], inplace=True)
    program = as_qpy(theirs)
    assert overlap(program, [0.9], QiskitState(theirs.assign_parameters([0.9]))) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("read", [as_qpy, as_qasm])
def test_parameters_may_turn_many_gates_by_multiples_and_gates_by_sums(read):
    theta = ParameterVector("θ", 2)
    theirs = QuantumCircuit(2)
    theirs.rx(2 * theta[0] + 0.1, 0)
    theirs.ry(-theta[1] / 3, 1)
    theirs.cx(0, 1)
    theirs.rz(theta[0] - np.pi, 1)
    theirs.rx(theta[0] - 2 * theta[1] + 0.4, 1)
    program = read(theirs)
    assert [(r.parameter, r.scale, r.offset) for r in program.turned] == [
        (0, 2.0, pytest.approx(0.1)),
        (1, pytest.approx(-1 / 3), 0.0),
        (0, 1.0, pytest.approx(-np.pi)),
        (0, 1.0, pytest.approx(0.4)),
        (1, -2.0, 0.0),
    ]
    wanted = QiskitState(theirs.assign_parameters([0.4, -1.3]))
    assert overlap(program, [0.4, -1.3], wanted) == pytest.approx(1, abs=1e-12)


def test_parameters_are_in_qiskits_order_in_qpy_and_in_that_of_their_declaration_in_openqasm():
    theirs, names = QuantumCircuit(1), [Parameter(name) for name in ("b", "a")]
    for parameter in names:
        theirs.rx(parameter, 0)
    assert [r.parameter for r in as_qpy(theirs).turned] == [1, 0]
    text = 'include "stdgates.inc"; input float b; input float unused; input angle a; qubit q; rx(a) q; rx(b) q;'
    program = OpenQasm(text).program(Register(1, None))
    assert ([r.parameter for r in program.turned], program.parameters) == ([2, 0], 3)


def test_definitions_registers_modifiers_comments_and_broadcasts_are_read():
    text = """OPENQASM 3;  // a comment
    include "stdgates.inc";
    input float θ; /* two
    lines */
    gate pair(x) a, b { ry(x / 2) a; cx a, b; gphase(x); }
    gate twice(x) a, b { pair(x) a, b; pair(-x + 2 * pi) b, a; }
    qubit[2] q;
    qubit r;
    h q;
    barrier q;
    twice(θ) q[0], r;
    ctrl @ ry(θ) r, q[1];
    inv @ s q[0];
    """
    theirs = QuantumCircuit(3)
    theirs.h([0, 1])
    for turn, a, b in ((0.9, 0, 2), (-0.9 + 2 * np.pi, 2, 0)):
        theirs.ry(turn / 2, a)
        theirs.cx(a, b)
    theirs.cry(0.9, 2, 1)
    theirs.sdg(0)
    program = OpenQasm(text).program(Register(3, None))
    assert overlap(program, [0.9], QiskitState(theirs)) == pytest.approx(1, abs=1e-12)


def test_a_gate_is_what_it_is_defined_as_whatever_its_name():
    inner = QuantumCircuit(1, name="barrier")
    inner.ry(0.7, 0)
    theirs = QuantumCircuit(1)
    theirs.rx(Parameter("a"), 0)
    theirs.append(inner.to_gate(), [0])
    theirs.barrier()
    program = as_qpy(theirs)
    assert overlap(program, [0.9], QiskitState(theirs.assign_parameters([0.9]))) == pytest.approx(1, abs=1e-12)


def test_the_gradient_of_a_users_circuit_is_the_slope_of_qiskits_energy():
    theirs = QuantumCircuit(2)
    theta = ParameterVector("t", 3)
    theirs.ry(2 * theta[0] - 0.3, 0)
    theirs.cry(theta[1] + theta[0], 0, 1)
    theirs.u(theta[2], theta[0], -theta[1], 1)
    words = [("ZX", 0.7), ("XZ", -0.4), ("IZ", 0.2)]
    terms = PauliSum(tuple(PauliTerm(word, coefficient) for word, coefficient in words))
    landscape = Vqe(terms, Qpy(dumped(theirs)), Estimator(shots=0), Uniform()).open(torch.device("cpu"), torch.float64)
    x, h = torch.tensor([0.4, -1.2, 0.8], dtype=torch.float64), 1e-5

    def energy(point):
        return QiskitState(theirs.assign_parameters(point.tolist())).expectation_value(SparsePauliOp.from_list(words)).real

    slopes = [(energy(x + step) - energy(x - step)) / (2 * h) for step in h * torch.eye(3, dtype=torch.float64)]
    seen = landscape.evaluate(x[None], Stream.of(0, 1))
    assert seen.value.item() == pytest.approx(energy(x), abs=1e-12)
    assert seen.grad[0].tolist() == pytest.approx(slopes, abs=1e-8)  # h² times third derivatives of order 10


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "the circuit has no qubit"),
        ("   \n", "the circuit has no qubit"),
        ('include "stdgates.inc"; qubit[2] q; h q[0];', "has no parameter"),
        ("qubit[2] q; h q[0];", "line 1: cannot read \"h q\\[0\\];\": gate 'h' is not defined"),
        ("OPENQASM 2.0;\nqubit q;", "wanted OPENQASM 3, got 2.0"),
        (HEADER + "rx(a) q[3];", r'line 5: cannot read "rx\(a\) q\[3\];": index out of range'),
        (HEADER + "rx(a) r[0];", "line 5: .*undefined symbol 'r'"),
        (HEADER + "\nrx(b) q[0];", "line 6: .*undefined symbol 'b'"),
        (HEADER + "rx(a*a) q[0];", 'line 5: .*wanted an angle such as 2\\*theta \\+ pi/2, linear .*, got "a\\*a"'),
        (HEADER + "rx(sin(a)) q[0];", "line 5: .*'FunctionCall' cannot be resolved"),
        (HEADER + "rx(1/0) q[0];", "line 5: .*by zero"),
        (HEADER + "rx(1e400*a) q[0];", "line 5: .*unsupported data type"),
        (HEADER + "rx(1e400) q[0];", "line 5: .*finite angles"),
        (HEADER + "rx(" + "9" * 5000 + ") q[0];", "cannot read it: exceeds the limit .4300 digits"),
        (HEADER + "rx q[0];", "line 5: .*too few or too many angles"),
        (HEADER + "cx q[0], q[0];", "line 5: .*duplicate bit arguments"),
        (HEADER + "foo(a) q[0];", "line 5: .*gate 'foo' is not defined"),
        (HEADER + "bit[3] c;", 'line 5: cannot read "bit\\[3\\] c;": wanted qubits'),
        (HEADER + "measure q;", 'line 5: cannot read "measure q;": .*measurements are added later'),
        (HEADER + "if (a > 0) { x q[0]; }", "line 5: .*wanted qubits"),
        (HEADER + "for int i in [0:2] { rx(a) q[i]; }", "line 5: .*wanted qubits"),
        (HEADER + "reset q;", "line 5: .*wanted qubits"),
        (HEADER + "pragma anything", "line 5: .*wanted qubits"),
        (HEADER + "qubit q;", "line 5: .*'q' already"),
        (HEADER + 'include "/etc/passwd";', "line 5: .*non-stdgates"),
        (HEADER + "gate g(x) b { g(x) b; }\ng(a) q[0];", "line 5: .*gate 'g' is not defined"),
        (HEADER + "gate g(x) b { rx(x) b;", "line 5: the text ends in the middle of a statement"),
        (HEADER + "rx(a) q[0]", "line 5: the text ends in the middle of a statement"),
        ("nothing at all", 'line 1: did not expect "all"'),
        ("\x00", "line 1: token recognition error"),
        ("é漢\N{PILE OF POO}", "line 1: token recognition error|line 1: the text ends"),
        ("x" * (2**18 + 1), "at most 262144 characters.*ansatz.qpy"),
        (HEADER + "rx(" + "(" * 3000 + "a" + ")" * 3000 + ") q[0];", "nested too deeply"),
    ],
)
def test_a_text_that_is_no_unitary_circuit_is_refused_with_the_line(text, part):
    with pytest.raises(BadInput, match=part) as refused:
        OpenQasm(text)
    assert refused.value.field == "text"
    assert "\n" not in refused.value.sentence


def changed(change):
    theirs = QuantumCircuit(2, 1)
    theirs.rx(Parameter("a"), 0)
    change(theirs)
    return dumped(theirs)


def branch(theirs):
    with theirs.if_test((theirs.clbits[0], 1)):
        theirs.x(0)


def nested(levels):
    theirs = QuantumCircuit(1)
    theirs.rx(Parameter("a"), 0)
    for _ in range(levels):
        outer = QuantumCircuit(1)
        outer.append(theirs.to_gate(), [0])
        theirs = outer
    return dumped(theirs)


GOOD = changed(lambda theirs: None)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "wanted a QPY file, which begins with QISKIT"),
        (b"OPENQASM 3;", "wanted a QPY file"),
        (b"QISKIT", "wanted a QPY file"),
        (b"QISKIT\x0c" + GOOD[7:], "version 13 .* got version 12"),
        (b"QISKIT\xff" + GOOD[7:], "255, isn't supported"),
        (GOOD[: len(GOOD) // 2], "Qiskit cannot read it"),
        (GOOD[:40] + b"\xff" * 40 + GOOD[80:], "Qiskit cannot read it"),
        (bytes(2**20 + 1), "at most 1048576 bytes"),
        (dumped(efficient_su2(2), efficient_su2(2)), "wanted one circuit, got 2"),
        (dumped(QuantumCircuit(2)), "has no parameter"),
        (dumped(QuantumCircuit()), "has no qubit"),
        (changed(lambda c: c.measure(0, 0)), 'no measurement, reset or control flow, got "measure"; .* added later'),
        (changed(lambda c: c.reset(0)), 'got "reset"'),
        (changed(lambda c: c.initialize([0.6, 0.8], 1)), 'got "reset"'),
        (changed(branch), 'got "if_else"'),
        (changed(lambda c: c.append(Gate("magic", 1, []), [0])), 'the gate "magic" is no standard gate'),
        (changed(lambda c: c.rx(Parameter("b") ** 2, 0)), 'linear in the parameters, got "b\\*\\*2" for the gate "rx"'),
        (changed(lambda c: c.rx(Parameter("b").abs(), 0)), "linear in the parameters"),
        (changed(lambda c: c.rx(Parameter("b").sin(), 0)), "linear in the parameters"),
        (changed(lambda c: c.ry(float("nan"), 0)), "finite angles"),
        (nested(150), "nested too deeply|more than 100 deep"),
    ],
)
def test_a_file_that_is_no_unitary_circuit_is_refused_in_a_sentence(content, part):
    with pytest.raises(BadInput, match=part) as refused:
        Qpy(content)
    assert refused.value.field == "content"
    assert "\n" not in refused.value.sentence


def test_a_circuit_on_other_qubits_than_the_hamiltonians_is_refused():
    terms = PauliSum((PauliTerm("ZZZ", 1.0),))
    for ansatz, field in ((Qpy(GOOD), "qpy.content"), (OpenQasm(qasm3.dumps(efficient_su2(2))), "open_qasm.text")):
        with pytest.raises(BadInput, match="the circuit has 2 qubits, the Hamiltonian 3") as refused:
            Vqe(terms, ansatz, start=Uniform()).traits()
        assert refused.value.field == f"ansatz.{field}"


def test_too_many_gates_are_refused(monkeypatch):
    monkeypatch.setattr("thalweg_vqe.ansatze.user.translation.MOST_GATES", 20)
    with pytest.raises(BadInput, match="at most 20 rotations and CX gates"):
        Qpy(dumped(efficient_su2(3)))


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(user_circuit, "asked", ASKED)
    monkeypatch.setattr(user_circuit, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=r"qiskit reads a circuit of your own, and is not installed here: pip install"):
        Qpy(GOOD)


# --- in a process of its own


@pytest.fixture
def apart(monkeypatch, here):
    monkeypatch.setattr(user_circuit, "asked", ASKED)


def test_a_reader_of_its_own_reads_the_same(apart):
    alone = as_qpy(efficient_su2(3, reps=2)), as_qasm(efficient_su2(3, reps=2))
    assert alone[0] == alone[1]
    assert alone[0].turned


@pytest.mark.slow
def test_gates_defined_by_gates_without_end_stall_nobody(apart, monkeypatch):
    """2**29 gates in 30 lines."""
    monkeypatch.setattr(user_circuit, "SECONDS", 3)
    lines = [f"gate g{k}(x) b {{ g{k - 1}(x) b; g{k - 1}(x) b; }}" for k in range(1, 30)]
    text = HEADER + "gate g0(x) b { rx(x) b; }\n" + "\n".join(lines) + "\ng29(a) q[0];"
    before = os.times()
    with pytest.raises(BadInput, match="comes to no end with it"):
        OpenQasm(text)
    assert os.times().children_user - before.children_user < 4


def test_a_register_that_no_memory_holds_is_refused(apart):
    before = os.times()
    with pytest.raises(BadInput, match=r"line 2: .* wanted at most 60 qubits, got 4000000000") as refused:
        OpenQasm("input float a;\nqubit[4000000000] q; U(a, 0, 0) q[0];")
    assert refused.value.field == "text"
    assert os.times().children_user - before.children_user < 4
