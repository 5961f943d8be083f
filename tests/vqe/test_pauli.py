"""Pauli words against Qiskit's matrices."""

import itertools

import numpy as np
import pytest
from qiskit.quantum_info import Pauli, SparsePauliOp

from thalweg_core.errors import BadInput
from thalweg_vqe.hamiltonians.pauli_sum import PauliSum, PauliTerm
from thalweg_vqe.pauli.words import Observable, Word, commute, times

WORDS = ["".join(letters) for letters in itertools.product("IXYZ", repeat=2)] + ["XYZ", "ZZY", "YYX", "IXI"]


@pytest.mark.parametrize("letters", WORDS)
def test_a_word_is_read_and_written_back(letters):
    assert Word.parse(letters).letters(len(letters)) == letters


@pytest.mark.parametrize("a", WORDS)
def test_the_product_of_two_words_is_the_product_of_their_matrices(a):
    for b in (b for b in WORDS if len(b) == len(a)):
        word, phase = times(Word.parse(a), Word.parse(b))
        product = Pauli(a).to_matrix() @ Pauli(b).to_matrix()
        np.testing.assert_array_equal(phase * Pauli(word.letters(len(a))).to_matrix(), product)


@pytest.mark.parametrize("a", WORDS)
def test_two_words_commute_where_qiskit_says_so(a):
    for b in (b for b in WORDS if len(b) == len(a)):
        assert commute(Word.parse(a), Word.parse(b)) == Pauli(a).commutes(Pauli(b))


def test_flips_and_diagonals_make_up_the_matrix_that_qiskit_builds():
    rng = np.random.default_rng(0)
    words = ["".join(letters) for letters in itertools.product("IXYZ", repeat=3)]
    terms = list(zip(words, rng.normal(size=len(words)).tolist(), strict=True))
    observable = PauliSum(tuple(PauliTerm(word, c) for word, c in terms)).observable()
    matrix = np.zeros((8, 8), dtype=complex)
    for x, diagonal in observable.diagonals():
        matrix[np.arange(8) ^ x, np.arange(8)] += diagonal
    np.testing.assert_allclose(matrix, SparsePauliOp.from_list(terms).to_matrix(), atol=1e-14)


def test_coefficients_add_where_a_word_repeats():
    observable = PauliSum((PauliTerm("XZ", 1.5), PauliTerm("ZZ", 2.0), PauliTerm("XZ", -0.5), PauliTerm("II", 3.0))).observable()
    assert dict(zip(observable.words, observable.coefficients, strict=True)) == {
        Word.parse("XZ"): 1.0,
        Word.parse("ZZ"): 2.0,
        Word.parse("II"): 3.0,
    }
    assert observable.constant == 3.0


def test_an_operator_that_is_not_hermitian_is_no_observable():
    with pytest.raises(ValueError, match="real coefficients"):
        Observable.of(1, {Word.parse("X"): 1j})


@pytest.mark.parametrize(
    ("build", "field", "part"),
    [
        (lambda: PauliTerm("XQ", 1.0), "word", "letters I X Y Z"),
        (lambda: PauliTerm("", 1.0), "word", "letters I X Y Z"),
        (lambda: PauliTerm("X", float("nan")), "coefficient", "wanted a number from -1e.12 to 1e.12"),
        (lambda: PauliSum((PauliTerm("XZ", 1.0), PauliTerm("XZI", 1.0))), "terms[1].word", "2 letters"),
        (lambda: PauliSum((PauliTerm("II", 1.0),)), "terms", "not the identity"),
        (lambda: PauliSum(()), "terms", "at least one word"),
    ],
)
def test_a_sum_that_cannot_be_is_refused_with_its_field(build, field, part):
    with pytest.raises(BadInput, match=part) as refused:
        build()
    assert refused.value.field == field
