"""Fidelities and the metric by shots: against exact ones, closed forms for one qubit, and what is charged."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from thalweg_core.errors import BadInput
from thalweg_core.landscape import MEASURED_METRIC, METRIC, STATES
from thalweg_core.streams import Stream
from thalweg_vqe.ansatze.excitations import KUpCcgsd, Uccsd
from thalweg_vqe.ansatze.hamiltonian_variational import HamiltonianVariational
from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.engines.aer.noise import Noise
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.engines.outcomes import TorchStates
from thalweg_vqe.engines.overlap import Projector
from thalweg_vqe.engines.statevector import Statevector
from thalweg_vqe.hamiltonians.molecule import Molecule
from thalweg_vqe.hamiltonians.spin_chains import TransverseFieldIsing
from thalweg_vqe.measurement.measured_metric import MeasuredMetric, blocks
from thalweg_vqe.pauli.program import Cx, Program, Rotation, rx, ry, rz
from thalweg_vqe.pauli.words import Word, commute
from thalweg_vqe.problem import Vqe
from thalweg_vqe.starts import Uniform

CPU, FLOAT64 = torch.device("cpu"), torch.float64
CERTAIN = 6.3e-5  # outside four standard deviations of a normal, both sides
ISING = TransverseFieldIsing(3)
H2 = Molecule("H 0 0 0; H 0 0 0.735")
TIED = Program(  # parameter 0 in two blocks and three words, parameter 1 shares one of them
    3,
    3,
    (
        rx(0, None, offset=0.9),
        rx(1, None, offset=-0.6),
        ry(2, None, offset=1.3),
        Cx(2, 1),
        ry(0, 0, 2.0),
        ry(1, 1),
        Rotation(Word.parse("ZYX"), 0, -0.5, 0.1),
        rx(2, None, offset=0.4),
        Cx(0, 2),
        Rotation(Word.parse("XXI"), 0, 1.5),
        Rotation(Word.parse("ZZI"), 2),
        rz(2, 2, 0.5),
    ),
    start=2,
)


def landscape_of(shots=0, engine="statevector", ansatz=None, hamiltonian=ISING, **more):
    return Vqe(hamiltonian, ansatz or EfficientSu2(1), Estimator(shots=shots, engine=engine, **more), Uniform(1.0)).open(
        CPU, FLOAT64
    )


def angles(landscape, replicas, seed=1):
    return 6 * Stream.of(seed, replicas).uniform((landscape.parameters,)) - 3


def same(a, b):
    return all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


def z_scores(metric, variance, truth):
    """Of each entry's mean over looks; entries that do not vary must be right."""
    error = (variance.mean(dim=0) / len(metric)).sqrt()
    off = (metric.mean(dim=0) - truth).abs()
    return torch.where(error > 0, off / error, torch.where(off < 1e-12, 0.0, math.inf))


def assert_spread_is_as_said(metric, variance, shots):
    """Spread over looks by what they say of it: χ²/(n-1), nearly. Where it falls as 1/shots², what they say may be too large."""
    said, looks = variance.mean(dim=0), len(metric)
    low, high = chi2.ppf([CERTAIN / 200, 1 - CERTAIN / 200], looks - 1) / (looks - 1)
    ratio = metric.var(dim=0) / said
    spreads = metric.mean(dim=0).diagonal()
    leading = said * shots**2 > 20 * torch.outer(spreads, spreads)
    assert leading.any()
    assert (0.9 * low < ratio[leading]).all()  # entries are not normal: the χ² knows nothing of their tails
    assert (ratio[said > 1e-12] < 1.1 * high).all()


# --- fidelity


@pytest.mark.parametrize("engine", ["aer", "statevector"])
def test_fidelities_scatter_as_binomials_about_the_overlap_of_the_states(engine):
    looks, shots = (150 if engine == "aer" else 3000), 40
    exact, noisy = landscape_of(), landscape_of(100, engine)
    x, y = angles(exact, 1), angles(exact, 1) + 0.5
    truth = exact.fidelity(x[:, None], y[:, None], Stream.of(0, 1), 1000)
    psi, phi = (torch.complex(*TorchStates(exact.program).states(z)[0]) for z in (x, y))
    assert truth.value.item() == pytest.approx(abs(torch.vdot(psi, phi).item()) ** 2, abs=1e-12)
    assert truth.value_var.item() == truth.cost.shots.item() == 0
    p = truth.value.item()
    assert 0.1 < p < 0.9
    seen = noisy.fidelity(x[:, None].expand(looks, 1, -1), y[:, None].expand(looks, 1, -1), Stream.of(2, looks), shots)
    variance = p * (1 - p) / shots
    assert abs(seen.value.mean() - p) < 4 * math.sqrt(variance / looks)
    low, high = chi2.ppf([CERTAIN / 2, 1 - CERTAIN / 2], looks - 1) / (looks - 1)
    assert low < seen.value.var() / variance < high
    assert abs(seen.value_var.mean() - variance) < 4 * seen.value_var.std() / math.sqrt(looks)
    assert seen.cost.circuits.tolist() == [1] * looks and seen.cost.shots.tolist() == [shots] * looks


