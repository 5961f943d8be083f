"""Sampling on Aer: counts against exact probabilities, statistics against their definition, and what the counts depend on."""

import dataclasses

import numpy as np
import pytest
import torch
from qiskit.circuit.library import efficient_su2
from qiskit.quantum_info import Statevector as QiskitState
from scipy.stats import chi2

from thalweg_core.streams import Stream
from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.engines.aer.sampler import AerSampler
from thalweg_vqe.hamiltonians.pauli_sum import PauliSum, PauliTerm

QUBITS, REPS = 3, 1
WORDS = {"ZZI": 0.7, "IZZ": -0.4, "XXI": 0.5, "IXX": 0.3, "YIY": -0.6, "ZIZ": 0.2, "III": 1.5}
OBSERVABLE = PauliSum(tuple(PauliTerm(word, c) for word, c in WORDS.items())).observable()
ANSATZ = EfficientSu2(REPS)
STREAM = Stream.of(3, 1)
ANGLES = np.random.default_rng(5).uniform(-np.pi, np.pi, (4, ANSATZ.parameters(QUBITS)))


@pytest.fixture(scope="module")
def sampler():
    return AerSampler.of(ANSATZ.program(QUBITS), OBSERVABLE, "cpu")


def everywhere(sampler, angles=ANGLES):
    """The same points for every group."""
    return [angles] * sampler.groups


def probabilities(group, angles):
    """By Qiskit's own gates and states."""
    circuit = efficient_su2(QUBITS, reps=REPS).assign_parameters(angles.tolist())
    for q, letter in enumerate(reversed(group.basis.letters(QUBITS))):
        if letter == "Y":
            circuit.sdg(q)
        if letter in "XY":
            circuit.h(q)
    return QiskitState(circuit).probabilities()


def test_counts_follow_the_exact_distribution(sampler):
    shots = 20_000
    statistic, freedom = 0.0, 0
    for group, histograms in zip(sampler.measures, sampler.counts(everywhere(sampler), shots, seed=1), strict=True):
        for angles, histogram in zip(ANGLES, histograms, strict=True):
            expected = shots * probabilities(group, angles)
            seen = np.array([histogram.get(hex(outcome), 0) for outcome in range(2**QUBITS)])
            assert seen.sum() == shots
            common = expected > 5
            pooled = [*zip(seen[common], expected[common], strict=True), (seen[~common].sum(), expected[~common].sum())]
            terms = [(o - e) ** 2 / e for o, e in pooled if e > 1e-9]
            statistic, freedom = statistic + sum(terms), freedom + len(terms) - 1
    low, high = chi2.ppf([3e-5, 1 - 3e-5], freedom)  # four standard errors of a normal, two-sided
    assert low < statistic < high


def looks(sampler, shots, rng=STREAM):
    """(K, G) means and variances."""
    asked = torch.full((1, len(ANGLES), sampler.groups), shots)
    return [part[0].numpy() for part in sampler.points(torch.from_numpy(ANGLES)[None], asked, rng)]


def test_means_and_variances_are_those_of_the_counts_written_shot_by_shot(sampler):
    shots = 500
    mean, variance = looks(sampler, shots)
    high, low = STREAM.named("amount", shots).seeds(2)[0].tolist()
    counts = sampler.counts(everywhere(sampler), shots, high << 31 | low)
    for g, group in enumerate(sampler.measures):
        for point in range(len(ANGLES)):
            histogram = counts[g][point]
            outcomes = np.repeat([int(key, 16) for key in histogram], list(histogram.values()))
            bits = np.array([[outcome >> q & 1 for q in range(QUBITS)] for outcome in outcomes])
            shot_energies = np.zeros(shots)
            for word in (word.letters(QUBITS) for word in group.words):
                on = [q for q, letter in enumerate(reversed(word)) if letter != "I"]
                shot_energies += WORDS[word] * np.prod(1 - 2 * bits[:, on], axis=1)
            assert mean[point, g] == pytest.approx(shot_energies.mean(), abs=1e-12)
            assert variance[point, g] == pytest.approx(shot_energies.var(ddof=1) / shots, rel=1e-12)


def test_circuits_with_equal_numbers_of_shots_run_together(sampler, monkeypatch):
    """Three numbers of shots over all points and groups are three runs, none of them with a circuit that nobody asked for."""
    runs, simulator = [], sampler.simulator
    asked = torch.full((1, len(ANGLES), sampler.groups), 20)
    asked[0, 1:, 0], asked[0, 2, 1], asked[0, 0] = 30, 40, 0

    class Watched:
        def run(self, circuits, parameter_binds, shots, **rest):
            runs.append((shots, sum(len(next(iter(binds.values()))) for binds in parameter_binds)))
            return simulator.run(circuits, parameter_binds=parameter_binds, shots=shots, **rest)

    dataclasses.replace(sampler, simulator=Watched()).points(torch.from_numpy(ANGLES)[None], asked, STREAM)
    assert dict(runs) == {n: int((asked == n).sum()) for n in (20, 30, 40)}
    assert len(runs) == 3


def test_variances_include_the_covariance_of_words_measured_together(sampler):
    """ZZI + IZZ + ZIZ of one group: without their covariance the variance would be the sum of three."""
    group = next(g for g in sampler.measures if len(g.words) > 1 and g.basis.x == 0)
    p = probabilities(group, ANGLES[0])
    energies = group.energies(np.arange(2**QUBITS))
    alone = [
        c**2 * (1 - (p @ np.prod(_signs(word), axis=0)) ** 2) for word, c in zip(group.words, group.coefficients, strict=True)
    ]
    together = p @ energies**2 - (p @ energies) ** 2
    assert abs(together - sum(alone)) > 0.1 * together  # the case can tell
    shots = 50_000
    seen = sampler.counts(everywhere(sampler, ANGLES[:1]), shots, seed=8)[sampler.measures.index(group)][0]
    values = np.repeat(group.energies(np.array([int(key, 16) for key in seen])), list(seen.values()))
    fourth = p @ (energies - p @ energies) ** 4
    error = np.sqrt((fourth - together**2) / shots)
    assert abs(values.var(ddof=1) - together) < 4 * error


def _signs(word):
    return [1 - 2 * (np.arange(2**QUBITS) >> q & 1) for q in range(QUBITS) if word.support >> q & 1]


def test_the_same_seed_gives_the_same_counts_and_another_seed_gives_others(sampler):
    first, again, other = (sampler.counts(everywhere(sampler), 200, seed) for seed in (11, 11, 12))
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_counts_of_equal_angles_are_independent_within_a_run(sampler):
    same = np.repeat(ANGLES[:1], 6, axis=0)
    for histograms in sampler.counts(everywhere(sampler, same), 200, seed=4):
        assert all(a != b for i, a in enumerate(histograms) for b in histograms[:i])


def test_counts_do_not_depend_on_the_number_of_threads(sampler):
    before = torch.get_num_threads()
    try:
        seen = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            seen.append(sampler.counts(everywhere(sampler), 300, seed=2**61 + 5))
    finally:
        torch.set_num_threads(before)
    assert seen[0] == seen[1]


def test_every_circuit_is_transpiled_once_and_keeps_all_its_angles(sampler):
    circuits = sampler.circuits
    looks(sampler, 2)
    assert sampler.circuits is circuits
    assert all(set(circuit.parameters) == set(sampler.parameters) for circuit in circuits)


def test_one_shot_alone_has_no_known_variance(sampler):
    assert np.isinf(looks(sampler, 1)[1]).all()
