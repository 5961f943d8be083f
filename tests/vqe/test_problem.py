"""The problem that a job names: what it tells before it is opened, refuses, starts from, and measures at the end."""

import io
import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit, qasm3, qpy
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp
from qiskit.quantum_info import Statevector as QiskitState

from thalweg_core.errors import BadInput, Mismatch, Unavailable
from thalweg_core.landscape import COMPONENTS, EXACT_VALUE, FLAT, GRADIENT, HARMONICS, LIPSCHITZ, METRIC, STATES, VALUE
from thalweg_core.problem import require
from thalweg_core.sampling.mala import Mala
from thalweg_core.streams import Stream
from thalweg_vqe.ansatze.adapt import Adapt
from thalweg_vqe.ansatze.excitations import Uccsd
from thalweg_vqe.ansatze.hamiltonian_variational import HamiltonianVariational
from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.ansatze.user.open_qasm import OpenQasm
from thalweg_vqe.ansatze.user.qpy import Qpy
from thalweg_vqe.compatibility import snake
from thalweg_vqe.engines.aer import sampler as aer_sampler
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.hamiltonians.fcidump import Fcidump
from thalweg_vqe.hamiltonians.hubbard import FermiHubbard
from thalweg_vqe.hamiltonians.molecule import Molecule
from thalweg_vqe.hamiltonians.pauli_sum import PauliSum, PauliTerm
from thalweg_vqe.hamiltonians.spin_chains import HeisenbergXxz, TransverseFieldIsing
from thalweg_vqe.problem import FINAL_SHOTS, Vqe
from thalweg_vqe.starts import HartreeFock, ParameterValues, Uniform

CPU, FLOAT64 = torch.device("cpu"), torch.float64
H2 = Molecule("H 0 0 0; H 0 0 0.735")
ISING = PauliSum((PauliTerm("ZZ", -1.0), PauliTerm("XI", -0.5), PauliTerm("IX", -0.5)))


@pytest.fixture(scope="module")
def problem():
    return Vqe(H2, EfficientSu2(), Estimator(shots=100))


@pytest.fixture(scope="module")
def landscape(problem):
    return problem.open(CPU, FLOAT64)


def test_noise_decides_what_the_landscape_knows():
    noisy, exact = (Vqe(H2, EfficientSu2(), Estimator(shots=shots)).traits() for shots in (1000, 0))
    everywhere = {VALUE, GRADIENT, FLAT, METRIC, STATES, HARMONICS, LIPSCHITZ}
    assert noisy.knows == everywhere | {COMPONENTS}
    assert exact.knows == everywhere | {EXACT_VALUE}
    assert noisy.knows | noisy.lacks.keys() == exact.knows | exact.lacks.keys()
    assert noisy.dimension == exact.dimension == 32
    assert noisy.unit == "Ha"


def test_a_parameter_that_turns_by_frequencies_without_a_divisor_has_no_harmonics():
    ising, molecule = TransverseFieldIsing(4), H2  # all words of a part have one coefficient, or each its own
    for hamiltonian, knows in ((ising, True), (molecule, False)):
        traits = Vqe(hamiltonian, HamiltonianVariational(2), start=Uniform()).traits()
        assert (HARMONICS in traits.knows) is knows
    assert "without a common divisor; take another ansatz" in traits.lacks[HARMONICS]


def test_a_method_that_compares_energies_exactly_is_refused_on_shots_in_a_sentence_that_helps():
    traits = Vqe(H2, EfficientSu2(), Estimator(shots=1000)).traits()
    with pytest.raises(
        Mismatch, match=r"estimator.shots = 1000 is noisy; set problem.vqe.estimator.shots = 0; or use method.adam"
    ):
        require("mala", Mala(), "vqe", traits, ["adam"])
    require("mala", Mala(), "vqe", Vqe(H2, EfficientSu2(), Estimator(shots=0)).traits(), ["adam"])


def chain(sites):
    return PauliSum(tuple(PauliTerm("I" * q + "ZZ" + "I" * (sites - 2 - q), -1.0) for q in range(sites - 1)))


