"""The circuits as Qiskit knows them."""

from __future__ import annotations

from collections.abc import Iterable

from qiskit import qasm3
from qiskit.circuit import ParameterVector, QuantumCircuit

from thalweg_vqe.ansatz import Cx, Gate
from thalweg_vqe.grouping import Group


def circuit(gates: Iterable[Gate], qubits: int, angles: ParameterVector | list[float]) -> QuantumCircuit:
    """The gates, with the angles of their parameters."""
    out = QuantumCircuit(qubits)
    for gate in gates:
        if isinstance(gate, Cx):
            out.cx(gate.control, gate.target)
        elif gate.axis == "y":
            out.ry(angles[gate.parameter], gate.qubit)
        else:
            out.rz(angles[gate.parameter], gate.qubit)
    return out


def measured(ansatz: QuantumCircuit, group: Group) -> QuantumCircuit:
    """The circuit followed by a measurement of every qubit in the group's basis; bit q is read on qubit q."""
    qubits = ansatz.num_qubits
    out = QuantumCircuit(qubits, qubits)
    out.compose(ansatz, inplace=True)
    for q in range(qubits):
        if group.basis.x >> q & 1:
            if group.basis.z >> q & 1:
                out.sdg(q)  # Y becomes X
            out.h(q)  # X becomes Z
    out.measure(range(qubits), range(qubits))
    return out


def openqasm(gates: Iterable[Gate], qubits: int, angles: list[float]) -> str:
    """The circuit at these angles (rad), in OpenQASM 3."""
    text: str = qasm3.dumps(circuit(gates, qubits, angles))
    return text
