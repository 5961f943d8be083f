"""The exact engine against Qiskit, autograd, closed forms, and itself in another batch."""

import math

import numpy as np
import pytest
import torch
from qiskit.circuit.library import efficient_su2
from qiskit.quantum_info import Operator, SparsePauliOp
from qiskit.quantum_info import Statevector as QiskitState
from tests.vqe.random_circuits import random_observable, random_program, random_turns, random_word

from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.engines import statevector
from thalweg_vqe.engines.aer.qiskit_circuits import circuit
from thalweg_vqe.engines.statevector import Statevector, tangents
from thalweg_vqe.pauli.acting import act
from thalweg_vqe.pauli.program import Cx, Program, Rotation, rx, ry, rz
from thalweg_vqe.pauli.words import Observable, Word

QUBITS, REPS = 4, 2
PROGRAM = EfficientSu2(REPS).program(QUBITS)
ROUNDING = 1e-12


ANGLES = random_turns(7, len(PROGRAM.turned))


def in_qiskit(program, angles):
    return QiskitState(circuit(program, angles.tolist()))


def operator(observable):
    words = [word.letters(observable.qubits) for word in observable.words]
    return SparsePauliOp(words, observable.coefficients)


def complex_state(psi):
    return torch.complex(psi[..., 0, :], psi[..., 1, :])


def test_states_are_those_that_qiskit_simulates():
    for angles, psi in zip(ANGLES, complex_state(tangents(PROGRAM, ANGLES, 0, 0)[:, 0]), strict=True):
        theirs = QiskitState(efficient_su2(QUBITS, reps=REPS).assign_parameters(angles.tolist())).data
        np.testing.assert_allclose(psi.numpy(), theirs, atol=1e-13)


@pytest.mark.parametrize("qubits", [1, 2, 3, 5])
def test_any_pauli_rotation_is_the_exponential_that_qiskit_builds(qubits):
    """Up to a global phase, which RZ and CX ladders keep at one."""
    program = random_program(qubits)
    angles = random_turns(3, len(program.turned))
    for row, psi in zip(angles, complex_state(tangents(program, angles, 0, 0)[:, 0]), strict=True):
        np.testing.assert_allclose(psi.numpy(), in_qiskit(program, row).data, atol=1e-13)


def test_a_word_acts_as_its_matrix():
    rng = np.random.default_rng(4)
    for _ in range(20):
        word = random_word(rng, 4)
        psi = torch.from_numpy(rng.normal(size=(3, 2, 16)))
        theirs = SparsePauliOp(word.letters(4)).to_matrix() @ complex_state(psi).numpy().T
        for quarters in range(4):
            np.testing.assert_allclose(complex_state(act(psi, word, quarters)).numpy().T, 1j**quarters * theirs, atol=1e-15)


@pytest.mark.parametrize("program", [PROGRAM, random_program(3), EfficientSu2(0).program(1)], ids=["su2", "random", "1 qubit"])
def test_energies_are_the_expectation_values_that_qiskit_gives(program):
    observable, angles = random_observable(program.qubits), random_turns(3, len(program.turned))
    theirs = [in_qiskit(program, row).expectation_value(operator(observable)).real for row in angles]
    engine = Statevector(program, observable)
    np.testing.assert_allclose(engine.energies(angles).numpy(), theirs, atol=ROUNDING)
    np.testing.assert_allclose(engine.gradients(angles)[0].numpy(), theirs, atol=ROUNDING)


@pytest.mark.parametrize("at_pi", [False, True])
@pytest.mark.parametrize("program", [PROGRAM, random_program(3), EfficientSu2(1).program(1)], ids=["su2", "random", "1 qubit"])
def test_slopes_are_those_of_the_parameter_shift(program, at_pi):
    observable, turned = random_observable(program.qubits), len(program.turned)
    angles = torch.full((1, turned), math.pi, dtype=torch.float64) if at_pi else random_turns(1, turned)
    engine, quarter = Statevector(program, observable), torch.eye(turned, dtype=torch.float64) * math.pi / 2
    shifted = (engine.energies(angles + quarter) - engine.energies(angles - quarter)) / 2
    np.testing.assert_allclose(engine.gradients(angles)[1][0].numpy(), shifted.numpy(), atol=ROUNDING)


