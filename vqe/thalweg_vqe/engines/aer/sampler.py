"""Circuits sampled shot by shot on Qiskit Aer. The only file that knows it.

Aer gives experiment number k of a run the seed  s + 2113 k  (0.18.2), so what a circuit shows depends on its place in the
run. A replica is therefore a run of its own: its counts are the same whoever runs beside it, on any number of threads.

At 1000 shots three quarters of the time go into counting them, 0.6 µs each, whatever the circuit.
`runtime_parameter_bind_enable` would save a tenth at 4 qubits, but holds all states at once and is three times slower at
18; two circuits side by side in one register save nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from qiskit import transpile
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error, thermal_relaxation_error
from qiskit_aer.noise.device import basic_device_gate_errors
from qiskit_aer.version import __version__ as version
from torch import Tensor

from thalweg_core.streams import Stream
from thalweg_vqe.engines.aer.backend_properties import Calibration
from thalweg_vqe.engines.aer.noise import Noise
from thalweg_vqe.engines.aer.qiskit_circuits import circuit, measured, turned
from thalweg_vqe.engines.aer.target import target
from thalweg_vqe.engines.outcomes import Counts, MeasuredCircuit
from thalweg_vqe.engines.overlap import Return
from thalweg_vqe.engines.sampler import GroupEnergies, shifted_angles
from thalweg_vqe.pauli.grouping import IDEAL, Group, Readings, groups, sizes
from thalweg_vqe.pauli.patterns import diagonal
from thalweg_vqe.pauli.program import Program
from thalweg_vqe.pauli.words import Observable

__all__ = ["AerCounter", "AerSampler", "devices", "version"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BASIS = ["rz", "sx", "x", "cx"]
"""Gates of a noisy device."""

MOST_MIXED = 10
"""Up to so many qubits noise is computed as a density matrix, above by drawing errors shot by shot (arbitrary: 16 MiB)."""


def devices() -> tuple[str, ...]:
    """Where this Aer can run circuits: "CPU", "GPU"."""
    return tuple(AerSimulator().available_devices())


@dataclass(frozen=True)
class AerSampler:
    """Energies of groups from counts, a `sampler.Sampler`: one measured circuit a group, transpiled once, bound at every run.

    Args:
        simulator: Aer, ideal or noisy, on its device.
        circuits: one for each group, over the same parameters.
        parameters: φ, one for each rotation of the program that has a parameter.
        measures: what the circuits measure.
        readings: what the bits of each circuit say of Z: 1 and -1, or more where flips of the readout are undone.
    """

    simulator: AerSimulator
    circuits: tuple[QuantumCircuit, ...]
    parameters: ParameterVector
    measures: tuple[Group | Return, ...]
    readings: tuple[Readings, ...]

    @classmethod
    def of(
        cls,
        program: Program,
        observable: Observable,
        device: str,
        noise: Noise | None = None,
        mitigated: bool = False,
        grouping: str = "qubit_wise",
    ) -> AerSampler:
        simulator = _simulator(observable.qubits, noise, device.upper())
        angles = ParameterVector("φ", len(program.turned))
        ansatz = circuit(program, angles)
        found, plain = _measured(ansatz, observable, grouping)
        circuits = _transpiled(plain, simulator, noise)
        return cls(simulator, circuits, angles, found, _readings(circuits, noise if mitigated else None))

    @classmethod
    def return_probability(
        cls, there_and_back: Program, weight: float, device: str, noise: Noise | None = None, mitigated: bool = False
    ) -> AerSampler:
        """How often a circuit that undoes itself ends where it started, times a weight (Ha)."""
        simulator = _simulator(there_and_back.qubits, noise, device.upper())
        angles = ParameterVector("φ", len(there_and_back.turned))
        plain = [turned(circuit(there_and_back, angles), ())]
        came_back = Return(there_and_back.qubits, there_and_back.start, weight)
        circuits = _transpiled(plain, simulator, noise)
        return cls(simulator, circuits, angles, (came_back,), _readings(circuits, noise if mitigated else None))

    @property
    def groups(self) -> int:
        """Circuits that one energy takes."""
        return len(self.measures)

    @property
    def weights(self) -> Tensor:
        """Σ|c| of every group."""
        return sizes(self.measures)

    def points(self, angles: Tensor, shots: Tensor, rng: Stream) -> GroupEnergies:
        """Any points: angles (B, K, R), shots (B, K, G); a run for each replica and each number of shots that it asks for."""
        looks = [self._replica(*row) for row in zip(angles.cpu().numpy(), shots.cpu().numpy(), _replicas(rng), strict=True)]
        mean, variance = (torch.from_numpy(np.stack(column)).to(angles.device) for column in zip(*looks, strict=True))
        return GroupEnergies(mean, variance)

    def shifted(self, angles: Tensor, shots: Tensor, rng: Stream) -> GroupEnergies:
        """The point and all its turns by ±π/2: angles (B, R), shots (B, 1 + 2R, G)."""
        return self.points(shifted_angles(angles), shots, rng)

    def _replica(self, angles: Floats, shots: Ints, rng: Stream) -> tuple[Floats, Floats]:
        mean, variance = np.full(shots.shape, np.nan), np.full(shots.shape, np.inf)
        for amount in np.unique(shots[shots > 0]).tolist():
            high, low = rng.named("amount", amount).seeds(2)[0].tolist()
            places = [np.flatnonzero(column == amount) for column in shots.T]
            counts = self.counts([angles[place] for place in places], amount, high << 31 | low)
            for g, (group, place, histograms) in enumerate(zip(self.measures, places, counts, strict=True)):
                mean[place, g], variance[place, g] = _statistics(group, histograms, amount, self.readings[g])
        return mean, variance

    def counts(self, angles: Sequence[Floats], shots: int, seed: int) -> list[list[dict[str, int]]]:
        """How often each outcome (hexadecimal, bit q read on qubit q) was seen: by group, at each of its own points (K, R)."""
        asked = [group for group, points in enumerate(angles) if len(points)]
        binds = [dict(zip(self.parameters, angles[group].T.tolist(), strict=True)) for group in asked]
        seen = iter(_run(self.simulator, [self.circuits[group] for group in asked], binds, shots, seed))
        return [[next(seen) for _ in points] for points in angles]


@dataclass(frozen=True)
class AerCounter:
    """The outcomes of circuits: an `outcomes.Counter`.

    Args:
        simulator: Aer, ideal or noisy, on its device.
        circuits: each over the first of the parameters, as many as it has.
        parameters: φ.
        readings: what the bits of each circuit say of Z.
    """

    simulator: AerSimulator
    circuits: tuple[QuantumCircuit, ...]
    parameters: ParameterVector
    readings: tuple[Readings, ...]

    @classmethod
    def of(cls, shown: Sequence[MeasuredCircuit], device: str, noise: Noise | None = None, mitigated: bool = False) -> AerCounter:
        simulator = _simulator(shown[0].program.qubits, noise, device.upper())
        angles = ParameterVector("φ", max(len(one.program.turned) for one in shown))
        plain = [turned(circuit(one.program, angles), one.turners) for one in shown]
        circuits = _transpiled(plain, simulator, noise)
        return cls(simulator, circuits, angles, _readings(circuits, noise if mitigated else None))

    def counts(self, angles: Tensor, shots: Tensor, rng: Stream) -> list[list[Counts]]:
        """A run for each replica: angles (B, R), shots (B,)."""
        return [self._replica(*row) for row in zip(angles.tolist(), shots.tolist(), _replicas(rng), strict=True)]

    def _replica(self, angles: list[float], shots: int, rng: Stream) -> list[Counts]:
        high, low = rng.seeds(2)[0].tolist()
        binds = [{p: [angles[p.index]] for p in self.parameters if p in circuit.parameters} for circuit in self.circuits]
        histograms = _run(self.simulator, list(self.circuits), binds, shots, high << 31 | low)
        seen = [sorted((int(outcome, 16), times) for outcome, times in histogram.items()) for histogram in histograms]
        return [Counts(*np.array(pairs, dtype=np.int64).reshape(-1, 2).T) for pairs in seen]


def _run(
    simulator: AerSimulator, circuits: list[QuantumCircuit], binds: list[dict[Any, list[float]]], shots: int, seed: int
) -> list[dict[str, int]]:
    """Histograms by circuit, and for each circuit by the sets of angles that it is bound to."""
    threads = torch.get_num_threads()
    result = simulator.run(
        circuits,
        parameter_binds=binds,
        shots=shots,
        seed_simulator=seed,
        max_parallel_threads=threads,
        max_parallel_experiments=threads,
    ).result()
    if not result.success:
        raise RuntimeError(f"Aer could not run the circuits: {result.status}")
    return [experiment.data.counts for experiment in result.results]


def _transpiled(plain: list[QuantumCircuit], simulator: AerSimulator, noise: Noise | None) -> tuple[QuantumCircuit, ...]:
    known = noise.calibration(plain[0].num_qubits) if noise else None
    if known is not None:  # qubit k begins on the k-th of the chosen ones, and is read where routing has brought it
        options = {"target": target(known), "initial_layout": list(range(len(known.qubits)))}
    else:
        options = {"backend": simulator} if noise is None else {"basis_gates": BASIS}
    return tuple(transpile(plain, **options, optimization_level=1, seed_transpiler=0))


def _readings(circuits: Sequence[QuantumCircuit], mitigated: Noise | None) -> tuple[Readings, ...]:
    """What the bits say once the flips of a noise are undone, each as the qubit is that it is read on."""
    if mitigated is None:
        return (IDEAL,) * len(circuits)
    by_qubit = mitigated.readings(circuits[0].num_qubits)
    return tuple(tuple(by_qubit[qubit] for qubit in _read_on(circuit)) for circuit in circuits)


def _read_on(circuit: QuantumCircuit) -> list[int]:
    """The qubit that each bit is read on."""
    measurements = (instruction for instruction in circuit.data if instruction.operation.name == "measure")
    places = {circuit.find_bit(m.clbits[0]).index: circuit.find_bit(m.qubits[0]).index for m in measurements}
    return [places[bit] for bit in range(circuit.num_clbits)]


def _replicas(rng: Stream) -> list[Stream]:
    """The stream of each replica alone."""
    return [rng.take(torch.tensor([row])) for row in range(len(rng.rows))]


def _measured(ansatz: QuantumCircuit, observable: Observable, grouping: str) -> tuple[tuple[Group, ...], list[QuantumCircuit]]:
    """Groups in the bits that are read, and their circuits."""
    found = groups(observable, grouping)
    if grouping == "qubit_wise":
        return found, [measured(ansatz, group) for group in found]
    turns = [diagonal(group) for group in found]
    return tuple(group for _, group in turns), [turned(ansatz, turners) for turners, _ in turns]


def _simulator(qubits: int, noise: Noise | None, device: str) -> AerSimulator:
    if noise is None:
        return AerSimulator(method="statevector", device=device, max_parallel_shots=1)
    method = "density_matrix" if qubits <= MOST_MIXED else "statevector"
    return AerSimulator(method=method, device=device, noise_model=_model(noise, qubits), max_parallel_shots=1)


def _model(noise: Noise, qubits: int) -> NoiseModel:
    """The noise in Aer's terms."""
    known = noise.calibration(qubits)
    return _by_parameters(noise) if known is None else _by_calibration(known)


