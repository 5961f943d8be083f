"""The same circuits and operators in the peers' words, as far as the peers are installed (`pip install 'thalweg[bench]'`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg_vqe.pauli.grouping import qubit_wise
from thalweg_vqe.pauli.program import Cx, Gate, Program
from thalweg_vqe.pauli.words import Observable, Word, signs

Floats = NDArray[np.float64]
Gradient = Callable[[Floats], tuple[float, Floats]]
"""Energy and gradient at (P,) parameters."""


_QULACS, _LIGHTNING = "Qulacs backprop", "PennyLane lightning adjoint"


def names_of_exact() -> list[str]:
    """The peers without noise that are there."""
    return [name for name, package in ((_QULACS, "qulacs"), (_LIGHTNING, "pennylane_lightning")) if find_spec(package)]


def exact_gradients(program: Program, observable: Observable, only: str | None = None) -> Iterator[tuple[str, Gradient]]:
    """Every peer that is there, with its energy and gradient without noise: of its ways to write the circuit the fastest."""
    theta = np.random.default_rng(1).uniform(-1.0, 1.0, program.parameters)
    forms: Iterable[Gradient | None]
    for name in names_of_exact() if only is None else [only]:
        if name == _QULACS:
            forms = (qulacs_backprop(program, observable, ladders) for ladders in _either(program, _is_zz))
        else:
            several = _either(program, lambda word: word.x & (word.x - 1) != 0)
            forms = (lightning_adjoint(program, observable, excitations) for excitations in several)
        yield name, _fastest(forms, theta)


def _either(program: Program, special: Callable[[Word], bool]) -> tuple[bool, ...]:
    """Whether there is a second way: only where some word is special."""
    return (False, True) if any(special(rotation.word) for rotation in program.turned) else (False,)


def _fastest(forms: Iterable[Gradient | None], theta: Floats) -> Gradient:
    """The form that takes least processor time, after a first call of each."""
    known = [form for form in forms if form is not None]
    if len(known) == 1:
        return known[0]
    return min(known, key=lambda form: min(_processor_time(form, theta) for _ in range(4)))


def _processor_time(form: Gradient, theta: Floats) -> float:
    began = time.process_time()
    form(theta)
    return time.process_time() - began


def qulacs_backprop(program: Program, observable: Observable, ladders: bool = False) -> Gradient:
    """Energy by `get_expectation_value`, gradient by `backprop`. Qulacs turns by exp(+iaP/2): angles have the other sign.

    Words on several qubits are its Pauli rotations; with ladders ZZ is a turn about z between two CNOTs.
    """
    import qulacs

    circuit, operator = qulacs.ParametricQuantumCircuit(program.qubits), qulacs_operator(observable)
    for q in _filled(program):  # gates, since `backprop` begins with all qubits 0 whatever the state is
        circuit.add_X_gate(q)
    for gate in program.gates:
        if isinstance(gate, Cx):
            circuit.add_CNOT_gate(gate.control, gate.target)
            continue
        on, letters = _letters(gate.word)
        if gate.parameter is None:
            circuit.add_multi_Pauli_rotation_gate(on, letters, -gate.offset)
        elif len(on) == 1:
            add = {1: circuit.add_parametric_RX_gate, 2: circuit.add_parametric_RY_gate, 3: circuit.add_parametric_RZ_gate}
            add[letters[0]](on[0], 0.0)
        elif ladders and _is_zz(gate.word):
            circuit.add_CNOT_gate(*on)
            circuit.add_parametric_RZ_gate(on[1], 0.0)
            circuit.add_CNOT_gate(*on)
        else:
            circuit.add_parametric_multi_Pauli_rotation_gate(on, letters, 0.0)
    state = qulacs.QuantumState(program.qubits)
    parameters = np.array([rotation.parameter for rotation in program.turned])
    scales, offsets = (np.array(column) for column in zip(*((r.scale, r.offset) for r in program.turned), strict=True))

    def gradient(theta: Floats) -> tuple[float, Floats]:
        for number, angle in enumerate(scales * theta[parameters] + offsets):
            circuit.set_parameter(number, -angle)
        state.set_zero_state()
        circuit.update_quantum_state(state)
        slopes = -np.array(circuit.backprop(operator)) * scales
        return operator.get_expectation_value(state), np.bincount(parameters, slopes, program.parameters).astype(np.float64)

    return gradient


def _filled(program: Program) -> list[int]:
    return [q for q in range(program.qubits) if program.start >> q & 1]


def _is_zz(word: Word) -> bool:
    return word.x == 0 and word.z.bit_count() == 2


def qulacs_operator(observable: Observable) -> Any:
    """The operator as a qulacs Observable."""
    import qulacs

    out = qulacs.Observable(observable.qubits)
    for word, coefficient in zip(observable.words, observable.coefficients, strict=True):
        out.add_operator(coefficient, " ".join(f"{'IXYZ'[letter]} {q}" for q, letter in zip(*_letters(word), strict=True)))
    return out


def lightning_adjoint(program: Program, observable: Observable, excitations: bool = False) -> Gradient | None:
    """Energy and gradient together, by `value_and_grad` with diff_method "adjoint".

    Words on several qubits are Ising gates where there is one, else Pauli rotations; with excitations all words of a
    parameter are one excitation gate, between CZ gates for the signs of the fermions. None where they are none.
    """
    import pennylane as qml
    from pennylane import numpy as pnp

    gates = _excitation_gates(qml, program) if excitations else [_lightning_gate(qml, gate) for gate in program.gates]
    if gates is None:
        return None
    slope = qml.grad(_node(qml, program, observable, gates, "lightning.qubit", "adjoint"))

    def gradient(theta: Floats) -> tuple[float, Floats]:
        out = slope(pnp.array(theta, requires_grad=True))
        return slope.forward, out

    return gradient


def pennylane_qng(program: Program, observable: Observable, stepsize: float) -> Callable[[Floats], tuple[float, Floats]]:
    """A step of PennyLane's `QNGOptimizer`, all but the step size its default: the energy at (P,), and where it goes on."""
    import pennylane as qml
    from pennylane import numpy as pnp

    gates = [_lightning_gate(qml, gate) for gate in program.gates]
    node = _node(qml, program, observable, gates, "default.qubit", "backprop")  # "adjoint" knows no metric
    optimizer = qml.QNGOptimizer(stepsize)

    def step(theta: Floats) -> tuple[float, Floats]:
        after, energy = optimizer.step_and_cost(node, pnp.array(theta, requires_grad=True))
        return float(energy), np.array(after)

    return step


