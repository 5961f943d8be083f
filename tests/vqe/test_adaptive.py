"""ADAPT-VQE: the slopes of a pool against matrices, what is taken, how far it comes, and that no replica knows another."""

import json
import math

import numpy as np
import pytest
import torch
from qiskit.quantum_info import SparsePauliOp
from qiskit.quantum_info import Statevector as QiskitState
from scipy.linalg import expm
from scipy.stats import chi2

from thalweg_core.descent.adam.adam import Adam
from thalweg_core.errors import BadInput
from thalweg_core.landscape import MEASURED_METRIC, METRIC, STATES
from thalweg_core.numbers.trees import take_rows
from thalweg_core.streams import Stream
from thalweg_core.walking.checkpoint import flatten
from thalweg_core.walking.growth import GROWTH, begin_growing, walk_growing
from thalweg_vqe.ansatze.adapt import Adapt
from thalweg_vqe.ansatze.excitations import Uccsd
from thalweg_vqe.ansatze.pools import operators
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.hamiltonians.hamiltonian import Register
from thalweg_vqe.hamiltonians.hubbard import FermiHubbard
from thalweg_vqe.hamiltonians.molecule import Molecule
from thalweg_vqe.hamiltonians.spin_chains import HeisenbergXxz, TransverseFieldIsing
from thalweg_vqe.problem import Vqe
from thalweg_vqe.starts import HartreeFock, ParameterValues, Uniform, Zeros

CPU, FLOAT64 = torch.device("cpu"), torch.float64
CERTAIN = 6.3e-5  # outside four standard deviations of a normal, both sides
ISING = TransverseFieldIsing(4, field=0.8)
H2 = Molecule("H 0 0 0; H 0 0 0.735")
H4 = Molecule("H 0 0 0; H 0 0 1; H 0 0 2; H 0 0 3")


def problem_of(hamiltonian=ISING, pool="qubit", shots=0, engine="statevector", **more):
    ansatz = Adapt(pool, **{"operators": 4, "steps_per_operator": 5} | more)
    return Vqe(hamiltonian, ansatz, Estimator(shots=shots, engine=engine), Zeros())


def opened(*arguments, **more):
    return problem_of(*arguments, **more).open(CPU, FLOAT64)


def with_taken(landscape, *lists):
    """The landscape of replicas that have taken these."""
    memory = {name: tensor.clone() for name, tensor in landscape.choices.upto(len(lists))._asdict().items()}
    for row, taken in enumerate(lists):
        memory["taken"][row, : len(taken)] = torch.tensor(taken)
        memory["slopes"][row, : len(taken)] = 0.0
    return landscape.with_memory(memory)


def matrix(observable):
    letters = [word.letters(observable.qubits) for word in observable.words]
    return SparsePauliOp(letters, observable.coefficients).to_matrix()


def generator(operator, qubits):
    """A of exp(θ A)."""
    words = [(word.letters(qubits), -0.5j * scale) for word, scale in operator.turns]
    return SparsePauliOp.from_list(words).to_matrix()


def start_of(landscape):
    """Where the circuits start, as a vector."""
    circuit = landscape.opened(()).program
    from thalweg_vqe.engines.aer.qiskit_circuits import circuit as qiskit

    return QiskitState(qiskit(circuit, [])).data


def by_matrices(landscape, taken, angles):
    """⟨[H, A]⟩ of every operator of the pool, at the end of the circuit exp(θ_d A_d) ⋯ exp(θ_1 A_1)."""
    h, n = matrix(landscape.observable), landscape.observable.qubits
    psi = start_of(landscape)
    for number, angle in zip(taken, angles, strict=True):
        psi = expm(angle * generator(landscape.pool[number], n)) @ psi
    pool = [generator(operator, n) for operator in landscape.pool]
    return np.array([(psi.conj() @ (h @ a - a @ h) @ psi).real for a in pool])