@pytest.mark.parametrize(
    ("build", "field", "part"),
    [
        (lambda: Vqe(Molecule("Qq 0 0 0"), EfficientSu2()).traits(), "hamiltonian.molecule.atoms", '"Qq"'),
        (
            lambda: Vqe(Molecule("H 0 0 0", basis="sto-3q", spin=1), EfficientSu2()).traits(),
            "hamiltonian.molecule.basis",
            "did you mean",
        ),
        (lambda: Vqe(Molecule("H 0 0 0"), EfficientSu2()).traits(), "hamiltonian.molecule.spin", "odd number"),
        (lambda: Vqe(ISING, EfficientSu2()).traits(), "start.hartree_fock", "no Hartree-Fock determinant; use start.uniform"),
        (
            lambda: Vqe(H2, EfficientSu2(), start=ParameterValues((0.1, 0.2))).traits(),
            "start.values.angles",
            "wanted 32 angles.* got 2",
        ),
        (
            lambda: Vqe(chain(40), EfficientSu2(), start=Uniform()).traits(),
            "hamiltonian.pauli_sum",
            "40 qubits need about .* GiB",
        ),
        (
            lambda: Vqe(Molecule(";".join(f"C 0 0 {z}" for z in range(6)), basis="cc-pvdz"), EfficientSu2()).traits(),
            "hamiltonian.molecule",
            "too many qubits: wanted at most 60, got 168; use a smaller basis",
        ),
        (lambda: Estimator(shots=1), "shots", "2 to"),
        (lambda: Estimator(shots=-5), "shots", "got -5"),
        (lambda: Estimator(engine="qulacs"), "engine", 'wanted "statevector" or "aer", got "qulacs"'),
        (lambda: Estimator(device="tpu"), "device", 'wanted "cpu" or "gpu", got "tpu"'),
        (lambda: HartreeFock(-0.1), "spread", "wanted 0 to 1e.06 .rad."),
        (lambda: Uniform(float("nan")), "spread", "wanted 0 to 1e.06 .rad."),
        (lambda: ParameterValues((0.0, math.inf)), "angles[1]", "wanted a number from -1e.06 to 1e.06"),
    ],
)
def test_what_cannot_be_is_refused_with_the_path_of_the_field(build, field, part):
    with pytest.raises(BadInput, match=part) as refused:
        build()
    assert refused.value.field == field
    assert not isinstance(refused.value, Unavailable)


NO_INTEGRALS = "&FCI NORB=2,NELEC=2,MS2=0 &END\n1.5e-12 1 1 0 0\n0.7 0 0 0 0\n"  # more than rounding, but half of it is not
QASM = OpenQasm('include "stdgates.inc"; input float a; qubit[2] q; ry(a) q[0];')


def two(*coefficients):
    return PauliSum(tuple(PauliTerm("ZZ", c) for c in coefficients))


def as_qpy():
    circuit, file = QuantumCircuit(2), io.BytesIO()
    circuit.ry(Parameter("a"), 0)
    qpy.dump(circuit, file)
    return Qpy(file.getvalue())


@pytest.mark.parametrize("shots", [0, 100])
@pytest.mark.parametrize(
    ("hamiltonian", "ansatz", "energy"),
    [
        (two(1.0, -1.0), EfficientSu2(1), "0 Ha"),
        (two(1e-13), EfficientSu2(1), "0 Ha"),
        (two(1e-13), HamiltonianVariational(1), "0 Ha"),
        (PauliSum((PauliTerm("II", 1.0), PauliTerm("ZZ", 1e-14))), QASM, "1 Ha"),
        (two(1e-13), as_qpy(), "0 Ha"),
        (two(1e-13), Adapt("qubit"), "0 Ha"),
        (TransverseFieldIsing(2, 0.0, 0.0), QASM, "0"),
        (HeisenbergXxz(2, 0.0), QASM, "0"),
        (FermiHubbard(2, hopping=0.0, repulsion=0.0), EfficientSu2(1), "0"),
    ],
)
def test_an_operator_that_every_state_has_the_same_energy_of_is_refused(hamiltonian, ansatz, energy, shots):
    problem = Vqe(hamiltonian, ansatz, Estimator(shots), Uniform())
    for look in (problem.quick_traits, problem.traits, problem.dry_run, lambda: problem.open(CPU, FLOAT64)):
        with pytest.raises(
            BadInput, match=f"every state has the energy {energy}, and there is nothing to minimize; wanted"
        ) as bad:
            look()
        assert bad.value.field == f"hamiltonian.{snake(hamiltonian)}"