def test_a_fidelity_falls_by_the_metric():
    """1 - |⟨ψ(x)|ψ(x + d)⟩|² = dᵀ F d + O(d³), and the odd terms cancel between d and -d."""
    landscape, h = landscape_of(), 1e-3
    x, d = angles(landscape, 1), Stream.of(5, 1).normal((12,))
    ends = [landscape.fidelity(x[:, None], (x + sign * h * d)[:, None], Stream.of(0, 1), 0).value.item() for sign in (1, -1)]
    wanted = (d @ landscape.metric(x)[0] @ d.T).item()
    assert (1 - sum(ends) / 2) / h**2 == pytest.approx(wanted, abs=1e-3 * wanted)


# --- blocks


def test_blocks_are_rows_of_commuting_rotations_between_other_gates():
    assert [block.rotations for block in blocks(TIED)] == [(0, 1), (2,), (3, 4), (5,)]
    for ansatz, program in ((EfficientSu2(2), EfficientSu2(2).program(4)), (None, TIED)):
        found = blocks(program)
        assert [n for block in found for n in block.rotations] == list(range(len(program.turned)))
        for block in found:
            words = [program.turned[n].word for n in block.rotations]
            assert all(commute(a, b) for a in words for b in words)
        if ansatz is not None:
            assert len(found) == 2 * (ansatz.reps + 1)


@pytest.mark.parametrize("ansatz", [EfficientSu2(1), Uccsd(), KUpCcgsd(), HamiltonianVariational(2)])
def test_on_a_landscape_without_noise_the_forms_are_parts_of_the_exact_metric(ansatz):
    landscape = landscape_of(ansatz=ansatz, hamiltonian=H2)
    assert all(landscape.offer(what) is landscape for what in (METRIC, MEASURED_METRIC, STATES))
    x, rng = angles(landscape, 3), Stream.of(0, 3)
    full, block, diagonal = (landscape.measure_metric(x, rng, 100, form) for form in ("full", "block_diagonal", "diagonal"))
    assert torch.equal(full.metric, landscape.metric(x))
    assert full.cost.shots.count_nonzero() == full.variance.count_nonzero() == 0
    assert torch.equal(diagonal.metric, torch.diag_embed(block.metric.diagonal(dim1=1, dim2=2)))
    assert (torch.linalg.eigvalsh(block.metric) > -1e-12).all()
    if len({r.parameter for r in landscape.program.turned}) == len(landscape.program.turned):
        torch.testing.assert_close(block.metric.diagonal(dim1=1, dim2=2), full.metric.diagonal(dim1=1, dim2=2))


# --- by shots


@pytest.mark.parametrize(
    ("ansatz", "hamiltonian", "engine"),
    [
        (EfficientSu2(1), ISING, "aer"),
        (EfficientSu2(1), ISING, "statevector"),
        (Uccsd(), H2, "statevector"),
        (Uccsd(), H2, "aer"),
        (HamiltonianVariational(2), ISING, "statevector"),
    ],
)
def test_measured_blocks_scatter_about_the_exact_ones_as_they_say(ansatz, hamiltonian, engine):
    looks, shots = (100 if engine == "aer" else 1500), 400
    landscape = landscape_of(100, engine, ansatz, hamiltonian)
    x = angles(landscape, 1)
    seen = landscape.measure_metric(x.expand(looks, -1), Stream.of(4, looks), shots)
    assert (
        z_scores(seen.metric, seen.variance, landscape._metric.exact(landscape.program.angles(x))[0]) < 4.5
    ).all()  # of up to 144 entries
    assert_spread_is_as_said(seen.metric, seen.variance, shots)
    circuits = len(landscape._metric.blocks)
    assert seen.cost.circuits.tolist() == [circuits] * looks and seen.cost.shots.tolist() == [circuits * shots] * looks
    assert seen.cost.gradients.count_nonzero() == seen.cost.evaluations.count_nonzero() == 0


def tied(shots, looks, form, engine="statevector", **more):
    metric = MeasuredMetric(TIED, Estimator(engine=engine, **more))
    theta = torch.tensor([[0.7, -1.2, 0.4]], dtype=FLOAT64).expand(looks, -1)
    return metric.measured(TIED.angles(theta), torch.full((looks,), shots), Stream.of(6, looks), form)