@pytest.mark.parametrize(
    ("hamiltonian", "pool"),
    [
        (ISING, "qubit"),
        (HeisenbergXxz(4), "qubit"),
        (H2, "uccsd"),
        (H2, "generalized"),
        (H2, "qubit"),
        (Molecule("He 0 0 0; H 0 0 0.772", charge=1, mapping="parity", tapering="particles"), "generalized"),
    ],
)
def test_slopes_of_a_pool_are_its_commutators_by_matrices(hamiltonian, pool):
    landscape = opened(hamiltonian, pool)
    most = len(landscape.pool)
    lists = [(), (most - 1,), (0, most - 1)]
    landscape = with_taken(landscape, *lists)
    x = torch.tensor([[0.3, 0.0, 0.0, 0.0], [-0.4, 0.0, 0.0, 0.0], [0.2, 0.7, 0.0, 0.0]], dtype=FLOAT64)
    grown = landscape.grown(x, Stream.of(0, 3))
    for row, taken in enumerate(lists):
        seen = grown.landscape.choices.slopes[row, len(taken)]
        wanted = by_matrices(landscape, taken, x[row, : len(taken)].tolist())
        np.testing.assert_allclose(seen, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("hamiltonian", "pool"), [(ISING, "qubit"), (H2, "generalized"), (H4, "uccsd")])
def test_the_first_operator_taken_has_the_largest_commutator(hamiltonian, pool):
    landscape = opened(hamiltonian, pool)
    steepness = np.abs(by_matrices(landscape, (), ()))
    _, grown = landscape, landscape.grown(torch.zeros(1, 4, dtype=FLOAT64), Stream.of(0, 1))
    chosen = int(grown.landscape.choices.taken[0, 0])
    assert steepness[chosen] == pytest.approx(steepness.max(), abs=1e-12)
    assert grown.slopes[0].tolist() == pytest.approx([by_matrices(landscape, (), ())[chosen], 0.0, 0.0, 0.0])


@pytest.mark.parametrize("engine", ["aer", "statevector"])
def test_measured_slopes_scatter_about_the_exact_ones_as_they_say(engine):
    looks, shots = (60 if engine == "aer" else 600), 40
    exact, noisy = opened(), opened(shots=shots, engine=engine)
    x = torch.tensor([0.5, -0.3, 0.0, 0.0], dtype=FLOAT64).expand(looks, -1)
    taken = [(2, 7)] * looks
    truth = with_taken(exact, *taken[:1]).grown(x[:1], Stream.of(3, 1)).landscape.choices.slopes[0, 2]
    landscape = with_taken(noisy, *taken)
    pool = landscape._slopes(landscape.opened((2, 7)), x, Stream.of(3, looks))
    error = (pool.variance.mean(dim=0) / looks).sqrt()
    assert ((pool.slope.mean(dim=0) - truth).abs() < 4 * error + 1e-12).all()
    some = pool.variance.mean(dim=0) > 0
    assert some.sum() > 8
    low, high = chi2.ppf([CERTAIN / 2, 1 - CERTAIN / 2], looks - 1) / (looks - 1)
    ratio = pool.slope.var(dim=0)[some] / pool.variance.mean(dim=0)[some]
    assert (low < ratio).all() and (ratio < high).all()


def test_a_growth_is_charged_its_circuits_and_shots():
    landscape = opened(shots=70)
    grown = landscape.grown(torch.zeros(2, 4, dtype=FLOAT64), Stream.of(0, 2))
    groups = landscape.commutators.circuits
    assert groups > 1
    assert grown.cost.circuits.tolist() == [groups] * 2 and grown.cost.shots.tolist() == [70 * groups] * 2
    assert [column.tolist() for column in grown.cost] == [column.tolist() for column in landscape.price(torch.zeros(2, 4))]


