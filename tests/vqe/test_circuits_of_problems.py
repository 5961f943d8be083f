"""Circuits built on a Hamiltonian: coupled cluster against exponentials, conserved numbers, energies that must be reached."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from qiskit.circuit.library import real_amplitudes
from qiskit.quantum_info import SparsePauliOp
from qiskit.quantum_info import Statevector as QiskitState
from scipy.linalg import expm
from scipy.optimize import minimize

from thalweg_core.errors import BadInput
from thalweg_core.streams import Stream
from thalweg_vqe.ansatze.excitation_preserving import ExcitationPreserving
from thalweg_vqe.ansatze.excitations import KUpCcgsd, Uccsd
from thalweg_vqe.ansatze.hamiltonian_variational import HamiltonianVariational
from thalweg_vqe.ansatze.layers import ENTANGLEMENTS, EfficientSu2, RealAmplitudes
from thalweg_vqe.ansatze.user.open_qasm import OpenQasm
from thalweg_vqe.engines.aer.qiskit_circuits import circuit
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.hamiltonians.electronic import of_numbers
from thalweg_vqe.hamiltonians.excitation import excitation
from thalweg_vqe.hamiltonians.hamiltonian import Register
from thalweg_vqe.hamiltonians.hubbard import FermiHubbard
from thalweg_vqe.hamiltonians.jordan_wigner import lower, raise_
from thalweg_vqe.hamiltonians.molecule import Molecule
from thalweg_vqe.hamiltonians.orbitals import ActiveSpace
from thalweg_vqe.hamiltonians.pauli_sum import PauliSum, PauliTerm
from thalweg_vqe.hamiltonians.spin_chains import HeisenbergXxz, TransverseFieldIsing
from thalweg_vqe.pauli.words import Observable, product
from thalweg_vqe.problem import Vqe
from thalweg_vqe.starts import HartreeFock, ParameterValues, Zeros

CPU, FLOAT64 = torch.device("cpu"), torch.float64
H2 = Molecule("H 0 0 0; H 0 0 0.735")
LIH = Molecule("Li 0 0 0; H 0 0 1.595", active_space=ActiveSpace(2, 3))
RADICAL = Molecule("H 0 0 0; H 0 0 1; H 0 0 2", spin=1)
EXACT = Estimator(shots=0)


def matrix(observable):
    terms = [(word.letters(observable.qubits), c) for word, c in zip(observable.words, observable.coefficients, strict=True)]
    return SparsePauliOp.from_list(terms).to_matrix()


def dense(qubits, combination):
    return sum(c * matrix(Observable.of(qubits, {word: 1.0})) for word, c in combination.items())


def opened(hamiltonian, ansatz):
    return Vqe(hamiltonian, ansatz, EXACT, Zeros()).open(CPU, FLOAT64)


def energy(landscape, theta):
    return landscape.measure(torch.as_tensor(theta, dtype=FLOAT64).reshape(1, -1), Stream.of(0, 1)).value.item()


def lowest(landscape, starts=3, spread=0.1):
    """By gradients, from zeros and from around them."""

    def look(theta):
        seen = landscape.evaluate(torch.tensor(theta[None]), Stream.of(0, 1))
        return seen.value.item(), seen.grad[0].numpy()

    rng = np.random.default_rng(0)
    points = [spread * rng.uniform(-1, 1, landscape.parameters) for _ in range(starts)]
    return min(minimize(look, point, jac=True, method="BFGS", options={"gtol": 1e-7}).fun for point in points)


@pytest.mark.parametrize("reps", [0, 1, 3])
@pytest.mark.parametrize("entanglement", ENTANGLEMENTS)
def test_real_amplitudes_is_qiskits_gate_for_gate(reps, entanglement):
    program = RealAmplitudes(reps, entanglement).program(4)
    angles = np.random.default_rng(0).uniform(-3, 3, program.parameters).tolist()
    assert circuit(program, angles) == real_amplitudes(4, reps=reps, entanglement=entanglement).assign_parameters(angles)


@pytest.mark.parametrize("mapping", ["jordan_wigner", "parity", "bravyi_kitaev"])
@pytest.mark.parametrize(("filled", "emptied"), [((2,), (0,)), ((1, 3), (0, 2)), ((3,), (2,)), ((1, 5), (0, 4))])
def test_an_excitation_is_the_exponential_of_its_matrix(filled, emptied, mapping):
    sites, theta = of_numbers(3, 1, 1, mapping), 0.37
    up = raise_(filled[0])
    for operator in [raise_(q) for q in filled[1:]] + [lower(q) for q in reversed(emptied)]:
        up = product(up, operator)
    t = dense(6, sites.encoding.combination(up))
    wanted = expm(theta * (t - t.conj().T))
    seen = np.eye(64)
    for turn in excitation(sites, filled, emptied, 0):
        seen = expm(-0.5j * turn.scale * theta * matrix(Observable.of(6, {turn.word: 1.0}))) @ seen
    np.testing.assert_allclose(seen, wanted, atol=1e-12)


CIRCUITS = [EfficientSu2(2), RealAmplitudes(2), Uccsd(), KUpCcgsd(2), HamiltonianVariational(2), ExcitationPreserving(2)]
TAPERED = [replace(H2, mapping="parity", tapering="particles"), replace(LIH, mapping="bravyi_kitaev", tapering="all")]


@pytest.mark.parametrize("ansatz", CIRCUITS)
@pytest.mark.parametrize("molecule", [H2, LIH, RADICAL, *TAPERED])
def test_at_the_hartree_fock_angles_the_energy_is_hartree_focks(ansatz, molecule):
    landscape = opened(molecule, ansatz)
    assert energy(landscape, landscape.reference.determinant) == pytest.approx(landscape.reference.hartree_fock_energy, abs=1e-9)


def test_coupled_cluster_has_the_parameters_that_it_should_have():
    counts = {H2: (3, 2), LIH: (8, 6), RADICAL: (8, 6)}  # singles 2, 4, 4; doubles of opposite spins 1, 4, 4; no others fit
    for molecule, (uccsd, pairs) in counts.items():
        register = Register(molecule.system().qubits, molecule)
        assert Uccsd().program(register).parameters == uccsd
        assert KUpCcgsd(3).program(register).parameters == 3 * pairs


@pytest.mark.parametrize("ansatz", [Uccsd(2), KUpCcgsd(), ExcitationPreserving(2)])
@pytest.mark.parametrize("molecule", [RADICAL, replace(LIH, mapping="parity", tapering="particles")])
def test_the_number_of_electrons_is_kept_at_any_angles(ansatz, molecule):
    landscape = opened(molecule, ansatz)
    theta = 2 * Stream.of(1, 3).uniform((landscape.parameters,)) - 1
    count = landscape.expectation(landscape.reference.number, theta)
    np.testing.assert_allclose(count, 3 if molecule is RADICAL else 2, atol=1e-12)
    terms = dict(zip(landscape.reference.number.words, landscape.reference.number.coefficients, strict=True))
    square = Observable.of(landscape.observable.qubits, product(terms, terms))
    np.testing.assert_allclose(landscape.expectation(square, theta), count**2, atol=1e-11)


@pytest.mark.parametrize(
    ("hamiltonian", "ansatz", "within"),
    [
        (H2, Uccsd(), 1e-9),
        (H2, KUpCcgsd(), 1e-9),
        (H2, ExcitationPreserving(2), 1e-7),
        (LIH, Uccsd(), 2e-5),  # two electrons in three orbitals: what is left is the order of the factors
        (Molecule(H2.atoms, tapering="all"), RealAmplitudes(1), 1e-9),
        (TransverseFieldIsing(4, periodic=True), HamiltonianVariational(2), 1e-8),  # a ring of n sites needs n/2 layers
        (HeisenbergXxz(4), HamiltonianVariational(2), 1e-6),
        (FermiHubbard(2), HamiltonianVariational(1), 1e-8),
        (FermiHubbard(2, mapping="parity", tapering="particles"), HamiltonianVariational(1), 1e-8),
        (FermiHubbard(2, 2), HamiltonianVariational(4), 1e-6),  # half-filled levels of equal energy: the start decides
        (FermiHubbard(4, periodic=True), HamiltonianVariational(4), 1e-6),
    ],
)
def test_circuits_reach_the_exact_energies_that_they_can_reach(hamiltonian, ansatz, within):
    landscape = opened(hamiltonian, ansatz)
    found = lowest(landscape, spread=0.3)
    assert landscape.reference.exact_energy - 1e-9 < found < landscape.reference.exact_energy + within


@pytest.mark.parametrize(
    ("hamiltonian", "wanted"),
    [
        (TransverseFieldIsing(5, 1.0, 0.7), -3.5),
        (TransverseFieldIsing(5, 1.0, -0.7), -3.5),
        (HeisenbergXxz(6, 1.0, 0.5), -3 * 2.5),  # three singlets
        (HeisenbergXxz(4, -1.0, 0.5), -2 * 1.5),  # two triplets without magnetization
    ],
)
def test_spin_chains_start_in_the_ground_state_of_a_part(hamiltonian, wanted):
    landscape = opened(hamiltonian, HamiltonianVariational(1))
    assert energy(landscape, [0.0] * landscape.parameters) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("mapping", ["jordan_wigner", "parity", "bravyi_kitaev"])
@pytest.mark.parametrize(
    "model",
    [
        FermiHubbard(4),
        FermiHubbard(3, 2, spin_up=2, spin_down=4),
        FermiHubbard(5, periodic=True, spin_up=5, spin_down=1),
        FermiHubbard(2, 2, spin_up=1, spin_down=0),
    ],
)
def test_the_hubbard_model_starts_in_the_filled_levels_of_its_lattice(model, mapping):
    free = replace(model, repulsion=0.0, mapping=mapping)
    landscape = opened(free, HamiltonianVariational(1))
    theta = [0.0] * landscape.parameters
    assert energy(landscape, theta) == pytest.approx(landscape.reference.exact_energy, abs=1e-9)
    count = landscape.expectation(landscape.reference.number, torch.zeros(1, landscape.parameters, dtype=FLOAT64))
    assert count.item() == pytest.approx(model.alpha + model.beta, abs=1e-12)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_layer_of_the_hamiltonian_variational_circuit_is_the_exponential_of_its_parts(part):
    chain = HeisenbergXxz(3, anisotropy=0.4, field=0.3)
    parts = [matrix(p) for p in chain.parts()]
    program = HamiltonianVariational(1).program(Register(3, chain))
    theta = np.zeros(3)
    theta[part] = 0.7
    angles = program.angles(torch.tensor(theta[None]))[0].tolist()
    still = program.angles(torch.zeros(1, 3, dtype=FLOAT64))[0].tolist()
    wanted = expm(-1j * theta[part] * parts[part]) @ QiskitState(circuit(program, still)).data
    np.testing.assert_allclose(abs(np.vdot(QiskitState(circuit(program, angles)).data, wanted)), 1, atol=1e-12)


@pytest.mark.parametrize(
    ("hamiltonian", "ansatz"),
    [
        (H2, Uccsd()),
        (RADICAL, KUpCcgsd()),
        (TransverseFieldIsing(4), HamiltonianVariational(2)),
        (FermiHubbard(3), HamiltonianVariational(1)),
        (HeisenbergXxz(4), ExcitationPreserving(1)),
    ],
)
def test_gradients_of_tied_and_scaled_parameters_are_those_of_central_differences(hamiltonian, ansatz):
    landscape = opened(hamiltonian, ansatz)
    theta = 2 * Stream.of(2, 1).uniform((landscape.parameters,))[0] - 1
    h = 1e-5
    steps = h * torch.eye(landscape.parameters, dtype=FLOAT64)
    around = landscape.measure(torch.cat([theta + steps, theta - steps]), Stream.of(0, 2 * landscape.parameters)).value
    slopes = (around[: landscape.parameters] - around[landscape.parameters :]) / (2 * h)
    seen = landscape.evaluate(theta[None], Stream.of(0, 1)).grad[0]
    torch.testing.assert_close(seen, slopes, rtol=0, atol=1e-7)  # h² times third derivatives of some hundred


@pytest.mark.parametrize("engine", ["statevector", "aer"])
def test_shots_of_tied_parameters_scatter_around_the_exact_gradient_as_they_say(engine):
    problem = Vqe(H2, Uccsd(), Estimator(shots=200, engine=engine), Zeros())
    landscape, repeats = problem.open(CPU, FLOAT64), 40
    theta = torch.tensor([[0.2, -0.3, 0.4]], dtype=FLOAT64).expand(repeats, -1)
    truth = opened(H2, Uccsd()).evaluate(theta[:1], Stream.of(0, 1)).grad[0]
    seen = landscape.evaluate(theta, Stream.of(5, repeats))
    error = (seen.grad_var.mean(dim=0) / repeats).sqrt()
    assert ((seen.grad.mean(dim=0) - truth).abs() < 4 * error).all()


ISING_2 = PauliSum((PauliTerm("ZZ", -1.0), PauliTerm("XI", -0.5)))
THREE, FOUR = (OpenQasm(f"qubit[{n}] q; input float a; U(a, 0, 0) q[0];") for n in (3, 4))


def traits(hamiltonian, ansatz, start=None):
    return lambda: Vqe(hamiltonian, ansatz, start=start or Zeros()).traits()


@pytest.mark.parametrize(
    ("build", "field", "part"),
    [
        (lambda: Uccsd(0), "reps", "1 to 100 repetitions, got 0"),
        (lambda: KUpCcgsd(101), "k", "got 101"),
        (lambda: HamiltonianVariational(0), "layers", "got 0"),
        (lambda: ExcitationPreserving(0), "reps", "got 0"),
        (lambda: RealAmplitudes(-1), "reps", "wanted 0 to"),
        (traits(ISING_2, Uccsd()), "ansatz.uccsd", "needs a molecule or an fcidump"),
        (traits(FermiHubbard(2), KUpCcgsd()), "ansatz.k_up_ccgsd", "needs a molecule"),
        (traits(Molecule("He 0 0 0"), Uccsd()), "ansatz.uccsd", "finds no excitation"),
        (traits(H2, THREE), "ansatz.open_qasm.text", "the circuit has 3 qubits, the Hamiltonian 4"),
        (traits(H2, FOUR, HartreeFock()), "start.hartree_fock", "no angles of open_qasm are known that prepare"),
        (traits(FermiHubbard(2), HamiltonianVariational(), HartreeFock()), "start.hartree_fock", "the default start.*has no"),
        (traits(FermiHubbard(2), HamiltonianVariational(), HartreeFock(0.0)), "start.hartree_fock", ": a .*has no .*start.zeros"),
        (traits(H2, Uccsd(), ParameterValues((0.0,))), "start.values.angles", "wanted 3 angles"),
        (
            traits(TransverseFieldIsing(50), RealAmplitudes()),
            "hamiltonian.transverse_field_ising.sites",
            "50 qubits .* fewer sites",
        ),
        (traits(FermiHubbard(5, 5), RealAmplitudes()), "hamiltonian.fermi_hubbard", "50 qubits need about .* GiB"),
    ],
)
def test_what_cannot_be_is_refused_with_the_path_of_the_field(build, field, part):
    with pytest.raises(BadInput, match=part) as refused:
        build()
    assert refused.value.field == field


def test_zeros_are_zeros_and_models_have_no_unit():
    problem = Vqe(TransverseFieldIsing(3), HamiltonianVariational(1), EXACT, Zeros())
    landscape = problem.open(CPU, FLOAT64)
    assert problem.start(landscape, Stream.of(0, 5)).count_nonzero() == 0
    assert problem.traits().unit == ""
    assert problem.traits().dimension == landscape.parameters == 2
    seen = problem.observe(landscape, problem.start(landscape, Stream.of(0, 2)))
    assert list(seen) == ["exact_energy", "true_energy", "energy_error"]
