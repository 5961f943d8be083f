"""Shots drawn from exact distributions: against Qiskit's probabilities, closed-form moments, Aer's counts, and other batches."""

import math

import numpy as np
import pytest
import torch
from qiskit.quantum_info import SparsePauliOp
from qiskit.quantum_info import Statevector as QiskitState
from scipy.stats import chi2
from tests.vqe.random_circuits import random_turns

from thalweg_core.streams import Stream
from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.engines import shots_torch as module
from thalweg_vqe.engines.aer.qiskit_circuits import circuit
from thalweg_vqe.engines.aer.sampler import AerSampler
from thalweg_vqe.engines.sampler import shifted_angles
from thalweg_vqe.engines.shots_torch import StatevectorSampler
from thalweg_vqe.engines.statevector import tangents
from thalweg_vqe.pauli.grouping import Group, qubit_wise
from thalweg_vqe.pauli.patterns import Pattern
from thalweg_vqe.pauli.program import Program, Rotation, ry
from thalweg_vqe.pauli.words import Observable, Word, commute, times

QUBITS = 4
PROGRAM = EfficientSu2(1).program(QUBITS)
CERTAIN = 6.3e-5  # outside four standard deviations of a normal, both sides


ANGLES = random_turns(3, len(PROGRAM.turned))


def random_observable(seed=2, terms=30):
    rng = np.random.default_rng(seed)
    words = {Word(*(int(mask) for mask in rng.integers(2**QUBITS, size=2))): c for c in rng.normal(size=terms).tolist()}
    return Observable.of(QUBITS, words | {Word(0, 0): 0.4})


def commuting_group(seed, size=6):
    """Words that commute, though not qubit by qubit."""
    rng, words = np.random.default_rng(seed), []
    while len(words) < size:
        word = Word(*(int(mask) for mask in rng.integers(2**QUBITS, size=2)))
        if word.support and word not in words and all(commute(word, other) for other in words):
            words.append(word)
    return Group(Word(0, 0), tuple(words), tuple(rng.normal(size=size).tolist()))


def groups():
    return [*qubit_wise(random_observable()), *(commuting_group(seed) for seed in range(12))]


def probabilities(group, rows):
    pattern = Pattern.of(group)
    return pattern, pattern.shifted_probabilities(rows, torch.from_numpy(pattern.order(2**QUBITS))).numpy()


def shifted_states():
    """In Qiskit: the first point, then each angle turned by π/2, then by -π/2."""
    count = len(PROGRAM.turned)
    quarter = math.pi / 2 * np.eye(count)
    centre = ANGLES[0].numpy()
    return [QiskitState(circuit(PROGRAM, row.tolist())) for row in (centre, *(centre + quarter), *(centre - quarter))]


def test_pooled_outcomes_carry_every_mean_and_covariance_of_a_group_at_every_shifted_point():
    """⟨P_a P_b⟩ of commuting words is the mean of their product, a word with a sign: Qiskit's expectation value of it."""
    states, rows = shifted_states(), tangents(PROGRAM, ANGLES[:1], 0, len(PROGRAM.turned))
    for group in groups():
        _, p = probabilities(group, rows)
        products = [(1.0, word) for word in group.words]
        products += [(phase.real, w) for a in group.words for b in group.words for w, phase in [times(a, b)]]
        units = [
            Group(group.basis, group.words, tuple(float(k == j) for k in range(len(group.words))))
            for j in range(len(group.words))
        ]
        single = [Pattern.of(unit).energies for unit in units]
        values = [*single, *(a * b for a in single for b in single)]
        for (sign, word), value in zip(products, values, strict=True):
            theirs = [sign * state.expectation_value(SparsePauliOp(word.letters(QUBITS))).real for state in states]
            np.testing.assert_allclose(p[0] @ value, theirs, atol=1e-12)


def test_outcomes_are_pooled_as_far_as_the_words_cannot_tell_them_apart():
    words = (Word.parse("ZZII"), Word.parse("IIZZ"), Word.parse("ZZZZ"))
    pattern = Pattern.of(Group(Word(0, 15), words, (1.0, 1.0, 1.0)))
    assert len(pattern.energies) == 4
    assert pattern.turners == ()


def test_counts_follow_the_exact_distribution():
    """χ² of pooled counts against probabilities of words turned by Qiskit."""
    observable, shots, statistic, freedom = random_observable(), 4000, 0.0, 0
    rows = tangents(PROGRAM, ANGLES, 0, 0)
    for number, group in enumerate(qubit_wise(observable)):
        _, p = probabilities(group, rows)
        draw = np.random.Generator(np.random.Philox(key=number))
        for k in range(len(ANGLES)):
            expected = shots * p[k, 0]
            seen = draw.multinomial(shots, p[k, 0])
            common = expected > 5
            pooled = [*zip(seen[common], expected[common], strict=True), (seen[~common].sum(), expected[~common].sum())]
            terms = [(o - e) ** 2 / e for o, e in pooled if e > 1e-9]
            statistic, freedom = statistic + sum(terms), freedom + len(terms) - 1
    low, high = chi2.ppf([CERTAIN / 2, 1 - CERTAIN / 2], freedom)
    assert low < statistic < high


