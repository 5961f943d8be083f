"""Circuits, operators and angles without any pattern, for engines that must agree on all of them."""

import numpy as np
import torch

from thalweg_vqe.pauli.program import Cx, Program, Rotation, rx, ry, rz
from thalweg_vqe.pauli.words import Observable, Word


def random_word(rng, qubits):
    while not (word := Word(*(int(mask) for mask in rng.integers(2**qubits, size=2)))).support:
        pass
    return word


def random_observable(qubits, terms=25, seed=2):
    rng = np.random.default_rng(seed)
    return Observable.of(qubits, {random_word(rng, qubits): c for c in rng.normal(size=terms).tolist()} | {Word(0, 0): 0.7})


def random_program(qubits, parameters=4, seed=3, length=30):
    """Runs of every kind, tied and scaled parameters, offsets, fixed turns, repeated qubits, a start of its own."""
    rng, gates = np.random.default_rng(seed), []
    for number in range(length):
        scale, offset = (float(v) for v in rng.normal(size=2))
        parameter = None if number % 7 == 0 else number % parameters
        q, kind = int(rng.integers(qubits)), number // 3 % 5
        if kind == 4 and qubits > 1:
            gates.append(Cx(*(int(a) for a in rng.choice(qubits, 2, replace=False))))
        elif kind in (0, 4):
            gates.append(Rotation(random_word(rng, qubits), parameter, scale, offset))
        else:
            gates.append((rx, ry, rz)[kind - 1](q, parameter, scale, offset))
    return Program(qubits, parameters, tuple(gates), start=int(rng.integers(2**qubits)))


def random_turns(rows, count, seed=1):
    return torch.from_numpy(np.random.default_rng(seed).uniform(-np.pi, np.pi, (rows, count)))
