"""A circuit as far as it shows within about a second: how large it is at most, where more would take a long look."""

from __future__ import annotations

from typing import NamedTuple

from thalweg_vqe.ansatze.adapt import Adapt
from thalweg_vqe.ansatze.hamiltonian_variational import HamiltonianVariational
from thalweg_vqe.ansatze.layers import Ansatz, program_of
from thalweg_vqe.ansatze.pools import many, most_turns
from thalweg_vqe.ansatze.user.open_qasm import OpenQasm
from thalweg_vqe.ansatze.user.qpy import Qpy
from thalweg_vqe.hamiltonians.hamiltonian import Register, System
from thalweg_vqe.pauli.harmonics import looks
from thalweg_vqe.pauli.program import Program

MOST_GATES, MOST_LOOKS = 50_000, 10**7
"""Of a circuit whose parameters' frequencies are asked for when a job is checked (arbitrary: a second each)."""


class Outline(NamedTuple):
    """A circuit, or what is known of it."""

    program: Program  # without its rotations where only a long look shows them
    parameters: int  # at most
    turned: int  # rotations that have a parameter, at most
    whole: bool = True  # whether the program is the circuit
    short: bool = True  # whether the frequencies of its parameters are soon found


def outlined(ansatz: Ansatz | Adapt, register: Register, system: System, sure: bool) -> Outline:
    """The circuit on a register, whose operator nobody asks for unless it is quick.

    Args:
        ansatz: what is asked for.
        register: the qubits that it is built on.
        system: the Hamiltonian's size.
        sure: whether there are as many qubits; else there may be fewer.

    Raises:
        BadInput: it cannot be built; the field is below the ansatz.
    """
    if isinstance(ansatz, HamiltonianVariational) and not register.hamiltonian.quick():
        # words that flip the same qubits commute, so that the groups are hardly more than there are flips
        parameters, turned = ansatz.layers * system.flips, ansatz.layers * system.words
        return Outline(Program(register.qubits, 0, ()), parameters, turned, whole=False, short=False)
    if isinstance(ansatz, Adapt):
        if many(ansatz.pool, register):
            empty, turned = ansatz.empty(register), ansatz.operators * most_turns(ansatz.pool)
            return Outline(empty, empty.parameters, turned, short=False)
        program = program_of(ansatz, register)
        return Outline(program, program.parameters, ansatz.most_turned(register))
    program = program_of(ansatz, register if sure or not isinstance(ansatz, OpenQasm | Qpy) else _its_own(ansatz, register))
    short = len(program.gates) <= MOST_GATES and looks(program) <= MOST_LOOKS
    return Outline(program, program.parameters, len(program.turned), short=short)


def _its_own(ansatz: OpenQasm | Qpy, register: Register) -> Register:
    """Of as many qubits as a user's circuit has, where the Hamiltonian may have so few."""
    return register._replace(qubits=min(ansatz.qubits, register.qubits))
