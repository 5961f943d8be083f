"""The H2 job's energy and whole parameter-shift gradient under shot noise, against the plain way with Qiskit Aer.

The peer is what a notebook does: qubit-wise commuting groups from SparsePauliOp, one measured circuit a group, transpiled
once, and for each of the 2P + 1 points its angles assigned and the circuit run for its counts. "in one list" hands Aer all
bound circuits at once, which is the better notebook. Shots per circuit and circuits per gradient are the same on both sides,
and so must be the noise: in units of the standard error σ that ours declares for each component, the root-mean-square error
of the gradient against the exact one is 1 on both sides within 1/√(2N), N = samples × parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from qiskit import transpile
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import efficient_su2
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator

from benchmarks.harness import Effort, Row, race, row
from benchmarks.peers import qulacs_sampling
from thalweg_core.streams import Stream
from thalweg_vqe.engines.aer.sampler import AerSampler
from thalweg_vqe.engines.choosing import engines
from thalweg_vqe.engines.noiseless_torch import TorchNoiseless
from thalweg_vqe.engines.sampler import Sampler
from thalweg_vqe.engines.shots_torch import StatevectorSampler
from thalweg_vqe.hamiltonians.jordan_wigner import electrons
from thalweg_vqe.landscapes.circuit import Reference, VqeLandscape
from thalweg_vqe.pauli.grouping import qubit_wise
from thalweg_vqe.pauli.program import Program
from thalweg_vqe.pauli.words import Observable
from thalweg_vqe.problem import EfficientSu2, Estimator, Molecule, Vqe

NAME = "shot_gradient"
SHOTS = 1000
H2 = "H 0 0 0; H 0 0 0.735"  # Å
LIH = "Li 0 0 0; H 0 0 1.595"
CASES = (("H2", H2, 2), ("LiH CAS(2,3)", LIH, 3), ("LiH CAS(2,5)", LIH, 5))

Floats = NDArray[np.float64]
Gradient = Callable[[int], tuple[float, Floats]]


def rows(effort: Effort, reps: int = 3, shots: int = SHOTS) -> Iterator[Row]:
    """The H2 job by each engine, then the engines alone on larger molecules."""
    torch.set_num_threads(1)
    yield from _job(effort, "aer", reps, shots)
    yield from _job(effort, "statevector", reps, shots)
    yield from _engines(effort, shots)


def _job(effort: Effort, engine: str, reps: int, shots: int) -> Iterator[Row]:
    """The H2 job's energy and gradient by one of our engines, and how far its gradient is from the exact one."""
    problem = Vqe(Molecule(H2), EfficientSu2(reps=reps), Estimator(shots=shots, engine=engine))
    landscape = problem.open(torch.device("cpu"), torch.float64)
    assert isinstance(landscape, VqeLandscape)
    angles = problem.start(landscape, Stream.of(7, 4).named("start"))
    peer = Notebook.of(landscape, reps, shots)
    peers = (("Aer counts, circuit by circuit", peer.one_by_one), ("Aer counts, circuits in one list", peer.in_one_list))
    case = f"H2, {shots} shots, engine {engine}"
    for replicas in (1,) if effort.small else (1, 4):
        x, rng = angles[:replicas], Stream.of(7, replicas)
        look = partial(landscape.evaluate, x, rng)
        for name, theirs in peers[:1] if effort.small else peers:
            yield from race(NAME, f"{case}, {_replicas(replicas)}", name, look, partial(_each, theirs, x.numpy()), effort.repeats)
    yield _noise(landscape, angles[0], peer, effort.samples, case)


def _engines(effort: Effort, shots: int) -> Iterator[Row]:
    """One gradient by the engine alone, on molecules of growing size with two entangling layers."""
    for name, atoms, orbitals in CASES[:1] if effort.small else CASES:
        observable = active_space(atoms, orbitals)
        program = EfficientSu2(2).program(observable.qubits)
        angles = torch.from_numpy(np.random.default_rng(1).uniform(-np.pi, np.pi, (1, program.parameters)))
        estimator, rng = Estimator(shots=shots), Stream.of(7, 1)
        look = partial(_landscape(program, observable, engines(program, observable, estimator)[1], shots).evaluate, angles, rng)
        case = f"{name}, {program.parameters} angles, {len(qubit_wise(observable))} groups, engine alone"
        twin = _landscape(program, observable, StatevectorSampler(program, observable), shots).evaluate
        yield from race(NAME, case, "our torch twin", look, partial(twin, angles, rng), effort.repeats)
        aer = _landscape(program, observable, AerSampler.of(program, observable, "cpu"), shots).evaluate
        repeats = effort.repeats if observable.qubits < 10 else 1  # the largest takes Aer most of a minute
        yield from race(NAME, case, "Aer counts, batched binds", look, partial(aer, angles, rng), repeats)
        if find_spec("qulacs"):
            theirs = qulacs_sampling(program, observable, shots)
            yield from race(NAME, case, "Qulacs sampling", look, partial(theirs, angles[0].numpy(), 1), repeats)


def _landscape(program: Program, observable: Observable, sampler: Sampler, shots: int) -> VqeLandscape:
    """What a method sees of an engine."""
    nothing = Reference(math.nan, None, None)
    cpu = torch.device("cpu")
    return VqeLandscape(program, observable, TorchNoiseless(program, observable), sampler, shots, nothing, cpu, torch.float64)