def tied_truth(form):
    """By the metric of all rotations, its blocks cut out by hand, and the chain rule."""
    full = Statevector(TIED, Projector(3, 0)).metric(TIED.angles(torch.tensor([[0.7, -1.2, 0.4]], dtype=FLOAT64)))[0].numpy()
    home = np.array([0, 0, 1, 2, 2, 3])
    jacobian = np.zeros((6, 3))
    for j, rotation in enumerate(TIED.turned):
        jacobian[j, rotation.parameter] = rotation.scale
    out = jacobian.T @ (full if form == "full" else full * (home[:, None] == home)) @ jacobian
    return torch.from_numpy(np.diag(np.diag(out)) if form == "diagonal" else out)


def test_without_noise_the_blocks_of_tied_parameters_are_those_of_the_chain_rule():
    theta = torch.tensor([[0.7, -1.2, 0.4]], dtype=FLOAT64)
    seen = MeasuredMetric(TIED, Estimator()).exact(TIED.angles(theta))[0]
    torch.testing.assert_close(seen, tied_truth("block_diagonal"), rtol=0, atol=1e-13)


@pytest.mark.parametrize("form", ["full", "block_diagonal", "diagonal"])
def test_tied_and_scaled_parameters_have_the_metric_of_the_chain_rule(form):
    looks, shots = 1200, 400
    seen = tied(shots, looks, form)
    assert (z_scores(seen.metric, seen.variance, tied_truth(form)) < 4).all()
    assert_spread_is_as_said(seen.metric, seen.variance, shots)
    pairs = 6 * 5 // 2 - 2
    assert seen.circuits == 4 + (4 * pairs if form == "full" else 0)


def test_on_a_device_whose_readout_is_mended_the_metric_is_unbiased():
    noise, looks, shots = Noise(false_one=0.08, false_zero=0.15), 150, 400
    mended = tied(shots, looks, "block_diagonal", "aer", noise=noise, readout_mitigation=True)
    raw = tied(shots, looks, "block_diagonal", "aer", noise=noise)
    truth = tied_truth("block_diagonal")
    assert (z_scores(mended.metric, mended.variance, truth) < 4).all()
    assert_spread_is_as_said(mended.metric, mended.variance, shots)
    assert (z_scores(raw.metric, raw.variance, truth) > 4).any()


def test_one_qubit_has_the_metric_known_in_closed_form():
    """RY(θ), then RZ(φ) on |0⟩:  F = diag(1, sin² θ)/4;  a measured variance of Z is (1 - z²) n/(n - 1)."""
    theta, shots, looks = 1.1, 20, 4000
    program = Program(1, 2, (ry(0, 0), rz(0, 1)))
    metric = MeasuredMetric(program, Estimator())
    x = torch.tensor([[theta, 0.3]], dtype=FLOAT64).expand(looks, -1)
    seen = metric.measured(x, torch.full((looks,), shots), Stream.of(6, looks), "full")
    truth = torch.diag(torch.tensor([1.0, math.sin(theta) ** 2], dtype=FLOAT64)) / 4
    assert (z_scores(seen.metric, seen.variance, truth) < 4).all()
    possible = {round((1 - ((2 * k - shots) / shots) ** 2) * shots / (shots - 1) / 4, 12) for k in range(shots + 1)}
    assert {round(v, 12) for v in seen.metric[:, 1, 1].tolist()} <= possible


def test_a_replica_may_take_shots_of_its_own_and_sees_the_same_bits_whoever_is_measured_beside_it():
    landscape = landscape_of(30)
    x = angles(landscape, 32)
    samples = 10 + torch.arange(32)
    for form in ("block_diagonal", "full"):
        alone = landscape.measure_metric(x[:1], Stream.of(9, 1).at(3), samples[:1], form)
        for rows in (4, 32):
            if form == "full" and rows == 32:
                continue
            beside = landscape.measure_metric(x[:rows], Stream.of(9, rows).at(3), samples[:rows], form)
            assert same([t[:1] for t in beside[:2]], alone[:2])
            assert torch.equal(beside.cost.shots, beside.cost.circuits * samples[:rows])
    alone = landscape.fidelity(x[:1, None], x[1:2, None], Stream.of(9, 1), 30)
    assert torch.equal(landscape.fidelity(x[:8, None], x[1:9, None], Stream.of(9, 8), 30).value[:1], alone.value)


def test_a_single_sample_would_show_no_covariance_and_two_are_taken():
    landscape = landscape_of(30)
    seen = landscape.measure_metric(angles(landscape, 2), Stream.of(0, 2), torch.tensor([1, 5]))
    assert seen.metric.isfinite().all() and (seen.cost.shots / seen.cost.circuits).tolist() == [2.0, 5.0]


def test_a_form_that_is_none_is_refused():
    landscape = landscape_of(30)
    with pytest.raises(BadInput, match="wanted full or block_diagonal or diagonal, got blocks"):
        landscape.measure_metric(angles(landscape, 1), Stream.of(0, 1), 30, "blocks")
