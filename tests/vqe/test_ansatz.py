"""The circuit, against the library that it is named after."""

import numpy as np
import pytest
import torch
from qiskit.circuit.library import efficient_su2, real_amplitudes
from qiskit.quantum_info import Statevector as QiskitState

from thalweg_core.errors import BadInput
from thalweg_vqe.ansatze.layers import ENTANGLEMENTS, EfficientSu2, RealAmplitudes
from thalweg_vqe.engines.aer.qiskit_circuits import circuit
from thalweg_vqe.engines.statevector import tangents


@pytest.mark.parametrize("qubits", [1, 2, 4, 5])
@pytest.mark.parametrize("reps", [0, 1, 3])
@pytest.mark.parametrize("entanglement", ENTANGLEMENTS)
def test_it_is_qiskits_efficient_su2_gate_for_gate(qubits, reps, entanglement):
    ansatz, theirs = EfficientSu2(reps, entanglement), efficient_su2(qubits, reps=reps, entanglement=entanglement)
    angles = np.random.default_rng(0).uniform(-3, 3, ansatz.parameters(qubits)).tolist()
    assert theirs.num_parameters == ansatz.parameters(qubits)
    assert circuit(ansatz.program(qubits), angles) == theirs.assign_parameters(angles)


@pytest.mark.parametrize("reps", [0, 1, 2, 3])
@pytest.mark.parametrize("bits", range(8))
def test_the_angles_of_a_determinant_prepare_it(bits, reps):
    ansatz = EfficientSu2(reps)
    angles = ansatz.determinant(3, bits)
    theirs = QiskitState(efficient_su2(3, reps=reps).assign_parameters(angles))
    assert theirs.probabilities()[bits] == pytest.approx(1, abs=1e-12)
    ours = tangents(ansatz.program(3), torch.tensor([angles], dtype=torch.float64), 0, 0)[0, 0]
    assert ours[:, bits].norm().item() == pytest.approx(1, abs=1e-12)


def test_both_circuits_take_qiskits_default_entanglement():
    assert circuit(EfficientSu2(2).program(4), [0.1] * 24) == efficient_su2(4, reps=2).assign_parameters([0.1] * 24)
    assert circuit(RealAmplitudes(2).program(4), [0.1] * 12) == real_amplitudes(4, reps=2).assign_parameters([0.1] * 12)


@pytest.mark.parametrize("ansatz", [EfficientSu2, RealAmplitudes])
def test_an_entanglement_that_is_not_known_is_refused(ansatz):
    with pytest.raises(BadInput, match="entanglement: wanted 'reverse_linear' or 'linear', got 'liner'; did you mean 'linear'"):
        ansatz(entanglement="liner")


def test_a_negative_number_of_layers_is_refused():
    with pytest.raises(BadInput, match="reps: wanted 0 to"):
        EfficientSu2(-1)
