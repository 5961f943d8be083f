"""The compiled engine without noise against the readable one, over few states and over all, by one thread and two."""

import math

import numpy as np
import pytest
import torch
from tests.vqe.random_circuits import random_observable, random_program

from thalweg_vqe.ansatze.excitation_preserving import ExcitationPreserving
from thalweg_vqe.ansatze.excitations import KUpCcgsd, Uccsd
from thalweg_vqe.ansatze.hamiltonian_variational import HamiltonianVariational
from thalweg_vqe.ansatze.layers import EfficientSu2, RealAmplitudes
from thalweg_vqe.engines.noiseless_torch import TorchNoiseless
from thalweg_vqe.hamiltonians.hamiltonian import Register
from thalweg_vqe.hamiltonians.hubbard import FermiHubbard
from thalweg_vqe.hamiltonians.molecule import Molecule
from thalweg_vqe.hamiltonians.orbitals import ActiveSpace
from thalweg_vqe.hamiltonians.spin_chains import HeisenbergXxz, TransverseFieldIsing
from thalweg_vqe.pauli.program import Cx, Program, Rotation, rx, ry, rz
from thalweg_vqe.pauli.words import Observable, Word

pytest.importorskip("numba")

from thalweg_vqe.engines.compiled import exact, layers
from thalweg_vqe.engines.compiled.exact import CompiledExact
from thalweg_vqe.engines.compiled.runs import runs

ROUNDING = 1e-12
LIH = Molecule("Li 0 0 0; H 0 0 1.595", active_space=ActiveSpace(2, 3))


def of(hamiltonian, ansatz):
    register = Register(hamiltonian.system().qubits, hamiltonian)
    return ansatz.program(register), hamiltonian.solve().observable


def diagonal_program(qubits):
    """Words Z on low, on high and on both kinds of qubits, more of the last than go into one table; two on one word."""
    rng = np.random.default_rng(7)
    words = [Word(0, int(z)) for z in rng.integers(1, 2**qubits, size=14)]
    turns = [Rotation(word, k % 5, float(rng.normal()), 0.1 * k) for k, word in enumerate([*words, words[0]])]
    return Program(
        qubits, 5, (*(ry(q, None, offset=1.0 + q) for q in range(qubits)), *turns, *(rx(q, q % 5) for q in range(qubits)))
    )


CASES = {
    **{f"random {n}": (random_program(n), random_observable(n)) for n in (1, 2, 3, 6, 7)},
    **{f"su2 {n}": (EfficientSu2(2).program(n), random_observable(n)) for n in (1, 2, 5)},
    "diagonal 8": (diagonal_program(8), random_observable(8)),
    "real amplitudes": (RealAmplitudes(2).program(4), random_observable(4)),
    "no parameters": (Program(3, 0, (ry(0, None, offset=0.4), Cx(0, 1), rz(1, None, offset=0.3))), random_observable(3)),
    "idle parameters": (Program(2, 4, (ry(0, 2), rz(0, 0))), random_observable(2)),
    "uccsd": of(LIH, Uccsd(reps=2)),
    "uccsd, parity": of(Molecule(LIH.atoms, mapping="parity", tapering="particles", active_space=ActiveSpace(2, 3)), Uccsd()),
    "k-upccgsd": of(LIH, KUpCcgsd(2)),
    "molecule's variational": of(LIH, HamiltonianVariational(1)),
    "ising": of(TransverseFieldIsing(6, field=0.7, periodic=True), HamiltonianVariational(2)),
    "heisenberg": of(HeisenbergXxz(5, anisotropy=0.6, field=0.2, periodic=True), HamiltonianVariational(2)),
    "hubbard": of(FermiHubbard(2, 2, spin_up=2, spin_down=1), HamiltonianVariational(2)),
    "excitation preserving": of(FermiHubbard(3), ExcitationPreserving(2)),
}


def points(program, rows, seed=1):
    return torch.from_numpy(np.random.default_rng(seed).uniform(-np.pi, np.pi, (rows, program.parameters)))


@pytest.fixture(params=["as it chooses", "over all states", "in two parts"])
def way(request, monkeypatch):
    if request.param != "as it chooses":
        monkeypatch.setattr(exact, "MOST_PAIRS", -1)
    if request.param == "in two parts":
        monkeypatch.setattr(layers, "LARGE", 3)
    return request.param


