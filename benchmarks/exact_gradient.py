"""Exact energy and full gradient of efficient_su2 of depth 4 on the open Ising chain, against PennyLane lightning and Qulacs.

    H = -Σ Z_q Z_{q+1} - Σ X_q

Both sides give the same numbers: the largest difference of a component stands in the last rows. Ten points in one call stand
beside ten calls, as replicas make them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

from benchmarks.harness import Effort, Row, race, row
from benchmarks.peers import exact_gradients
from thalweg_vqe.ansatz import EfficientSu2
from thalweg_vqe.engines import exact
from thalweg_vqe.landscape import Exact
from thalweg_vqe.pauli import Observable, Word
from thalweg_vqe.statevector import Statevector

NAME = "exact_gradient"
DEPTH = 4
QUBITS = (4, 6, 8, 10, 12, 16, 20)


def rows(effort: Effort) -> Iterator[Row]:
    """Time of an energy with its gradient by size and peer; how far they are apart; ten points in one call."""
    torch.set_num_threads(1)
    for qubits in QUBITS[:3] if effort.small else QUBITS:
        program, observable = EfficientSu2(DEPTH).program(qubits), ising(qubits)
        engine, twin = exact(program, observable), Statevector(program, observable)
        angles = torch.from_numpy(np.random.default_rng(qubits).uniform(-np.pi, np.pi, (10, program.parameters)))
        case = f"Ising chain, {qubits} qubits, {program.parameters} angles"
        ours = partial(engine.gradients, angles[:1])
        repeats = effort.repeats if qubits < 20 else 3
        for peer, theirs in exact_gradients(program, observable):
            yield from race(NAME, case, peer, ours, partial(theirs, angles[0].numpy()), repeats)
            if qubits <= 12:
                apart = np.abs(engine.gradients(angles[:1])[1][0].numpy() - theirs(angles[0].numpy())[1]).max()
                yield row(
                    NAME, case, "largest difference of a slope", "Ha", float(apart), peer, float(apart), larger_is_better=False
                )
        if qubits <= 12:
            yield from race(NAME, case, "our torch twin", ours, partial(twin.gradients, angles[:1]), repeats)
            each = partial(_one_by_one, engine, angles)
            yield from race(NAME, f"{case}, 10 points", "ours, 10 calls", partial(engine.gradients, angles), each, repeats)


def ising(qubits: int) -> Observable:
    """The transverse-field Ising chain at its critical field."""
    bonds = {Word(0, 3 << q): -1.0 for q in range(qubits - 1)}
    return Observable.of(qubits, bonds | {Word(1 << q, 0): -1.0 for q in range(qubits)})


def _one_by_one(engine: Exact, angles: torch.Tensor) -> None:
    for point in angles:
        engine.gradients(point[None])