Emit = Callable[[Any], object]
"""Puts a gate on PennyLane's tape, given the parameters."""


def _node(qml: Any, program: Program, observable: Observable, gates: Sequence[Emit], device: str, by: str) -> Any:
    """The energy as a QNode on a device, differentiated by a method."""
    operator = qml.Hamiltonian(list(observable.coefficients), [_pauli(qml, word) for word in observable.words])

    def energy(theta: Any) -> Any:
        for q in _filled(program):
            qml.PauliX(wires=q)
        for gate in gates:
            gate(theta)
        return qml.expval(operator)

    return qml.QNode(energy, qml.device(device, wires=program.qubits), diff_method=by)


def _lightning_gate(qml: Any, gate: Gate) -> Emit:
    if isinstance(gate, Cx):
        return lambda theta: qml.CNOT(wires=[gate.control, gate.target])
    on, letters = _letters(gate.word)
    turn = {(1,): qml.RX, (2,): qml.RY, (3,): qml.RZ, (1, 1): qml.IsingXX, (2, 2): qml.IsingYY, (3, 3): qml.IsingZZ}.get(
        tuple(letters), partial(_pauli_rotation, qml, "".join("IXYZ"[letter] for letter in letters))
    )
    if gate.parameter is None:
        return lambda theta: turn(gate.offset, wires=on)
    if (gate.scale, gate.offset) == (1.0, 0.0):
        return lambda theta: turn(theta[gate.parameter], wires=on)
    return lambda theta: turn(gate.scale * theta[gate.parameter] + gate.offset, wires=on)


def _pauli_rotation(qml: Any, letters: str, angle: Any, wires: list[int]) -> object:
    return qml.PauliRot(angle, letters, wires=wires)


def _excitation_gates(qml: Any, program: Program) -> list[Emit] | None:
    """A gate for each run of words of one parameter that together turn one pair of settings of 2 or 4 qubits.

    SingleExcitation and DoubleExcitation take |0…1…⟩ to cos(φ/2) |0…1…⟩ + sin(φ/2) |1…0…⟩, the first wires those set last.
    """
    gates: list[Emit] = []
    for (parameter, x), run in groupby(program.turned, key=lambda rotation: (rotation.parameter, rotation.word.x)):
        words = [(rotation.word, rotation.scale) for rotation in run]
        on = [q for q in range(program.qubits) if x >> q & 1]
        string = {word.z & ~x for word, _ in words}
        settings = np.array([sum(1 << q for k, q in enumerate(on) if n >> k & 1) for n in range(1 << len(on))])
        turns = sum((scale * _sign(word) * signs(settings, word.z) for word, scale in words), np.zeros(len(settings)))
        turned = [(int(b), float(t)) for b, t in zip(settings, turns, strict=True) if abs(t) > 1e-12]
        if len(on) not in (2, 4) or len(string) != 1 or len(turned) != 2 or len(program.turned) != len(program.gates):
            return None
        b, scale = turned[0]
        wires = [q for q in on if b >> q & 1] + [q for q in on if not b >> q & 1]
        strings = [q for q in range(program.qubits) if string.copy().pop() >> q & 1]
        gates.append(partial(_excitation, qml, parameter, scale, wires, strings))
    return gates


def _sign(word: Word) -> float:
    """Of -iP between two settings, where P has an odd number of letters Y."""
    return -1.0 if (word.x & word.z).bit_count() % 4 in (1, 2) else 1.0


def _excitation(qml: Any, parameter: int, scale: float, wires: list[int], string: list[int], theta: Any) -> None:
    for q in string:
        qml.CZ(wires=[q, wires[0]])
    turn = qml.SingleExcitation if len(wires) == 2 else qml.DoubleExcitation
    turn(scale * theta[parameter], wires=wires)
    for q in string:
        qml.CZ(wires=[q, wires[0]])


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