@pytest.mark.parametrize("at_pi", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_energies_and_gradients_are_those_of_the_readable_engine(case, at_pi, way):
    program, observable = CASES[case]
    theta = points(program, 3)
    if at_pi:
        theta = torch.full_like(theta, math.pi)
    ours, theirs = CompiledExact(program, observable), TorchNoiseless(program, observable)
    value, grad = theirs.gradients(theta)
    for a, b in zip([ours.energies(theta), *ours.gradients(theta)], [value, value, grad], strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=ROUNDING * max(1.0, sum(map(abs, observable.coefficients))))


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case][0].parameters])
def test_metrics_are_those_of_the_readable_engine(case):
    program, observable = CASES[case]
    theta = points(program, 2)
    ours, theirs = CompiledExact(program, observable).metric(theta), TorchNoiseless(program, observable).metric(theta)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=20 * ROUNDING * max(1, len(program.turned) // 10))


@pytest.mark.parametrize(
    ("case", "states"), [("uccsd", 3 * 3), ("k-upccgsd", 3 * 3), ("hubbard", 6 * 4), ("excitation preserving", 3 * 3)]
)
def test_circuits_that_keep_electrons_reach_the_determinants_of_their_number(case, states):
    """C(m, N↑) C(m, N↓) of them."""
    assert CompiledExact(*CASES[case]).states == states


def test_spins_that_keep_their_magnetization_reach_the_states_of_that_sum():
    program, observable = of(HeisenbergXxz(10), HamiltonianVariational(5))
    assert CompiledExact(program, observable).states == math.comb(10, 5)
    program, observable = of(HeisenbergXxz(10), HamiltonianVariational(1))
    assert CompiledExact(program, observable).states < math.comb(10, 5)  # one layer does not get everywhere


@pytest.mark.parametrize("case", CASES)
def test_runs_multiply_to_the_program(case):
    program, observable = CASES[case]
    gates = [gate for run in runs(program.gates, lambda rotation: rotation.word.x) for gate in (*run.rotations, *run.chain)]
    assert len(gates) == len(program.gates)
    theta = points(program, 1)
    moved = Program(program.qubits, program.parameters, tuple(gates), program.start)
    energies = [TorchNoiseless(p, observable).energies(theta) for p in (program, moved)]
    torch.testing.assert_close(energies[0], energies[1], rtol=0, atol=10 * ROUNDING)


def test_passes_in_blocks_are_right_beyond_one_block():
    """13 qubits are two blocks; the operator flips low, high and both kinds of qubits, with constants and without."""
    program = EfficientSu2(1).program(13)
    words = {Word(1 << q, 0): 0.3 for q in range(13)} | {Word(0, 3 << q): -0.7 for q in range(12)}
    words |= {Word(4097, 5): 0.2, Word(2048, 2048): 0.1, Word(4096, 1): 0.4, Word(8, 0): 0.6}
    observable, theta = Observable.of(13, words), points(program, 1)
    for a, b in zip(
        CompiledExact(program, observable).gradients(theta), TorchNoiseless(program, observable).gradients(theta), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("case", ["su2 5", "uccsd", "heisenberg", "ising"])
def test_no_bit_depends_on_what_is_computed_beside_it(case):
    program, observable = CASES[case]
    engine, theta = CompiledExact(program, observable), points(program, 32)
    alone = [engine.energies(theta[:1]), *engine.gradients(theta[:1]), engine.metric(theta[:1])]
    for count in (4, 32):
        beside = [engine.energies(theta[:count]), *engine.gradients(theta[:count]), engine.metric(theta[:count])]
        assert all(torch.equal(a, b[:1]) for a, b in zip(alone, beside, strict=True))


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("replicas", [1, 2, 5])
@pytest.mark.parametrize("case", ["su2 5", "random 6", "uccsd", "diagonal 8"])
def test_no_bit_depends_on_the_number_of_threads(case, replicas, threads, monkeypatch):
    """However small the work, and a single state in two parts."""
    monkeypatch.setattr(exact, "WORTH", 0)
    monkeypatch.setattr(layers, "LARGE", 3)
    program, observable = CASES[case]
    theta = points(program, replicas)
    seen = []
    for count in (1, 2, 3):
        threads(count)
        engine = CompiledExact(program, observable)
        seen.append([engine.energies(theta), *engine.gradients(theta)])
    for other in seen[1:]:
        assert all(torch.equal(a, b) for a, b in zip(seen[0], other, strict=True))