def _by_calibration(known: Calibration) -> NoiseModel:
    device = target(known)
    model = NoiseModel(basis_gates=sorted(set(device.operation_names) - {"measure"}))
    for name, on, error in basic_device_gate_errors(target=device):
        model.add_quantum_error(error, name, on)
    for place, qubit in enumerate(known.qubits):
        if qubit.false_one or qubit.false_zero:
            model.add_readout_error(_flips(qubit.false_one, qubit.false_zero), [place])
    return model


def _by_parameters(noise: Noise) -> NoiseModel:
    model = NoiseModel(basis_gates=BASIS)
    rest = None
    for names, qubits, depolarized, time in (
        (["sx", "x"], 1, noise.one_qubit_error, noise.one_qubit_time),
        (["cx"], 2, noise.two_qubit_error, noise.two_qubit_time),
    ):
        error = depolarizing_error(depolarized, qubits)
        if noise.t1 is not None:
            rest = thermal_relaxation_error(noise.t1, 2 * noise.t1 if noise.t2 is None else noise.t2, time)
            error = error.compose(rest if qubits == 1 else rest.tensor(rest))
        if depolarized or rest:
            model.add_all_qubit_quantum_error(error, names)
    if noise.false_one or noise.false_zero:
        model.add_all_qubit_readout_error(_flips(noise.false_one, noise.false_zero))
    return model


def _flips(false_one: float, false_zero: float) -> ReadoutError:
    return ReadoutError([[1 - false_one, false_one], [false_zero, 1 - false_zero]])


def _statistics(
    group: Group | Return, histograms: Sequence[dict[str, Any]], shots: int, readings: Readings
) -> tuple[Floats, Floats]:
    """Mean energy of a group and the variance of that mean, for each histogram."""
    outcomes = np.array([int(key, 16) for histogram in histograms for key in histogram], dtype=np.int64)
    weights = np.array([count for histogram in histograms for count in histogram.values()], dtype=np.float64)
    rows = np.repeat(np.arange(len(histograms)), [len(histogram) for histogram in histograms])
    order = np.lexsort((outcomes, rows))  # sums must not depend on the order in which Aer lists what it counted
    rows, outcomes, weights = rows[order], outcomes[order], weights[order]
    energies = group.energies(outcomes, readings)
    mean = np.bincount(rows, weights * energies, len(histograms)) / shots
    if shots == 1:
        return mean, np.full(len(histograms), np.inf)
    spread = np.bincount(rows, weights * (energies - mean[rows]) ** 2, len(histograms))
    return mean, spread / (shots * (shots - 1))
