"""Molecules: the map to qubits against matrices built by hand, energies against PySCF and literature, and what is refused."""

import itertools
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from qiskit.quantum_info import SparsePauliOp

from thalweg_core.errors import BadInput, Unavailable
from thalweg_vqe.hamiltonians.diagonalization import ground_energy, particle_sector
from thalweg_vqe.hamiltonians.jordan_wigner import electrons, lower, number, raise_
from thalweg_vqe.hamiltonians.molecule import Molecule
from thalweg_vqe.hamiltonians.orbitals import ActiveSpace, Size
from thalweg_vqe.pauli.words import IDENTITY, product, total

pytest.importorskip("pyscf")

H2 = Molecule("H 0 0 0; H 0 0 0.735")
H3_CATION = Molecule("H 0 0 0; H 0 0 0.9; H 0 0.779422863 0.45", charge=1)
HELIUM_HYDRIDE = Molecule("He 0 0 0; H 0 0 0.772", charge=1)
H4 = Molecule("H 0 0 0; H 0 0 1; H 0 0 2; H 0 0 3")
H3_RADICAL = Molecule("H 0 0 0; H 0 0 1; H 0 0 2", spin=1)


def matrix(observable):
    terms = [(word.letters(observable.qubits), c) for word, c in zip(observable.words, observable.coefficients, strict=True)]
    return SparsePauliOp.from_list(terms).to_matrix()


def annihilators(orbitals):
    """a_q as Kronecker products, highest qubit leftmost: Z on the qubits below q."""
    z, low, one = np.diag([1, -1]), np.array([[0, 1], [0, 0]]), np.eye(2)
    out = []
    for q in range(orbitals):
        a = np.eye(1)
        for factor in [one] * (orbitals - 1 - q) + [low] + [z] * q:
            a = np.kron(a, factor)
        out.append(a)
    return out


def random_integrals(m, seed):
    """Integrals with the eightfold symmetry of real orbitals."""
    rng = np.random.default_rng(seed)
    one, two = rng.normal(size=(m, m)), rng.normal(size=(m, m, m, m))
    two = two + two.transpose(1, 0, 2, 3)
    two = two + two.transpose(0, 1, 3, 2)
    return one + one.T, two + two.transpose(2, 3, 0, 1)


def test_ladder_operators_anticommute():
    for p, q in itertools.product(range(4), repeat=2):
        for first, second, wanted in ((lower(p), raise_(q), float(p == q)), (lower(p), lower(q), 0.0)):
            both = total([*product(first, second).items(), *product(second, first).items()])
            assert {word: c for word, c in both.items() if c != 0} == ({IDENTITY: wanted} if wanted else {})


@pytest.mark.parametrize("m", [1, 2, 3])
def test_the_qubit_operator_is_the_second_quantized_one_written_out_in_matrices(m):
    one, two = random_integrals(m, seed=m)
    a = annihilators(2 * m)
    wanted = 0.7 * np.eye(4**m)
    for p, q in itertools.product(range(m), repeat=2):
        for s in (0, m):
            wanted = wanted + one[p, q] * a[p + s].T @ a[q + s]
        for r, t in itertools.product(range(m), repeat=2):
            for s, u in itertools.product((0, m), repeat=2):
                wanted = wanted + 0.5 * two[p, q, r, t] * a[p + s].T @ a[r + u].T @ a[t + u] @ a[q + s]
    np.testing.assert_allclose(matrix(electrons(one, two, 0.7)), wanted, atol=1e-10)


def test_the_number_of_electrons_counts_ones():
    np.testing.assert_array_equal(matrix(number(4)).diagonal().real, [bin(state).count("1") for state in range(16)])


@pytest.mark.parametrize(
    ("molecule", "size", "hartree_fock", "exact"),
    [
        (H2, Size(2, 1, 1), -1.116998997, -1.137306036),  # PySCF by another pipeline, qiskit-nature agrees
        (H4, Size(4, 2, 2), -2.098545937, -2.166387449),
    ],
)
def test_energies_are_those_known_elsewhere(molecule, size, hartree_fock, exact):
    solved = molecule.solve()
    assert molecule.size() == size
    assert solved.hartree_fock_energy == pytest.approx(hartree_fock, abs=1e-8)
    assert solved.exact_energy == pytest.approx(exact, abs=1e-8)


