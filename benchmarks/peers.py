"""The same circuits and operators in the peers' words, as far as the peers are installed (`pip install 'thalweg[bench]'`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg_vqe.grouping import qubit_wise
from thalweg_vqe.pauli import Observable, Word
from thalweg_vqe.program import Cx, Program

Floats = NDArray[np.float64]
Gradient = Callable[[Floats], tuple[float, Floats]]
"""Energy and gradient at (R,) angles of the rotations."""


def exact_gradients(program: Program, observable: Observable) -> Iterator[tuple[str, Gradient]]:
    """Every peer that is there, with its energy and gradient without noise."""
    if find_spec("qulacs"):
        yield "Qulacs backprop", qulacs_backprop(program, observable)
    if find_spec("pennylane_lightning"):
        yield "PennyLane lightning adjoint", lightning_adjoint(program, observable)


def qulacs_backprop(program: Program, observable: Observable) -> Gradient:
    """Energy by `get_expectation_value`, gradient by `backprop`. Qulacs turns by exp(+iaP/2): angles have the other sign."""
    import qulacs

    circuit, operator = qulacs.ParametricQuantumCircuit(program.qubits), qulacs_operator(observable)
    for gate in program.gates:
        if isinstance(gate, Cx):
            circuit.add_CNOT_gate(gate.control, gate.target)
            continue
        on, letters = _letters(gate.word)
        if len(on) == 1:
            add = {1: circuit.add_parametric_RX_gate, 2: circuit.add_parametric_RY_gate, 3: circuit.add_parametric_RZ_gate}
            add[letters[0]](on[0], 0.0)
        else:
            circuit.add_parametric_multi_Pauli_rotation_gate(on, letters, 0.0)
    state = qulacs.QuantumState(program.qubits)

    def gradient(angles: Floats) -> tuple[float, Floats]:
        for number, angle in enumerate(angles):
            circuit.set_parameter(number, -angle)
        state.set_computational_basis(program.start)
        circuit.update_quantum_state(state)
        return operator.get_expectation_value(state), -np.array(circuit.backprop(operator))

    return gradient


def qulacs_operator(observable: Observable) -> Any:
    """The operator as a qulacs Observable."""
    import qulacs

    out = qulacs.Observable(observable.qubits)
    for word, coefficient in zip(observable.words, observable.coefficients, strict=True):
        out.add_operator(coefficient, " ".join(f"{'IXYZ'[letter]} {q}" for q, letter in zip(*_letters(word), strict=True)))
    return out


def lightning_adjoint(program: Program, observable: Observable) -> Gradient:
    """Energy and gradient together, by `value_and_grad` with diff_method "adjoint"."""
    import pennylane as qml
    from pennylane import numpy as pnp

    words = [_pauli(qml, word) for word in observable.words]
    operator = qml.Hamiltonian(list(observable.coefficients), words)

    def energy(angles: Floats) -> Any:
        number = 0
        for gate in program.gates:
            if isinstance(gate, Cx):
                qml.CNOT(wires=[gate.control, gate.target])
                continue
            on, letters = _letters(gate.word)
            if len(on) == 1:
                {1: qml.RX, 2: qml.RY, 3: qml.RZ}[letters[0]](angles[number], wires=on[0])
            else:
                qml.PauliRot(angles[number], "".join("IXYZ"[letter] for letter in letters), wires=on)
            number += 1
        return qml.expval(operator)

    slope = qml.grad(qml.QNode(energy, qml.device("lightning.qubit", wires=program.qubits), diff_method="adjoint"))

    def gradient(angles: Floats) -> tuple[float, Floats]:
        out = slope(pnp.array(angles, requires_grad=True))
        return slope.forward, out

    return gradient


def qulacs_sampling(program: Program, observable: Observable, shots: int) -> Callable[[Floats, int], tuple[float, Floats]]:
    """Every shifted point prepared, turned into each group's basis, and sampled; parities counted with NumPy.

    Words of one qubit only, as efficient_su2 has them.
    """
    import qulacs

    groups = qubit_wise(observable)
    turns = [_basis_change(qulacs, group.basis, program.qubits) for group in groups]

    def energy(angles: Floats, seed: int) -> float:
        circuit, number = qulacs.QuantumCircuit(program.qubits), 0
        for gate in program.gates:
            if isinstance(gate, Cx):
                circuit.add_CNOT_gate(gate.control, gate.target)
                continue
            (on,), (letter,) = _letters(gate.word)
            {1: circuit.add_RX_gate, 2: circuit.add_RY_gate, 3: circuit.add_RZ_gate}[letter](on, -angles[number])
            number += 1
        state, total = qulacs.QuantumState(program.qubits), observable.constant
        circuit.update_quantum_state(state)
        for place, (group, turn) in enumerate(zip(groups, turns, strict=True)):
            turned = state.copy()
            turn.update_quantum_state(turned)
            outcomes = np.array(turned.sampling(shots, seed + place), dtype=np.int64)
            total += float(group.energies(outcomes).mean())
        return total

    def gradient(angles: Floats, seed: int) -> tuple[float, Floats]:
        turn, stride = np.eye(len(angles)) * np.pi / 2, len(groups)
        points = [angles, *(angles + turn), *(angles - turn)]
        seen = np.array([energy(point, seed + stride * k) for k, point in enumerate(points)])
        return float(seen[0]), (seen[1 : 1 + len(angles)] - seen[1 + len(angles) :]) / 2

    return gradient


def _basis_change(qulacs: Any, basis: Word, qubits: int) -> Any:
    out = qulacs.QuantumCircuit(qubits)
    for q in range(qubits):
        if basis.x >> q & 1:
            if basis.z >> q & 1:
                out.add_Sdag_gate(q)
            out.add_H_gate(q)
    return out


def _letters(word: Word) -> tuple[list[int], list[int]]:
    """The qubits of a word, and its letters there: 1 for X, 2 for Y, 3 for Z."""
    on = [q for q in range(word.support.bit_length()) if word.support >> q & 1]
    return on, [(0, 1, 3, 2)[(word.x >> q & 1) + 2 * (word.z >> q & 1)] for q in on]


def _pauli(qml: Any, word: Word) -> Any:
    on, letters = _letters(word)
    if not on:
        return qml.Identity(0)
    letter = {1: qml.PauliX, 2: qml.PauliY, 3: qml.PauliZ}
    return qml.prod(*(letter[k](q) for q, k in zip(on, letters, strict=True))) if len(on) > 1 else letter[letters[0]](on[0])
