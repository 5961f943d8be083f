"""Excited states: overlaps by shots and exactly, penalties and their slopes, levels against dense diagonalization."""

import math

import numpy as np
import pytest
import torch
from qiskit.quantum_info import SparsePauliOp
from scipy.stats import chi2

from thalweg_core.descent.adam.adam import Adam
from thalweg_core.errors import BadInput
from thalweg_core.streams import Stream
from thalweg_core.walking.walk import begin, walk
from thalweg_vqe.ansatze.adapt import Adapt
from thalweg_vqe.ansatze.excitations import Uccsd
from thalweg_vqe.ansatze.hamiltonian_variational import HamiltonianVariational
from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.engines.aer.noise import Noise
from thalweg_vqe.engines.choosing import exact, overlapping
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.engines.outcomes import TorchStates
from thalweg_vqe.engines.overlap import OverlapSampler, Projector, Return, followed_by_inverse, forth_and_back
from thalweg_vqe.engines.sampler import shifted_angles
from thalweg_vqe.hamiltonians.diagonalization import lowest_energies, spread
from thalweg_vqe.hamiltonians.molecule import Molecule
from thalweg_vqe.hamiltonians.spin_chains import HeisenbergXxz, TransverseFieldIsing
from thalweg_vqe.landscapes.deflation import Deflation, enough, level
from thalweg_vqe.pauli.program import Cx, Program, Rotation, ry, rz
from thalweg_vqe.pauli.words import Word
from thalweg_vqe.problem import FINAL_SHOTS, Vqe
from thalweg_vqe.starts import HartreeFock, Uniform, Zeros

CPU, FLOAT64 = torch.device("cpu"), torch.float64
CERTAIN = 6.3e-5  # outside four standard deviations of a normal, both sides
H2 = Molecule("H 0 0 0; H 0 0 0.735")
PROGRAM = Program(
    3,
    4,
    (
        ry(0, 0),
        ry(1, 1, 2.0, 0.3),
        Cx(0, 2),
        rz(2, None, offset=0.7),
        Rotation(Word.parse("XYZ"), 2, -0.5),
        Cx(1, 0),
        ry(2, 3),
        Rotation(Word.parse("ZIX"), 0, 0.25, -0.2),
    ),
    start=5,
)
THERE = torch.tensor([0.4, -1.1, 0.8, 2.0], dtype=FLOAT64)


def matrix(observable):
    letters = [word.letters(observable.qubits) for word in observable.words]
    return SparsePauliOp(letters, observable.coefficients).to_matrix()


def state(program, theta):
    real, imaginary = TorchStates(program).states(program.angles(theta[None]))[0]
    return torch.complex(real, imaginary)


def overlap_of(x, y):
    return abs(torch.vdot(state(PROGRAM, x), state(PROGRAM, y)).item()) ** 2


def points(count, seed=1):
    return 6 * Stream.of(seed, count).uniform((4,)) - 3


# --- the circuits


def test_a_circuit_that_is_undone_ends_where_it_started_with_the_probability_of_the_overlap():
    projector = Projector(3, PROGRAM.start)
    there_and_back, both = followed_by_inverse(PROGRAM, PROGRAM.angles(THERE[None])[0].tolist()), forth_and_back(PROGRAM)
    for x in points(3):
        wanted = overlap_of(THERE, x)
        p = exact(there_and_back, projector).energies(x[None])
        q = exact(both, projector).energies(torch.cat([x, THERE])[None])
        assert p.item() == pytest.approx(wanted, abs=1e-13) and q.item() == pytest.approx(wanted, abs=1e-13)
    assert exact(there_and_back, projector).energies(THERE[None]).item() == pytest.approx(1.0, abs=1e-13)


@pytest.mark.parametrize("at_most", [2**24, 8])
def test_shifted_states_have_the_overlaps_of_the_shifted_angles(monkeypatch, at_most):
    """By the tangents of one pass, or where these take too much memory point by point."""
    monkeypatch.setattr("thalweg_vqe.engines.overlap.AT_MOST", at_most)
    _, sampler = overlapping(PROGRAM, PROGRAM.angles(THERE[None])[0].tolist(), 1.0, Estimator())
    drawn = []
    monkeypatch.setattr(OverlapSampler, "_drawn", lambda self, p, shots, rng: drawn.append(p))
    angles = PROGRAM.angles(points(2))
    shots = torch.ones(2, 1 + 2 * angles.shape[1], 1, dtype=torch.int64)
    sampler.shifted(angles, shots, Stream.of(0, 2))
    sampler.points(shifted_angles(angles), shots, Stream.of(0, 2))
    torch.testing.assert_close(*drawn, rtol=0, atol=1e-13)


