"""From names on the wire to classes: every field arrives, every complaint has the path that the user wrote."""

from __future__ import annotations

import dataclasses
import io
import re
from typing import Any

import pytest
from google.protobuf import descriptor_pb2
from qiskit import qpy
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import efficient_su2

from thalweg import specs
from thalweg.server.api.admission import admit
from thalweg.server.spec import catalog
from thalweg.server.spec.decode import choose, class_of, decode, is_choice, members_of
from thalweg.server.spec.describe import describe, descriptor_of, meanings_of, toml, type_words
from thalweg.server.spec.parsed_job import read
from thalweg.server.spec.plan import Plan
from thalweg.v1 import jobs_pb2, methods_pb2, problems_pb2
from thalweg_core.errors import BadInput, Unavailable

GAUSSIAN = {"density": {"gaussian": {"scales": [1.0, 2.0]}}}
FILM = {
    "grid": {"cells": [8, 8, 1], "cell_size": [1e-9, 1e-9, 1e-9]},
    "material": {"saturation_magnetization": 5e5, "exchange_stiffness": 1e-11},
}


def spec(problem: Any = None, method: Any = None, **plan: Any) -> jobs_pb2.JobSpec:
    given = {"problem": problem or GAUSSIAN, "method": method or {"gradient_descent": {"learning_rate": 0.1}}, "plan": plan}
    return specs.load(given)


def complaint(*arguments: Any, **plan: Any) -> BadInput:
    with pytest.raises(BadInput) as caught:
        admit(spec(*arguments, **plan))
    return caught.value


ROOTS = [
    *((f"problem.{name}", problems_pb2.Problem.DESCRIPTOR, name, entry) for name, entry in catalog.PROBLEMS.items()),
    *((f"method.{name}", methods_pb2.Method.DESCRIPTOR, name, entry) for name, entry in catalog.METHODS.items()),
]


def test_the_catalogue_and_the_wire_name_the_same_problems_and_methods() -> None:
    assert list(members_of(problems_pb2.Problem.DESCRIPTOR)) == list(catalog.PROBLEMS)
    assert list(members_of(methods_pb2.Method.DESCRIPTOR)) == list(catalog.METHODS)


@pytest.mark.parametrize(("root", "name", "entry"), [root[1:] for root in ROOTS], ids=[root[0] for root in ROOTS])
def test_every_field_on_the_wire_is_a_field_of_the_class_and_is_explained(root: Any, name: str, entry: catalog.Entry) -> None:
    kind, descriptor = catalog.load(entry.where), descriptor_of(root, name)
    assert kind.__name__ == descriptor.name
    assert {field.name for field in dataclasses.fields(kind)} == {field.name for field in descriptor.fields}
    assert set(meanings_of(kind)) == {field.name for field in descriptor.fields}


def test_the_plan_has_the_fields_of_its_message_all_explained() -> None:
    names = {field.name for field in methods_pb2.Plan.DESCRIPTOR.fields}
    assert {field.name for field in dataclasses.fields(Plan)} == names
    assert set(meanings_of(Plan)) == names


def test_descriptions_tell_units_defaults_and_what_fits() -> None:
    known = describe()
    problems = {d.name: d for d in known.problems}
    methods = {d.name: d for d in known.methods}
    assert set(problems) == set(catalog.PROBLEMS)
    assert set(methods) == set(catalog.METHODS)
    assert set(methods["llg"].fits) == {"magnet"}
    assert set(methods["mala"].fits) == {"vqe", *(name for name in problems if name.startswith("density."))}
    assert set(methods["natural_gradient"].fits) == {"vqe", "density.logistic_regression"}
    assert set(problems["magnet"].fits) == set(methods) - {
        "mala",
        "natural_gradient",
        "textbook_natural_gradient",
        "qn_spsa",
        "smo",
        "icans",
        "gcans",
        "rosalin",
    }
    assert "λ = ε t + min(ν t Σ v / |m|², η sqrt(Σ w / P) / δ)" in methods["natural_gradient"].text  # fields speak of ε, ν, δ
    assert not any("Args:" in one.text or "Raises:" in one.text for one in (*methods.values(), *problems.values()))
    fields = {field.name: field for field in problems["vqe"].fields}
    shots = fields["estimator.shots"].default_value  # the only number of shots that nobody has to give
    assert any(f"with estimator.shots = {shots} is noisy" in capability for capability in problems["vqe"].capabilities)
    assert fields["hamiltonian.molecule.basis"].default_value == '"sto-3g"'
    assert fields["hamiltonian.molecule.atoms"].required
    assert fields["start.hartree_fock"].type == "number"
    assert fields["hamiltonian.pauli_sum.terms[].coefficient"].required  # what a list is of is explained below it
    assert "Ha" in fields["deflation[].weight"].description
    assert {field.name: field.type for field in problems["magnet"].fields}["grid.periodic"] == "list of 3 yes/no"
    for description in [*known.problems, *known.methods, known.plan]:
        assert description.summary
        for field in description.fields:
            assert field.description, f"{description.name}.{field.name} says nothing"


