"""What a problem tells before anything long is computed: as much as before where it is small, bounds where it is not."""

import random
import resource
from dataclasses import replace

import pytest
import torch

from thalweg_core.errors import BadInput
from thalweg_core.landscape import HARMONICS
from thalweg_vqe.ansatze.adapt import Adapt
from thalweg_vqe.ansatze.excitation_preserving import ExcitationPreserving
from thalweg_vqe.ansatze.excitations import KUpCcgsd, Uccsd
from thalweg_vqe.ansatze.hamiltonian_variational import HamiltonianVariational
from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.ansatze.user.open_qasm import OpenQasm
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.hamiltonians import fcidump, molecule
from thalweg_vqe.hamiltonians.fcidump import Fcidump
from thalweg_vqe.hamiltonians.hubbard import FermiHubbard
from thalweg_vqe.hamiltonians.molecule import Molecule
from thalweg_vqe.hamiltonians.orbitals import ActiveSpace
from thalweg_vqe.hamiltonians.pauli_sum import PauliSum, PauliTerm
from thalweg_vqe.hamiltonians.spin_chains import HeisenbergXxz
from thalweg_vqe.landscapes.deflation import Deflation
from thalweg_vqe.measurement import pool_slopes
from thalweg_vqe.problem import Vqe
from thalweg_vqe.starts import HartreeFock, ParameterValues, Uniform, Zeros

SECONDS = 4.0  # of processor time, twice what a check should take
H2 = Molecule("H 0 0 0; H 0 0 0.735")
CHAIN = Molecule(";".join(f"C 0 0 {1.3 * k:g}" for k in range(40)), tapering="all", active_space=ActiveSpace(2, 2))
ANSATZE = (EfficientSu2(2), Uccsd(), KUpCcgsd(), ExcitationPreserving(2), HamiltonianVariational(2), Adapt(operators=3))


def qasm(gates, qubits=2):
    return OpenQasm(f'include "stdgates.inc"; input float a; qubit[{qubits}] q; {gates}')


def spent():
    """Seconds of processor time, with those of processes that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@pytest.fixture
def nothing_long(monkeypatch):
    """No mean field, and no operator of integrals: whoever asks fails."""

    def refuse(*arguments):
        raise AssertionError("a check ran the mean field, or wrote an operator down")

    monkeypatch.setattr(molecule, "_mean_field", refuse)
    monkeypatch.setattr(fcidump, "_read", refuse)


def start_of(ansatz):
    return Zeros() if isinstance(ansatz, Adapt) else HartreeFock()


@pytest.mark.parametrize("ansatz", ANSATZE, ids=lambda ansatz: type(ansatz).__name__)
def test_a_large_molecule_is_checked_without_its_mean_field(ansatz, nothing_long):
    before = spent()
    problem = Vqe(CHAIN, ansatz, start=start_of(ansatz))
    told = problem.quick_traits()
    assert problem.dry_run() is None
    assert spent() - before < SECONDS
    assert told.dimension > 0


@pytest.mark.parametrize("tapering", ["none", "particles", "all"])
@pytest.mark.parametrize("ansatz", ANSATZE, ids=lambda ansatz: type(ansatz).__name__)
def test_a_small_molecule_is_told_exactly(ansatz, tapering):
    for hamiltonian in (replace(H2, tapering=tapering), Molecule("Li 0 0 0; H 0 0 1.6", tapering=tapering, frozen_core=True)):
        problem = Vqe(hamiltonian, ansatz, start=start_of(ansatz))
        try:
            wanted = problem.traits()
        except BadInput as bad:  # of two electrons in two orbitals some circuits have nothing left to turn
            with pytest.raises(BadInput) as refused:
                problem.quick_traits()
            assert str(refused.value) == str(bad)
        else:
            assert problem.quick_traits() == wanted


@pytest.mark.parametrize("shots", [0, 100])
@pytest.mark.parametrize("ansatz", ANSATZE, ids=lambda ansatz: type(ansatz).__name__)
def test_what_is_told_of_a_larger_one_is_no_less_than_it_has(ansatz, shots, monkeypatch):
    monkeypatch.setattr(molecule, "QUICK_FUNCTIONS", 3)
    for tapering in ("none", "all"):
        for atoms in ("H 0 0 0; H 0 0 1; H 0 0 2; H 0 0 3", "H 0 0 0; H 0 0.3 1; H 0.2 0 2.2; H 0 0 3"):
            problem = Vqe(Molecule(atoms, tapering=tapering), ansatz, Estimator(shots), start_of(ansatz))
            told, found = problem.quick_traits(), problem.traits()
            assert told.dimension >= found.dimension
            assert told.memory >= found.memory
            assert told.memory_per_replica >= found.memory_per_replica
            assert all(told.memory_of[need] >= size for need, size in found.memory_of.items())
            assert told.knows >= found.knows


@pytest.mark.parametrize("atoms", ["H 0 0 0; H 0 0 1", "H 0 0 0; H 0.1 0 1; H 0 0 2; H 0 0.2 3", "Li 0 0 0; H 0 0 1.6"])
def test_an_operator_has_no_more_words_and_groups_than_its_size_tells(atoms):
    hamiltonian = Molecule(atoms)
    system = hamiltonian.system()
    assert len(hamiltonian.observable().words) <= system.words
    assert len(hamiltonian.parts()) <= system.flips


def test_what_depends_on_how_many_qubits_are_left_waits_for_the_job(monkeypatch, nothing_long):
    """The number of angles, and of qubits of a circuit of the user's own; not that there are too many in any case."""
    given = ParameterValues((0.1,) * 4), (Deflation((0.1, 0.2, 0.3, 0.4)),)
    Vqe(CHAIN, EfficientSu2(1), start=given[0]).quick_traits()
    Vqe(CHAIN, EfficientSu2(1), deflation=given[1]).quick_traits()
    Vqe(CHAIN, qasm("ry(a) q[0];", qubits=1), start=Uniform()).quick_traits()
    with pytest.raises(BadInput, match="the circuit has 3 qubits, the Hamiltonian 2") as refused:
        Vqe(CHAIN, qasm("ry(a) q[0];", qubits=3), start=Uniform()).quick_traits()
    assert refused.value.field == "ansatz.open_qasm.text"