@pytest.mark.parametrize(
    "molecule", [H2, H3_CATION, HELIUM_HYDRIDE, H3_RADICAL, H4, Molecule("H 0 0 0", spin=1), Molecule("He 0 0 0")]
)
def test_full_configuration_interaction_equals_the_qubit_operator_diagonalized_in_the_sector(molecule):
    size, solved = molecule.size(), molecule.solve()
    sector = particle_sector(size.orbitals, size.alpha, size.beta)
    assert len(sector) == size.determinants
    assert ground_energy(solved.observable, sector) == pytest.approx(solved.exact_energy, abs=1e-9)


@pytest.mark.parametrize("molecule", [H2, H3_CATION, HELIUM_HYDRIDE, H3_RADICAL, H4])
def test_the_determinant_has_the_hartree_fock_energy(molecule):
    solved = molecule.solve()
    energy = sum(diagonal[molecule.size().determinant].real for x, diagonal in solved.observable.diagonals() if x == 0)
    assert energy == pytest.approx(solved.hartree_fock_energy, abs=1e-9)


def test_a_sector_of_many_states_is_diagonalized_sparsely_to_the_same_energy():
    solved = Molecule("Li 0 0 0; H 0 0 1.595").solve()  # 225 states: dense; with both spins free 924: sparse
    dense = ground_energy(solved.observable, particle_sector(6, 2, 2))
    states = np.arange(2**12)
    four_electrons = states[np.bitwise_count(states) == 4]
    assert dense == pytest.approx(solved.exact_energy, abs=1e-9)
    assert ground_energy(solved.observable, four_electrons) == pytest.approx(dense, abs=1e-9)


def test_solving_twice_gives_the_same_bits():
    assert H4.solve() == H4.solve()


@pytest.mark.parametrize("molecule", [H3_CATION, HELIUM_HYDRIDE, H3_RADICAL, H4])
def test_no_more_sets_of_qubits_are_flipped_than_the_size_tells(molecule):
    assert len({word.x for word in molecule.solve().observable.words}) <= molecule.size().flips