def test_a_reader_finds_the_source_behind_every_mark() -> None:
    known = describe()
    marked = 0
    for one in (*known.problems, *known.methods, known.plan):
        said, _, sources = one.text.partition("Source")
        marks = re.findall(r"\[(\d)(?:, (\d))?\]", " ".join((one.summary, said, *(field.description for field in one.fields))))
        marked += len(marks)
        assert {f"[{number}]" for pair in marks for number in pair if number} <= set(re.findall(r"\[\d\]", sources)), one.name
    assert marked > 0


def test_a_density_says_in_its_own_words_why_a_method_of_circuits_does_not_fit_and_names_optimizers_that_do() -> None:
    bad = complaint({"density": {"gaussian": {"scales": [1.0]}}}, {"smo": {}})
    assert bad.field == "method.smo"
    assert bad.sentence == (
        "minimizes one coordinate after the other by its harmonics, but problem.density.gaussian is not periodic in its"
        " coordinates, so it has no harmonics; use method.gradient_descent, method.adam, method.textbook_adam, method.lbfgs,"
        " method.textbook_lbfgs or method.spsa"
    )


def test_the_plan_is_described_down_to_its_rules_and_its_budget() -> None:
    plan = {field.name: field for field in describe().plan.fields}
    wire = methods_pb2.Plan.DESCRIPTOR.fields_by_name
    nested = {f"{part}.{field.name}" for part in ("stop", "budget") for field in wire[part].message_type.fields}
    assert set(plan) == set(wire) - {"stop", "budget"} | nested
    assert (plan["replicas"].type, plan["replicas"].default_value) == ("integer", "1")
    assert (plan["precision"].type, plan["precision"].default_value) == ("text", '"float64"')
    assert (plan["stop.max_torque"].type, plan["stop.max_torque"].default_value) == ("number", "")
    assert not any(field.required for field in plan.values())


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), (1e-9, "1e-09"), (True, "true"), ("a", '"a"'), ((0.0, 1.0), "[0.0, 1.0]"), (None, "")],
)
def test_defaults_stand_as_they_would_in_toml(value: object, text: str) -> None:
    assert toml(value) == text


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (float, "number"),
        (int | None, "integer"),
        (tuple[float, ...], "list of number"),
        (tuple[int, int, int], "list of 3 integers"),
    ],
)
def test_types_are_said_in_words(hint: object, words: str) -> None:
    assert type_words(hint) == words


def test_what_is_left_out_takes_the_default_of_the_class() -> None:
    parsed_job = read(spec())
    assert parsed_job.plan == Plan()
    assert (parsed_job.problem_name, parsed_job.method_name) == ("density.gaussian", "gradient_descent")


def test_a_zero_that_was_written_is_not_taken_for_one_that_was_left_out() -> None:
    given = spec(method={"adam": {"learning_rate": 0.1, "beta1": 0.0}})
    assert read(given).method.beta1 == 0.0  # type: ignore[attr-defined]