@pytest.mark.parametrize("shots", [0, 30])
def test_replicas_see_the_circuits_that_they_have_taken(shots):
    landscape = with_taken(opened(shots=shots), (3,), (), (5, 1), (3,))
    x = 0.4 * Stream.of(2, 4).uniform((4,))
    rng = Stream.of(8, 4).at(2)
    together = landscape.evaluate(x, rng)
    for row, taken in enumerate([(3,), (), (5, 1), (3,)]):
        index = torch.tensor([row])
        alone = landscape.opened(taken).evaluate(x[index], rng.take(index))
        assert all(torch.equal(a[index], b) for a, b in zip(flatten(together).values(), flatten(alone).values(), strict=True))
        assert together.grad[row, len(taken) :].count_nonzero() == 0
    some = torch.tensor([2, 0])
    few = landscape.evaluate(x[some], rng.take(some), torch.tensor([30, 40]) if shots else None)
    assert torch.equal(few.value[0], together.value[2])


def test_a_circuit_not_yet_grown_has_a_metric_and_overlaps_of_what_it_has():
    for shots in (0, 30):
        landscape = with_taken(opened(shots=shots), (3, 6), (5,))
        assert landscape.offer(STATES) is landscape.offer(MEASURED_METRIC) is landscape
        assert (landscape.offer(METRIC) is landscape) is (shots == 0)
        x, rng = 0.4 * Stream.of(2, 2).uniform((4,)), Stream.of(8, 2).at(2)
        metric, close = landscape.measure_metric(x, rng, 30), landscape.fidelity(x[:, None], x[:, None] + 0.1, rng, 30)
        assert metric.metric[0, 2:].count_nonzero() == metric.metric[1, 1:].count_nonzero() == 0
        assert (metric.metric[:, 0, 0] > 0).all() and (close.value > 0.5).all()
        index = torch.tensor([1])
        alone = landscape.opened((5,)).measure_metric(x[index], rng.take(index), 30)
        assert torch.equal(metric.metric[index], alone.metric)
        if shots == 0:
            torch.testing.assert_close(landscape.metric(x), landscape.measure_metric(x, rng, 0, "full").metric)


