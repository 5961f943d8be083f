"""Shots divided over groups: means and variances against closed forms of the exact outcome distributions, on every engine."""

import math

import numpy as np
import pytest
import torch
from qiskit.quantum_info import SparsePauliOp
from qiskit.quantum_info import Statevector as QiskitState
from scipy.stats import chi2

from thalweg_core.errors import BadInput
from thalweg_core.landscape import STRATA
from thalweg_core.streams import Stream
from thalweg_vqe.engines.aer.qiskit_circuits import circuit
from thalweg_vqe.engines.aer.sampler import AerSampler
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.engines.shots_torch import StatevectorSampler
from thalweg_vqe.landscapes.circuit import VqeLandscape
from thalweg_vqe.measurement import allocation as module
from thalweg_vqe.measurement.allocation import apportioned
from thalweg_vqe.pauli.grouping import qubit_wise
from thalweg_vqe.problem import Deflation, EfficientSu2, Molecule, PauliSum, PauliTerm, Uccsd, Uniform, Vqe

CPU, FLOAT64 = torch.device("cpu"), torch.float64
HYDROGEN = Molecule("H 0 0 0; H 0 0 0.735")
ENGINES = ["torch", "compiled", "aer"]
CERTAIN = 6.3e-5  # outside four standard deviations of a normal, both sides


def landscape_of(engine, hamiltonian=HYDROGEN, ansatz=None, shots=1000):
    if engine == "compiled":
        pytest.importorskip("numba")
    problem = Vqe(hamiltonian, ansatz or Uccsd(), Estimator(shots=shots))
    opened = problem.open(CPU, FLOAT64)
    samplers = {
        "torch": lambda: StatevectorSampler(opened.program, opened.observable),
        "compiled": lambda: opened.sampler,
        "aer": lambda: AerSampler.of(opened.program, opened.observable, "cpu"),
    }
    return VqeLandscape(
        opened.program, opened.observable, opened.exact, samplers[engine](), shots, opened.reference, CPU, FLOAT64
    )