def test_a_scalar_in_a_oneof_is_the_class_named_like_it() -> None:
    vqe = {
        "hamiltonian": {"pauli_sum": {"terms": [{"word": "ZZ", "coefficient": 1.0}]}},
        "ansatz": {"efficient_su2": {"reps": 1}},
        "start": {"uniform": 0.25},
    }
    problem: Any = read(spec({"vqe": vqe})).problem
    assert type(problem.start).__name__ == "Uniform"
    assert problem.start.spread == 0.25
    assert problem.hamiltonian.terms[0].word == "ZZ"


def test_the_hash_of_a_spec_knows_its_defaults() -> None:
    written = spec(replicas=1, seed=0, device="cpu")
    assert read(written).sha256() == read(spec()).sha256()
    assert read(spec(seed=1)).sha256() != read(spec()).sha256()


PLANS: list[tuple[dict[str, Any], str, str]] = [
    ({"steps": 0}, "plan.steps", "whole number from 1"),
    ({"replicas": 0}, "plan.replicas", "whole number from 1"),
    ({"warmup": 10}, "plan.warmup", "optimizer"),
    ({"device": "cudo"}, "plan.device", "did you mean 'cuda'"),
    ({"precision": "float16"}, "plan.precision", "float64"),
    ({"cpus": 4096}, "plan.cpus", "processors of this machine"),
    ({"checkpoint_every": 0}, "plan.checkpoint_every", "from 1"),
    ({"stop": {"max_torque": 1e-3}}, "plan.stop.max_torque", "plan.stop.gradient_norm"),
    ({"stop": {"gradient_norm": -1.0}}, "plan.stop.gradient_norm", "positive"),
    ({"stop": {"plateau": 1}}, "plan.stop.plateau", "at least 4"),
    ({"budget": {"shots": 100}}, "plan.budget.shots", "plan.budget.gradients"),
    ({"budget": {"seconds": -1.0}}, "plan.budget.seconds", "positive"),
    ({"replicas": 4_000_000_000}, "plan.replicas", "GiB"),
]


@pytest.mark.parametrize(("plan", "field", "words"), PLANS, ids=[f"{field} {i}" for i, (_, field, _) in enumerate(PLANS)])
def test_a_plan_that_cannot_be_is_refused_with_its_field(plan: dict[str, Any], field: str, words: str) -> None:
    bad = complaint(**plan)
    assert bad.field == field
    assert words in bad.sentence


def test_a_budget_that_cannot_pay_for_a_look_and_the_end_is_refused_with_the_least_that_does() -> None:
    vqe = {
        "hamiltonian": {"pauli_sum": {"terms": [{"word": "ZZ", "coefficient": 1.0}]}},
        "ansatz": {"efficient_su2": {"reps": 1}},
        "estimator": {"shots": 100},
        "start": {"uniform": 1.0},
    }
    end, pilot, look = (
        16 * 100,
        17 * 10,
        17 * 5,
    )  # 2P + 1 points of a gradient; a look takes half as many shots as its pilot or more
    least = end + pilot + look
    bad = complaint({"vqe": vqe}, {"adam": {}}, budget={"shots": least - 1})
    assert bad.field == "plan.budget.shots"
    assert f"wanted at least {least}: a replica takes {pilot + look} shots before its first step and {end} for" in bad.sentence
    admit(spec({"vqe": vqe}, {"adam": {}}, budget={"shots": least}))
    bad = complaint({"vqe": vqe}, {"adam": {"first_samples": 4294967295}}, budget={"shots": 10**9})
    assert bad.field == "plan.budget.shots" and bad.sentence.endswith("raise it, or set fewer first_samples")
    batches = {"density": {"logistic_regression": {"dataset": "breast_cancer", "batch_size": 100}}}
    bad = complaint(batches, {"textbook_adam": {}}, budget={"shots": 668})
    assert "wanted at least 669: a replica takes 100 shots before its first step and 569 for" in bad.sentence


