"""Groups of words measured together."""

import itertools

import numpy as np
import pytest
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector, random_statevector

from thalweg_vqe.grouping import agree, qubit_wise
from thalweg_vqe.pauli import Observable, Word, commute


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
