"""A device by its calibration: Aer's own model of it, closed forms of its channels, readout undone qubit by qubit."""

import json
import math

import numpy as np
import pytest
import torch
from qiskit.quantum_info import average_gate_fidelity
from qiskit_aer.backends.backendproperties import AerBackendProperties
from qiskit_aer.noise import NoiseModel

from thalweg_core.errors import BadInput
from thalweg_core.streams import Stream
from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.engines.aer import sampler as aer_sampler
from thalweg_vqe.engines.aer.backend_properties import TWO_QUBITS, BackendProperties
from thalweg_vqe.engines.aer.noise import Noise
from thalweg_vqe.engines.aer.sampler import AerCounter, AerSampler
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.engines.outcomes import MeasuredCircuit
from thalweg_vqe.engines.statevector import Statevector
from thalweg_vqe.hamiltonians.pauli_sum import PauliSum, PauliTerm
from thalweg_vqe.pauli.program import Cx, Program, ry
from thalweg_vqe.pauli.words import Word
from thalweg_vqe.problem import Vqe
from thalweg_vqe.starts import Uniform

SHOTS = 40_000
LINE = ((0, 1), (1, 0), (1, 2), (2, 1))


def nduv(name, value, unit=""):
    return {"date": "2026-01-01T00:00:00Z", "name": name, "unit": unit, "value": value}


def qubit(t1=120.0, t2=90.0, false_zero=0.0, false_one=0.0):
    return [
        nduv("T1", t1, "us"),
        nduv("T2", t2, "us"),
        nduv("frequency", 4.9, "GHz"),
        nduv("readout_error", (false_zero + false_one) / 2),
        nduv("prob_meas0_prep1", false_zero),
        nduv("prob_meas1_prep0", false_one),
        nduv("readout_length", 5351.1, "ns"),
    ]


def gate(name, on, error=0.0, length=0.0):
    values = [nduv("gate_error", error), nduv("gate_length", length, "ns")]
    return {"qubits": list(on), "gate": name, "parameters": values, "name": name + "_".join(map(str, on))}


def device(qubits, pairs=LINE, two="cx", one=(0.0, 0.0), entangling=(0.0, 0.0)):
    """Properties as IBM's: (error, length in ns) of the gates."""
    singles = [gate(name, [q], *one) for q in range(len(qubits)) for name in ("sx", "x")]
    others = [gate(name, [q], 0.0, 0.0) for q in range(len(qubits)) for name in ("rz", "id")]
    return {
        "backend_name": "toy",
        "backend_version": "1",
        "last_update_date": "2026-01-01T00:00:00Z",
        "qubits": qubits,
        "gates": singles + others + [gate(two, pair, *entangling) for pair in pairs],
        "general": [],
    }


def noise(properties, *qubits):
    return Noise(backend_properties=BackendProperties(json.dumps(properties)), qubits=qubits)


def uneven(two="cx", qubits=3, pairs=LINE):
    """Every number another one."""
    rng = np.random.default_rng(0)
    out = device([qubit(*rng.uniform(50, 200, 2), *rng.uniform(0.01, 0.1, 2)) for _ in range(qubits)], pairs, two)
    for one in out["gates"]:
        if one["gate"] not in ("rz", "id"):
            one["parameters"] = [nduv("gate_error", rng.uniform(1e-3, 1e-2)), nduv("gate_length", rng.uniform(20, 300), "ns")]
    return out


@pytest.mark.parametrize("two", TWO_QUBITS)
def test_the_model_is_the_one_that_aer_makes_of_the_same_properties(two):
    properties = uneven(two)
    theirs = NoiseModel.from_backend_properties(AerBackendProperties.from_dict(properties))
    theirs._basis_gates = {name for name in theirs.basis_gates if name != "id"}  # we never idle
    assert aer_sampler._model(noise(properties), 3) == theirs
    for change in (lambda p: p["gates"][0]["parameters"][0], lambda p: p["qubits"][2][0], lambda p: p["qubits"][1][4]):
        other = json.loads(json.dumps(properties))
        change(other)["value"] *= 1.01
        assert aer_sampler._model(noise(other), 3) != theirs


