"""Exact energies against Qiskit's, and to the bit whatever is computed beside them."""

import numpy as np
import pytest
from qiskit.circuit.library import efficient_su2
from qiskit.quantum_info import SparsePauliOp
from qiskit.quantum_info import Statevector as QiskitState

from thalweg_vqe import statevector
from thalweg_vqe.ansatz import EfficientSu2
from thalweg_vqe.pauli import Observable, Word
from thalweg_vqe.statevector import Statevector, states

QUBITS = 4
PROGRAM = EfficientSu2(2).program(QUBITS)
ANGLES = np.random.default_rng(1).uniform(-np.pi, np.pi, (7, 24))


@pytest.fixture
def observable():
    rng = np.random.default_rng(2)
    x, z = rng.integers(2**QUBITS, size=(2, 40))
    return Observable.of(QUBITS, {Word(int(a), int(b)): c for a, b, c in zip(x, z, rng.normal(size=40).tolist(), strict=True)})


def test_states_are_those_that_qiskit_simulates():
    for angles, psi in zip(ANGLES, states(PROGRAM, ANGLES), strict=True):
        theirs = QiskitState(efficient_su2(QUBITS, reps=2).assign_parameters(angles.tolist())).data
        np.testing.assert_allclose(psi, theirs, atol=1e-13)


def test_energies_are_the_expectation_values_that_qiskit_gives(observable):
    terms = [(word.letters(QUBITS), c) for word, c in zip(observable.words, observable.coefficients, strict=True)]
    operator = SparsePauliOp.from_list(terms)
    theirs = [
        QiskitState(efficient_su2(QUBITS, reps=2).assign_parameters(row.tolist())).expectation_value(operator).real
        for row in ANGLES
    ]
    np.testing.assert_allclose(Statevector.of(PROGRAM, observable).energies(ANGLES), theirs, atol=1e-12)


def test_an_energy_is_the_same_to_the_bit_whatever_is_computed_beside_it(observable, monkeypatch):
    engine = Statevector.of(PROGRAM, observable)
    together = engine.energies(ANGLES)
    alone = np.concatenate([engine.energies(row[None]) for row in ANGLES])
    monkeypatch.setattr(statevector, "AMPLITUDES", 3 * 2**QUBITS)
    in_threes = engine.energies(ANGLES)
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together, in_threes)