def test_the_job_refuses_what_was_taken_as_good(monkeypatch):
    monkeypatch.setattr(molecule, "QUICK_FUNCTIONS", 1)
    problem = Vqe(replace(H2, tapering="all"), EfficientSu2(1), start=ParameterValues((0.1,) * 8))
    problem.quick_traits()
    with pytest.raises(BadInput, match="wanted 4 angles, one a parameter, got 8") as refused:
        problem.traits()
    assert refused.value.field == "start.values.angles"


@pytest.mark.parametrize(
    ("hamiltonian", "field", "part"),
    [
        (replace(CHAIN, active_space=ActiveSpace(30, 15)), "tapering", 'at most 28 spin orbitals .* got 30; use tapering = "p'),
        (replace(CHAIN, active_space=None), "tapering", "at most 28 spin orbitals"),
        (replace(CHAIN, active_space=ActiveSpace(3, 2)), "active_space.electrons", "in steps of 2"),
        (replace(CHAIN, charge=1), "spin", "odd number"),
        (replace(CHAIN, basis="nothing"), "basis", "wanted a basis set that PySCF knows"),
    ],
)
def test_what_the_fields_of_a_large_molecule_say_is_refused_at_once(hamiltonian, field, part, nothing_long):
    with pytest.raises(BadInput, match=part) as refused:
        Vqe(hamiltonian, EfficientSu2(1)).quick_traits()
    assert refused.value.field == f"hamiltonian.molecule.{field}"


def test_a_dump_of_many_orbitals_is_checked_without_its_operator(nothing_long, monkeypatch):
    monkeypatch.setattr(fcidump, "QUICK_ORBITALS", 3)
    m = 4
    lines = [f"{random.Random(i).uniform(-1, 1):.3f} {i} {j} 0 0" for i in range(1, m + 1) for j in range(1, i + 1)]
    text = f"&FCI NORB={m},NELEC=2,MS2=0 &END\n" + "\n".join(lines)
    for tapering, ansatz in (("all", Uccsd()), ("none", HamiltonianVariational(1))):
        assert Vqe(Fcidump(text, tapering=tapering), ansatz, Estimator(shots=0)).quick_traits().dimension > 0


def words(qubits, count, letters):
    draw = random.Random(qubits)
    return PauliSum(tuple(PauliTerm("".join(draw.choices(letters, k=qubits)), draw.uniform(-1, 1)) for _ in range(count)))


LONG = {
    "a parameter in every gate": (words(2, 5, "XYZ"), lambda: qasm("rz(a) q[0];" * 9000), Uniform()),
    "gates defined by gates": (
        words(2, 5, "XYZ"),
        lambda: qasm("gate f(t) x {" + "rz(t) x;" * 99 + "} gate g(t) x {" + "f(t) x;" * 99 + "} " + "g(a) q[0];" * 10),
        Uniform(),
    ),
    "layers of many words": (words(12, 2000, "IZ"), lambda: HamiltonianVariational(100), Uniform()),
    "a pool of electrons": (FermiHubbard(10), lambda: Adapt("generalized"), Zeros()),
    "a pool of single words": (FermiHubbard(10), lambda: Adapt("qubit"), Zeros()),
    "a pool on spins": (HeisenbergXxz(20), lambda: Adapt("qubit"), Zeros()),
    "the pool's commutators": (Molecule("Li 0 0 0; H 0 0 1.6"), lambda: Adapt("uccsd"), Zeros()),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_no_check_takes_long(name):
    hamiltonian, ansatz, start = LONG[name]
    before = spent()
    problem = Vqe(hamiltonian, ansatz(), start=start)
    problem.quick_traits()
    problem.dry_run()
    assert spent() - before < 2 * SECONDS  # Qiskit's reader takes three seconds of them


def test_frequencies_that_are_long_to_find_are_found_in_the_job(monkeypatch):
    monkeypatch.setattr("thalweg_vqe.ansatze.outline.MOST_LOOKS", 0)
    problem = Vqe(H2, HamiltonianVariational(2), start=Uniform())
    assert HARMONICS in problem.quick_traits().knows
    assert HARMONICS not in problem.traits().knows


def test_commutators_that_are_many_are_grouped_in_the_job(monkeypatch):
    problem = Vqe(H2, Adapt(operators=2), start=Zeros())
    assert problem.dry_run() is not None
    monkeypatch.setattr(pool_slopes, "QUICK_WORDS", 1)
    assert problem.dry_run() is None
    problem.open(torch.device("cpu"), torch.float64)


def test_many_lower_states_are_compared_at_once():
    lower = tuple(Deflation((k * 1e-3,)) for k in range(20_000))
    before = spent()
    Vqe(words(2, 5, "XYZ"), qasm("ry(a) q[0];"), start=Uniform(), deflation=lower).quick_traits()
    assert spent() - before < SECONDS