def test_tangents_are_twice_the_derivatives_of_the_state_and_may_be_asked_for_in_parts():
    turned, h = len(PROGRAM.turned), 1e-5
    rows = tangents(PROGRAM, ANGLES[:1], 0, turned)[0]
    steps = h * torch.eye(turned, dtype=torch.float64)
    difference = (tangents(PROGRAM, ANGLES[:1] + steps, 0, 0) - tangents(PROGRAM, ANGLES[:1] - steps, 0, 0))[:, 0] / h
    torch.testing.assert_close(rows[1:], difference, rtol=0, atol=h**2 + 1e-10)  # third derivative; rounding over h
    torch.testing.assert_close(rows[4:9], tangents(PROGRAM, ANGLES[:1], 3, 8)[0, 1:], rtol=0, atol=0)


def test_the_metric_is_that_of_autograd_through_qiskits_matrices():
    program = random_program(3)
    engine, angles = Statevector(program, random_observable(3)), random_turns(2, len(program.turned))
    words = [torch.from_numpy(Operator(SparsePauliOp(g.word.letters(3))).data) for g in program.gates if isinstance(g, Rotation)]

    def state(phi):
        psi = torch.zeros(8, dtype=torch.complex128)
        psi[program.start] = 1
        matrices, number = iter(words), 0
        for gate in program.gates:
            if isinstance(gate, Cx):
                basis = torch.arange(8)
                psi = psi[basis ^ ((basis >> gate.control & 1) << gate.target)]
                continue
            angle = torch.tensor(gate.offset, dtype=torch.float64) if gate.parameter is None else phi[number]
            number += gate.parameter is not None
            psi = torch.cos(angle / 2) * psi - 1j * torch.sin(angle / 2) * (next(matrices) @ psi)
        return torch.view_as_real(psi)

    for phi, ours in zip(angles, engine.metric(angles), strict=True):
        jacobian = torch.view_as_complex(torch.autograd.functional.jacobian(state, phi).transpose(1, 2).contiguous())
        psi = torch.view_as_complex(state(phi))
        overlap = psi.conj() @ jacobian
        theirs = (jacobian.conj().T @ jacobian - torch.outer(overlap.conj(), overlap)).real
        torch.testing.assert_close(ours, theirs, rtol=0, atol=ROUNDING)


def test_the_metric_of_one_qubit_is_the_round_sphere():
    """RY(a) then RZ(b): ds² = (da² + sin²a db²)/4."""
    engine = Statevector(Program(1, 2, (ry(0, 0), rz(0, 1))), Observable.of(1, {Word(0, 1): 1.0}))
    a = 0.8
    wanted = torch.tensor([[0.25, 0.0], [0.0, math.sin(a) ** 2 / 4]], dtype=torch.float64)
    torch.testing.assert_close(engine.metric(torch.tensor([[a, 2.2]], dtype=torch.float64))[0], wanted, rtol=0, atol=1e-15)


def test_tied_and_scaled_parameters_follow_the_chain_rule():
    program = Program(2, 2, (rx(0, 1, 2.0), ry(1, 0, -0.5, 0.3), Cx(0, 1), rz(1, 1, 3.0), rx(1, 0), rx(0, None, offset=1.0)))
    theta, engine, h = random_turns(1, 2), Statevector(program, random_observable(2)), 1e-5
    slopes = program.pull_back(engine.gradients(program.angles(theta))[1])[0]
    steps = h * torch.eye(2, dtype=torch.float64)
    up, down = (engine.energies(program.angles(theta + sign * steps)) for sign in (1, -1))
    torch.testing.assert_close(slopes, (up - down) / (2 * h), rtol=0, atol=1e-8)
    ones = torch.ones(1, 4, dtype=torch.float64)
    torch.testing.assert_close(program.pull_back(ones), torch.tensor([[0.5, 5.0]], dtype=torch.float64))
    torch.testing.assert_close(program.pull_back(ones, power=2), torch.tensor([[1.25, 13.0]], dtype=torch.float64))


def test_no_bit_depends_on_what_is_computed_beside_it(monkeypatch):
    engine = Statevector(PROGRAM, random_observable(QUBITS))
    angles = random_turns(32, len(PROGRAM.turned))
    alone = [engine.energies(angles[:1]), *engine.gradients(angles[:1]), engine.metric(angles[:1])]
    for count, together in ((4, 2**18), (32, 2**18), (32, 3 * 2**QUBITS)):
        monkeypatch.setattr(statevector, "TOGETHER", together)
        beside = [engine.energies(angles[:count]), *engine.gradients(angles[:count]), engine.metric(angles[:count])]
        assert all(torch.equal(a, b[:1]) for a, b in zip(alone, beside, strict=True))
