"""Groups of words measured together."""

import itertools

import numpy as np
import pytest
import torch
from qiskit.circuit import QuantumCircuit
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector, random_statevector
from scipy.stats import chi2

from thalweg_core.streams import Stream
from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.engines.aer.qiskit_circuits import turned
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.hamiltonians.molecule import Molecule
from thalweg_vqe.hamiltonians.pauli_sum import PauliSum, PauliTerm
from thalweg_vqe.pauli.grouping import agree, commuting, qubit_wise
from thalweg_vqe.pauli.patterns import diagonal
from thalweg_vqe.pauli.words import IDENTITY, Observable, Word, commute
from thalweg_vqe.problem import Vqe
from thalweg_vqe.starts import Uniform


def random_observable(qubits, words, seed):
    rng = np.random.default_rng(seed)
    masks, coefficients = rng.integers(2**qubits, size=(words, 2)).tolist(), rng.normal(size=words).tolist()
    return Observable.of(qubits, {Word(x, z): c for (x, z), c in zip(masks, coefficients, strict=True)})


@pytest.mark.parametrize("seed", range(5))
def test_every_word_but_the_identity_is_in_exactly_one_group(seed):
    observable = random_observable(5, 60, seed)
    grouped = [term for group in qubit_wise(observable) for term in zip(group.words, group.coefficients, strict=True)]
    wanted = [term for term in zip(observable.words, observable.coefficients, strict=True) if term[0] != Word(0, 0)]
    assert sorted(grouped) == sorted(wanted)


@pytest.mark.parametrize("seed", range(5))
def test_in_a_group_letters_agree_on_every_qubit_or_are_the_identity(seed):
    for group in qubit_wise(random_observable(5, 60, seed)):
        for a, b in itertools.product(group.words, repeat=2):
            pairs = zip(a.letters(5), b.letters(5), strict=True)
            assert all(p == q or "I" in (p, q) for p, q in pairs)
            assert agree(a, b)
            assert commute(a, b)


def test_the_ising_chain_needs_two_bases():
    chain = {Word.parse("I" * q + "ZZ" + "I" * (4 - q)): -1.0 for q in range(5)}
    field = {Word.parse("I" * q + "X" + "I" * (5 - q)): -1.0 for q in range(6)}
    bases = [group.basis.letters(6) for group in qubit_wise(Observable.of(6, chain | field))]
    assert sorted(bases) == ["XXXXXX", "ZZZZZZ"]


def test_energies_of_outcomes_average_to_the_expectation_that_qiskit_gives():
    observable = random_observable(3, 20, 3)
    state = random_statevector(8, seed=4)
    turn = {"X": "h", "Y": "sdg h", "Z": ""}
    total = observable.constant
    for group in qubit_wise(observable):
        rotated = state
        for q, letter in enumerate(reversed(group.basis.letters(3))):
            for gate in turn[letter].split():
                rotated = rotated.evolve(Operator(GATES[gate]), [q])
        total += rotated.probabilities() @ group.energies(np.arange(8))
    terms = [(word.letters(3), c) for word, c in zip(observable.words, observable.coefficients, strict=True)]
    assert total == pytest.approx(Statevector(state).expectation_value(SparsePauliOp.from_list(terms)).real, abs=1e-12)


H = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
GATES = {"h": H, "sdg": np.diag([1, -1j])}


WORDS = {"XXI": 0.5, "YYI": -0.4, "ZZI": 0.3, "IXX": 0.7, "IYY": 0.2, "ZIZ": 0.1, "XYZ": -0.6, "YXZ": 0.35, "III": 2.0}
MIXED = PauliSum(tuple(PauliTerm(word, c) for word, c in WORDS.items())).observable()


def test_commuting_groups_hold_every_word_once_and_commute():
    found = commuting(MIXED)
    assert sorted(word for group in found for word in group.words) == [word for word in MIXED.words if word != IDENTITY]
    assert all(commute(a, b) for group in found for a, b in itertools.combinations(group.words, 2))
    assert len(found) < len(qubit_wise(MIXED))


@pytest.mark.parametrize("group", commuting(MIXED))
def test_turners_make_every_word_of_a_group_a_product_of_z_with_its_sign(group):
    turners, plain = diagonal(group)
    turn = np.eye(8)
    for word, qubit in turners:
        turn = (dense(word) + dense(Word(0, 1 << qubit))) @ turn / np.sqrt(2)
    np.testing.assert_allclose(turn @ turn.conj().T, np.eye(8), atol=1e-12)
    for word, c, there, signed in zip(group.words, group.coefficients, plain.words, plain.coefficients, strict=True):
        assert there.x == 0
        np.testing.assert_allclose(turn @ (c * dense(word)) @ turn.conj().T, signed * dense(there), atol=1e-12)


def test_the_circuits_of_turners_are_their_matrices():
    for group in commuting(MIXED):
        turners, _ = diagonal(group)
        wanted = np.eye(8)
        for word, qubit in turners:
            wanted = (dense(word) + dense(Word(0, 1 << qubit))) @ wanted / np.sqrt(2)
        seen = turned(QuantumCircuit(3), turners).remove_final_measurements(inplace=False)
        assert Operator(seen).equiv(Operator(wanted))


@pytest.mark.parametrize("engine", ["statevector", "aer"])
def test_commuting_groups_are_measured_without_bias_and_with_honest_errors(engine):
    terms = PauliSum(tuple(PauliTerm(word, c) for word, c in WORDS.items()))
    estimator = Estimator(shots=200, engine=engine, grouping="commuting")
    problem, repeats = Vqe(terms, EfficientSu2(1), estimator, Uniform(2.0)), 150
    landscape = problem.open(torch.device("cpu"), torch.float64)
    x = problem.start(landscape, Stream.of(2, 1)).expand(repeats, -1)
    truth = problem.observe(landscape, x[:1])["true_energy"].value.item()
    seen = landscape.measure(x, Stream.of(8, repeats))
    assert landscape.sampler.groups == len(commuting(MIXED))
    error = (seen.value_var.mean() / repeats).sqrt().item()
    assert abs(seen.value.mean().item() - truth) < 4 * error
    low, high = chi2.ppf([3e-5, 1 - 3e-5], repeats - 1) / (repeats - 1)
    assert low < (seen.value.var() / seen.value_var.mean()).item() < high


@pytest.mark.parametrize(("molecule", "most"), [("H 0 0 0; H 0 0 0.735", 2), ("H 0 0 0; H 0 0 1; H 0 0 2; H 0 0 3", 12)])
def test_molecules_need_few_commuting_groups(molecule, most):
    """Of all words of H2 two groups are the fewest; Qiskit's colouring finds 9 for the chain of H4, in place of 46."""
    pytest.importorskip("pyscf")
    assert len(commuting(Molecule(molecule).solve().observable)) <= most


def dense(word):
    return SparsePauliOp(word.letters(3)).to_matrix()