@pytest.fixture(scope="module", params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture(scope="module")
def hydrogen(engine):
    return landscape_of(engine)


def ground(landscape):
    """The angle of the double excitation that gives the ground state: a scan and a parabola are enough."""
    scan = torch.linspace(-0.5, 0.5, 2001, dtype=FLOAT64)
    x = torch.zeros(len(scan), landscape.parameters, dtype=FLOAT64)
    x[:, -1] = scan
    best = landscape.measure(x, Stream.of(0, len(scan)), 0).value.argmin()
    return x[best][None]


def spreads(landscape, x):
    """Exact standard deviations of single shots, group by group, in Qiskit."""
    state = QiskitState(circuit(landscape.program, landscape.program.angles(x)[0].tolist()))
    out = []
    for group in qubit_wise(landscape.observable):
        combination = SparsePauliOp([w.letters(landscape.observable.qubits) for w in group.words], group.coefficients)
        square = (combination @ combination).simplify()
        out.append(state.expectation_value(square).real - state.expectation_value(combination).real ** 2)
    return np.sqrt(np.maximum(out, 0))


def repeats_of(engine):
    return 80 if engine == "aer" else 3000


def spread_matches(values, wanted, slack=0.0):
    """A sample variance against its χ² quantiles."""
    freedom = len(values) - 1
    low, high = chi2.ppf([CERTAIN / 2, 1 - CERTAIN / 2], freedom) / freedom
    return low * (1 - slack) < values.var().item() / wanted < high * (1 + slack)


@pytest.mark.slow
@pytest.mark.parametrize(("state", "known"), [("ground", 1.56), ("hartree_fock", 1.25)])
def test_measured_spreads_save_what_neyman_promises(hydrogen, engine, state, known):
    """H2: equal over best possible is 1.56 in its ground state, 1.25 in its determinant; a fifth of the shots stays equal."""
    x = ground(hydrogen) if state == "ground" else torch.zeros(1, hydrogen.parameters, dtype=FLOAT64)
    sigma, shots, repeats = spreads(hydrogen, x), 5000, repeats_of(engine)
    groups = len(sigma)
    equal = (sigma**2).sum() / shots
    assert equal / (sigma.sum() ** 2 / (shots * groups)) == pytest.approx(known, abs=0.01)
    unseen = 0.1 * hydrogen.sampler.weights.numpy() ** 2 / (shots / 5)
    guess = np.sqrt(sigma**2 + unseen)
    measured = (sigma**2 / (shots * (0.2 + 0.8 * groups * guess / guess.sum()))).sum()
    assert measured < equal / (1.05 if state == "hartree_fock" else 1.4)  # the case can tell
    truth = hydrogen.measure(x, Stream.of(0, 1), 0).value
    for allocation, variance in (("equal", equal), ("measured", measured)):
        seen = hydrogen.allocated(allocation).measure(x.expand(repeats, -1), Stream.of(4, repeats), shots)
        assert abs((seen.value - truth).mean()) < 4 * math.sqrt(variance / repeats) + 0.03 * math.sqrt(variance)
        assert spread_matches(seen.value, variance, slack=0.01)
        assert seen.value_var.mean().item() == pytest.approx(variance, rel=0.03)
        assert (seen.cost.shots == shots * groups).all()


def rare_outcomes():
    """Near its determinant, where most shots of a group agree and few say something else altogether."""
    pytest.importorskip("numba")
    landscape = Vqe(HYDROGEN, EfficientSu2(2), Estimator(shots=160, allocation="measured")).open(CPU, FLOAT64)
    determinant = torch.tensor([landscape.reference.determinant], dtype=FLOAT64)
    return landscape, determinant + 0.2 * Stream.of(1, 1).uniform((landscape.parameters,)) - 0.1


def bias(landscape, x, repeats=20_000):
    """Of single energies in units of their standard deviation, known to ± 1/√repeats; and reported over true variance."""
    truth = landscape.measure(x, Stream.of(0, 1), 0).value
    seen = landscape.measure(x.expand(repeats, -1), Stream.of(4, repeats))
    spread = seen.value.std()
    return ((seen.value.mean() - truth) / spread).item(), (seen.value_var.mean() / spread**2).item()


def test_deciding_by_the_first_shots_hardly_biases_the_mean():
    off, honesty = bias(*rare_outcomes())
    assert abs(off) < 0.07 + 4 / math.sqrt(20_000)
    assert honesty == pytest.approx(1.0, abs=0.03 + 4 * math.sqrt(2 / 20_000))


def test_without_a_thought_for_unseen_outcomes_it_would(monkeypatch):
    monkeypatch.setattr(module, "UNSEEN", 1e-12)
    off, honesty = bias(*rare_outcomes())
    assert off < -0.3
    assert honesty < 0.9


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["statevector", "aer"])
@pytest.mark.parametrize("allocation", ["measured", "random"])
def test_penalties_for_overlaps_are_groups_as_others_are(engine, allocation):
    lower = Deflation((0.1, -0.2, 0.3), weight=2.0)
    estimator = Estimator(shots=200, engine=engine, allocation=allocation)
    landscape = Vqe(HYDROGEN, Uccsd(), estimator, deflation=(lower,)).open(CPU, FLOAT64)
    assert landscape.sampler.weights[-1] == 2.0
    assert len(landscape.sampler.weights) == landscape.groups == 6
    x, repeats = torch.tensor([[0.3, 0.1, -0.4]], dtype=FLOAT64), 60 if engine == "aer" else 1000
    truth = landscape.evaluate(x, Stream.of(0, 1), 0)
    seen = landscape.evaluate(x.expand(repeats, -1), Stream.of(2, repeats))
    for values, variances, wanted in ((seen.grad, seen.grad_var, truth.grad), (seen.value, seen.value_var, truth.value)):
        assert ((values.mean(dim=0) - wanted[0]).abs() < 4 * (variances.mean(dim=0) / repeats).sqrt()).all()


def test_every_shot_that_draws_its_group_counts_without_bias(hydrogen, engine):
    """Var = Σ_g E[e_g²]/p_g - U²  over the shots; three of them are fewer than there are groups."""
    x, repeats = ground(hydrogen) + 0.3, repeats_of(engine)
    landscape = hydrogen.allocated("random")
    groups, constant = landscape.sampler.groups, landscape.observable.constant
    sigma, weights = spreads(landscape, x), landscape.sampler.weights.numpy()
    state = QiskitState(circuit(landscape.program, landscape.program.angles(x)[0].tolist()))
    means = np.array(
        [
            state.expectation_value(SparsePauliOp([w.letters(4) for w in group.words], group.coefficients)).real
            for group in qubit_wise(landscape.observable)
        ]
    )
    p = weights / weights.sum()
    single = ((sigma**2 + means**2) / p).sum() - means.sum() ** 2
    assert groups == 5
    assert landscape.samples == groups * hydrogen.samples
    for shots in (3, 100):
        seen = landscape.measure(x.expand(repeats, -1), Stream.of(6, repeats), shots)
        assert abs(seen.value.mean() - constant - means.sum()) < 4 * math.sqrt(single / shots / repeats)
        error = seen.value_var.std() / math.sqrt(repeats)
        assert abs(seen.value_var.mean() - single / shots) < 4 * error
        if shots > 3:
            assert spread_matches(seen.value, single / shots)
        assert (seen.cost.shots == shots).all()
        assert (seen.cost.circuits <= min(shots, groups)).all()