OTHERS: list[tuple[Any, Any, dict[str, Any], str, str]] = [
    ({"density": {"gaussian": {}}}, None, {}, "problem.density.gaussian.scales", "required"),
    ({"density": {"gaussian": {"scales": [1.0, -1.0]}}}, None, {}, "problem.density.gaussian.scales", "-1"),
    ({"density": {"logistic_regression": {}}}, None, {}, "problem.density.logistic_regression.dataset", "required"),
    ({"magnet": FILM | {"grid": FILM["grid"] | {"cells": [8, 8]}}}, None, {}, "problem.magnet.grid.cells", "3"),
    ({"magnet": FILM | {"grid": FILM["grid"] | {"cells": [0, 8, 1]}}}, None, {}, "problem.magnet.grid.cells", "0"),
    ({"magnet": FILM | {"material": {}}}, None, {}, "problem.magnet.material.saturation_magnetization", "0"),
    (None, {"gradient_descent": {"learning_rate": -1.0}}, {}, "method.gradient_descent.learning_rate", "-1"),
    (None, {"llg": {}}, {}, "method.llg", "problem.density.gaussian"),
    ({"magnet": FILM}, {"mala": {"step_size": 0.1}}, {}, "method.mala", "problem.magnet"),
    (None, {"hmc": {}}, {}, "plan.warmup", "method.hmc.step_size"),
    (None, {"hmc": {"step_size": 0.1}}, {"stop": {"gradient_norm": 0.1}}, "plan.stop", "every draw counts"),
]


@pytest.mark.parametrize(("problem", "method", "plan", "field", "words"), OTHERS, ids=[other[3] for other in OTHERS])
def test_what_cannot_be_is_refused_with_the_path_that_the_user_wrote(
    problem: Any, method: Any, plan: dict[str, Any], field: str, words: str
) -> None:
    bad = complaint(problem, method, **plan)
    assert bad.field.startswith(field)
    assert words in bad.sentence


def test_a_number_that_is_none_is_refused_where_it_stands() -> None:
    given = spec()
    given.problem.density.gaussian.scales[1] = float("nan")
    with pytest.raises(BadInput) as caught:
        read(given)
    assert caught.value.field == "problem.density.gaussian.scales[1]"


def test_a_method_that_compares_energies_is_refused_on_shots_and_told_what_to_do() -> None:
    vqe = {
        "hamiltonian": {"pauli_sum": {"terms": [{"word": "Z", "coefficient": 1.0}]}},
        "ansatz": {"efficient_su2": {}},
        "start": {"uniform": 0.1},
        "estimator": {"shots": 100},
    }
    bad = complaint({"vqe": vqe}, {"mala": {"step_size": 0.1}})
    assert bad.field == "method.mala"
    assert "problem.vqe" in bad.sentence
    assert "estimator.shots = 0" in bad.sentence


@pytest.mark.parametrize("sampler", [{"mala": {"step_size": 0.1}}, {"hmc": {"step_size": 0.1, "leapfrog_steps": 5}}])
def test_samplers_that_compare_energies_are_refused_on_mini_batches_in_one_sentence(sampler: Any) -> None:
    bad = complaint({"density": {"logistic_regression": {"dataset": "breast_cancer", "batch_size": 32}}}, sampler)
    (name,) = sampler
    assert bad.field == f"method.{name}"
    problem = "problem.density.logistic_regression with batch_size = 32 is noisy"
    assert bad.sentence == f"compares energies exactly, but {problem}; leave it out; or use method.ula"


def test_a_step_size_that_warm_up_cannot_find_is_asked_for() -> None:
    film = FILM | {"start": {"uniform": {"direction": [0, 0, 1]}}}
    bad = complaint({"magnet": film}, {"ula": {"temperature": 4.14e-21}}, warmup=100)
    assert bad.field == "method.ula.step_size"
    assert bad.sentence == (
        "has to be given here: warm-up finds it by exact energies in flat space,"
        " but problem.magnet has a unit vector in every cell: it lives on spheres"
    )


def test_a_missing_gpu_is_something_that_this_machine_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    bad = complaint(device="cuda")
    assert isinstance(bad, Unavailable)
    assert bad.field == "plan.device"


def test_a_job_without_problem_or_method_is_told_what_there_is() -> None:
    with pytest.raises(BadInput, match=r"problem: wanted one of vqe, magnet, density"):
        read(jobs_pb2.JobSpec())
    half = jobs_pb2.JobSpec()
    half.problem.density.SetInParent()
    with pytest.raises(BadInput, match=r"problem\.density: wanted one of gaussian"):
        read(half)


