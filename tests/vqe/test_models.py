"""Spin chains and the Hubbard model against closed forms, free fermions and dense matrices."""

import itertools
import math

import numpy as np
import pytest
from qiskit.quantum_info import SparsePauliOp

from thalweg_core.errors import BadInput
from thalweg_vqe.hamiltonians.free_fermions import ising_energy
from thalweg_vqe.hamiltonians.hubbard import FermiHubbard
from thalweg_vqe.hamiltonians.spin_chains import HeisenbergXxz, TransverseFieldIsing
from thalweg_vqe.pauli.words import IDENTITY, commute, total


def matrix(observable):
    terms = [(word.letters(observable.qubits), c) for word, c in zip(observable.words, observable.coefficients, strict=True)]
    return SparsePauliOp.from_list(terms).to_matrix()


@pytest.mark.parametrize(
    ("chain", "energy"),
    [
        (TransverseFieldIsing(6), -7.296229810559),  # tables of the field's literature, recomputed with other software
        (TransverseFieldIsing(8), -9.837951447459),
        (HeisenbergXxz(6), -9.974308535552),
        (HeisenbergXxz(8), -13.499730394752),
    ],
)
def test_energies_of_open_chains_are_those_known_elsewhere(chain, energy):
    assert chain.solve().exact_energy == pytest.approx(energy, abs=1e-10)


def free_fermions(sites, coupling, field):
    """Minus the sum of the singular values of the matrix that couples neighbouring Majorana operators (Pfeuty 1970)."""
    return -np.linalg.svd(np.diag([field] * sites) + np.diag([coupling] * (sites - 1), 1), compute_uv=False).sum()


@pytest.mark.parametrize(("sites", "coupling", "field"), [(2, 1, 1), (5, 0.7, 1.3), (9, -1.2, 0.4), (11, 1.0, -0.9)])
def test_the_open_ising_chain_is_one_of_free_fermions(sites, coupling, field):
    energy = TransverseFieldIsing(sites, coupling, field).solve().exact_energy
    assert energy == pytest.approx(free_fermions(sites, abs(coupling), abs(field)), abs=1e-9)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("sites", [3, 4, 7])
@pytest.mark.parametrize(("coupling", "field"), [(1, 1), (-1, 1), (1, -1), (-1, -1), (0.4, -1.2), (-1.5, 0.3), (1, 0), (0, 1)])
def test_the_closed_form_of_ising_chains_is_the_lowest_eigenvalue(sites, coupling, field, periodic):
    """On rings the parity of the fermions matters: for an odd number of antiferromagnetic bonds, too."""
    chain = TransverseFieldIsing(sites, coupling, field, periodic)
    solved = chain.solve()
    assert solved.exact_energy == pytest.approx(np.linalg.eigvalsh(matrix(solved.observable))[0], abs=1e-10)


@pytest.mark.parametrize("sites", [6, 400])
def test_critical_ising_chains_have_their_closed_sums(sites):
    """1 - 1/sin(π/(4n + 2)) with open ends, -2/sin(π/2n) on a ring (Burkhardt & Guim, J. Phys. A 18 (1985) L33)."""
    wanted = 1 - 1 / math.sin(math.pi / (4 * sites + 2)), -2 / math.sin(math.pi / (2 * sites))
    found = [ising_energy(sites, 1.0, 1.0, periodic) for periodic in (False, True)]
    assert found == pytest.approx(wanted, rel=1e-13)


@pytest.mark.parametrize(("sites", "field"), [(4, 1.0), (8, 0.6), (9, 1.4)])
def test_the_ising_ring_has_the_closed_form_of_its_even_sector(sites, field):
    momenta = (2 * np.arange(sites) + 1) * math.pi / sites  # antiperiodic fermions
    wanted = -np.sqrt(1 + field**2 - 2 * field * np.cos(momenta)).sum()
    assert TransverseFieldIsing(sites, 1.0, field, periodic=True).solve().exact_energy == pytest.approx(wanted, abs=1e-9)


def test_a_heisenberg_pair_is_a_singlet_or_a_triplet():
    assert HeisenbergXxz(2).solve().exact_energy == pytest.approx(-3)
    assert HeisenbergXxz(2, -1.0).solve().exact_energy == pytest.approx(-1)
    assert HeisenbergXxz(2, 1.0, field=5.0).solve().exact_energy == pytest.approx(1 - 10)


@pytest.mark.parametrize(
    "chain", [HeisenbergXxz(4, periodic=True), HeisenbergXxz(5, 0.8, -1.7, 0.3, True), HeisenbergXxz(3, 1, 0)]
)
def test_the_lowest_energy_over_all_magnetizations_is_that_of_the_dense_matrix(chain):
    solved = chain.solve()
    assert solved.exact_energy == pytest.approx(np.linalg.eigvalsh(matrix(solved.observable))[0], abs=1e-10)


def test_the_ring_of_four_heisenberg_spins_has_energy_minus_eight():
    assert HeisenbergXxz(4, periodic=True).solve().exact_energy == pytest.approx(-8)  # -2 J in spins one half, times 4


def test_the_xx_chain_is_one_of_free_fermions():
    sites = 6
    levels = 4 * np.cos(math.pi * np.arange(1, sites + 1) / (sites + 1))
    assert HeisenbergXxz(sites, anisotropy=0).solve().exact_energy == pytest.approx(levels[levels < 0].sum(), abs=1e-10)