def compiled(program, observable):
    pytest.importorskip("numba")
    from thalweg_vqe.engines.compiled.engine import CompiledSampler

    return CompiledSampler.of(program, observable)


SAMPLERS = {
    "torch": StatevectorSampler,
    "compiled": compiled,
    "aer": lambda program, observable: AerSampler.of(program, observable, "cpu"),
}
OURS = ["torch", "compiled"]


def all_points(sampler, angles, shots, rng):
    """The shifted points, measured as any points are."""
    return sampler.points(shifted_angles(angles), shots, rng)


def all_turns(sampler, angles, shots, rng):
    return sampler.shifted(angles, shots, rng)


WAYS = {"points": all_points, "shifted": all_turns}


def look(way, engine, observable, angles, shots, rng):
    """(B, 1 + 2R, G) means and variances; shots: one number, or one for each of these."""
    sampler = SAMPLERS[engine](PROGRAM, observable)
    if isinstance(shots, int):
        shots = torch.full((len(angles), 1 + 2 * angles.shape[1], sampler.groups), shots)
    return WAYS[way](sampler, angles, shots, rng)


def moments(observable):
    """Exact means and variances of single shots of every group at every shifted point, (1 + 2R, G) each."""
    means, variances = [], []
    for state in shifted_states():
        for group in qubit_wise(observable):
            combination = SparsePauliOp([w.letters(QUBITS) for w in group.words], group.coefficients)
            square = (combination @ combination).simplify()
            means.append(state.expectation_value(combination).real)
            variances.append(state.expectation_value(square).real - means[-1] ** 2)
    shape = (1 + 2 * len(PROGRAM.turned), -1)
    return np.reshape(means, shape), np.reshape(variances, shape)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("engine", SAMPLERS)
def test_all_engines_have_the_exact_means_and_variances_of_every_group(engine, way):
    """Means over repeats by z, spreads and reported variances against Var(H_g)/shots; 5 standard errors for the largest."""
    observable, shots, repeats = random_observable(terms=8), 200, 60 if engine == "aer" else 400
    truth, variance = moments(observable)
    variance = variance / shots
    seen = look(way, engine, observable, ANGLES[:1].expand(repeats, -1), shots, Stream.of(5, repeats))
    mean, reported = (part.numpy() for part in seen)
    assert (np.abs(mean.mean(axis=0) - truth) < 5 * np.sqrt(variance / repeats) + 1e-12).all()
    low, high = chi2.ppf([3e-7, 1 - 3e-7], repeats - 1) / (repeats - 1)
    certain = variance < 1e-12
    spread = mean.var(axis=0, ddof=1)[~certain] / variance[~certain]
    assert (low < spread).all() and (spread < high).all()
    error = reported.std(axis=0) / math.sqrt(repeats)
    assert (np.abs(reported.mean(axis=0) - variance) < 5 * error + 1e-12).all()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("engine", SAMPLERS)
def test_every_replica_point_and_group_takes_the_shots_asked_for(engine, way):
    """⟨Z⟩ of n shots is a whole number of 2/n; none is measured where none is asked for; one has no known variance."""
    observable = Observable.of(QUBITS, {Word.parse("IIIZ"): 1.0, Word.parse("IIIX"): 1.0})
    some = np.random.default_rng(3).choice([0, 1, 7, 11, 13], size=(3, 1 + 2 * len(PROGRAM.turned), 2))
    some[0, 1:] = 0  # one replica measures its energy alone, one nothing
    some[1] = 0
    mean, variance = (part.numpy() for part in look(way, engine, observable, ANGLES, torch.from_numpy(some), Stream.of(1, 3)))
    assert np.isnan(mean[some == 0]).all() and np.isinf(variance[some < 2]).all()
    ones = (1 + mean) * some / 2
    asked = some > 0
    np.testing.assert_allclose(ones[asked], np.round(ones[asked]), atol=1e-12)
    many = some > 1  # of n shots on ±1: variance (1 - mean²)/(n - 1)
    np.testing.assert_allclose(variance[many], (1 - mean[many] ** 2) / (some[many] - 1), atol=1e-12)
    assert any((np.round(ones[some == n]) % n > 0).any() for n in (7, 11, 13))  # the case can tell


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("engine", OURS)
def test_a_point_shows_the_same_whatever_else_is_measured(engine, way):
    """On compiled kernels every point and group draws from numbers of its own; in torch every replica does."""
    observable = random_observable(terms=8)
    groups = len(qubit_wise(observable))
    asked = torch.full((3, 1 + 2 * len(PROGRAM.turned), groups), 30)
    everything = look(way, engine, observable, ANGLES, asked, Stream.of(1, 3))
    less = asked.clone()
    less[1:] = 0
    if engine == "compiled":
        less[0, 2:9] = 0
        less[0, 12:, 1:] = 0
    part = look(way, engine, observable, ANGLES, less, Stream.of(1, 3))
    seen = less > 0
    assert torch.equal(part.mean[seen], everything.mean[seen])
    assert torch.equal(part.variance[seen], everything.variance[seen])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("engine", SAMPLERS)