def test_memory_grows_with_what_a_job_keeps() -> None:
    def memory(**plan: Any) -> int:
        return admit(spec(method={"hmc": {"step_size": 0.1}}, **plan)).memory

    few, many = memory(steps=1000, replicas=10), memory(steps=2000, replicas=10)
    assert many - few > 1000 * 10 * 2 * 8  # a thousand draws more, of ten chains, of two doubles


def test_only_a_message_whose_all_is_its_oneof_is_no_level_of_its_own() -> None:
    assert is_choice(problems_pb2.Density.DESCRIPTOR)
    assert not is_choice(problems_pb2.Vqe.DESCRIPTOR)
    assert not is_choice(problems_pb2.RandomStart.DESCRIPTOR)
    assert not is_choice(None)
    assert choose(spec().problem).name == "density.gaussian"


def test_a_class_that_is_named_otherwise_than_its_message_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="no class Other"):
        class_of(int | str, "Other")


def test_decoding_ignores_fields_that_the_class_does_not_know() -> None:
    @dataclasses.dataclass(frozen=True)
    class FieldDescriptorProto:
        name: str = "unset"

    message = descriptor_pb2.FieldDescriptorProto(name="set", number=3)
    assert decode(message, FieldDescriptorProto) == FieldDescriptorProto("set")


HAMILTONIANS: dict[str, Any] = {
    "molecule": {"atoms": "H 0 0 0; H 0 0 0.7", "mapping": "parity", "tapering": "particles"},
    "pauli_sum": {"terms": [{"word": "ZZ", "coefficient": 1.0}]},
    "fcidump": {"text": "&FCI NORB=2,NELEC=2,MS2=0 &END\n0.5 1 1 0 0"},
    "transverse_field_ising": {"sites": 4, "field": 0.5, "periodic": True},
    "heisenberg_xxz": {"sites": 4, "anisotropy": 0.0},
    "fermi_hubbard": {"columns": 2, "spin_up": 0, "spin_down": 1, "repulsion": 0.0},
}


def dumped(circuit: QuantumCircuit) -> bytes:
    file = io.BytesIO()
    qpy.dump(circuit, file)
    return file.getvalue()


CIRCUITS: dict[str, Any] = {
    "efficient_su2": {"reps": 0},
    "real_amplitudes": {},
    "uccsd": {},
    "k_up_ccgsd": {"k": 2},
    "hamiltonian_variational": {"layers": 1},
    "excitation_preserving": {},
    "open_qasm": {"text": "qubit[2] q; input float t; U(t, 0, 0) q[0];"},
    "qpy": {"content": dumped(efficient_su2(2))},
}


@pytest.mark.parametrize("ansatz", CIRCUITS)
@pytest.mark.parametrize("hamiltonian", HAMILTONIANS)
def test_every_hamiltonian_and_every_circuit_is_read_from_the_wire(hamiltonian: str, ansatz: str) -> None:
    chosen = {
        "hamiltonian": {hamiltonian: HAMILTONIANS[hamiltonian]},
        "ansatz": {ansatz: CIRCUITS[ansatz]},
        "start": {"zeros": {}},
    }
    problem: Any = read(spec({"vqe": chosen})).problem
    for part, given in ((problem.hamiltonian, HAMILTONIANS[hamiltonian]), (problem.ansatz, CIRCUITS[ansatz])):
        assert {name: getattr(part, name) for name in given if name != "terms"} == {
            n: v for n, v in given.items() if n != "terms"
        }
    assert type(problem.start).__name__ == "Zeros"


@pytest.mark.parametrize("message", ["Hamiltonian", "Ansatz", "VqeStart"])
def test_every_choice_within_a_circuit_has_the_fields_of_its_message_all_explained(message: str) -> None:
    from thalweg_vqe import problem

    for member in problems_pb2.DESCRIPTOR.message_types_by_name[message].fields:
        if member.message_type is not None:
            kind = getattr(problem, member.message_type.name)
            names = {field.name for field in member.message_type.fields}
            assert {field.name for field in dataclasses.fields(kind)} == names
            assert set(meanings_of(kind)) == names