@pytest.mark.parametrize(
    ("fields", "field", "part"),
    [
        ({"atoms": ""}, "atoms", "got none"),
        ({"atoms": "H 0 0 0; H 0 0"}, "atoms", 'three coordinates .* got "H 0 0"'),
        ({"atoms": "H 0 0 0 0"}, "atoms", "three coordinates"),
        ({"atoms": "H 0 0 zero"}, "atoms", "three numbers"),
        ({"atoms": "H 0 0 nan"}, "atoms", "coordinates from -10000 to 10000"),
        ({"atoms": "H 0 0 0; H 0 0 0"}, "atoms", r"impossible geometry: atoms 1 \(H\) and 2 \(H\) are 0 Å apart"),
        ({"atoms": "Hx 0 0 0; H 0 0 1"}, "atoms", 'symbol of an element .* got "Hx"'),
        ({"atoms": "h 0 0 0; H 0 0 1"}, "atoms", 'did you mean "H"'),
        ({"atoms": "H 0 0 0; H 0 0 1", "basis": "sto-3q"}, "basis", 'got "sto-3q"; did you mean "sto-3g"'),
        ({"atoms": "H 0 0 0; H 0 0 1", "basis": "zzz"}, "basis", "for example"),
        ({"atoms": "H 0 0 0; H 0 0 1", "basis": "6-31h"}, "basis", 'did you mean .*"6-31g"'),
        ({"atoms": "U 0 0 0", "basis": "6-31g"}, "basis", "does not cover all of U"),
        ({"atoms": "H 0 0 0; H 0 0 1", "mapping": "partiy"}, "mapping", 'wanted .*"parity" .* got "partiy"'),
        ({"atoms": "H 0 0 0; H 0 0 1", "tapering": "some"}, "tapering", 'wanted "none" .* got "some"'),
        ({"atoms": "He 0 0 0", "tapering": "all"}, "tapering", "symmetries alone fix every qubit"),
        ({"atoms": "He 0 0 0", "tapering": "particles"}, "tapering", "symmetries alone fix every qubit"),
        (
            {"atoms": "Li 0 0 0; H 0 0 1.6", "active_space": ActiveSpace(3, 3)},
            "active_space.electrons",
            "2, then in steps of 2 up to 4",
        ),
        ({"atoms": "Li 0 0 0; H 0 0 1.6", "active_space": ActiveSpace(6, 3)}, "active_space.electrons", "up to 4 of .* got 6"),
        (
            {"atoms": "Li 0 0 0; H 0 0 1.6", "active_space": ActiveSpace(2, 6)},
            "active_space.orbitals",
            "1 to 5 orbitals .* got 6",
        ),
        (
            {"atoms": "H 0 0 0", "spin": 1, "frozen_core": True, "active_space": ActiveSpace(1, 1)},
            "frozen_core",
            "only one of the two",
        ),
        ({"atoms": "H 0 0 0; H 0 0 1", "charge": 2}, "charge", "at most 1"),
        ({"atoms": "H 0 0 0; H 0 0 1", "spin": 1}, "spin", "an even number up to 2"),
        ({"atoms": "H 0 0 0; H 0 0 1", "spin": 4}, "spin", "an even number up to 2"),
        ({"atoms": "H 0 0 0; H 0 0 1", "spin": -2}, "spin", "0 or more"),
        ({"atoms": "H 0 0 0; H 0 0 1", "charge": 1}, "spin", "an odd number up to 1"),
        ({"atoms": "H 0 0 0; H 0 0 1", "charge": -3, "spin": 1}, "charge", "has 2 orbital.s. for 3"),
        ({"atoms": "He 0 0 0", "spin": 2}, "spin", "has 1 orbital.s. for 2"),
    ],
)
def test_what_no_molecule_can_be_is_refused_with_its_field(fields, field, part):
    with pytest.raises(BadInput, match=part) as refused:
        Molecule(**fields).system()
    assert refused.value.field == field


LIH = "Li 0 0 0; H 0 0 1.595"


@pytest.mark.parametrize(
    ("molecule", "qubits", "terms", "hartree_fock", "exact"),
    [  # PySCF's CASCI by another pipeline
        (Molecule(LIH, active_space=ActiveSpace(2, 3)), 6, 62, -7.862023860, -7.863077754),
        (Molecule(LIH, active_space=ActiveSpace(2, 5)), 10, 276, -7.862023860, -7.882174506),
        (Molecule(LIH, frozen_core=True), 10, 276, -7.862023860, -7.882174506),
    ],
)
def test_active_spaces_have_the_energies_known_elsewhere(molecule, qubits, terms, hartree_fock, exact):
    solved = molecule.solve()
    assert (solved.observable.qubits, len(solved.observable.words)) == (qubits, terms)
    assert solved.hartree_fock_energy == pytest.approx(hartree_fock, abs=1e-8)
    assert solved.exact_energy == pytest.approx(exact, abs=1e-8)


@pytest.mark.parametrize("tapering", ["none", "particles", "all"])
@pytest.mark.parametrize("mapping", ["jordan_wigner", "parity", "bravyi_kitaev"])
@pytest.mark.parametrize(
    "fields", [{"atoms": LIH, "active_space": ActiveSpace(2, 3)}, {"atoms": H3_RADICAL.atoms, "spin": 1}, {"atoms": H2.atoms}]
)
def test_every_map_and_tapering_has_the_same_energies(fields, mapping, tapering):
    molecule, plain = Molecule(**fields, mapping=mapping, tapering=tapering), Molecule(**fields).solve()
    size, solved = molecule.size(), molecule.solve()
    encoding = solved.electrons.encoding
    sector = encoding.sector(particle_sector(size.orbitals, size.alpha, size.beta))
    assert molecule.system().qubits == solved.observable.qubits == encoding.qubits
    assert ground_energy(solved.observable, sector) == pytest.approx(solved.exact_energy, abs=1e-9)
    assert solved.exact_energy == pytest.approx(plain.exact_energy, abs=1e-9)
    determinant = encoding.state(solved.electrons.occupation)
    diagonal = sum(entries[determinant].real for x, entries in solved.observable.diagonals() if x == 0)
    assert diagonal == pytest.approx(plain.hartree_fock_energy, abs=1e-9)
    count = sum(entries[determinant].real for _, entries in solved.number.diagonals())
    assert count == pytest.approx(size.alpha + size.beta, abs=1e-12)