def test_what_shots_say_of_a_return_is_unbiased_after_known_flips_of_the_readout():
    noise, qubits, there = Noise(false_one=0.1, false_zero=0.2), 3, 5
    outcomes = np.arange(8)
    says = Return(qubits, there, 2.0).energies(outcomes, noise.readings(qubits))
    for true in range(8):
        likely = np.array([math.prod(flip(noise, true >> q & 1, read >> q & 1) for q in range(qubits)) for read in range(8)])
        assert likely @ says == pytest.approx(2.0 * (true == there), abs=1e-12)


def flip(noise, true, read):
    wrong = noise.false_zero if true else noise.false_one
    return wrong if true != read else 1 - wrong


# --- by shots


@pytest.mark.parametrize("engine", ["aer", "statevector"])
def test_measured_overlaps_scatter_as_binomials_about_the_exact_one(engine):
    looks, shots, weight = (150 if engine == "aer" else 4000), 30, 1.7
    _, sampler = overlapping(PROGRAM, PROGRAM.angles(THERE[None])[0].tolist(), weight, Estimator(engine=engine))
    x = THERE + 0.6
    p = overlap_of(THERE, x)
    assert 0.2 < p < 0.8
    asked = torch.full((looks, 2, 1), shots)
    asked[:, 1] = 0
    seen = sampler.points(PROGRAM.angles(x.expand(looks, -1))[:, None].expand(-1, 2, -1), asked, Stream.of(4, looks))
    truth = weight**2 * p * (1 - p) / shots
    assert abs(seen.mean[:, 0].mean() - weight * p) < 4 * math.sqrt(truth / looks)
    low, high = chi2.ppf([CERTAIN / 2, 1 - CERTAIN / 2], looks - 1) / (looks - 1)
    assert low < seen.mean[:, 0].var() / truth < high
    assert abs(seen.variance[:, 0].mean() - truth) < 4 * seen.variance[:, 0].std() / math.sqrt(looks)
    assert seen.mean[:, 1].isnan().all() and seen.variance[:, 1].isinf().all()


def test_an_imperfect_device_undoes_its_circuits_imperfectly_and_readout_alone_is_undone():
    angles = PROGRAM.angles(THERE[None])
    shots, there = 4000, angles[0].tolist()
    gates = Estimator(engine="aer", noise=Noise(two_qubit_error=0.05))
    readout = Estimator(engine="aer", noise=Noise(false_one=0.1, false_zero=0.05), readout_mitigation=True)
    for estimator, perfect in ((gates, False), (readout, True)):
        _, sampler = overlapping(PROGRAM, there, 1.0, estimator)
        seen = sampler.points(angles[:, None], torch.full((1, 1, 1), shots), Stream.of(1, 1))
        off = abs(seen.mean.item() - 1.0)
        assert (off < 4 * seen.variance.sqrt().item()) is perfect


def landscape_of(shots=0, engine="statevector", **fields):
    hamiltonian, ansatz = TransverseFieldIsing(3), EfficientSu2(1)
    lower = Deflation(tuple(0.1 * k for k in range(12)), 1.3), Deflation((0.7,) * 12, 0.4)
    fields = {"deflation": lower, "start": Uniform(1.0)} | fields
    return Vqe(hamiltonian, ansatz, Estimator(shots=shots, engine=engine), **fields)


def test_slopes_of_the_penalized_energy_are_those_of_central_differences():
    landscape, h = landscape_of().open(CPU, FLOAT64), 1e-5
    for x in 6 * Stream.of(2, 2).uniform((12,)) - 3:
        steps = h * torch.eye(12, dtype=FLOAT64)
        energies = landscape.measure(torch.cat([x + steps, x - steps]), Stream.of(0, 24)).value
        # third derivatives are below Σ|c| + Σβ = 6.7; rounding over h
        wanted, error = (energies[:12] - energies[12:]) / (2 * h), h**2 * 6.7 / 6 + 20 * 2.2e-16 * 6.7 / h
        torch.testing.assert_close(landscape.evaluate(x[None], Stream.of(0, 1)).grad[0], wanted, rtol=0, atol=error)


def test_the_penalized_energy_is_the_energy_and_weighted_overlaps():
    problem = landscape_of()
    landscape = problem.open(CPU, FLOAT64)
    x = 6 * Stream.of(2, 3).uniform((12,)) - 3
    seen = problem.observe(landscape, x)
    penalty = 1.3 * seen["overlap_0"].value + 0.4 * seen["overlap_1"].value
    torch.testing.assert_close(landscape.evaluate(x, Stream.of(0, 3)).value, seen["true_energy"].value + penalty)
    h = matrix(landscape.observable)
    psi = TorchStates(landscape.program).states(x)[0]
    psi = torch.complex(*psi).numpy()
    assert (psi.conj() @ h @ psi).real == pytest.approx(seen["true_energy"].value[0].item(), abs=1e-12)


