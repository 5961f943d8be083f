"""A calibrated device as Qiskit's transpiler knows it: which gates there are on which qubits."""

from __future__ import annotations

from collections.abc import Mapping

from qiskit.circuit import Gate, Measure, Parameter
from qiskit.circuit.library import CXGate, CZGate, ECRGate, RZGate, SXGate, U1Gate, U2Gate, U3Gate, XGate
from qiskit.transpiler import InstructionProperties, QubitProperties, Target

from thalweg_vqe.engines.aer.backend_properties import Calibration

_A, _B, _C = (Parameter(name) for name in "abc")
_GATES: Mapping[str, Gate] = {
    "sx": SXGate(),
    "x": XGate(),
    "u1": U1Gate(_A),
    "u2": U2Gate(_A, _B),
    "u3": U3Gate(_A, _B, _C),
    "cx": CXGate(),
    "ecr": ECRGate(),
    "cz": CZGate(),
}


def target(known: Calibration) -> Target:
    """Gates with their errors and times; RZ, a change of frame, is perfect on every qubit."""
    qubits = range(len(known.qubits))
    out = Target(num_qubits=len(qubits), qubit_properties=[QubitProperties(t1=q.t1, t2=q.t2) for q in known.qubits])
    out.add_instruction(RZGate(_A), {(q,): None for q in qubits})
    out.add_instruction(Measure(), {(q,): None for q in qubits})
    for name, gate in _GATES.items():
        places = {g.qubits: InstructionProperties(g.time, g.error) for g in known.gates if g.name == name}
        if places:
            out.add_instruction(gate, places)
    return out