def test_a_replica_sees_the_same_bits_whoever_runs_beside_it(engine, way):
    observable, angles = random_observable(terms=8), random_turns(8, len(PROGRAM.turned))
    alone = look(way, engine, observable, angles[:1], 100, Stream.of(9, 1).at(3))
    for count in (2, 8):
        beside = look(way, engine, observable, angles[:count], 100, Stream.of(9, count).at(3))
        assert all(torch.equal(a, b[:1]) for a, b in zip(alone, beside, strict=True))
    some = torch.tensor([4, 1])
    few = look(way, engine, observable, angles[some], 100, Stream.of(9, 8).at(3).take(some))
    assert torch.equal(few.mean, beside.mean[some])
    other = look(way, engine, observable, angles[:1], 100, Stream.of(9, 1).at(4))
    assert not torch.equal(other.mean, alone.mean)


@pytest.mark.parametrize("way", WAYS)
def test_states_cut_to_fit_memory_are_measured_each_once(monkeypatch, way):
    observable, repeats = random_observable(terms=8), 300
    truth, _ = moments(observable)
    monkeypatch.setattr(module, "AT_MOST", 6 * 2**QUBITS)
    mean, variance = look(way, "torch", observable, ANGLES[:1].expand(repeats, -1), 100, Stream.of(2, repeats))
    assert ((mean.mean(dim=0) - torch.from_numpy(truth)).abs() < 5 * (variance.mean(dim=0) / repeats).sqrt() + 1e-12).all()


def energy(engine, program, observable, angles, shots, rng):
    """At one point a replica, without the constant: (B, R) -> (B,), (B,)."""
    sampler = SAMPLERS[engine](program, observable)
    looks = sampler.points(angles[:, None], torch.full((len(angles), 1, sampler.groups), shots), rng)
    return looks.mean.sum(dim=(1, 2)), looks.variance.sum(dim=(1, 2))


@pytest.mark.parametrize("engine", OURS)
def test_a_certain_outcome_is_certain_and_one_shot_has_no_known_variance(engine):
    """|01⟩ at angles 0 and π, where many probabilities are 0 or 1 but for rounding."""
    observable = Observable.of(2, {Word.parse("ZI"): 0.5, Word.parse("IZ"): 2.0, Word.parse("ZZ"): -1.0})
    program = Program(2, 2, (ry(0, 0), ry(1, 1)))
    angles = torch.tensor([[math.pi, 0.0]], dtype=torch.float64)
    value, variance = energy(engine, program, observable, angles, 1000, Stream.of(1, 1))
    assert value.item() == pytest.approx(0.5 - 2.0 + 1.0, abs=1e-12)
    assert variance.item() == pytest.approx(0.0, abs=1e-12)
    assert energy(engine, program, observable, angles, 1, Stream.of(1, 1))[1].item() == math.inf


@pytest.mark.parametrize("shots", [2, 30, 1000, 10**6])
@pytest.mark.parametrize("engine", OURS)
def test_the_outcome_of_a_word_on_one_qubit_is_binomial(engine, shots):
    """⟨Y⟩ of RX(a)|0⟩ is -sin a; the variance of S shots is (1 - sin² a)/S."""
    program = Program(1, 1, (Rotation(Word(1, 0), 0),))
    a, repeats = 0.7, 500
    angles = torch.full((repeats, 1), a, dtype=torch.float64)
    value, _ = energy(engine, program, Observable.of(1, {Word(1, 1): 1.0}), angles, shots, Stream.of(4, repeats))
    assert abs(value.mean().item() + math.sin(a)) < 4 * math.cos(a) / math.sqrt(shots * repeats)
    low, high = chi2.ppf([CERTAIN / 2, 1 - CERTAIN / 2], repeats - 1) / (repeats - 1)
    assert low < value.var().item() / (math.cos(a) ** 2 / shots) < high


def test_signs_of_products_are_right_in_the_energies_of_patterns():
    """XX · ZZ = -YY: all three measured at once on a Bell state, whose eigenvalues are 1, 1 and -1."""
    words = (Word.parse("XX"), Word.parse("ZZ"), Word.parse("YY"))
    pattern = Pattern.of(Group(Word(0, 0), words, (1.0, 10.0, 100.0)))
    bell = torch.zeros(1, 1, 2, 4, dtype=torch.float64)
    bell[0, 0, 0, [0, 3]] = math.sqrt(0.5)
    p = pattern.probabilities(bell, torch.from_numpy(pattern.order(4)))[0, 0].numpy()
    assert p @ pattern.energies == pytest.approx(1 + 10 - 100, abs=1e-12)
    assert sorted(pattern.energies) == pytest.approx([-111, -89, 91, 109])  # x + 10 z - 100 x z
