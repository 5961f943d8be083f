"""Gradients and curvatures from shifted energies: against closed forms, exact engines, differences, and the scans of FFTs."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from thalweg_core.landscape import COMPONENTS, HARMONICS, SAMPLES
from thalweg_core.streams import Stream
from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.engines.aer.noise import Noise
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.engines.sampler import shifted_angles
from thalweg_vqe.engines.shots_torch import StatevectorSampler
from thalweg_vqe.engines.statevector import Statevector
from thalweg_vqe.hamiltonians.hamiltonian import Register
from thalweg_vqe.measurement.shift_rules import ShiftRule, equidistant
from thalweg_vqe.pauli.harmonics import NOTHING, Spectrum, spectra
from thalweg_vqe.pauli.program import Cx, Program, Rotation, rx, ry, rz
from thalweg_vqe.pauli.words import Observable, Word
from thalweg_vqe.problem import (
    ExcitationPreserving,
    FermiHubbard,
    HamiltonianVariational,
    HeisenbergXxz,
    KUpCcgsd,
    Molecule,
    PauliSum,
    PauliTerm,
    TransverseFieldIsing,
    Uccsd,
    Uniform,
    Vqe,
)

CPU, FLOAT64 = torch.device("cpu"), torch.float64
HYDROGEN = Molecule("H 0 0 0; H 0 0 0.735")
CERTAIN = 6.3e-5  # outside four standard deviations of a normal, both sides


def built(hamiltonian, ansatz):
    observable = hamiltonian.solve().observable
    return ansatz.program(Register(observable.qubits, hamiltonian)), observable


def random_observable(qubits=3, seed=2):
    rng = np.random.default_rng(seed)
    words = {Word(*(int(mask) for mask in rng.integers(2**qubits, size=2))): c for c in rng.normal(size=12).tolist()}
    return Observable.of(qubits, words)


X, Y, Z = (Word.parse(letter) for letter in "XYZ")
CLEAN = (  # commuting words with CX gates and other rotations between them, one word twice, one that cancels
    ry(0, 0),
    Rotation(Word.parse("IZZ"), 1, 0.5),
    Cx(0, 1),
    rz(1, 1, -1.5),
    rx(2, 2),
    Cx(1, 2),
    Rotation(Word.parse("ZZI"), 1, 1.0),
    rx(0, None, offset=0.3),
    *(rx(q, 3, s, 0.2) for q, s in ((0, 1.0), (1, 1.0), (2, -2.0), (1, 0.5))),
    ry(1, 4, 0.7),
    ry(1, 4, -0.7),
)
CASES = {
    "UCCSD": lambda: built(HYDROGEN, Uccsd()),
    "k-UpCCGSD": lambda: built(HYDROGEN, KUpCcgsd(2)),
    "Givens": lambda: built(HYDROGEN, ExcitationPreserving(2)),
    "Ising": lambda: built(TransverseFieldIsing(5), HamiltonianVariational(2)),
    "Heisenberg": lambda: built(HeisenbergXxz(4, anisotropy=0.5), HamiltonianVariational(2)),
    "Hubbard": lambda: built(FermiHubbard(3), HamiltonianVariational(1)),
    "molecule": lambda: built(HYDROGEN, HamiltonianVariational(2)),
    "su2": lambda: built(HYDROGEN, EfficientSu2(1)),
    "mixed": lambda: (Program(3, 6, CLEAN), random_observable()),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return CASES[request.param]()


def all_points(rule, theta, energies):
    """Exact energies of all points of a rule, (B, K)."""
    program = rule.program
    further = rule.further(theta)
    points = torch.cat([shifted_angles(program.angles(theta)), further[:, 1:]], dim=1) if rule.turns else further
    return energies(points.flatten(0, 1)).reshape(points.shape[:2])


def read(rule, mean):
    """∂U and ∂²U from exact energies."""
    grad, _, curvature = torch.from_numpy(rule.seen(mean.numpy(), np.zeros(mean.shape)))
    return grad, curvature


def random_theta(program, rows=2, seed=4):
    return torch.from_numpy(np.random.default_rng(seed).uniform(-np.pi, np.pi, (rows, program.parameters)))


@pytest.mark.parametrize("number", [1, 2, 3, 7])
def test_equidistant_rules_are_exact_for_every_trigonometric_polynomial(number):
    rng, base = np.random.default_rng(number), 0.6
    a, b = rng.normal(size=(2, number))
    order = np.arange(1, number + 1)

    def u(x):
        return 0.7 + np.sum(a * np.sin(order * base * x) + b * np.cos(order * base * x))

    terms = equidistant(Spectrum(base, number))
    assert len(terms) == 2 * number
    assert sum(t.weight * u(t.shift) for t in terms) == pytest.approx(base * (order * a).sum(), abs=1e-12)
    curved = sum(t.bend * u(t.shift) for t in terms) - (base * number) ** 2 * u(0.0)
    assert curved == pytest.approx(-(base**2) * (order**2 * b).sum(), abs=1e-11)
    assert sum(abs(t.weight) for t in terms) == pytest.approx(base * number)  # what its variance is made of


def test_gradients_and_curvatures_from_exact_energies_are_those_of_the_adjoint_and_of_differences(case):
    program, observable = case
    rule, exact, theta = ShiftRule.of(program, observable), Statevector(program, observable), random_theta(program)
    mean = all_points(rule, theta, exact.energies)
    grad, curvature = read(rule, mean)
    scale = sum(map(abs, observable.coefficients))
    torch.testing.assert_close(grad, program.pull_back(exact.gradients(program.angles(theta))[1]), rtol=0, atol=1e-11 * scale)
    h = 1e-4
    step = h * torch.eye(program.parameters, dtype=FLOAT64)
    for row, shown in zip(theta, curvature, strict=True):
        up, down = (program.pull_back(exact.gradients(program.angles(row + sign * step))[1]).diagonal() for sign in (1, -1))
        known = ~shown.isnan()
        base, number = rule.harmonics
        fastest = (base * number.clamp_min(1)).max().item()  # error of the difference: h²/6 times a fourth derivative
        torch.testing.assert_close(
            shown[known], ((up - down) / (2 * h))[known], rtol=0, atol=scale * (h**2 * fastest**4 / 6 + 1e-14 / h)
        )
        alone = torch.tensor([sum(r.parameter == k for r in program.turned) < 2 for k in range(program.parameters)])
        assert (known | ~alone).all()


def test_no_parameter_takes_more_circuits_than_its_rotations(case):
    program, observable = case
    rule = ShiftRule.of(program, observable)
    asked = rule.samples(np.ones((1, program.parameters), dtype=np.int64), np.ones(1, dtype=np.int64))
    assert asked.max() == 1
    assert asked.sum() <= 1 + 2 * len(program.turned)
    for k in range(program.parameters):
        one = np.zeros((1, program.parameters), dtype=np.int64)
        one[0, k] = 1
        assert rule.samples(one, np.zeros(1, dtype=np.int64)).sum() <= 2 * sum(r.parameter == k for r in program.turned)


def test_known_numbers_of_points():
    """Excitations have two frequencies whatever the number of their words, in H2 the second alone; free fermions two and one."""
    assert ShiftRule.of(CASES["UCCSD"]()[0], None).further(torch.zeros(1, 3, dtype=FLOAT64)).shape[1] == 1 + 3 * 4
    for name, points in (("UCCSD", 3 * 2), ("Ising", 2 * (4 + 2))):
        program, observable = CASES[name]()
        rule = ShiftRule.of(program, observable)
        assert not rule.turns
        assert rule.further(random_theta(program)).shape[1] == 1 + points
    assert ShiftRule.of(*CASES["su2"]()).turns


def test_a_scan_of_the_energy_holds_the_harmonics_and_no_others(case):
    """By FFT over a whole period of the base frequency; without knowing the operator the bound may be wider."""
    program, observable = case
    exact, theta = Statevector(program, observable), random_theta(program, rows=1)
    wider = spectra(program, None)
    for k, (base, number) in enumerate(spectra(program, observable)):
        if number == 0:
            continue
        count = 4 * max(number, 2)
        scan = theta.repeat(count, 1)
        scan[:, k] += torch.arange(count, dtype=FLOAT64) * (2 * math.pi / base / count)
        heights = np.abs(np.fft.rfft(exact.energies(program.angles(scan)).numpy())) / count
        assert (heights[number + 1 :] < 1e-9).all()
        assert base * number <= wider[k].base * max(wider[k].number, 1) + 1e-9


def test_rotations_are_brought_together_through_cx_gates_and_those_that_commute():
    """ZZ/2·0.5, then behind CX(0,1) what was Z₁ is Z₀Z₁: -1.5; Z₂Z₁ behind two CX is Z₂Z₁ of other qubits: one turn of three."""
    found = spectra(Program(3, 6, CLEAN), None)
    assert found[0] == Spectrum(1.0, 1)
    assert found[1].number > 0
    assert found[3] == Spectrum(0.5, 9)  # X's of scales 1, 1 + 0.5, -2: sums of halves up to 4.5
    assert found[4] == NOTHING  # the two turns undo each other
    assert found[5] == NOTHING  # turns nothing


def test_frequencies_without_a_common_divisor_have_no_number():
    program = Program(2, 1, (rx(0, 0, 1.0), rx(1, 0, math.sqrt(2))))
    (found,) = spectra(program, None)
    assert found.number == 0
    assert found.base == pytest.approx(1 + math.sqrt(2))
    rule = ShiftRule.of(program, None)
    assert rule.turns
    grad, curvature = read(rule, torch.ones(1, 5, dtype=FLOAT64))
    assert grad.item() == 0
    assert curvature.isnan().all()


def test_on_a_device_with_noise_every_rotation_counts_for_itself():
    program, observable = CASES["UCCSD"]()
    assert spectra(program, None) == (Spectrum(1.0, 2),) * 3
    assert spectra(program, observable, ideal=False) == (Spectrum(1.0, 2), Spectrum(1.0, 2), Spectrum(0.25, 8))
    problem = Vqe(HYDROGEN, Uccsd(), Estimator(shots=10, engine="aer", noise=Noise(two_qubit_error=0.01)))
    circuits = problem.open(CPU, FLOAT64).evaluate(torch.zeros(1, 3, dtype=FLOAT64), Stream.of(1, 1)).cost.circuits
    assert circuits.item() == 5 * (1 + 2 * len(program.turned))


@pytest.fixture(scope="module", params=["statevector", "aer"])
def noisy(request):
    """By the rule that the circuit allows whatever is measured: two frequencies for every excitation."""
    landscape = Vqe(HYDROGEN, Uccsd(), Estimator(shots=40, engine=request.param)).open(CPU, FLOAT64)
    return replace(landscape, without_penalty=landscape)  # as if U held more than H


THETA = torch.tensor([[0.3, -0.4, 0.5]], dtype=FLOAT64)


def exact_variance(landscape, points):
    """Σ_g of single shots at points (K, R), by many shots: right to a percent."""
    many, sampler = 10**6, StatevectorSampler(landscape.program, landscape.observable)
    looks = sampler.points(points[None], torch.full((1, len(points), sampler.groups), many), Stream.of(2, 1))
    return looks.variance[0].sum(dim=1) * many


@pytest.mark.slow
def test_sampled_gradients_and_curvatures_are_unbiased_with_honest_variances(noisy):
    repeats = 100 if noisy.sampler.__class__.__name__ == "AerSampler" else 3000
    seen = noisy.evaluate(THETA.expand(repeats, -1), Stream.of(3, repeats))
    exact = Statevector(noisy.program, noisy.observable)
    mean = all_points(noisy.rule, THETA, exact.energies)
    grad, curvature = read(noisy.rule, mean)
    assert ((seen.grad.mean(dim=0) - grad).abs() < 4 * (seen.grad_var.mean(dim=0) / repeats).sqrt()).all()
    assert ((seen.curvature.mean(dim=0) - curvature).abs() < 4.3 * seen.curvature.std(dim=0) / math.sqrt(repeats)).all()
    low, high = chi2.ppf([CERTAIN / 2, 1 - CERTAIN / 2], repeats - 1) / (repeats - 1)
    ratio = seen.grad.var(dim=0) / seen.grad_var.mean(dim=0)
    assert (low < ratio).all() and (ratio < high).all()
    assert (seen.cost.circuits == 5 * 13).all()
    assert (seen.cost.shots == 5 * 13 * 40).all()


def test_shots_follow_the_weights_so_that_no_variance_is_lost():
    """Var ∂U = (Σ_μ |w_μ| √V_μ)² / shots were best; in proportion to |w_μ| it is Σ|w| Σ|w|V / shots, up to whole shots."""
    landscape = Vqe(HYDROGEN, Uccsd()).open(CPU, FLOAT64)
    program, samples = landscape.program, 1000
    rule = ShiftRule.of(program, None)
    asked = torch.from_numpy(rule.samples(np.full((1, 3), samples), np.array([samples])))[0, 1:].reshape(3, 4)
    weights = torch.tensor([[t.weight for t in equidistant(spectrum)] for spectrum in rule.spectra], dtype=FLOAT64).abs()
    assert (asked.sum(dim=1) == 4 * samples).all()
    wanted = 4 * samples * weights / weights.sum(dim=1, keepdim=True)
    assert ((asked - wanted).abs() < 4).all()  # two of every point's shots are its own in any case
    variance = exact_variance(landscape, rule.further(THETA)[0])[1:].reshape(3, 4)
    ours = (weights**2 * variance / asked).sum(dim=1)
    turned = exact_variance(landscape, shifted_angles(program.angles(THETA))[0])[1:].reshape(2, -1).sum(dim=0)
    for k in range(3):
        places = [j for j, r in enumerate(program.turned) if r.parameter == k]
        scales = torch.tensor([program.turned[j].scale for j in places], dtype=FLOAT64)
        shots = 4 * samples / (2 * len(places))  # of every turned rotation, from the same number in all
        theirs = (scales**2 * turned[places] / 4 / shots).sum()
        assert ours[k] < 1.35 * theirs  # of one size: states differ, and with them their variances


def test_components_take_shots_of_their_own(noisy):
    samples = torch.tensor([[1, 2, 300], [5, 0, 20]])
    seen = noisy.evaluate_components(THETA.expand(2, -1), Stream.of(3, 2), samples)
    assert all(noisy.offer(what) is noisy for what in (COMPONENTS, HARMONICS, SAMPLES))
    assert seen.value.isnan().all() and seen.curvature is None
    assert seen.grad_var[0, 0].isinf() and seen.grad_var[0, 1:].isfinite().all()
    assert seen.cost.shots.tolist() == [5 * 4 * 303, 5 * 4 * 25]
    assert seen.cost.circuits.tolist() == [5 * 12, 5 * 8]


@pytest.mark.parametrize("parameters", [0, 2])
def test_circuits_that_turn_nothing_have_no_slope(parameters):
    landscape = Vqe(HYDROGEN, Uccsd()).open(CPU, FLOAT64)
    still = Program(4, parameters, (), start=5)
    sampler = StatevectorSampler(still, landscape.observable)
    landscape = replace(landscape, program=still, sampler=sampler)
    seen = landscape.evaluate(torch.zeros(2, parameters, dtype=FLOAT64), Stream.of(1, 2), 50)
    for part in (seen.grad, seen.grad_var, seen.curvature):
        assert torch.equal(part, torch.zeros(2, parameters, dtype=FLOAT64))
    assert seen.cost.circuits.tolist() == [5, 5]
    assert ((seen.value + 1.116998997).abs() < 4 * seen.value_var.sqrt()).all()


def test_components_are_unbiased():
    landscape = Vqe(HYDROGEN, Uccsd(), Estimator(shots=40)).open(CPU, FLOAT64)
    repeats, samples = 3000, torch.tensor([[10, 40, 160]])
    exact = landscape.evaluate(THETA, Stream.of(0, 1), 0).grad
    for chosen in (landscape, landscape.allocated("measured"), landscape.allocated("random")):
        seen = chosen.evaluate_components(THETA.expand(repeats, -1), Stream.of(5, repeats), samples.expand(repeats, -1))
        assert ((seen.grad.mean(dim=0) - exact).abs() < 4.3 * (seen.grad_var.mean(dim=0) / repeats).sqrt()).all()
        assert (seen.grad_var.mean(dim=0).diff() < 0).all()


def test_single_rotations_keep_their_scale_and_show_their_curvature():
    words = PauliSum((PauliTerm("Z", 1.0), PauliTerm("X", 0.5)))
    landscape = Vqe(words, EfficientSu2(0), Estimator(shots=10**6), Uniform(1.0)).open(CPU, FLOAT64)
    x = torch.tensor([[0.7, 0.2]], dtype=FLOAT64)  # cos a + 0.5 sin a cos b
    seen = landscape.evaluate(x, Stream.of(1, 1))
    wanted = [-math.cos(0.7) - 0.5 * math.sin(0.7) * math.cos(0.2), -0.5 * math.sin(0.7) * math.cos(0.2)]
    np.testing.assert_allclose(seen.curvature[0].numpy(), wanted, atol=5e-3)  # three energies of 1e-3 each
    assert landscape.evaluate(x, Stream.of(1, 1), 0).curvature is None
