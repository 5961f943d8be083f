"""Maps to qubits against permuted matrices and the binary tree written out; tapering against the spectrum of the sector."""

import itertools

import numpy as np
import pytest
from qiskit.quantum_info import SparsePauliOp

from thalweg_vqe.hamiltonians.diagonalization import ground_energy, particle_sector
from thalweg_vqe.hamiltonians.electronic import Integrals, mapped
from thalweg_vqe.hamiltonians.encoding import MAPPINGS, Leaves, encoding, symmetries
from thalweg_vqe.hamiltonians.jordan_wigner import electrons, lower, raise_
from thalweg_vqe.pauli.words import Observable, Word


def matrix(observable):
    terms = [(word.letters(observable.qubits), c) for word, c in zip(observable.words, observable.coefficients, strict=True)]
    return SparsePauliOp.from_list(terms).to_matrix()


def integrals(m, seed):
    """With the eightfold symmetry of real orbitals, and none beyond."""
    rng = np.random.default_rng(seed)
    one, two = rng.normal(size=(m, m)), rng.normal(size=(m, m, m, m))
    two = two + two.transpose(1, 0, 2, 3)
    two = two + two.transpose(0, 1, 3, 2)
    return Integrals(one + one.T, two + two.transpose(2, 3, 0, 1), 0.7, 2, 1)


def tree(orbitals):
    """Bravyi-Kitaev by its recursion: blocks of the size before on the diagonal, and a last row of ones."""
    size, rows = 1, np.array([[1]])
    while size < orbitals:
        rows = np.kron(np.eye(2, dtype=int), rows)
        size *= 2
        rows[-1, : size // 2] = 1
    return rows[:orbitals, :orbitals]


BITS = {
    "jordan_wigner": lambda n: n,
    "parity": lambda n: np.cumsum(n) % 2,
    "bravyi_kitaev": lambda n: tree(len(n)) @ n % 2,
}


@pytest.mark.parametrize("orbitals", [1, 2, 3, 4, 6, 7, 8])
@pytest.mark.parametrize("mapping", MAPPINGS)
def test_qubits_show_the_sums_that_the_papers_define(mapping, orbitals):
    image = encoding(mapping, orbitals)
    for occupation in itertools.product((0, 1), repeat=orbitals):
        wanted = BITS[mapping](np.array(occupation))
        assert image.state(sum(n << q for q, n in enumerate(occupation))) == sum(int(b) << q for q, b in enumerate(wanted))


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_operators_are_the_jordan_wigner_matrices_with_relabelled_states(mapping):
    numbers = integrals(2, 3)
    plain, image = electrons(numbers.one, numbers.two, 0.7), encoding(mapping, 4)
    place = [image.state(occupation) for occupation in range(16)]
    there = matrix(image.observable(plain))
    np.testing.assert_allclose(there[np.ix_(place, place)], matrix(plain), atol=1e-12)
    ladder = image.combination(lower(2))
    dense = sum(c * matrix(Observable.of(4, {word: 1.0})) for word, c in ladder.items())
    wanted = sum(c * matrix(Observable.of(4, {word: 1.0})) for word, c in lower(2).items())
    np.testing.assert_allclose(dense[np.ix_(place, place)], wanted, atol=1e-12)


@pytest.mark.parametrize("tapering", ["none", "particles", "all"])
@pytest.mark.parametrize("mapping", MAPPINGS)
def test_every_map_and_tapering_has_the_spectrum_of_the_sector(mapping, tapering):
    numbers = integrals(3, 5)
    plain = electrons(numbers.one, numbers.two, 0.7)
    sector = particle_sector(3, 2, 1)
    found = mapped(numbers, mapping, tapering)
    states = found.electrons.encoding.sector(sector)
    assert len(states) == len(sector) == 9
    assert found.observable.qubits == (6 if tapering == "none" else 4)
    wanted = np.linalg.eigvalsh(matrix(plain)[np.ix_(sector, sector)])
    np.testing.assert_allclose(np.linalg.eigvalsh(matrix(found.observable)[np.ix_(states, states)]), wanted, atol=1e-11)
    assert ground_energy(found.observable, states) == pytest.approx(wanted[0], abs=1e-11)


def test_all_tapered_sectors_together_have_the_whole_spectrum():
    numbers = integrals(2, 8)
    plain = electrons(numbers.one, numbers.two, 0.7)
    every = []
    for alpha, beta in itertools.product((0, 1), repeat=2):
        found = mapped(numbers._replace(alpha=alpha, beta=beta), "bravyi_kitaev", "all")
        every += np.linalg.eigvalsh(matrix(found.observable)).tolist()
    np.testing.assert_allclose(sorted(every), np.linalg.eigvalsh(matrix(plain)), atol=1e-11)


def test_symmetries_are_all_the_products_of_z_that_commute():
    numbers = integrals(2, 1)
    assert sorted(symmetries(electrons(numbers.one, numbers.two, 0.0))) == [0b0011, 0b1100]
    assert symmetries(Observable.of(2, {Word(0b11, 0): 1.0, Word(0, 0b01): 1.0})) == [0b11]
    assert symmetries(Observable.of(2, {Word(0b01, 0): 1.0, Word(0b10, 0): 1.0})) == []


def test_what_breaks_a_tapered_symmetry_has_no_image():
    image = mapped(integrals(2, 1), "parity", "particles").electrons.encoding
    with pytest.raises(Leaves):
        image.combination(raise_(0))