@pytest.mark.parametrize("ansatz", [EfficientSu2(1), HamiltonianVariational(1), Uccsd()])
def test_where_only_integrals_tell_that_nothing_varies_the_open_landscape_is_refused(ansatz):
    problem = Vqe(Fcidump(NO_INTEGRALS), ansatz)
    problem.quick_traits()
    with pytest.raises(BadInput, match=r"every state has the energy 0.7 Ha, and there is nothing to minimize; wanted") as refused:
        problem.open(CPU, FLOAT64)
    assert refused.value.field == "hamiltonian.fcidump"


@pytest.mark.parametrize("tapering", ["particles", "all"])
def test_a_molecule_whose_symmetries_leave_nothing_is_refused(tapering):
    with pytest.raises(BadInput, match='nothing is left to vary; use tapering = "none"') as refused:
        Vqe(Molecule("He 0 0 0", tapering=tapering), EfficientSu2(1)).quick_traits()
    assert refused.value.field == "hamiltonian.molecule.tapering"


def test_a_gpu_that_aer_does_not_see_is_refused_with_the_package_that_would_bring_it(monkeypatch):
    problem = Vqe(H2, EfficientSu2(), Estimator(engine="aer", device="gpu"))
    monkeypatch.setattr(aer_sampler, "devices", lambda: ("CPU",))
    with pytest.raises(
        Unavailable, match=f"qiskit-aer-gpu=={aer_sampler.version} in place of qiskit-aer {aer_sampler.version}"
    ) as refused:
        problem.traits()
    assert refused.value.field == "estimator.device"
    monkeypatch.setattr(aer_sampler, "devices", lambda: ("CPU", "GPU"))
    problem.traits()