@pytest.mark.parametrize("engine", ["aer", "statevector"])
def test_shot_gradients_scatter_about_the_exact_one_as_they_say(engine):
    looks, shots = (80 if engine == "aer" else 1500), 60
    x = (6 * Stream.of(2, 1).uniform((12,)) - 3).expand(looks, -1)
    truth = landscape_of().open(CPU, FLOAT64).evaluate(x[:1], Stream.of(0, 1))
    seen = landscape_of(shots, engine).open(CPU, FLOAT64).evaluate(x, Stream.of(3, looks))
    means, variances = (torch.cat([a[:, None], b], dim=1) for a, b in ((seen.value, seen.grad), (seen.value_var, seen.grad_var)))
    wanted = torch.cat([truth.value[:, None], truth.grad], dim=1)
    assert ((means.mean(dim=0) - wanted).abs() < 4.5 * (variances.mean(dim=0) / looks).sqrt()).all()
    low, high = chi2.ppf([CERTAIN / 2, 1 - CERTAIN / 2], looks - 1) / (looks - 1)
    ratio = means.var(dim=0) / variances.mean(dim=0)
    assert (low < ratio).all() and (ratio < high).all()


def test_every_lower_state_is_a_circuit_that_is_charged_but_not_at_the_end():
    problem, shots = landscape_of(50), 50
    landscape = problem.open(CPU, FLOAT64)
    x = torch.zeros(2, 12, dtype=FLOAT64)
    groups = landscape.without_penalty.sampler.groups
    assert landscape.measure(x, Stream.of(0, 2)).cost.circuits.tolist() == [groups + 2] * 2
    gradient = landscape.evaluate(x, Stream.of(0, 2)).cost
    assert gradient.circuits.tolist() == [(1 + 2 * 12) * (groups + 2)] * 2
    assert gradient.shots.tolist() == [shots * (1 + 2 * 12) * (groups + 2)] * 2
    assert problem.final(landscape, x, Stream.of(0, 2)).cost.shots.tolist() == [FINAL_SHOTS * shots * groups] * 2


@pytest.mark.parametrize("engine", ["aer", "statevector"])
def test_a_replica_sees_the_same_bits_whoever_runs_beside_it(engine):
    landscape, x = landscape_of(20, engine).open(CPU, FLOAT64), 6 * Stream.of(2, 8).uniform((12,)) - 3
    alone = landscape.evaluate(x[:1], Stream.of(9, 1).at(3))
    for rows in (4, 8):
        beside = landscape.evaluate(x[:rows], Stream.of(9, rows).at(3))
        assert all(torch.equal(a[:1], b) for a, b in zip(beside[:4], alone[:4], strict=True))


# --- levels


@pytest.mark.parametrize("model", [HeisenbergXxz(4), HeisenbergXxz(9), TransverseFieldIsing(9, field=0.0)])
def test_levels_are_those_of_the_dense_matrix_each_as_often_as_it_is_degenerate(model):
    observable = model.solve().observable
    wanted = np.linalg.eigvalsh(matrix(observable))
    assert lowest_energies(observable, 6) == pytest.approx(wanted[:6].tolist(), abs=1e-8)
    assert spread(observable) == pytest.approx(wanted[-1] - wanted[0], abs=1e-8)
    assert level(observable, None, 3) == pytest.approx(wanted[3], abs=1e-8)


def test_levels_of_a_molecule_are_those_with_its_numbers_of_electrons():
    solved = H2.solve()
    basis = np.arange(16)
    sector = (np.bitwise_count(basis & 3) == 1) & (np.bitwise_count(basis >> 2) == 1)
    wanted = np.linalg.eigvalsh(matrix(solved.observable)[np.ix_(sector, sector)])
    assert [level(solved.observable, solved.electrons, k) for k in range(4)] == pytest.approx(wanted.tolist(), abs=1e-10)
    assert math.isnan(level(solved.observable, solved.electrons, 4))


@pytest.mark.parametrize("model", [H2, TransverseFieldIsing(4), HeisenbergXxz(3)])
def test_the_default_weight_is_above_every_gap_and_its_bound_too(model, monkeypatch):
    observable = model.solve().observable
    energies = np.linalg.eigvalsh(matrix(observable))
    assert enough(observable) == pytest.approx(energies[-1] - energies[0], abs=1e-9)
    monkeypatch.setattr("thalweg_vqe.landscapes.deflation.CHEAP", 1)
    assert enough(observable) >= energies[-1] - energies[0] - 1e-9