@pytest.mark.parametrize(("hamiltonian", "pool", "number"), [(ISING, "qubit", 1), (H2, "uccsd", 2), (H2, "generalized", 2)])
def test_every_coordinate_has_the_harmonics_of_the_pool(hamiltonian, pool, number):
    """2R + 1 points of a period tell a polynomial of R harmonics; it must be the energy everywhere."""
    landscape = opened(hamiltonian, pool)
    most = len(landscape.pool) - 1
    landscape = with_taken(landscape, (most, 0, most // 2))
    base, harmonics = landscape.harmonics
    assert base.tolist() == [1.0] * 4 and harmonics.tolist() == [number] * 4
    x, count = torch.tensor([0.4, -0.3, 0.9, 0.0], dtype=FLOAT64), 2 * number + 1
    for d in range(3):
        points = torch.cat([2 * math.pi * torch.arange(count) / count, torch.tensor([0.1, 1.7, 4.0])])
        rows = x.repeat(len(points), 1)
        rows[:, d] = points
        energies = torch.cat([landscape.measure(row[None], Stream.of(0, 1)).value for row in rows]).numpy()
        basis = np.array([[f(k * t) for k in range(number + 1) for f in (math.cos, math.sin)] for t in points.tolist()])
        coefficients = np.linalg.lstsq(basis[:count], energies[:count], rcond=None)[0]
        np.testing.assert_allclose(basis[count:] @ coefficients, energies[count:], rtol=0, atol=1e-12)


def test_shots_of_components_are_each_replicas_own():
    landscape = with_taken(opened(shots=30), (3, 6), (5,))
    x, rng = 0.4 * Stream.of(2, 2).uniform((4,)), Stream.of(8, 2).at(2)
    samples = torch.tensor([[5, 10, 7, 8], [20, 2, 2, 2]])
    seen, index = landscape.evaluate_components(x, rng, samples), torch.tensor([1])
    alone = landscape.opened((5,)).evaluate_components(x[index], rng.take(index), samples[index])
    assert torch.equal(seen.grad[index], alone.grad) and seen.value.isnan().all()
    divided = landscape.allocated("measured").measure(x, rng, 400)  # a first part of both groups, then the rest
    assert divided.cost.circuits.tolist() == [4, 4] and divided.cost.shots.tolist() == [800, 800]


def course(problem, rows, steps, method=None):
    landscape, rng, method = problem.open(CPU, FLOAT64), Stream.of(5, rows), method or Adam(learning_rate=0.05)
    begun, position = begin_growing(method, landscape, problem.start(landscape, rng.named("start")), rng)
    *_, (grown, frame) = walk_growing(method, begun, position, rng, range(1, steps + 1))
    return grown, frame.position


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["aer", "statevector"])
def test_a_replica_takes_and_sees_the_same_to_the_bit_whatever_grows_beside_it(engine):
    problem, alone, first = problem_of(shots=20, engine=engine, steps_per_operator=2), None, torch.tensor([0])
    for rows in (1, 4) if engine == "aer" else (1, 4, 32):
        landscape, position = course(problem, rows, 5)
        mine = {**flatten(take_rows(position, first)), "taken": landscape.choices.taken[0], "s": landscape.choices.slopes[0]}
        alone = alone or mine
        assert all(torch.equal(alone[name].nan_to_num(7.0), mine[name].nan_to_num(7.0)) for name in mine)
    if engine == "statevector":
        assert len(landscape.choices.taken.unique(dim=0)) > 1  # noise led some of them elsewhere


PENNYLANE = {  # 0.45.1, H4 1.0 Å: slopes at the determinant, whose angles are half of ours
    "1a 1b -> 2a 2b": 0.1372828,
    "0a 0b -> 2a 2b": 0.1078321,
    "1a 1b -> 3a 3b": 0.1046453,
    "0a 1b -> 2a 3b": 0.0985129,
    "1a 0b -> 3a 2b": 0.0985129,
    "0a 0b -> 3a 3b": 0.0970697,
    "1a 0b -> 2a 3b": 0.0529605,
    "0a 1b -> 3a 2b": 0.0529605,
}


def test_slopes_of_h4_are_those_that_another_program_finds():
    landscape = opened(H4, "uccsd")
    slopes = landscape.grown(torch.zeros(1, 4, dtype=FLOAT64), Stream.of(0, 1)).landscape.choices.slopes[0, 0].abs() / 2
    found = {operator.name: slope for operator, slope in zip(landscape.pool, slopes.tolist(), strict=True)}
    steepest = sorted(found, key=found.__getitem__)[-len(PENNYLANE) :]
    assert {name: found[name] for name in steepest} == pytest.approx(PENNYLANE, abs=2e-7)


def test_h4_comes_within_chemical_accuracy_with_fewer_parameters_than_uccsd():
    problem = problem_of(H4, "uccsd", operators=12, steps_per_operator=15)
    landscape, position = course(problem, 1, 200, Adam(learning_rate=0.1))
    error = problem.observe(landscape, position.state.x)["energy_error"].value
    assert 0 < error < 1.6e-3
    uccsd = Uccsd().program(Register(8, H4)).parameters
    assert landscape.choices.depth[0] < uccsd / 2
    (replica,) = landscape.history(position.state.x)
    assert set(replica["operators"][:8]) == set(PENNYLANE)  # its AdaptiveOptimizer takes the same eight first


def test_h2_needs_the_double_excitation_alone_and_then_grows_no_more():
    problem = problem_of(H2, "uccsd", steps_per_operator=60)
    landscape, position = course(problem, 1, 150, Adam(learning_rate=0.1))
    assert landscape.offer(GROWTH) is landscape and not landscape.growing(torch.tensor([0]))
    assert problem.observe(landscape, position.state.x)["energy_error"].value < 1e-6
    (qasm, adapt) = list(problem.files(landscape, position.state.x, position.state.x))[1:]
    history = json.loads(adapt.content)
    assert history["unit"] == "Ha"
    (replica,) = history["replicas"]
    assert replica["operators"] == ["0a 0b -> 1a 1b"]
    assert replica["angles"] == position.state.x[0, :1].tolist()
    assert [len(looks) for looks in replica["pool_gradients"]] == [3, 3]
    assert max(map(abs, replica["pool_gradients"][1][:2])) < 1e-2 < abs(replica["pool_gradients"][0][2])  # the double is last
    assert qasm.name == "circuit.qasm" and b"rz(" in qasm.content


def test_an_operator_is_not_taken_twice_in_a_row():
    landscape = with_taken(opened(H2, "uccsd"), (2,))
    grown = landscape.grown(torch.zeros(1, 4, dtype=FLOAT64), Stream.of(0, 1))  # its slope is still the largest
    assert grown.landscape.choices.taken[0, 1] != 2


def test_pools_hold_what_they_should():
    m, register = 4, Register(8, H4)
    uccsd, generalized, qubit = (operators(pool, register) for pool in ("uccsd", "generalized", "qubit"))
    pairs = m * (m - 1) // 2
    assert len(uccsd) == Uccsd().program(register).parameters
    assert len(generalized) == 2 * pairs + 2 * pairs * (pairs - 1) // 2 + m**2 * (m**2 - 1) // 2
    assert {o.name for o in uccsd} <= {o.name for o in generalized}
    # on four spin orbitals 8 words with an odd number of Y's, on two 2: all that real orbitals can need
    fours = pairs**2 + 2
    assert len(qubit) == 8 * fours + 2 * 2 * pairs
    assert all(set(o.name) <= set("IXY") and o.name.count("Y") % 2 == 1 for o in qubit)
    assert len({o.name for o in qubit}) == len(qubit)


@pytest.mark.parametrize("start", [HartreeFock(0.1), Uniform(0.1), ParameterValues((0.1,) * 4)])
def test_a_start_away_from_zero_is_refused(start):
    with pytest.raises(BadInput, match=r"takes its operators at angle 0; use start.zeros or start.hartree_fock = 0"):
        Vqe(H2, Adapt("uccsd", 4), start=start).traits()
    Vqe(H2, Adapt("uccsd", 4), start=HartreeFock(0.0)).traits()


@pytest.mark.parametrize(
    ("build", "field", "part"),
    [
        (lambda: Adapt("uccgsd"), "pool", 'wanted "uccsd" or "generalized" or "qubit", got "uccgsd"'),
        (lambda: Adapt(operators=0), "operators", "1 to 1000"),
        (lambda: Adapt(steps_per_operator=0), "steps_per_operator", "at least 1"),
        (lambda: Adapt(gradient=0.0), "gradient", "positive"),
        (lambda: problem_of(ISING, "uccsd").traits(), "ansatz.adapt", "Hartree-Fock orbitals, and needs a molecule"),
        (lambda: problem_of(ISING, "generalized").traits(), "ansatz.adapt.pool", 'there are none here; use "qubit"'),
        (lambda: problem_of(FermiHubbard(2), "uccsd").traits(), "ansatz.adapt", "needs a molecule or an fcidump"),
        (lambda: problem_of(Molecule("He 0 0 0"), "uccsd").traits(), "ansatz.adapt.pool", "holds no operator here"),
    ],
)
def test_what_cannot_grow_is_refused_with_its_field(build, field, part):
    with pytest.raises(BadInput, match=part) as refused:
        build()
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("model", "pool"),
    [(FermiHubbard(2, repulsion=2.0), "generalized"), (HeisenbergXxz(4), "qubit"), (TransverseFieldIsing(4), "qubit")],
)
def test_models_grow_towards_their_ground_state_from_what_they_prepare(model, pool):
    problem = problem_of(model, pool, operators=6, steps_per_operator=15)
    landscape, position = course(problem, 1, 90, Adam(learning_rate=0.1))
    before, after = (problem.observe(landscape, x)["energy_error"].value for x in (0 * position.state.x, position.state.x))
    assert 0 <= after < before / 4