def active_space(atoms: str, orbitals: int) -> Observable:
    """Two electrons in so many Hartree-Fock orbitals, the rest frozen, in sto-3g."""
    from pyscf import ao2mo, gto, mcscf, scf

    field = scf.RHF(gto.M(atom=atoms, basis="sto-3g", verbose=0)).run()
    space = mcscf.CASCI(field, orbitals, 2)
    one, constant = space.get_h1eff()
    return electrons(one, ao2mo.restore(1, space.get_h2eff(), orbitals), constant)


@dataclass(frozen=True)
class Notebook:
    """Energies from counts, the plain way.

    Args:
        simulator: Aer on one thread.
        circuits: one for each group, measured in its basis, transpiled.
        groups: their operators.
        shots: per circuit.
    """

    simulator: AerSimulator
    circuits: list[QuantumCircuit]
    groups: list[SparsePauliOp]
    shots: int

    @classmethod
    def of(cls, landscape: VqeLandscape, reps: int, shots: int) -> Notebook:
        """For the operator of a landscape of ours."""
        observable = landscape.observable
        words = [word.letters(observable.qubits) for word in observable.words]
        groups = SparsePauliOp(words, observable.coefficients).group_commuting(qubit_wise=True)
        simulator = AerSimulator(method="statevector", max_parallel_threads=1)
        ansatz = efficient_su2(observable.qubits, reps=reps)
        return cls(simulator, transpile([_measured(ansatz, group) for group in groups], simulator), list(groups), shots)

    def one_by_one(self, angles: Floats, seed: int) -> tuple[float, Floats]:
        """Energy and gradient at (P,): every circuit bound and run by itself."""
        return self._gradient(angles, lambda bound: [self._run([one], seed + 1 + k)[0] for k, one in enumerate(bound)])

    def in_one_list(self, angles: Floats, seed: int) -> tuple[float, Floats]:
        """The same with one run for all circuits."""
        return self._gradient(angles, lambda bound: self._run(bound, seed + 1))

    def _gradient(self, angles: Floats, run: Callable[[list[QuantumCircuit]], list[dict[str, int]]]) -> tuple[float, Floats]:
        turns = np.eye(len(angles)) * math.pi / 2
        points = [angles, *(angles + turns), *(angles - turns)]
        counts = run([circuit.assign_parameters(point) for point in points for circuit in self.circuits])
        size = len(self.circuits)
        energies = np.array([self._energy(counts[first : first + size]) for first in range(0, len(counts), size)])
        up, down = energies[1 : 1 + len(angles)], energies[1 + len(angles) :]
        return float(energies[0]), (up - down) / 2

    def _run(self, circuits: list[QuantumCircuit], seed: int) -> list[dict[str, int]]:
        counts: Any = self.simulator.run(circuits, shots=self.shots, seed_simulator=seed).result().get_counts()
        return [counts] if len(circuits) == 1 else counts

    def _energy(self, counts: list[dict[str, int]]) -> float:
        return sum(_mean(group, seen, self.shots) for group, seen in zip(self.groups, counts, strict=True))


def _measured(ansatz: QuantumCircuit, group: SparsePauliOp) -> QuantumCircuit:
    """The ansatz with every qubit turned into the group's basis and read."""
    circuit = ansatz.copy()
    x, z = group.paulis.x.any(axis=0), group.paulis.z.any(axis=0)
    for qubit in range(circuit.num_qubits):
        if x[qubit] and z[qubit]:
            circuit.sdg(qubit)
        if x[qubit]:
            circuit.h(qubit)
    circuit.measure_all()
    return circuit


def _mean(group: SparsePauliOp, counts: dict[str, int], shots: int) -> float:
    """The group's sample mean."""
    states = [int(bits, 2) for bits in counts]
    weights = np.fromiter(counts.values(), dtype=float) / shots
    supports = (group.paulis.x | group.paulis.z) @ (1 << np.arange(group.num_qubits))
    signs = np.array([[(-1) ** (state & int(support)).bit_count() for state in states] for support in supports])
    return float(group.coeffs.real @ (signs @ weights))


def _each(gradient: Callable[[Floats, int], tuple[float, Floats]], x: Floats) -> None:
    for number, angles in enumerate(x):
        gradient(angles, 7_000_000 + number)


def _noise(landscape: VqeLandscape, angles: torch.Tensor, peer: Notebook, samples: int, case: str) -> Row:
    """Root-mean-square error of the gradient over samples and components, in units of the standard error that ours declares."""
    exact = landscape.evaluate(angles[None], Stream.of(0, 1), samples=0).grad[0].numpy()
    seen = landscape.evaluate(angles.expand(samples, -1), Stream.of(8, samples))
    theirs = np.array([peer.in_one_list(angles.numpy(), 10_000_000 * (k + 1))[1] for k in range(samples)])
    declared = seen.grad_var.mean(dim=0).sqrt().numpy()
    ours, other = (math.sqrt(np.mean(((gradient - exact) / declared) ** 2)) for gradient in (seen.grad.numpy(), theirs))
    figure = f"rms error of the gradient, {samples} samples"
    return row(NAME, case, figure, "σ", ours, "Aer counts, circuits in one list", other, larger_is_better=False)


def _replicas(number: int) -> str:
    return "1 point" if number == 1 else f"{number} points"
