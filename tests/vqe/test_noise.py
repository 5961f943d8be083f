"""Noise against closed forms of its channels; readout undone without bias; what no device can be is refused."""

import math

import pytest
import torch

from thalweg_core.errors import BadInput
from thalweg_core.streams import Stream
from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.engines.aer.noise import Noise
from thalweg_vqe.engines.aer.sampler import AerSampler
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.hamiltonians.molecule import Molecule
from thalweg_vqe.hamiltonians.pauli_sum import PauliSum, PauliTerm
from thalweg_vqe.pauli.program import Cx, Program, ry
from thalweg_vqe.problem import Vqe
from thalweg_vqe.starts import HartreeFock

SHOTS = 40_000
Z = PauliSum((PauliTerm("Z", 1.0),)).observable()
ZZ = PauliSum((PauliTerm("ZZ", 1.0), PauliTerm("IZ", 0.5))).observable()
TURN = Program(1, 1, (ry(0, 0),))
PAIR = Program(2, 1, (ry(0, 0), Cx(0, 1)))


def seen(program, observable, theta, noise, mitigated=False):
    sampler = AerSampler.of(program, observable, "cpu", noise, mitigated)
    asked = torch.full((1, 1, sampler.groups), SHOTS)
    looks = sampler.points(torch.full((1, 1, 1), theta, dtype=torch.float64), asked, Stream.of(5, 1))
    return looks.mean.sum().item(), math.sqrt(looks.variance.sum()), sampler


@pytest.mark.parametrize("theta", [0.4, 2.1])
def test_depolarization_shrinks_what_every_gate_leaves(theta):
    noise = Noise(one_qubit_error=0.05)
    mean, error, sampler = seen(TURN, Z, theta, noise)
    gates = sum(count for name, count in sampler.circuits[0].count_ops().items() if name in ("sx", "x"))
    assert gates == 2  # RY is RZ and two SX; a perfect RZ keeps the poles, a shrunk sphere stays a sphere
    assert abs(mean - (1 - 0.05) ** gates * math.cos(theta)) < 4 * error


def test_depolarization_after_cx_shrinks_both_its_qubits():
    mean, error, _ = seen(PAIR, ZZ, 0.9, Noise(two_qubit_error=0.2))
    assert abs(mean - 0.8 * (1.0 + 0.5 * math.cos(0.9))) < 4 * error


def test_excitations_decay_during_gates():
    """SX from the pole, then SX: θ = π ends at |1⟩; one gate time of relaxation from the equator, one from the decayed pole."""
    noise = Noise(t1=2e-7, t2=1.5e-7, one_qubit_time=5e-8)
    mean, error, _ = seen(TURN, Z, math.pi, noise)
    kept, coherent = math.exp(-5e-8 / 2e-7), math.exp(-5e-8 / 1.5e-7)
    excited = (1 + coherent) / 2  # the equator's vector shrinks by T2, and the second SX turns it to the pole
    assert abs(mean - (1 - 2 * kept * excited)) < 4 * error


@pytest.mark.parametrize("theta", [0.4, 2.1])
def test_readout_flips_bend_the_mean_and_are_undone_without_bias(theta):
    noise = Noise(false_one=0.03, false_zero=0.12)
    mean, error, _ = seen(TURN, Z, theta, noise)
    assert abs(mean - ((1 - 0.15) * math.cos(theta) + 0.12 - 0.03)) < 4 * error
    mitigated, larger, _ = seen(TURN, Z, theta, noise, mitigated=True)
    assert abs(mitigated - math.cos(theta)) < 4 * larger
    assert larger == pytest.approx(error / 0.85, rel=1e-9)


def test_readout_of_several_qubits_is_undone_word_by_word():
    noise = Noise(false_one=0.03, false_zero=0.12)
    mitigated, error, _ = seen(PAIR, ZZ, 0.9, noise, mitigated=True)
    assert abs(mitigated - (1.0 + 0.5 * math.cos(0.9))) < 4 * error
    plain, _, _ = seen(PAIR, ZZ, 0.9, noise)
    assert abs(plain - (1.0 + 0.5 * math.cos(0.9))) > 20 * error  # the case can tell


@pytest.mark.slow
def test_errors_drawn_shot_by_shot_agree_with_the_density_matrix(monkeypatch):
    from thalweg_vqe.engines.aer import sampler as aer_sampler

    noise = Noise(one_qubit_error=0.02, two_qubit_error=0.1, t1=3e-6)
    mixed, error, _ = seen(PAIR, ZZ, 0.9, noise)
    monkeypatch.setattr(aer_sampler, "MOST_MIXED", 1)
    drawn, other, sampler = seen(PAIR, ZZ, 0.9, noise)
    assert sampler.simulator.options.method == "statevector"
    assert abs(mixed - drawn) < 4 * math.hypot(error, other)


def test_no_noise_at_all_is_an_ideal_device():
    mean, error, _ = seen(PAIR, ZZ, 0.9, Noise())
    assert abs(mean - (1.0 + 0.5 * math.cos(0.9))) < 4 * error


def test_a_noisy_problem_measures_noise_and_reports_what_is_true():
    noise = Noise(two_qubit_error=0.3)
    problem = Vqe(Molecule("H 0 0 0; H 0 0 0.735"), EfficientSu2(1), Estimator(400, "aer", noise=noise), HartreeFock(0.0))
    landscape = problem.open(torch.device("cpu"), torch.float64)
    x = problem.start(landscape, Stream.of(1, 1))
    true, final = problem.observe(landscape, x)["true_energy"].value, problem.final(landscape, x, Stream.of(1, 1))
    assert true.item() == pytest.approx(landscape.reference.hartree_fock_energy, abs=1e-9)
    assert final.value.item() > true.item() + 10 * final.value_var.sqrt().item()  # mixed states lie above the determinant


@pytest.mark.parametrize(
    ("build", "field", "part"),
    [
        (lambda: Noise(one_qubit_error=-0.1), "one_qubit_error", "0 to 1, got -0.1"),
        (lambda: Noise(false_one=1.5), "false_one", "0 to 1"),
        (lambda: Noise(two_qubit_error=math.nan), "two_qubit_error", "0 to 1"),
        (lambda: Noise(false_one=0.5, false_zero=0.5), "false_zero", "below 1, got 1"),
        (lambda: Noise(t1=0.0), "t1", "above 0"),
        (lambda: Noise(t2=1e-4), "t1", "beside t2"),
        (lambda: Noise(t1=1e-4, t2=3e-4), "t2", "at most 2 t1 = 0.0002 s, got 0.0003"),
        (lambda: Noise(one_qubit_time=math.inf), "one_qubit_time", "above 0"),
        (lambda: Estimator(engine="statevector", noise=Noise()), "noise", 'use engine = "aer"'),
        (lambda: Estimator(shots=0, engine="aer", noise=Noise()), "noise", "use shots of 2 or more"),
        (lambda: Estimator(engine="aer", readout_mitigation=True), "readout_mitigation", "no readout error to undo"),
    ],
)
def test_what_no_device_can_be_is_refused_with_its_field(build, field, part):
    with pytest.raises(BadInput, match=part) as refused:
        build()
    assert refused.value.field == field
