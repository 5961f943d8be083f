"""How much memory a search takes at most, told before any of it is taken: bounds that jobs fill by a third and more."""

from __future__ import annotations

from importlib.util import find_spec
from itertools import groupby
from typing import NamedTuple

from thalweg_vqe.engines.estimator import BYTES_PER_SHOT
from thalweg_vqe.engines.shots_torch import tangent_bytes
from thalweg_vqe.engines.statevector import TOGETHER
from thalweg_vqe.hamiltonians.hamiltonian import System
from thalweg_vqe.pauli.program import Cx, Program

LOADED = 2**28
"""Bytes of what only a job with circuits loads: numba and its kernels, SciPy's solvers, Qiskit for the circuit's file; some
190 MiB were measured."""

LANES = 16
"""States that the compiled sampler propagates side by side."""

_KRYLOV = 30
"""Vectors that ARPACK and PySCF's Davidson keep, about."""

_LOOKS = 2**20 * 8 * 5
"""Shots, means and variances of the replicas that are measured together."""


class Circuit(NamedTuple):
    """What of a circuit decides how much memory it takes."""

    turned: int  # rotations that have a parameter
    runs: int  # of gates that flip the same qubits
    keeps: bool  # whether it stays in the sector of the Hamiltonian's ground state, as numbers of electrons do

    @classmethod
    def of(cls, program: Program, turned: int, keeps: bool) -> Circuit:
        runs = sum(1 for _ in groupby(program.gates, key=lambda gate: None if isinstance(gate, Cx) else gate.word.x))
        return cls(turned, max(runs, turned // 8), keeps)


def needed(system: System, circuit: Circuit, engine: str, final_shots: int) -> int:
    """Bytes beside those of each replica.

    Args:
        system: the Hamiltonian's size.
        circuit: the circuit's.
        engine: of the estimator.
        final_shots: per circuit, at the end; 0 without shots.
    """
    total = LOADED + system.extra + _reference(system) + _engine(system, circuit)
    if final_shots and engine == "aer":
        total += BYTES_PER_SHOT * final_shots + 16 * 8 * (1 << system.qubits)
    elif final_shots:
        total += _LOOKS + _sampler(system.qubits, circuit.turned)
    return total


def metric(system: System, circuit: Circuit, parameters: int) -> int:
    """Bytes that an exact metric takes beside: every derivative of the state, and some matrices."""
    matrices = 3 * 8 * parameters**2
    if circuit.keeps and system.sector and find_spec("numba") is not None:
        return 16 * (1 + parameters) * system.sector + matrices
    return (16 * (1 + circuit.turned + parameters) << system.qubits) + matrices


def _reference(system: System) -> int:
    """The exact diagonalization: its vectors, and for each flip where a state goes and with which weight."""
    entries = 16 * system.flips if system.stored else 0
    return (8 * _KRYLOV + entries) * system.sector if system.solvable else 0


def _engine(system: System, circuit: Circuit) -> int:
    """Tables of the operator and of the circuit, states, and where each of them stands."""
    states = 1 << system.qubits
    if find_spec("numba") is None:
        return 16 * (system.flips * states + 10 * max(states, TOGETHER))
    marks = 24 * states
    if circuit.keeps and system.sector:
        pairs = system.sector * circuit.runs // 4
        return marks + 28 * system.row * system.sector + 16 * pairs + 64 * system.sector
    dense, few = 8 * (system.dense + 2) * states, 28 * system.row * states // 4
    return marks + max(dense, few) + 64 * states


def _sampler(qubits: int, turned: int) -> int:
    if find_spec("numba") is None:
        return tangent_bytes(qubits, turned)
    return (8 * LANES + 8) * 8 << qubits