@pytest.mark.parametrize("repulsion", [-3.0, 0.0, 4.0, 11.0])
def test_two_electrons_on_two_sites_have_the_closed_form(repulsion):
    energy = FermiHubbard(2, hopping=1.3, repulsion=repulsion).solve().exact_energy
    assert energy == pytest.approx((repulsion - math.sqrt(repulsion**2 + 16 * 1.3**2)) / 2, abs=1e-12)


@pytest.mark.parametrize(("columns", "rows", "periodic"), [(4, 1, False), (5, 1, True), (2, 3, False), (3, 2, True)])
def test_electrons_that_do_not_repel_fill_the_levels_of_the_lattice(columns, rows, periodic):
    def ring(length):
        hop = np.eye(length, k=1) + np.eye(length, k=-1)
        if periodic and length > 2:
            hop[0, -1] = hop[-1, 0] = 1
        return hop

    levels = np.linalg.eigvalsh(-np.kron(np.eye(rows), ring(columns)) - np.kron(ring(rows), np.eye(columns)))
    model = FermiHubbard(columns, rows, repulsion=0.0, spin_up=2, spin_down=1, periodic=periodic)
    assert model.solve().exact_energy == pytest.approx(2 * levels[0] + levels[1], abs=1e-10)


@pytest.mark.parametrize("model", [FermiHubbard(4), FermiHubbard(2, 2, spin_up=3, spin_down=1), FermiHubbard(3, periodic=True)])
def test_the_hubbard_model_agrees_with_full_configuration_interaction(model):
    fci = pytest.importorskip("pyscf.fci")
    hop = np.zeros((model.sites, model.sites))
    for bonds in model._bonds():
        for i, j in bonds:
            hop[i, j] = hop[j, i] = -model.hopping
    meet = np.zeros((model.sites,) * 4)
    meet[tuple([np.arange(model.sites)] * 4)] = model.repulsion
    wanted = fci.direct_spin1.kernel(hop, meet, model.sites, (model.alpha, model.beta))[0]
    assert model.solve().exact_energy == pytest.approx(wanted, abs=1e-8)


@pytest.mark.parametrize(("mapping", "tapering"), [("parity", "particles"), ("bravyi_kitaev", "none"), ("jordan_wigner", "all")])
def test_every_map_of_the_hubbard_model_has_the_same_lowest_energy(mapping, tapering):
    plain, other = FermiHubbard(3).solve(), FermiHubbard(3, mapping=mapping, tapering=tapering)
    solved = other.solve()
    assert solved.exact_energy == pytest.approx(plain.exact_energy, abs=1e-10)
    assert solved.observable.qubits == other.system().qubits == (6 if tapering == "none" else 4)


def test_a_rectangle_has_the_bonds_that_it_should_have():
    bonds = {frozenset(bond) for chosen in FermiHubbard(3, 2)._bonds() for bond in chosen}
    assert bonds == {frozenset(pair) for pair in [(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)]}
    assert sum(len(chosen) for chosen in FermiHubbard(3, 3, periodic=True)._bonds()) == 18


@pytest.mark.parametrize(
    "model",
    [
        TransverseFieldIsing(4, periodic=True),
        HeisenbergXxz(5, anisotropy=0.4, field=0.2, periodic=True),
        FermiHubbard(3, 2),
        FermiHubbard(3, 3, periodic=True, mapping="parity", tapering="particles"),
    ],
)
def test_parts_are_of_commuting_words_and_sum_to_the_operator(model):
    parts = model.parts()
    for part in parts:
        assert all(commute(a, b) for a, b in itertools.combinations(part.words, 2))
    together = total(term for part in parts for term in zip(part.words, part.coefficients, strict=True))
    solved = model.solve()
    whole = dict(zip(solved.observable.words, solved.observable.coefficients, strict=True))
    assert {w: pytest.approx(c) for w, c in together.items() if w != IDENTITY and c} == {
        w: c for w, c in whole.items() if w != IDENTITY
    }


@pytest.mark.parametrize("model", [TransverseFieldIsing(7), HeisenbergXxz(6, periodic=True), FermiHubbard(3, 2), FermiHubbard(4)])
def test_the_size_told_before_is_the_size_found_after(model):
    system, observable = model.system(), model.solve().observable
    assert system.qubits == observable.qubits
    assert len({word.x for word in observable.words}) <= system.flips


@pytest.mark.parametrize(
    ("build", "field", "part"),
    [
        (lambda: TransverseFieldIsing(1), "sites", "2 to 60 sites, got 1"),
        (lambda: TransverseFieldIsing(2, periodic=True), "sites", "neighbours twice, got 2"),
        (lambda: TransverseFieldIsing(4, field=math.nan), "field", "wanted a number from -1e.12 to 1e.12"),
        (lambda: HeisenbergXxz(61), "sites", "got 61"),
        (lambda: HeisenbergXxz(4, anisotropy=math.inf), "anisotropy", "wanted a number from -1e.12 to 1e.12"),
        (lambda: FermiHubbard(0), "columns", "at least 1, got 0"),
        (lambda: FermiHubbard(2, 0), "rows", "at least 1, got 0"),
        (lambda: FermiHubbard(1), "columns", "2 to 30 sites, got 1 × 1"),
        (lambda: FermiHubbard(3, spin_up=4), "spin_up", "0 to 3 electrons on 3 sites, got 4"),
        (lambda: FermiHubbard(3, spin_up=0, spin_down=0), "spin_up", "at least one electron"),
        (lambda: FermiHubbard(3, mapping="jw"), "mapping", 'got "jw"'),
    ],
)
def test_what_no_model_can_be_is_refused_with_its_field(build, field, part):
    with pytest.raises(BadInput, match=part) as refused:
        build()
    assert refused.value.field == field
