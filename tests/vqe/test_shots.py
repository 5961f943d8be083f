"""Shots drawn from exact distributions: against Qiskit's probabilities, closed-form moments, Aer's counts, and other batches."""

import math

import numpy as np
import pytest
import torch
from qiskit.quantum_info import SparsePauliOp
from qiskit.quantum_info import Statevector as QiskitState
from scipy.stats import chi2

from thalweg_core.streams import Stream
from thalweg_vqe import shots as module
from thalweg_vqe.aer import AerSampler
from thalweg_vqe.ansatz import EfficientSu2
from thalweg_vqe.circuits import circuit
from thalweg_vqe.grouping import Group, qubit_wise
from thalweg_vqe.parameter_shift import ParameterShift
from thalweg_vqe.patterns import Pattern
from thalweg_vqe.pauli import Observable, Word, commute, times
from thalweg_vqe.program import Program, Rotation, ry
from thalweg_vqe.shots import StatevectorSampler
from thalweg_vqe.statevector import Statevector, tangents

QUBITS = 4
PROGRAM = EfficientSu2(1).program(QUBITS)
CERTAIN = 6.3e-5  # outside four standard deviations of a normal, both sides


def turns(rows, count, seed=1):
    return torch.from_numpy(np.random.default_rng(seed).uniform(-np.pi, np.pi, (rows, count)))


ANGLES = turns(3, len(PROGRAM.turned))


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
    return pattern, pattern.probabilities(rows, torch.from_numpy(pattern.order(2**QUBITS))).numpy()


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
    from thalweg_vqe.compiled.engine import CompiledSampler

    return CompiledSampler.of(program, observable)


SAMPLERS = {
    "torch": StatevectorSampler,
    "compiled": compiled,
    "aer": lambda program, observable: ParameterShift(AerSampler.of(program, observable, "cpu")),
}
OURS = ["torch", "compiled"]


def exact_variance(observable, state):
    """Of a mean over single shots, group by group with the covariances inside."""
    total = 0.0
    for group in qubit_wise(observable):
        combination = SparsePauliOp([w.letters(QUBITS) for w in group.words], group.coefficients)
        square = (combination @ combination).simplify()
        total += (state.expectation_value(square) - state.expectation_value(combination) ** 2).real
    return total


@pytest.mark.parametrize("engine", SAMPLERS)
def test_all_engines_have_the_exact_means_and_variances(engine):
    """Means over repeats by z, spreads and reported variances against Σ_g Var(H_g)/shots; 4 standard errors each."""
    observable, shots, repeats = random_observable(terms=12), 200, 60 if engine == "aer" else 400
    states, turned = shifted_states(), len(PROGRAM.turned)
    variance = np.array([exact_variance(observable, state) for state in states]) / shots
    mean = Statevector(PROGRAM, observable).gradients(ANGLES[:1])
    sampler = SAMPLERS[engine](PROGRAM, observable)
    seen = sampler.gradients(ANGLES[:1].expand(repeats, -1), shots, Stream.of(5, repeats))
    up, down = variance[1 : 1 + turned], variance[1 + turned :]
    low, high = chi2.ppf([CERTAIN / 60, 1 - CERTAIN / 60], repeats - 1) / (repeats - 1)
    for values, reported, truth, wanted in (
        (seen.value[:, None], seen.value_var[:, None], mean[0][:, None], variance[:1]),
        (seen.slopes, seen.slopes_var, mean[1], (up + down) / 4),
    ):
        z = (values.mean(dim=0) - truth[0]).numpy() / np.sqrt(wanted / repeats)
        assert (np.abs(z) < 4.7).all()  # 17 of them: each at 4 standard deviations for the largest
        spread = values.var(dim=0).numpy() / wanted
        assert (low < spread).all() and (spread < high).all()
        error = reported.std(dim=0).numpy() / math.sqrt(repeats)
        assert (np.abs(reported.mean(dim=0).numpy() - wanted) < 4.7 * error).all()


@pytest.mark.parametrize("engine", OURS)
def test_a_replica_sees_the_same_bits_whoever_runs_beside_it(engine):
    sampler, angles = SAMPLERS[engine](PROGRAM, random_observable()), turns(32, len(PROGRAM.turned))
    alone = sampler.gradients(angles[:1], 100, Stream.of(9, 1).at(3))
    for count in (4, 32):
        beside = sampler.gradients(angles[:count], 100, Stream.of(9, count).at(3))
        assert all(torch.equal(a, b[:1]) for a, b in zip(alone, beside, strict=True))
    some = torch.tensor([4, 1])
    few = sampler.gradients(angles[some], 100, Stream.of(9, 32).at(3).take(some))
    assert torch.equal(few.slopes, beside.slopes[some])
    other = sampler.gradients(angles[:1], 100, Stream.of(9, 1).at(4))
    assert not torch.equal(other.slopes, alone.slopes)


def test_tangents_cut_to_fit_memory_are_measured_each_once(monkeypatch):
    observable, repeats = random_observable(terms=8), 300
    monkeypatch.setattr(module, "AT_MOST", 6 * 2**QUBITS)
    seen = StatevectorSampler(PROGRAM, observable).gradients(ANGLES[:1].expand(repeats, -1), 100, Stream.of(2, repeats))
    value, slopes = Statevector(PROGRAM, observable).gradients(ANGLES[:1])
    for values, variances, truth in ((seen.value, seen.value_var, value[0]), (seen.slopes, seen.slopes_var, slopes[0])):
        assert ((values.mean(dim=0) - truth).abs() < 4.7 * (variances.mean(dim=0) / repeats).sqrt()).all()


@pytest.mark.parametrize("engine", OURS)
def test_a_certain_outcome_is_certain_and_one_shot_has_no_known_variance(engine):
    """|01⟩ at angles 0 and π, where many probabilities are 0 or 1 but for rounding."""
    observable = Observable.of(2, {Word.parse("ZI"): 0.5, Word.parse("IZ"): 2.0, Word.parse("ZZ"): -1.0, Word(0, 0): 3.0})
    program = Program(2, 2, (ry(0, 0), ry(1, 1)))
    sampler, angles = SAMPLERS[engine](program, observable), torch.tensor([[math.pi, 0.0]], dtype=torch.float64)
    value, variance = sampler.energies(angles, 1000, Stream.of(1, 1))
    assert value.item() == pytest.approx(3.0 + 0.5 - 2.0 + 1.0, abs=1e-12)
    assert variance.item() == pytest.approx(0.0, abs=1e-12)
    assert sampler.energies(angles, 1, Stream.of(1, 1))[1].item() == math.inf


@pytest.mark.parametrize("shots", [2, 30, 1000, 10**6])
@pytest.mark.parametrize("engine", OURS)
def test_the_outcome_of_a_word_on_one_qubit_is_binomial(engine, shots):
    """⟨Y⟩ of RX(a)|0⟩ is -sin a; the variance of S shots is (1 - sin² a)/S."""
    program = Program(1, 1, (Rotation(Word(1, 0), 0),))
    a, repeats = 0.7, 500
    sampler = SAMPLERS[engine](program, Observable.of(1, {Word(1, 1): 1.0}))
    value, _ = sampler.energies(torch.full((repeats, 1), a, dtype=torch.float64), shots, Stream.of(4, repeats))
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