@pytest.mark.parametrize(("name", "on"), [("sx", (1,)), ("cx", (2, 1))])
def test_a_gates_average_error_is_the_calibrated_one_relaxation_included(name, on):
    properties = uneven()
    error = aer_sampler._model(noise(properties), 3)._local_quantum_errors[name][on]
    (wanted,) = (g["parameters"][0]["value"] for g in properties["gates"] if (g["gate"], tuple(g["qubits"])) == (name, on))
    assert 1 - average_gate_fidelity(error) == pytest.approx(wanted, rel=1e-9)


def seen(program, observable, theta, given, mitigated=False, grouping="qubit_wise"):
    sampler = AerSampler.of(program, observable, "cpu", given, mitigated, grouping)
    angles = torch.tensor(theta, dtype=torch.float64)[None, None]
    shots = torch.full((1, 1, sampler.groups), SHOTS)
    looks = sampler.points(angles, shots, Stream.of(5, 1))
    return looks.mean.sum().item() + observable.constant, math.sqrt(looks.variance.sum().item()), sampler


def test_excitations_decay_on_the_qubit_that_was_chosen():
    """RY(π) is SX, RZ, SX: one gate time of relaxation from the equator, one from the decayed pole."""
    good, bad = qubit(1e9, 1e9), qubit(0.2, 0.15)
    properties = device([good, good, bad], one=(0.0, 50.0))
    program, z = Program(1, 1, (ry(0, 0),)), PauliSum((PauliTerm("Z", 1.0),)).observable()
    mean, error, _ = seen(program, z, [math.pi], noise(properties, 2))
    kept, coherent = math.exp(-50 / 200), math.exp(-50 / 150)
    assert abs(mean - (1 - 2 * kept * (1 + coherent) / 2)) < 4 * error
    ideal, _, _ = seen(program, z, [math.pi], noise(properties, 1))
    assert ideal == pytest.approx(-1, abs=1e-3)


READ = [qubit(false_zero=0.02 + 0.05 * q, false_one=0.01 + 0.03 * q) for q in range(4)]
WORDS = PauliSum((PauliTerm("ZZIZ", 1.0), PauliTerm("IIZI", 0.5), PauliTerm("XIIX", -0.7), PauliTerm("IYYI", 0.4))).observable()
FAR = Program(4, 4, (*(ry(q, q) for q in range(4)), Cx(0, 3), Cx(1, 3), Cx(0, 2), Cx(3, 0)))  # needs routing on a line
THETA = [0.4, 1.3, -0.8, 2.2]
BOTH_WAYS = [(a, b) for a in range(4) for b in range(4) if abs(a - b) == 1]


@pytest.mark.parametrize("two", TWO_QUBITS)
@pytest.mark.parametrize("grouping", ["qubit_wise", "commuting"])
def test_routed_circuits_measure_the_true_energy_once_each_qubits_flips_are_undone(two, grouping):
    given = noise(device(READ, ((0, 1), (2, 1), (3, 2)), two), 3, 1, 0, 2)  # one way only: the transpiler turns gates round
    exact = Statevector(FAR, WORDS).energies(torch.tensor([THETA], dtype=torch.float64)).item()
    mean, error, sampler = seen(FAR, WORDS, THETA, given, True, grouping)
    assert abs(mean - exact) < 4 * error
    assert any(aer_sampler._read_on(circuit) != [0, 1, 2, 3] for circuit in sampler.circuits)  # routing moved them
    plain, error, _ = seen(FAR, WORDS, THETA, given, False, grouping)
    assert abs(plain - exact) > 10 * error  # the case can tell


def test_only_working_couplings_are_used():
    properties = device(READ, BOTH_WAYS)
    properties["gates"] += [gate("cx", (0, 3), error=1.0), gate("cx", (0, 2)) | {"parameters": [nduv("operational", 0)]}]
    sampler = AerSampler.of(FAR, WORDS, "cpu", noise(properties))
    used = {tuple(c.find_bit(q).index for q in i.qubits) for c in sampler.circuits for i in c.data if len(i.qubits) == 2}
    assert used and used <= set(BOTH_WAYS)


