"""Exact energy and full gradient along the parameters, against PennyLane lightning and Qulacs; one thread and two; memory.

    efficient_su2 of depth 4, and the Hamiltonian-variational circuit of 4 layers, on the open Ising chain
        H = -Σ Z_q Z_{q+1} - Σ X_q
    unitary coupled cluster on LiH, 2 electrons in 3 and in 5 orbitals, from the Hartree-Fock determinant

All sides give the same numbers: the largest difference of a component stands beside the times. Of the ways in which a peer can
write a circuit the fastest is taken. Ten points in one call stand beside ten calls, as replicas make them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.elsewhere import elsewhere, peak
from benchmarks.harness import Effort, Row, race, row
from benchmarks.peers import Gradient, exact_gradients, names_of_exact
from thalweg_vqe.ansatze.excitations import Uccsd
from thalweg_vqe.ansatze.hamiltonian_variational import HamiltonianVariational
from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.engines.choosing import exact
from thalweg_vqe.engines.noiseless import NoiselessEngine
from thalweg_vqe.engines.noiseless_torch import TorchNoiseless
from thalweg_vqe.hamiltonians.hamiltonian import Register
from thalweg_vqe.hamiltonians.molecule import Molecule
from thalweg_vqe.hamiltonians.orbitals import ActiveSpace
from thalweg_vqe.hamiltonians.spin_chains import TransverseFieldIsing
from thalweg_vqe.pauli.program import Program
from thalweg_vqe.pauli.words import Observable, Word

NAME = "exact_gradient"
DEPTH = 4
QUBITS = (4, 6, 8, 10, 12, 16, 20)
VARIATIONAL = (6, 10, 12, 16)
ORBITALS = (3, 5)
LARGE = (16, 20)
"""Qubits from which memory tells more of an engine than of its interpreter."""


class Case(NamedTuple):
    """What is differentiated."""

    name: str
    program: Program
    observable: Observable

    @property
    def theta(self) -> torch.Tensor:
        """Ten points, (10, P)."""
        generator = np.random.default_rng(self.program.qubits)
        return torch.from_numpy(generator.uniform(-np.pi, np.pi, (10, self.program.parameters)))


def rows(effort: Effort) -> Iterator[Row]:
    """Times by case and peer on one thread, then on two, then memory."""
    torch.set_num_threads(1)
    for qubits in QUBITS[:3] if effort.small else QUBITS:
        yield from _one_thread(efficient_su2(qubits), _repeats(effort, qubits))
    for orbitals in ORBITALS[:1] if effort.small else ORBITALS:
        yield from _one_thread(coupled_cluster(orbitals), effort.repeats)
    for qubits in VARIATIONAL[:1] if effort.small else VARIATIONAL:
        yield from _one_thread(variational(qubits), effort.repeats)
    if effort.small:
        return
    for qubits in QUBITS:
        yield from (Row(*found) for found in elsewhere(f"{NAME}:two_threads", qubits, _repeats(effort, qubits), threads=2))
    for qubits in LARGE:
        yield from _memory(qubits)


def efficient_su2(qubits: int) -> Case:
    program = EfficientSu2(DEPTH).program(qubits)
    return Case(f"Ising chain, {qubits} qubits, {program.parameters} angles", program, ising(qubits))


def variational(qubits: int) -> Case:
    program = HamiltonianVariational(DEPTH).program(Register(qubits, TransverseFieldIsing(qubits)))
    return Case(f"Ising chain, {qubits} qubits, variational, {program.parameters} angles", program, ising(qubits))


def coupled_cluster(orbitals: int) -> Case:
    lih = Molecule("Li 0 0 0; H 0 0 1.595", active_space=ActiveSpace(2, orbitals))
    program = Uccsd().program(Register(2 * orbitals, lih))
    return Case(f"LiH, {2 * orbitals} qubits, UCCSD, {program.parameters} angles", program, lih.solve().observable)


def ising(qubits: int) -> Observable:
    """The transverse-field Ising chain at its critical field."""
    bonds = {Word(0, 3 << q): -1.0 for q in range(qubits - 1)}
    return Observable.of(qubits, bonds | {Word(1 << q, 0): -1.0 for q in range(qubits)})


def _one_thread(case: Case, repeats: int) -> Iterator[Row]:
    engine, theta = exact(case.program, case.observable), case.theta
    yield from _races(case, engine, repeats, threads=1)
    if case.program.qubits <= 12:
        twin = partial(TorchNoiseless(case.program, case.observable).gradients, theta[:1])
        yield from race(NAME, case.name, "our torch twin", partial(engine.gradients, theta[:1]), twin, min(repeats, 5))
        each, together = partial(_one_by_one, engine, theta), partial(engine.gradients, theta)
        yield from race(NAME, f"{case.name}, 10 points", "ours, 10 calls", together, each, repeats)


def _races(case: Case, engine: NoiselessEngine, repeats: int, threads: int) -> Iterator[Row]:
    point = case.theta[:1]
    ours = partial(engine.gradients, point)
    for peer, theirs in exact_gradients(case.program, case.observable):
        yield from race(NAME, case.name, peer, ours, partial(theirs, point[0].numpy()), repeats, threads=threads)
        if case.program.qubits <= 12 and threads == 1:
            apart = float(np.abs(ours()[1][0].numpy() - theirs(point[0].numpy())[1]).max())
            yield row(NAME, case.name, "largest difference of a slope", "Ha", apart, peer, apart, larger_is_better=False)


def two_threads(qubits: int, repeats: int) -> list[Row]:
    """The rows of efficient_su2 in a process that has two threads."""
    case = efficient_su2(qubits)
    return list(_races(case, exact(case.program, case.observable), repeats, threads=2))


def _memory(qubits: int) -> Iterator[Row]:
    ours = elsewhere(f"{NAME}:memory", "ours", qubits)
    for peer in names_of_exact():
        theirs, case = elsewhere(f"{NAME}:memory", peer, qubits), efficient_su2(qubits).name
        yield row(NAME, case, "peak memory", "MiB", ours / 2**20, peer, theirs / 2**20, larger_is_better=False)


def memory(who: str, qubits: int) -> int:
    """Bytes that a process needs at most for tables and one gradient, beside what a gradient on 4 qubits has loaded."""
    _once(who, efficient_su2(4))
    case = efficient_su2(qubits)
    return peak(lambda: _once(who, case))


def _once(who: str, case: Case) -> Any:
    point = case.theta[:1]
    if who == "ours":
        return exact(case.program, case.observable).gradients(point)
    peer: Gradient = dict(exact_gradients(case.program, case.observable, only=who))[who]
    return peer(point[0].numpy())


def _repeats(effort: Effort, qubits: int) -> int:
    return effort.repeats if qubits < 16 else min(5, effort.repeats) if qubits < 20 else 3


def _one_by_one(engine: NoiselessEngine, theta: torch.Tensor) -> None:
    for point in theta:
        engine.gradients(point[None])
