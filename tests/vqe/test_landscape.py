"""The landscape: gradients, honest variances, what is charged, and numbers that depend on the replica alone."""

import math

import pytest
import torch
from scipy.stats import chi2

from thalweg_core.landscape import Cost
from thalweg_core.noise.natural_units import natural_units
from thalweg_core.streams import Stream
from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.engines.statevector import tangents
from thalweg_vqe.hamiltonians.pauli_sum import PauliSum, PauliTerm
from thalweg_vqe.problem import Vqe
from thalweg_vqe.starts import Uniform

CPU, FLOAT64 = torch.device("cpu"), torch.float64
TERMS = {"ZZ": 0.8, "ZI": 0.5, "IZ": -0.3, "XX": 0.6, "YI": 0.4, "II": -1.0}
OPERATOR = PauliSum(tuple(PauliTerm(word, c) for word, c in TERMS.items()))
PARAMETERS, GROUPS = 8, 3
CERTAIN = 6.3e-5  # outside four standard deviations of a normal, both sides


def landscape_of(shots, engine="statevector"):
    return Vqe(OPERATOR, EfficientSu2(1), Estimator(shots=shots, engine=engine), Uniform(math.pi)).open(CPU, FLOAT64)


@pytest.fixture(scope="module")
def exact():
    return landscape_of(0)


@pytest.fixture(scope="module", params=["aer", "statevector"])
def engine(request):
    return request.param


@pytest.fixture(scope="module")
def noisy(engine):
    return landscape_of(50, engine)


@pytest.fixture(scope="module")
def repeats(noisy, engine):
    """Many looks at one point, each with its own shots; Aer takes ten times as long for them."""
    looks = 300 if engine == "aer" else 3000
    return noisy.evaluate(angles(1).expand(looks, -1), Stream.of(3, looks))


def same(a, b):
    return all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


def angles(replicas, seed=1):
    return 6 * Stream.of(seed, replicas).uniform((PARAMETERS,)) - 3


def test_the_gradient_by_parameter_shift_is_that_of_central_differences(exact):
    h = 1e-5
    for x in angles(3):
        steps = h * torch.eye(PARAMETERS, dtype=FLOAT64)
        energies = exact.measure(torch.cat([x + steps, x - steps]), Stream.of(0, 2 * PARAMETERS)).value
        slopes = (energies[:PARAMETERS] - energies[PARAMETERS:]) / (2 * h)
        # error of the difference: h²/6 times a third derivative (below the sum of |c|, 3.6), and rounding over h
        seen = exact.evaluate(x[None], Stream.of(0, 1))
        torch.testing.assert_close(seen.grad[0], slopes, rtol=0, atol=h**2 * 3.6 / 6 + 20 * 2.2e-16 * 3.6 / h)


def test_no_second_derivative_in_natural_units_exceeds_the_lipschitz_constant(exact):
    h, theirs = 1e-3, Vqe(PauliSum((PauliTerm("Z", 0.7),)), EfficientSu2(0), Estimator(shots=0)).open(CPU, FLOAT64)
    assert exact.lipschitz == pytest.approx(0.8 + 0.5 + 0.3 + 0.6 + 0.4) and theirs.lipschitz == pytest.approx(0.7)

    def bends(landscape, x):
        steps = h * torch.diag(natural_units(landscape, x))
        around = torch.cat([x + steps, x - steps, x])
        up, down, here = landscape.measure(around, Stream.of(0, len(around))).value.split([x.shape[1], x.shape[1], 1])
        return (up + down - 2 * here) / h**2

    assert max(bends(exact, x[None]).abs().max() for x in angles(40)) <= exact.lipschitz
    summit = bends(theirs, torch.zeros(1, 2, dtype=FLOAT64))  # 0.7 cos of the first angle
    assert abs(summit.abs().max() - theirs.lipschitz) < h**2


def test_exact_values_have_no_variance_and_cost_no_shots(exact):
    x, rng = angles(3), Stream.of(0, 3)
    seen = exact.evaluate(x, rng)
    assert not exact.noisy
    assert seen.value_var.count_nonzero() == seen.grad_var.count_nonzero() == 0
    assert same(seen.cost, Cost.of(x, evaluations=1, gradients=1))
    assert torch.equal(seen.value, exact.measure(x, rng).value)


@pytest.mark.parametrize("samples", [None, 20])
def test_every_circuit_and_shot_is_charged(noisy, samples):
    x, rng, shots = angles(2), Stream.of(0, 2), samples or 50
    gradient, energy = noisy.evaluate(x, rng, samples).cost, noisy.measure(x, rng, samples).cost
    circuits = (2 * PARAMETERS + 1) * GROUPS
    for cost, wanted in (
        (gradient, Cost.of(x, evaluations=1, gradients=1, circuits=circuits, shots=circuits * shots)),
        (energy, Cost.of(x, evaluations=1, circuits=GROUPS, shots=GROUPS * shots)),
    ):
        assert same(cost, wanted)