def test_single_outcomes_are_undone_too_where_a_circuit_was_routed():
    given = noise(device(READ, BOTH_WAYS), 3, 1, 0, 2)
    words = (Word(0, 0b1001), Word(0, 0b0110))
    shown = MeasuredCircuit.of(FAR, words)
    counter = AerCounter.of([shown], "cpu", given, True)
    ((counts,),) = counter.counts(torch.tensor([THETA], dtype=torch.float64), torch.tensor([SHOTS]), Stream.of(1, 1))
    said = shown.readings(counts.outcomes, counter.readings[0])
    means = (said * counts.times).sum(axis=1) / SHOTS
    errors = np.sqrt(((said - means[:, None]) ** 2 * counts.times).sum(axis=1)) / SHOTS
    for word, mean, error in zip(words, means, errors, strict=True):
        observable = PauliSum((PauliTerm(word.letters(4), 1.0),)).observable()
        exact = Statevector(FAR, observable).energies(torch.tensor([THETA], dtype=torch.float64)).item()
        assert abs(mean - exact) < 4 * error


def test_a_noisy_problem_is_checked_and_runs():
    words = PauliSum((PauliTerm("ZZ", 1.0), PauliTerm("XX", 0.5)))
    given = noise(uneven("ecr"), 2, 1)
    problem = Vqe(words, EfficientSu2(1), Estimator(400, "aer", noise=given, readout_mitigation=True), Uniform(1.0))
    problem.traits()
    landscape = problem.open(torch.device("cpu"), torch.float64)
    x = problem.start(landscape, Stream.of(1, 2))
    one, many = (landscape.evaluate(x[:rows], Stream.of(3, rows)) for rows in (1, 2))
    assert torch.equal(one.grad[0], many.grad[0])  # replica 0 knows of nobody
    assert (many.value_var > 0).all()


def test_without_numbers_a_device_is_ideal():
    """Qubits without T1, T2 and readout errors, gates without errors and lengths."""
    properties = {
        "qubits": [[], []],
        "gates": [{"gate": "sx", "qubits": [q]} for q in (0, 1)] + [{"gate": "cz", "qubits": [0, 1]}],
    }
    assert aer_sampler._model(noise(properties), 2).is_ideal()


def test_t2_is_cut_at_twice_t1_and_one_readout_error_stands_for_both():
    properties = uneven()
    properties["qubits"][0] = [nduv("T1", 20, "us"), nduv("T2", 0.09, "ms"), nduv("readout_error", 0.07)]
    theirs = NoiseModel.from_backend_properties(AerBackendProperties.from_dict(properties))
    theirs._basis_gates = {name for name in theirs.basis_gates if name != "id"}
    assert aer_sampler._model(noise(properties), 3) == theirs


def spoilt(change):
    properties = device([qubit(), qubit(), qubit()])
    change(properties)
    return json.dumps(properties)