@pytest.mark.parametrize(("molecule", "qubits"), [(H2, 1), (Molecule(LIH), 8), (H4, 5)])
def test_point_groups_leave_as_few_qubits_as_they_should(molecule, qubits):
    """Two qubits for the electron numbers; one for the mirror of H2 and of H4; two for the mirrors of LiH."""
    assert replace(molecule, tapering="all").system().qubits == qubits


def test_the_hartree_fock_energy_does_not_depend_on_what_is_active():
    energies = [replace(H4, active_space=ActiveSpace(n, m)).solve().hartree_fock_energy for n, m in ((2, 2), (2, 3), (4, 4))]
    np.testing.assert_allclose(energies, -2.098545937, atol=1e-8)


def test_atoms_may_stand_on_lines_of_their_own():
    assert Molecule("H 0 0 0\n H 0 0 0.735\n").geometry() == H2.geometry()


def test_a_machine_without_pyscf_is_told_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "thalweg_vqe.hamiltonians.pyscf_names", raising=False)
    monkeypatch.setitem(sys.modules, "pyscf", None)
    with pytest.raises(Unavailable, match=r"pip install \"thalweg\[chemistry\]\""):
        H2.size()


@pytest.fixture
def beside_files(tmp_path, monkeypatch):
    """A working directory with files that PySCF would take for basis sets, and that leave a trace when they are evaluated."""
    monkeypatch.chdir(tmp_path)
    trace = tmp_path / "evaluated"
    for name in ("evil", "sto-3g", "ano", "6-31g(d)"):
        (tmp_path / name).write_text(f"H S\n  open({str(trace)!r},'w').write('') 1.0\n")
    yield
    assert not trace.exists()


@pytest.mark.usefixtures("beside_files")
def test_the_name_of_a_basis_set_is_never_taken_for_a_file():
    bond = Molecule("H 0 0 0; H 0 0 0.9")
    assert bond.size().orbitals == 2
    assert bond.solve().hartree_fock_energy == pytest.approx(-1.09, abs=0.01)  # the first guess takes a basis of its own, "ano"
    with pytest.raises(BadInput, match='wanted a basis set that PySCF knows, got "evil"'):
        Molecule("H 0 0 0; H 0 0 0.9", "evil").system()


@pytest.mark.parametrize("basis", ["cc-pvdz(3s2p)", "cc-pvdz(", "6-31g(", "6-31g(zz)", "6-31g)", "6-31g(d,p", "unc", "unc-evil"])
def test_names_that_are_no_basis_set_are_refused_with_a_sentence(basis):
    with pytest.raises(BadInput, match="wanted a basis set that PySCF knows, got") as refused:
        Molecule("H 0 0 0; H 0 0 1", basis).system()
    assert refused.value.field == "basis"


@pytest.mark.parametrize(
    ("basis", "functions"),
    [("STO_3G", 5), ("unc-sto-3g", 15), ("6-31G(d)", 14), ("6-31g**", 14), ("6-311++g(3df,3pd)", 39), ("gth-tzvp", 17)],
)
def test_the_spellings_that_pyscf_reads_are_admitted(basis, functions):
    assert Molecule("O 0 0 0", basis, spin=2).size().orbitals == functions


def test_pyscf_runs_no_settings_of_the_working_directory(tmp_path):
    (tmp_path / ".pyscf_conf.py").write_text("open('ran', 'w')\n")
    solved = 'from thalweg_vqe.hamiltonians.molecule import Molecule; Molecule("H 0 0 0; H 0 0 1").solve()'
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "PYSCF_CONFIG_FILE")}
    path = os.pathsep.join(filter(None, sys.path))
    subprocess.run([sys.executable, "-c", solved], cwd=tmp_path, env=environment | {"PYTHONPATH": path}, check=True)
    assert not (tmp_path / "ran").exists()