@pytest.mark.slow
def test_means_over_repeats_are_the_exact_values(exact, repeats):
    truth = exact.evaluate(angles(1), Stream.of(3, 1))
    for means, variances, wanted in (
        (repeats.value, repeats.value_var, truth.value[0]),
        (repeats.grad, repeats.grad_var, truth.grad[0]),
    ):
        error = (variances.mean(dim=0) / len(means)).sqrt()
        assert ((means.mean(dim=0) - wanted).abs() < 4 * error).all()


def test_reported_variances_match_the_spread_over_repeats(repeats):
    """Spread² / variance is χ²(n-1)/(n-1), nearly: means of 50 shots are nearly normal."""
    seen = torch.cat([repeats.value[:, None], repeats.grad], dim=1)
    reported = torch.cat([repeats.value_var[:, None], repeats.grad_var], dim=1)
    freedom = len(seen) - 1
    low, high = chi2.ppf([CERTAIN / 2, 1 - CERTAIN / 2], freedom) / freedom
    ratio = seen.var(dim=0) / reported.mean(dim=0)
    assert (low < ratio).all()
    assert (ratio < high).all()


def test_energy_and_components_of_the_gradient_are_measured_independently(repeats):
    correlation = torch.corrcoef(torch.cat([repeats.value[:, None], repeats.grad], dim=1).T)
    off = correlation - torch.eye(PARAMETERS + 1, dtype=FLOAT64)
    assert off.abs().max() < 4.5 / math.sqrt(len(repeats.value))  # the largest of 36: 4.5 standard errors leave 2.4e-4


@pytest.mark.parametrize("shots", [0, 40])
def test_a_replica_sees_the_same_bits_whoever_runs_beside_it(noisy, shots):
    x = angles(32)
    alone = noisy.evaluate(x[:1], Stream.of(9, 1).at(3), shots)
    energy = noisy.measure(x[:1], Stream.of(9, 1).at(3), shots)
    for replicas in (4, 32):
        rng = Stream.of(9, replicas).at(3)
        beside = noisy.evaluate(x[:replicas], rng, shots)
        assert same([t[:1] for t in beside[:4]], alone[:4])
        assert same([t[:1] for t in noisy.measure(x[:replicas], rng, shots)[:2]], energy[:2])


def test_some_of_the_replicas_see_what_they_saw_among_all(noisy):
    x, rng, some = angles(6), Stream.of(9, 6).at(2), torch.tensor([4, 1])
    everyone, few = noisy.evaluate(x, rng), noisy.evaluate(x[some], rng.take(some))
    assert torch.equal(everyone.value[some], few.value)
    assert torch.equal(everyone.grad[some], few.grad)


def test_replicas_steps_and_looks_have_shots_of_their_own(noisy):
    x = angles(1).expand(2, -1)
    rng = Stream.of(9, 2)
    looks = torch.cat([noisy.measure(x, rng).value, noisy.measure(x, rng.at(1)).value, noisy.evaluate(x, rng).value])
    assert len(looks.unique()) == 6


def test_the_same_look_again_shows_the_same_bits(noisy, engine):
    x, rng = angles(2), Stream.of(9, 2).at(7)
    first, again = noisy.evaluate(x, rng), landscape_of(50, engine).evaluate(x, rng)
    assert torch.equal(first.value, again.value)
    assert torch.equal(first.grad, again.grad)


def test_single_precision_angles_are_measured_in_double_precision(exact):
    x = angles(2).float()
    seen = exact.evaluate(x, Stream.of(0, 2))
    assert seen.grad.dtype == torch.float32
    torch.testing.assert_close(seen.value.double(), exact.measure(x.double(), Stream.of(0, 2)).value, rtol=1e-6, atol=1e-6)


def test_the_metric_is_half_the_curvature_of_the_infidelity(exact):
    """1 - |⟨ψ(x)|ψ(x + d)⟩|² = dᵀ F d + O(d³), by the states themselves."""
    x, h = angles(1), 1e-4
    metric = exact.metric(x)[0]
    here = states(exact, x)[0]
    directions = torch.eye(PARAMETERS, dtype=FLOAT64)
    pairs = [directions[a] + directions[b] for a in range(PARAMETERS) for b in range(a)]
    for d in [*directions, *pairs]:
        overlaps = [(here.conj() @ states(exact, x + sign * h * d)[0]).abs() ** 2 for sign in (1, -1)]
        wanted = (1 - sum(overlaps).item() / 2) / h**2
        assert abs(d @ metric @ d - wanted) < 1e-6  # rounding over h²: 2e-16/1e-8; fourth order: h²


def states(landscape, x):
    psi = tangents(landscape.program, landscape.program.angles(x), 0, 0)[:, 0]
    return torch.complex(psi[:, 0], psi[:, 1])