def told(what, value):
    """The properties with one number of qubit 1, or of the first gate, replaced."""

    def change(properties):
        for one in (*properties["qubits"][1], *properties["gates"][0]["parameters"]):
            if one["name"] == what:
                one.update(value)

    return spoilt(change)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "is not JSON: expecting value"),
        ("{", "is not JSON: expecting property name"),
        ("\N{PILE OF POO}", "is not JSON"),
        ("[" * 100_000, "its objects and lists are nested too deeply"),
        ("1" * 5000, "is not JSON: an integer has 5000 digits, wanted at most 4000"),
        ("x" * (2**21 + 1), "at most 2097152 characters"),
        ("[]", "wanted the JSON of a backend's properties"),
        ('{"qubits": 3, "gates": []}', "wanted the JSON of a backend's properties"),
        ('{"qubits": [3], "gates": []}', r'qubits\[0\]: wanted a list of {"name", "value", "unit"}'),
        ('{"qubits": [[]], "gates": ["cx"]}', r'gates\[0\]: wanted {"gate": name'),
        (
            '{"qubits": [[]], "gates": [{"gate": "sx", "qubits": [1]}]}',
            r"gates\[0\]: wanted different qubits from 0 to 0, got .1.",
        ),
        ('{"qubits": [[]], "gates": [{"gate": "cx", "qubits": [0, 0]}]}', r"gates\[0\]: wanted different qubits"),
        ('{"qubits": [[]], "gates": [{"gate": "cx", "qubits": [true]}]}', r"gates\[0\]: wanted different qubits"),
        (told("T1", {"unit": "fortnight"}), r'qubits\[1\]: wanted T1 in s, ms, us or ns, got the unit "fortnight"'),
        (told("T1", {"unit": None}), "got the unit null"),
        (told("T1", {"unit": ["us"]}), r'got the unit \["us"\]'),
        (told("gate_length", {"unit": "dt"}), r'gates\[0\]: wanted gate_length in s, ms, us or ns, got the unit "dt"'),
        (told("T1", {"value": -3}), r"qubits\[1\]: wanted T1 above 0, got -3 us"),
        (told("T2", {"value": 0}), r"qubits\[1\]: wanted T2 above 0"),
        (told("T2", {"value": float("nan")}), "is not JSON: a number cannot be NaN"),
        (told("T2", {"value": "long"}), r"qubits\[1\]: wanted a number for T2, got \"long\""),
        (told("T2", {"value": 10**400}), r"qubits\[1\]: wanted a number for T2, got 1000"),
        (told("prob_meas0_prep1", {"value": 1.5}), r"qubits\[1\]: wanted a probability for prob_meas0_prep1, 0 to 1, got 1.5"),
        (told("gate_error", {"value": -0.1}), r"gates\[0\]: wanted a probability for gate_error"),
    ],
)
def test_what_is_no_calibration_is_refused_with_its_place(text, part):
    with pytest.raises(BadInput, match=part) as refused:
        BackendProperties(text)
    assert refused.value.field == "text"
    assert "\n" not in refused.value.sentence
    assert len(refused.value.sentence) < 200


GOOD = BackendProperties(json.dumps(uneven()))
APART = BackendProperties(spoilt(lambda p: p["gates"].__delitem__(slice(-4, None))))
DEAF = BackendProperties(told("prob_meas0_prep1", {"value": 1.0}))
BROKEN = BackendProperties(spoilt(lambda p: p["gates"][2]["parameters"][0].update(value=1.0)))


@pytest.mark.parametrize(
    ("build", "field", "part"),
    [
        (lambda: Noise(one_qubit_error=0.1, backend_properties=GOOD), "one_qubit_error", "backend_properties says it already"),
        (lambda: Noise(t1=1e-4, backend_properties=GOOD), "t1", "wanted only one of them"),
        (lambda: Noise(qubits=(0, 1)), "qubits", "and none are given"),
        (lambda: Noise(backend_properties=GOOD).calibration(4), "backend_properties.text", "has 3 qubits, the Hamiltonian 4"),
        (lambda: Noise(backend_properties=GOOD, qubits=(0, 1)).calibration(3), "qubits", "wanted 3 physical qubits.* got 2"),
        (lambda: Noise(backend_properties=GOOD, qubits=(0, 3)).calibration(2), "qubits[1]", "0 to 2, got 3"),
        (lambda: Noise(backend_properties=GOOD, qubits=(1, 1)).calibration(2), "qubits[1]", "got 1 again"),
        (
            lambda: Noise(backend_properties=GOOD, qubits=(2, 0)).calibration(2),
            "backend_properties.text",
            "no working cx, ecr or cz joins the qubits 2 and 0; choose neighbours",
        ),
        (lambda: Noise(backend_properties=APART).calibration(3), "backend_properties.text", "joins the qubits 0 and 1, 2"),
        (lambda: Noise(backend_properties=DEAF).calibration(2), "backend_properties.text", "qubit 1 is read wrongly"),
        (
            lambda: Noise(backend_properties=BROKEN).calibration(2),
            "backend_properties.text",
            "qubit 1 has no working sx or u3, only x",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_field(build, field, part):
    with pytest.raises(BadInput, match=part) as refused:
        build()
    assert refused.value.field == field


def test_a_device_that_is_too_small_is_refused_with_the_path_of_the_field():
    words = PauliSum((PauliTerm("ZZZZ", 1.0),))
    problem = Vqe(words, EfficientSu2(1), Estimator(400, "aer", noise=Noise(backend_properties=GOOD)), Uniform(1.0))
    with pytest.raises(BadInput, match="has 3 qubits, the Hamiltonian 4") as refused:
        problem.traits()
    assert refused.value.field == "estimator.noise.backend_properties.text"