def test_a_gpu_that_torch_does_not_see_is_refused(monkeypatch):
    problem = Vqe(H2, EfficientSu2(), Estimator(device="gpu"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(Unavailable, match=r'sees no GPU here; .* or use device = "cpu"') as refused:
        problem.traits()
    assert refused.value.field == "estimator.device"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    problem.traits()


def test_aer_says_which_devices_it_has():
    assert "CPU" in aer_sampler.devices()


def test_the_hartree_fock_start_lies_around_the_determinant(problem, landscape):
    x = problem.start(landscape, Stream.of(7, 6).named("start"))
    centre = torch.tensor(landscape.reference.determinant, dtype=FLOAT64)
    assert x.shape == (6, 32)
    assert (x - centre).abs().max() <= 0.1
    assert len(x.unique()) == x.numel()
    exactly = HartreeFock(0.0)(landscape, Stream.of(7, 1))
    energy = problem.observe(landscape, exactly)
    assert energy["true_energy"].value.item() == pytest.approx(energy["hartree_fock_energy"].value.item(), abs=1e-9)
    assert energy["electrons"].value.item() == pytest.approx(2, abs=1e-9)


def test_a_replica_starts_at_the_same_place_whoever_starts_beside_it(problem, landscape):
    one, many = (problem.start(landscape, Stream.of(7, replicas).named("start")) for replicas in (1, 32))
    assert torch.equal(one, many[:1])


def test_uniform_and_given_angles_are_what_they_say(landscape):
    x = Uniform(0.5)(landscape, Stream.of(0, 100))
    assert x.abs().max() <= 0.5
    assert abs(x.mean()) < 4 * 0.5 / math.sqrt(3 * x.numel())
    given = tuple(float(k) for k in range(32))
    assert torch.equal(ParameterValues(given)(landscape, Stream.of(0, 3)), torch.tensor([given] * 3, dtype=FLOAT64))


def test_a_pauli_sum_has_no_determinant_to_start_from():
    landscape = Vqe(ISING, EfficientSu2(1), start=Uniform()).open(CPU, FLOAT64)
    with pytest.raises(BadInput, match="no Hartree-Fock determinant"):
        HartreeFock()(landscape, Stream.of(0, 1))


def test_the_final_energy_has_shots_of_its_own(problem, landscape):
    x, rng = problem.start(landscape, Stream.of(7, 2)), Stream.of(7, 2)
    final = problem.final(landscape, x, rng)
    assert final.cost.shots.tolist() == [FINAL_SHOTS * 100 * 5] * 2
    seen = landscape.measure(x, rng, FINAL_SHOTS * 100)
    assert not torch.equal(final.value, seen.value)
    assert (final.value_var > 0).all()


def test_the_final_energy_is_exact_where_the_landscape_is():
    problem = Vqe(ISING, EfficientSu2(1), Estimator(shots=0), Uniform())
    landscape = problem.open(CPU, FLOAT64)
    x = problem.start(landscape, Stream.of(0, 2))
    final = problem.final(landscape, x, Stream.of(0, 2))
    assert torch.equal(final.value, problem.observe(landscape, x)["true_energy"].value)
    assert final.value_var.count_nonzero() == final.cost.shots.count_nonzero() == 0


def test_observables_are_the_reference_energies_and_the_noiseless_one(problem, landscape):
    x = problem.start(landscape, Stream.of(7, 3))
    seen = problem.observe(landscape, x)
    assert list(seen) == ["exact_energy", "true_energy", "energy_error", "hartree_fock_energy", "electrons"]
    assert all(o.value.shape == (3,) and o.variance.count_nonzero() == 0 for o in seen.values())
    assert {name: o.unit for name, o in seen.items()} == {name: "" if name == "electrons" else "Ha" for name in seen}
    assert seen["exact_energy"].value[0].item() == pytest.approx(-1.137306036, abs=1e-8)
    torch.testing.assert_close(seen["energy_error"].value, seen["true_energy"].value - seen["exact_energy"].value)
    ising = Vqe(ISING, EfficientSu2(1), start=Uniform())
    opened = ising.open(CPU, FLOAT64)
    assert list(ising.observe(opened, ising.start(opened, Stream.of(0, 1)))) == ["exact_energy", "true_energy", "energy_error"]
    exact = np.linalg.eigvalsh(SparsePauliOp.from_list([(t.word, t.coefficient) for t in ISING.terms]).to_matrix())[0]
    assert opened.reference.exact_energy == pytest.approx(exact, abs=1e-12)


@pytest.mark.filterwarnings("ignore::qiskit.exceptions.ExperimentalWarning")
def test_the_files_rebuild_the_energy_in_qiskit(problem, landscape):
    start = problem.start(landscape, Stream.of(7, 2))
    files = {file.name: file for file in problem.files(landscape, start, start)}
    terms = json.loads(files["hamiltonian.json"].content)["terms"]
    operator = SparsePauliOp.from_list([(term["word"], term["coefficient"]) for term in terms])
    circuit = qasm3.loads_experimental(files["circuit.qasm"].content.decode())
    energy = QiskitState(circuit).expectation_value(operator).real
    assert energy == pytest.approx(problem.observe(landscape, start)["true_energy"].value[0].item(), abs=1e-9)
    ground = np.linalg.eigvalsh(operator.to_matrix())
    assert np.isclose(ground, landscape.reference.exact_energy, atol=1e-9).any()


@pytest.mark.slow
def test_checking_a_spec_does_not_load_qiskit():
    code = (
        "import sys; from thalweg_vqe.problem import *; Vqe(Molecule('H 0 0 0; H 0 0 0.7'), EfficientSu2()).traits();"
        "sys.exit(any(name.startswith('qiskit') for name in sys.modules))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
