"""VQE against answers from outside: PySCF's own energies, the normal distribution, and itself in one piece."""

import math

import pytest
import torch
from scipy.stats import chi2

from thalweg_core.descent.adam.adam import Adam
from thalweg_core.descent.shot_frugal.gcans import Gcans
from thalweg_core.descent.shot_frugal.icans import Icans
from thalweg_core.descent.shot_frugal.rosalin import Rosalin
from thalweg_core.descent.smo.smo import Smo
from thalweg_core.streams import Stream
from thalweg_core.walking import checkpoint
from thalweg_core.walking.account import Budget
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.walk import Position, Rules, begin, walk
from thalweg_vqe.ansatze.excitations import Uccsd
from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.hamiltonians.diagonalization import ground_energy, particle_sector
from thalweg_vqe.hamiltonians.molecule import Molecule
from thalweg_vqe.problem import Vqe
from thalweg_vqe.starts import Uniform

pytest.importorskip("pyscf")

ENGINES = ("aer", "statevector")
CPU, FLOAT64 = torch.device("cpu"), torch.float64
H2 = "H 0 0 0; H 0 0 0.735"


@pytest.mark.parametrize(
    ("atoms", "basis", "charge"),
    [(H2, "sto-3g", 0), (H2, "6-31g", 0), ("He 0 0 0; H 0 0 0.772", "sto-3g", 1), ("Li 0 0 0; H 0 0 1.595", "sto-3g", 0)],
)
def test_reference_energies_are_those_of_pyscf_from_the_same_atoms(atoms, basis, charge):
    from pyscf import fci, gto, scf

    field = scf.RHF(gto.M(atom=atoms, basis=basis, charge=charge, verbose=0)).run(conv_tol=1e-12)
    exact = fci.FCI(field).kernel()[0]
    molecule = Molecule(atoms, basis, charge=charge)
    solved, size = molecule.solve(), molecule.size()
    assert solved.hartree_fock_energy == pytest.approx(field.e_tot, abs=1e-9)
    assert solved.exact_energy == pytest.approx(exact, abs=1e-9)
    sector = particle_sector(size.orbitals, size.alpha, size.beta)
    assert ground_energy(solved.observable, sector) == pytest.approx(exact, abs=1e-8)


@pytest.mark.parametrize("engine", ENGINES)
def test_errors_of_the_final_measurement_in_units_of_its_standard_error_are_normal(engine):
    problem, seeds = Vqe(Molecule(H2), EfficientSu2(), Estimator(shots=60, engine=engine)), 120
    landscape = problem.open(CPU, FLOAT64)
    scores = []
    for seed in range(seeds):
        rng = Stream.of(seed, 1)
        x = problem.start(landscape, rng.named("start"))
        final, truth = problem.final(landscape, x, rng), problem.observe(landscape, x)["true_energy"]
        scores.append(float((final.value - truth.value) / final.value_var.sqrt()))
    z = torch.tensor(scores)
    low, high = chi2.ppf([3e-5, 1 - 3e-5], seeds - 1) / (seeds - 1)
    assert abs(z.mean()) < 4 / math.sqrt(seeds)
    assert low < z.var() < high
    within = (z.abs() < 1).double().mean()
    assert abs(within - 0.6827) < 4 * math.sqrt(0.6827 * 0.3173 / seeds)


def test_adam_on_exact_energies_finds_the_ground_state_of_h2():
    problem = Vqe(Molecule(H2), EfficientSu2(), Estimator(shots=0))
    landscape, rng, method = problem.open(CPU, FLOAT64), Stream.of(7, 3), Adam(learning_rate=0.1)
    position = begin(method, landscape, problem.start(landscape, rng.named("start")), rng)
    for frame in walk(method, landscape, position, rng, range(1, 151)):
        position = frame.position
    errors = problem.observe(landscape, position.state.x)["energy_error"].value
    assert (errors > -1e-9).all()
    assert (errors < 1.6e-3).all()  # chemical accuracy, 1 kcal/mol


@pytest.fixture(scope="module", params=ENGINES)
def short(request):
    """A short noisy walk, to be walked in pieces and beside others."""
    problem = Vqe(Molecule(H2), EfficientSu2(1), Estimator(shots=20, engine=request.param))
    return problem, problem.open(CPU, FLOAT64), Adam(learning_rate=0.1)


def walked(short, replicas, first=1, until=5, position=None):
    """The walk of five steps, from its start or a position, until one of them."""
    problem, landscape, method = short
    rng = Stream.of(7, replicas)
    position = position or begin(method, landscape, problem.start(landscape, rng.named("start")), rng)
    for frame in walk(method, landscape, position, rng, range(first, 6)):
        position = frame.position
        if frame.step == until:
            break
    return position


def test_replica_zero_walks_the_same_way_whoever_walks_beside_it(short):
    one, four = walked(short, 1), walked(short, 4)
    for name, tensor in checkpoint.flatten(one).items():
        assert torch.equal(tensor, checkpoint.flatten(four)[name][:1]), name


def test_a_walk_resumed_from_a_checkpoint_equals_an_unbroken_one(short, tmp_path):
    unbroken = walked(short, 2)
    half = walked(short, 2, until=2)
    checkpoint.write(tmp_path / "half", checkpoint.flatten(half), {})
    tensors, _ = checkpoint.read(tmp_path / "half")
    again = checkpoint.unflatten(Position, tensors, like={"state": Adam.State})
    resumed = walked(short, 2, first=3, position=again)
    wanted = checkpoint.flatten(unbroken)
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in checkpoint.flatten(resumed).items())


def test_ten_sweeps_of_exact_coordinate_minimization_reach_the_full_configuration_interaction_of_h2():
    """Coupled cluster with two electrons is exact: eight Pauli rotations act as one turn with a single harmonic."""
    landscape = Vqe(Molecule(H2), Uccsd(), Estimator(shots=0), Uniform(0.3)).open(CPU, FLOAT64)
    rng = Stream.of(3, 6)
    position = begin(Smo(), landscape, Uniform(0.3)(landscape, rng.named("start")), rng)
    for frame in walk(Smo(), landscape, position, rng, range(1, 1 + 10 * landscape.parameters)):
        position = frame.position
    torch.testing.assert_close(
        position.state.seen.value, torch.full((6,), landscape.reference.exact_energy, dtype=FLOAT64), rtol=0, atol=1e-10
    )


@pytest.mark.parametrize("method", [Smo(), Icans(), Gcans(), Rosalin()])
def test_shots_lead_every_frugal_method_to_chemical_accuracy_on_h2(method):
    """1.6 mHa from ±0.3 about zero within 3e5 shots, for each of eight seeds."""
    landscape = Vqe(Molecule(H2), Uccsd(), Estimator(), Uniform(0.3)).open(CPU, FLOAT64)
    rng, rules = Stream.of(5, 8), Rules(budget=Budget(shots=300_000))
    position = begin(method, landscape, Uniform(0.3)(landscape, rng.named("start")), rng, rules)
    for frame in walk(method, landscape, position, rng, range(1, 10_000), rules):
        position = frame.position
    error = landscape.expectation(landscape.observable, method.answer(position.state)) - landscape.reference.exact_energy
    assert (position.outcome == Outcome.SHOTS).all() and error.max() < 1.6e-3