def lowest(problem, steps=300, rows=4):
    landscape, rng, method = problem.open(CPU, FLOAT64), Stream.of(1, rows), Adam(learning_rate=0.05)
    position = begin(method, landscape, problem.start(landscape, rng.named("start")), rng)
    for frame in walk(method, landscape, position, rng, range(1, steps + 1)):
        position = frame.position
    best = int(position.state.seen.value.argmin())
    return position.state.x[best], {
        name: seen.value[best].item() for name, seen in problem.observe(landscape, position.state.x).items()
    }


@pytest.mark.parametrize(
    ("hamiltonian", "ansatz", "start", "accuracy"),
    [(H2, Uccsd(2), HartreeFock(0.3), 1e-5), (TransverseFieldIsing(3), HamiltonianVariational(4), Uniform(0.5), 2e-3)],
)
def test_one_level_after_the_other_is_found(hamiltonian, ansatz, start, accuracy):
    """Of the Ising chain those that the circuit's symmetry (parity, mirror) can reach, in order."""
    solved = hamiltonian.solve()
    if solved.electrons is not None:
        truth = [level(solved.observable, solved.electrons, k) for k in range(3)]
    else:
        truth = reachable(solved.observable)[:3]
    found = []
    for k in range(3):
        problem = Vqe(hamiltonian, ansatz, Estimator(shots=0), start, tuple(Deflation(tuple(x)) for x in found))
        x, seen = lowest(problem)
        assert seen["true_energy"] == pytest.approx(truth[k], abs=accuracy)
        assert all(seen[f"overlap_{i}"] < 1e-2 for i in range(k))
        if solved.electrons is not None:
            assert abs(seen["energy_error"]) < accuracy
        found.append(x.tolist())


def reachable(observable):
    """Levels of the even states of an open chain: unchanged by Π X and by reading the chain backwards."""
    n = observable.qubits
    basis = np.arange(1 << n)
    mirror = sum((basis >> q & 1) << (n - 1 - q) for q in range(n))
    images = np.stack([basis, mirror, basis ^ (1 << n) - 1, mirror ^ (1 << n) - 1])
    columns = np.zeros((1 << n, 1 << n))
    for image in images:
        columns[image, basis] += 0.25
    energies, vectors = np.linalg.eigh(columns)
    even = vectors[:, energies > 0.5]
    return np.linalg.eigvalsh(even.T @ matrix(observable) @ even).real


# --- what cannot be


@pytest.mark.parametrize(
    ("build", "field", "part"),
    [
        (lambda: Deflation((0.1, math.nan)), "angles[1]", "wanted a number from -1e.06 to 1e.06"),
        (lambda: Deflation((0.1,), weight=0.0), "weight", "positive"),
        (
            lambda: landscape_of(deflation=(Deflation((0.1,) * 12), Deflation((0.1,)))).traits(),
            "deflation[1].angles",
            "wanted 12 .* got 1",
        ),
        (
            lambda: landscape_of(deflation=(Deflation((0.1,) * 12), Deflation((0.1,) * 12, weight=2.0))).traits(),
            "deflation[1]",
            "the same lower state stands above",
        ),
        (lambda: landscape_of(deflation=(Deflation(),)).traits(), "deflation[0].angles", "wanted 12 .* got 0"),
        (lambda: landscape_of(deflation=(Deflation(job="j"),)).traits(), "deflation[0].job", "give angles in its place"),
        (
            lambda: Vqe(H2, Adapt(), start=Zeros(), deflation=(Deflation((0.1,) * 20),)).traits(),
            "deflation",
            "another one in every search",
        ),
    ],
)
def test_what_deflates_nothing_is_refused_with_its_field(build, field, part):
    with pytest.raises(BadInput, match=part) as refused:
        build()
    assert refused.value.field == field


def test_lower_states_come_over_the_wire():
    pytest.importorskip("google.protobuf")
    from thalweg import specs
    from thalweg.server.spec.parsed_job import read

    spec = {
        "problem": {
            "vqe": {
                "hamiltonian": {"transverse_field_ising": {"sites": 2}},
                "ansatz": {"real_amplitudes": {"reps": 1}},
                "start": {"uniform": 1.0},
                "deflation": [{"angles": [0.1, 0.2, 0.3, 0.4]}, {"angles": [1.0, 2.0, 3.0, 4.0], "weight": 2.5}],
            }
        },
        "method": {"adam": {}},
    }
    problem = read(specs.load(spec)).problem
    assert problem.deflation == (Deflation((0.1, 0.2, 0.3, 0.4)), Deflation((1.0, 2.0, 3.0, 4.0), 2.5))