@pytest.mark.slow
@pytest.mark.parametrize("allocation", ["measured", "random"])
def test_gradients_are_unbiased_and_their_variances_honest(hydrogen, engine, allocation):
    x, shots, repeats = ground(hydrogen) + 0.3, 40, repeats_of(engine)
    landscape = hydrogen.allocated(allocation)
    truth = landscape.evaluate(x, Stream.of(0, 1), 0)
    seen = landscape.evaluate(x.expand(repeats, -1), Stream.of(8, repeats), shots * (5 if allocation == "random" else 1))
    for values, variances, wanted in ((seen.grad, seen.grad_var, truth.grad[0]), (seen.value, seen.value_var, truth.value[0])):
        error = (variances.mean(dim=0) / repeats).sqrt()
        assert ((values.mean(dim=0) - wanted).abs() < 4 * error + 0.03 * error * math.sqrt(repeats)).all()
        ratio = values.var(dim=0) / variances.mean(dim=0)
        low, high = chi2.ppf([CERTAIN / 8, 1 - CERTAIN / 8], repeats - 1) / (repeats - 1)
        assert (0.95 * low < ratio).all() and (ratio < 1.05 * high).all()
    circuits = 5 * (1 + 3 * 2)  # three excitations whose energies have one frequency each: two points
    assert (seen.cost.shots == shots * circuits).all()
    assert (seen.cost.circuits <= 2 * circuits).all()


def test_a_replica_sees_the_same_bits_whoever_runs_beside_it(hydrogen):
    x = 0.5 * Stream.of(2, 6).uniform((hydrogen.parameters,))
    samples = torch.tensor([50, 300, 7, 20, 40, 50])
    for allocation in ("measured", "random"):
        landscape = hydrogen.allocated(allocation)
        for look in (landscape.evaluate, landscape.measure):
            among = look(x, Stream.of(9, 6).at(2), samples)
            alone = look(x[1:2], Stream.of(9, 6).at(2).take(torch.tensor([1])), samples[1:2])
            assert torch.equal(alone[0], among[0][1:2]) and torch.equal(alone[1], among[1][1:2])


def test_few_shots_are_divided_equally_and_nothing_is_lost(hydrogen):
    x = torch.zeros(1, hydrogen.parameters, dtype=FLOAT64)
    landscape = hydrogen.allocated("measured")
    for shots in (2, 100, 159, 160, 161):
        cost = landscape.measure(x, Stream.of(1, 1), shots).cost
        assert cost.shots.item() == 5 * shots
        assert (cost.circuits.item() == 5) == (shots < 160)  # from there on a first part holds 32 shots of a group


def test_whole_numbers_are_as_near_to_their_shares_as_can_be():
    shares = np.array([[0.5, 0.25, 0.25], [0.1, 0.45, 0.45], [1 / 3, 1 / 3, 1 / 3]])
    total = np.array([7, 10, 1000])
    parts = apportioned(total, shares)
    assert (parts.sum(axis=1) == total).all()
    assert (np.abs(parts - total[:, None] * shares) < 1).all()
    assert parts.tolist() == [[3, 2, 2], [1, 5, 4], [334, 333, 333]]  # 3.5 1.75 1.75; 1 4.5 4.5, the first rounded up


def test_unknown_ways_to_divide_are_refused_in_a_sentence():
    with pytest.raises(BadInput, match='wanted "equal" or "measured" or "random", got "best"') as bad:
        Estimator(allocation="best")
    assert bad.value.field == "allocation"


def test_the_estimator_chooses_and_a_method_may_choose_again():
    words = PauliSum((PauliTerm("ZZ", 1.0), PauliTerm("XI", 0.2)))
    landscape = Vqe(words, EfficientSu2(1), Estimator(shots=50, allocation="measured"), Uniform(1.0)).open(CPU, FLOAT64)
    assert landscape.estimator.allocation == "measured"
    assert landscape.offer(STRATA) is landscape
    assert landscape.allocated("equal").estimator.allocation == "equal"
