"""The circuits as Qiskit knows them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from qiskit import qasm3
from qiskit.circuit import ParameterVector, QuantumCircuit

from thalweg_vqe.pauli.grouping import Group
from thalweg_vqe.pauli.program import Cx, Program
from thalweg_vqe.pauli.words import Word, times


def circuit(program: Program, angles: ParameterVector | list[float]) -> QuantumCircuit:
    """The gates, with an angle φ for each rotation that has a parameter: words on one qubit as RX, RY, RZ."""
    out = QuantumCircuit(program.qubits)
    for q in _bits(program.start):
        out.x(q)
    turned = 0
    for gate in program.gates:
        if isinstance(gate, Cx):
            out.cx(gate.control, gate.target)
        elif gate.parameter is None:
            _turn(out, gate.word, gate.offset)
        else:
            _turn(out, gate.word, angles[turned])
            turned += 1
    return out


def _turn(out: QuantumCircuit, word: Word, angle: Any) -> None:
    """exp(-iφP/2): on several qubits every letter is made Z, and their parity is turned on the last qubit."""
    on = _bits(word.support)
    if len(on) == 1:
        turn = {(1, 0): out.rx, (1, 1): out.ry, (0, 1): out.rz}[word.x >> on[0] & 1, word.z >> on[0] & 1]
        turn(angle, on[0])
        return
    _show(out, word)
    for a, b in pairwise(on):
        out.cx(a, b)
    out.rz(angle, on[-1])
    for a, b in reversed(list(pairwise(on))):
        out.cx(a, b)
    for q in _bits(word.x):
        out.h(q)
        if word.z >> q & 1:
            out.s(q)


def _show(out: QuantumCircuit, word: Word) -> None:
    """Turns the letters X and Y of a word into Z."""
    for q in _bits(word.x):
        if word.z >> q & 1:
            out.sdg(q)  # Y becomes X
        out.h(q)  # X becomes Z


def _bits(mask: int) -> list[int]:
    return [q for q in range(mask.bit_length()) if mask >> q & 1]


def measured(ansatz: QuantumCircuit, group: Group) -> QuantumCircuit:
    """The circuit followed by a measurement of every qubit in the group's basis; bit q is read on qubit q."""
    qubits = ansatz.num_qubits
    out = QuantumCircuit(qubits, qubits)
    out.compose(ansatz, inplace=True)
    _show(out, group.basis)
    out.measure(range(qubits), range(qubits))
    return out


def turned(ansatz: QuantumCircuit, turners: Iterable[tuple[Word, int]]) -> QuantumCircuit:
    """The circuit followed by (g + Z_q)/√2 for each word g and its qubit q, and a measurement of every qubit:

    (g + Z_q)/√2  =  Z_q exp(iφP/2),   iP sin(φ/2) = Z_q g/√2
    """
    qubits = ansatz.num_qubits
    out = QuantumCircuit(qubits, qubits)
    out.compose(ansatz, inplace=True)
    for g, q in turners:
        word, phase = times(Word(0, 1 << q), g)
        _turn(out, word, -phase.imag * math.pi / 2)
        out.z(q)
    out.measure(range(qubits), range(qubits))
    return out


def openqasm(program: Program, angles: list[float]) -> str:
    """The circuit at these angles φ (rad), in OpenQASM 3."""
    text: str = qasm3.dumps(circuit(program, angles))
    return text
