"""Whatever is wrong in a circuit's job is one sentence, with the path of the field as the user wrote it, before it starts."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor

from thalweg import specs
from thalweg.errors import InvalidSpec
from thalweg.server.api.admission import admit
from thalweg.v1 import problems_pb2
from thalweg_core.errors import BadInput
from thalweg_vqe.ansatze.user import foreign, user_circuit

H2 = {"molecule": {"atoms": "H 0 0 0; H 0 0 0.735"}}
DUMP = "&FCI NORB=2,NELEC=2,MS2=0, &END\n0.5 1 1 1 1\n0.5 1 1 0 0\n"
FINE: dict[str, Any] = {
    "hamiltonian": {"transverse_field_ising": {"sites": 3}},
    "ansatz": {"real_amplitudes": {"reps": 1}},
    "estimator": {"shots": 100},
    "start": {"zeros": {}},
}
ON_AER = {"shots": 100, "engine": "aer"}


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Circuits of the user's own are read in this process: starting another one takes a second."""
    monkeypatch.setattr(user_circuit, "asked", lambda kind, content: foreign.answer(kind, content).encode())


def complaint(vqe: dict[str, Any]) -> BadInput | InvalidSpec | None:
    """What is wrong with the job of a circuit."""
    job = {"problem": {"vqe": FINE | vqe}, "method": {"adam": {"learning_rate": 0.1}}, "plan": {"steps": 2}}
    try:
        admit(specs.load(job))
    except (BadInput, InvalidSpec) as bad:
        return bad
    return None


def molecule(**fields: Any) -> dict[str, Any]:
    return {"hamiltonian": {"molecule": {"atoms": "H 0 0 0; H 0 0 0.735"} | fields}}


def dump(text: str, **fields: Any) -> dict[str, Any]:
    return {"hamiltonian": {"fcidump": {"text": text} | fields}}


def paulis(*terms: tuple[str, float]) -> dict[str, Any]:
    return {"hamiltonian": {"pauli_sum": {"terms": [{"word": word, "coefficient": c} for word, c in terms]}}}


UNIT = '{"qubits": [[{"name": "T1", "value": 1, "unit": [null]}]], "gates": []}'


def noise(**fields: Any) -> dict[str, Any]:
    return {"estimator": ON_AER | {"noise": fields}}


def qasm(body: str) -> dict[str, Any]:
    return {"ansatz": {"open_qasm": {"text": f'include "stdgates.inc"; input float a;\nqubit[3] q;\n{body}'}}}


PROPERTIES = {"qubits": [[], []], "gates": [{"gate": "sx", "qubits": [q]} for q in (0, 1)] + [{"gate": "cx", "qubits": [0, 1]}]}
TOLD = {"backend_properties": {"text": json.dumps(PROPERTIES)}}
POO = "\N{PILE OF POO}"

WRONG: list[tuple[dict[str, Any], str, str]] = [
    # --- molecules
    (molecule(atoms=""), "hamiltonian.molecule.atoms", "is required, and was left out"),
    (molecule(atoms=" ; \n ;"), "hamiltonian.molecule.atoms", 'wanted atoms such as "H 0 0 0; H 0 0 0.735", got none'),
    (
        molecule(atoms="H 0 0"),
        "hamiltonian.molecule.atoms",
        'wanted an element and three coordinates (Å) as in "H 0 0 0.735", got "H 0 0"',
    ),
    (molecule(atoms=POO * 100), "hamiltonian.molecule.atoms", f'got "{POO * 59}…"'),
    (molecule(atoms="H 0 0 zero"), "hamiltonian.molecule.atoms", 'wanted three numbers (Å) after the element, got "H 0 0 zero"'),
    (molecule(atoms="H 0 0 1_0"), "hamiltonian.molecule.atoms", 'wanted three numbers (Å) after the element, got "H 0 0 1_0"'),
    (molecule(atoms="H 0 0 nan"), "hamiltonian.molecule.atoms", 'wanted coordinates from -10000 to 10000 Å, got "H 0 0 nan"'),
    (molecule(atoms="H 0 0 0; H 0 0 1e300"), "hamiltonian.molecule.atoms", "wanted coordinates from -10000 to 10000 Å"),
    (
        molecule(atoms="H 0 0 0; H 0 0 1e-9"),
        "hamiltonian.molecule.atoms",
        "impossible geometry: atoms 1 (H) and 2 (H) are 1e-09 Å apart",
    ),
    (molecule(atoms="H 0 0 0;" * 201), "hamiltonian.molecule.atoms", "wanted at most 200 atoms, got 201"),
    (
        molecule(atoms="Hx 0 0 0"),
        "hamiltonian.molecule.atoms",
        'wanted the symbol of an element such as "H" or "Li", got "Hx"; did you mean',
    ),
    (molecule(atoms="ghost-H 0 0 0"), "hamiltonian.molecule.atoms", "wanted the symbol of an element"),
    (molecule(basis=""), "hamiltonian.molecule.basis", 'wanted the name of a basis set such as "sto-3g" or "6-31g", got ""'),
    (molecule(basis="/etc/passwd"), "hamiltonian.molecule.basis", "wanted the name of a basis set"),
    (molecule(basis="H S\n__import__('os').abort() 1"), "hamiltonian.molecule.basis", "wanted the name of a basis set"),
    (
        molecule(basis="sto-3q"),
        "hamiltonian.molecule.basis",
        'wanted a basis set that PySCF knows, got "sto-3q"; did you mean "sto-3g"',
    ),
    (molecule(atoms="U 0 0 0"), "hamiltonian.molecule.basis", "does not cover all of U"),
    (molecule(mapping="jw"), "hamiltonian.molecule.mapping", 'wanted "jordan_wigner" or "parity" or "bravyi_kitaev", got "jw"'),
    (molecule(mapping="p" * 10**5), "hamiltonian.molecule.mapping", f'got "{"p" * 59}…"'),
    (molecule(tapering=POO), "hamiltonian.molecule.tapering", f'wanted "none" or "particles" or "all", got "{POO}"'),
    (molecule(charge=2**31 - 1), "hamiltonian.molecule.charge", "wanted at most 1 so that an electron is left"),
    (molecule(charge=-(2**31)), "hamiltonian.molecule.charge", "wanted fewer, or a larger basis"),
    (molecule(spin=-2), "hamiltonian.molecule.spin", "wanted 0 or more unpaired electrons, got -2"),
    (molecule(spin=1), "hamiltonian.molecule.spin", "wanted an even number up to 2, the number of electrons, got 1"),
    (molecule(active_space={}), "hamiltonian.molecule.active_space.electrons", "wanted at least 1 active electron, got 0"),
    (
        molecule(active_space={"electrons": 2}),
        "hamiltonian.molecule.active_space.orbitals",
        "wanted at least 1 active orbital, got 0",
    ),
    (
        molecule(active_space={"electrons": 2**32 - 1, "orbitals": 2}),
        "hamiltonian.molecule.active_space.electrons",
        "of the molecule's electrons, got 4294967295",
    ),
    (
        molecule(atoms="C 0 0 0; O 0 0 1.1", active_space={"electrons": 2, "orbitals": 90}),
        "hamiltonian.molecule.active_space.orbitals",
        "got 90",
    ),
    (
        molecule(frozen_core=True, active_space={"electrons": 2, "orbitals": 2}),
        "hamiltonian.molecule.frozen_core",
        "give only one of the two",
    ),
    (molecule(atoms="C 0 0 0; O 0 0 1.1", basis="cc-pv5z"), "hamiltonian.molecule", "too many qubits: wanted at most 60, got"),
    # --- integrals of another program
    (dump(""), "hamiltonian.fcidump.text", "is required, and was left out"),
    (dump("\x00" + POO), "hamiltonian.fcidump.text", "wanted an FCIDUMP, which starts with &FCI"),
    (dump("&FCI" + "\n" * 10**6), "hamiltonian.fcidump.text", "found no such header"),
    (dump("&FCI NELEC=2 &END"), "hamiltonian.fcidump.text", "the header gives no NORB"),
    (
        dump(f"&FCI NORB={10**15},NELEC=2 &END"),
        "hamiltonian.fcidump.text",
        "wanted at most 1000 orbitals, got NORB = 1000000000000000",
    ),
    (dump(f"&FCI NORB={'9' * 5000},NELEC=2 &END"), "hamiltonian.fcidump.text", "the header gives no NORB"),
    (dump("&FCI NORB=2,NELEC=9 &END"), "hamiltonian.fcidump.text", "NORB = 2, NELEC = 9 and MS2 = 0 cannot be together"),
    (dump("&FCI NORB=2,NELEC=2,IUHF=1 &END"), "hamiltonian.fcidump.text", "wanted a restricted one"),
    (
        dump("&FCI NORB=100,NELEC=2 &END\n1 1 1 0 0"),
        "hamiltonian.fcidump.text",
        "too many qubits: wanted at most 60, got 200; use fewer orbitals",
    ),
    (dump(DUMP + "nan 1 1 0 0"), "hamiltonian.fcidump.text", "line 4: wanted a number from -1e+12 to 1e+12 Ha, got nan"),
    (dump(DUMP + "1e999 1 1 0 0"), "hamiltonian.fcidump.text", "line 4: wanted a number from -1e+12 to 1e+12 Ha, got inf"),
    (dump(DUMP + "0.1 1 1"), "hamiltonian.fcidump.text", 'line 4: wanted a real number and four orbitals, got "0.1 1 1"'),
    (dump(DUMP + "(0.1,0.2) 1 1 0 0"), "hamiltonian.fcidump.text", "line 4: wanted a real number and four orbitals"),
    (dump(DUMP + "0.1 3 1 0 0"), "hamiltonian.fcidump.text", "line 4: wanted orbitals up to NORB = 2, got 3 1 0 0"),
    (dump(DUMP + "0.1 1 0 1 0"), "hamiltonian.fcidump.text", "line 4: wanted i j k l, i j 0 0, i 0 0 0 or 0 0 0 0, got 1 0 1 0"),
    (dump(DUMP, mapping="x"), "hamiltonian.fcidump.mapping", 'got "x"'),
    (
        dump("&FCI NORB=20,NELEC=20 &END\n1 1 1 0 0", tapering="all"),
        "hamiltonian.fcidump.tapering",
        "wanted at most 28 spin orbitals",
    ),
    (dump(DUMP + " " * 2**21), "hamiltonian.fcidump.text", "wanted at most 2097152 characters"),
    # --- Pauli sums
    (paulis(), "hamiltonian.pauli_sum.terms", "is required, and was left out or is empty"),
    (paulis(("", 1.0)), "hamiltonian.pauli_sum.terms[0].word", "is required, and was left out"),
    (paulis(("ZZ", 1.0), ("ZQ", 1.0)), "hamiltonian.pauli_sum.terms[1].word", 'wanted letters I X Y Z such as "XIZ", got "ZQ"'),
    (
        paulis(("ZZ", 1.0), ("ZZZ", 1.0)),
        "hamiltonian.pauli_sum.terms[1].word",
        'wanted 2 letters as in the first word, got "ZZZ"',
    ),
    (paulis(("Z" * 61, 1.0)), "hamiltonian.pauli_sum.terms[0].word", "wanted at most 60 letters, got 61"),
    (paulis(("II", 1.0)), "hamiltonian.pauli_sum.terms", "wanted at least one word that is not the identity"),
    (paulis(("ZZ", 1e300)), "hamiltonian.pauli_sum.terms[0].coefficient", "wanted a number from -1e+12 to 1e+12, got 1e+300"),
    (paulis(("ZZ", math.nan)), "hamiltonian.pauli_sum.terms[0].coefficient", "wanted a finite number, got nan"),
    (paulis(*[("ZZ", 1.0)] * 10_001), "hamiltonian.pauli_sum.terms", "wanted at most 10000 terms, got 10001"),
    # --- models
    ({"hamiltonian": {"transverse_field_ising": {}}}, "hamiltonian.transverse_field_ising.sites", "wanted 2 to 60 sites, got 0"),
    (
        {"hamiltonian": {"transverse_field_ising": {"sites": 3, "field": -1e300}}},
        "hamiltonian.transverse_field_ising.field",
        "got -1e+300",
    ),
    ({"hamiltonian": {"heisenberg_xxz": {"sites": 61}}}, "hamiltonian.heisenberg_xxz.sites", "wanted 2 to 60 sites, got 61"),
    ({"hamiltonian": {"heisenberg_xxz": {"sites": 3, "anisotropy": 1e13}}}, "hamiltonian.heisenberg_xxz.anisotropy", "got 1e+13"),
    ({"hamiltonian": {"fermi_hubbard": {"columns": 0}}}, "hamiltonian.fermi_hubbard.columns", "wanted at least 1, got 0"),
    (
        {"hamiltonian": {"fermi_hubbard": {"columns": 2, "rows": 2**31}}},
        "hamiltonian.fermi_hubbard.columns",
        "wanted 2 to 30 sites, got 2 × 2147483648",
    ),
    (
        {"hamiltonian": {"fermi_hubbard": {"columns": 2, "spin_up": 3}}},
        "hamiltonian.fermi_hubbard.spin_up",
        "wanted 0 to 2 electrons on 2 sites",
    ),
    ({"hamiltonian": {"fermi_hubbard": {"columns": 2, "repulsion": 1e99}}}, "hamiltonian.fermi_hubbard.repulsion", "got 1e+99"),
    (
        {"hamiltonian": {"transverse_field_ising": {"sites": 50}}},
        "hamiltonian.transverse_field_ising.sites",
        "too many qubits: 50 qubits need about",
    ),
    ({"hamiltonian": None}, "hamiltonian", "wanted one of molecule"),
    # --- circuits
    ({"ansatz": None}, "ansatz", "wanted one of efficient_su2"),
    ({"ansatz": {"efficient_su2": {"reps": 1001}}}, "ansatz.efficient_su2.reps", "wanted 0 to 1000 entangling layers, got 1001"),
    (
        {"ansatz": {"real_amplitudes": {"reps": -1}}},
        "ansatz.real_amplitudes.reps",
        "wanted an integer from 0 to 4294967295, got -1",
    ),
    ({"ansatz": {"uccsd": {}}}, "ansatz.uccsd", "needs a molecule or an fcidump"),
    ({"ansatz": {"k_up_ccgsd": {"k": 0}}}, "ansatz.k_up_ccgsd.k", "got 0"),
    ({"ansatz": {"hamiltonian_variational": {"layers": 0}}}, "ansatz.hamiltonian_variational.layers", "got 0"),
    ({"ansatz": {"excitation_preserving": {"reps": 10**6}}}, "ansatz.excitation_preserving.reps", "got 1000000"),
    ({"ansatz": {"adapt": {"pool": "x"}}, "hamiltonian": H2}, "ansatz.adapt.pool", "wanted"),
    ({"ansatz": {"open_qasm": {}}}, "ansatz.open_qasm.text", "is required, and was left out"),
    ({"ansatz": {"open_qasm": {"text": POO}}}, "ansatz.open_qasm.text", "line 1: "),
    (qasm("rx(b) q[0];"), "ansatz.open_qasm.text", "line 3: cannot read \"rx(b) q[0];\": undefined symbol 'b'"),
    (qasm("measure q;"), "ansatz.open_qasm.text", 'line 3: cannot read "measure q;"'),
    (
        {"ansatz": {"open_qasm": {"text": "input float a; qubit q; U(a, 0, 0) q;"}}},
        "ansatz.open_qasm.text",
        "has 1 qubits, the Hamiltonian 3",
    ),
    ({"ansatz": {"qpy": {}}}, "ansatz.qpy.content", "is required, and was left out"),
    ({"ansatz": {"qpy": {"content": b"PK\x03\x04"}}}, "ansatz.qpy.content", "wanted a QPY file, which begins with QISKIT"),
    ({"ansatz": {"qpy": {"content": b"QISKIT\x12" + bytes(100)}}}, "ansatz.qpy.content", "Qiskit cannot read it"),
    ({"ansatz": {"qpy": {"content": "not base64!"}}}, "ansatz.qpy.content", "wanted the bytes of a file as text in base64"),
    # --- estimators
    ({"estimator": {"shots": 1}}, "estimator.shots", "wanted 2 to 1000000 shots, or 0 for exact expectation values, got 1"),
    ({"estimator": {"shots": 10**12}}, "estimator.shots", "got 1000000000000"),
    ({"estimator": {"shots": 10**30}}, "estimator.shots", "got an integer of more than 20 digits"),
    ({"estimator": {"engine": "qulacs"}}, "estimator.engine", 'wanted "statevector" or "aer", got "qulacs"'),
    ({"estimator": {"device": ""}}, "estimator.device", 'wanted "cpu" or "gpu", got ""'),
    ({"estimator": {"grouping": "x"}}, "estimator.grouping", 'wanted "qubit_wise" or "commuting", got "x"'),
    ({"estimator": {"noise": {}}}, "estimator.noise", 'use engine = "aer"'),
    ({"estimator": {"readout_mitigation": True}}, "estimator.readout_mitigation", "there is no readout error to undo"),
    (noise(one_qubit_error=1.1), "estimator.noise.one_qubit_error", "wanted a probability, 0 to 1, got 1.1"),
    (noise(two_qubit_error=-1e-9), "estimator.noise.two_qubit_error", "wanted a probability, 0 to 1, got -1e-09"),
    (noise(t1=0), "estimator.noise.t1", "wanted a time above 0 (s), got 0"),
    (noise(t2=1e-4), "estimator.noise.t1", "is wanted beside t2"),
    (noise(t1=1e-4, t2=1), "estimator.noise.t2", "wanted at most 2 t1 = 0.0002 s, got 1"),
    (noise(false_one=0.5, false_zero=0.5), "estimator.noise.false_zero", "wanted false_one + false_zero below 1, got 1"),
    (noise(t1=math.inf), "estimator.noise.t1", "wanted a finite number, got inf"),
    (noise(qubits=[0, 1, 2]), "estimator.noise.qubits", "chooses among the qubits of backend_properties, and none are given"),
    (noise(backend_properties={}), "estimator.noise.backend_properties.text", "is required, and was left out"),
    (noise(backend_properties={"text": "{"}), "estimator.noise.backend_properties.text", "is not JSON"),
    (noise(backend_properties={"text": "[" * 10**5}), "estimator.noise.backend_properties.text", "lists are nested too deeply"),
    (noise(backend_properties={"text": "1" * 5000}), "estimator.noise.backend_properties.text", "an integer has 5000 digits"),
    (noise(backend_properties={"text": UNIT}), "estimator.noise.backend_properties.text", "s, ms, us or ns, got the unit [null]"),
    (
        noise(backend_properties={"text": "{}"}),
        "estimator.noise.backend_properties.text",
        "wanted the JSON of a backend's properties",
    ),
    (noise(t1=1e-4, **TOLD), "estimator.noise.t1", "wanted only one of them"),
    (noise(**TOLD), "estimator.noise.backend_properties.text", "the device has 2 qubits, the Hamiltonian 3"),
    (
        noise(qubits=[0, 1], **TOLD)
        | paulis(("ZX", 1.0), ("YY", 1.0))
        | {"estimator": noise(qubits=[0, 2], **TOLD)["estimator"]},
        "estimator.noise.qubits[1]",
        "wanted different qubits of the device, 0 to 1, got 2",
    ),
    # --- starts
    (
        {"start": {"hartree_fock": 0.1}},
        "start.hartree_fock",
        "a transverse_field_ising has no Hartree-Fock determinant; use start.uniform",
    ),
    ({"start": {"hartree_fock": -0.1}, "hamiltonian": H2}, "start.hartree_fock", "wanted 0 to 1e+06 (rad), got -0.1"),
    ({"start": {"uniform": 1e300}}, "start.uniform", "wanted 0 to 1e+06 (rad), got 1e+300"),
    ({"start": {"uniform": math.nan}}, "start.uniform", "wanted a finite number, got nan"),
    ({"start": {"values": {}}}, "start.values.angles", "is required, and was left out"),
    ({"start": {"values": {"angles": [0.1] * 5}}}, "start.values.angles", "wanted 6 angles, one a parameter, got 5"),
    (
        {"start": {"values": {"angles": [0.1] * 5 + [1e7]}}},
        "start.values.angles[5]",
        "wanted a number from -1e+06 to 1e+06, got 1e+07",
    ),
    ({"start": {"values": {"angles": 0.1}}}, "start.values.angles", "wanted a list, got 0.1"),
    ({"start": {"job": {}}}, "start.job.id", "is required, and was left out"),
    ({"start": {"zeros": {}, "uniform": 0.1}}, "start", "uniform and zeros are both given; wanted only one of them"),
    ({"start": {}}, "start", "wanted one of hartree_fock"),
    # --- states to stay away from
    ({"deflation": [{"angles": [0.1] * 5}]}, "deflation[0].angles", "wanted 6 angles, one a parameter, got 5"),
    (
        {"deflation": [{"angles": [0.1] * 6}, {"angles": [0.1] * 6, "weight": -1}]},
        "deflation[1].weight",
        "wanted a positive number, got -1",
    ),
    ({"deflation": [{"angles": [0.1] * 6, "weight": 1e300}]}, "deflation[0].weight", "got 1e+300"),
]


@pytest.mark.parametrize(("vqe", "field", "part"), WRONG, ids=[f"{number}-{field}" for number, (_, field, _) in enumerate(WRONG)])
def test_what_is_wrong_is_one_sentence_with_the_path_that_the_user_wrote(vqe: dict[str, Any], field: str, part: str) -> None:
    bad = complaint(vqe)
    assert bad is not None, "it was accepted"
    assert bad.field == f"problem.vqe.{field}"
    assert part in bad.sentence
    assert is_one_sentence(bad.sentence)


def is_one_sentence(sentence: str) -> bool:
    return sentence.isprintable() and 0 < len(sentence) <= 500 and sentence == sentence.strip() and not sentence.endswith(".")


PARTS: dict[str, dict[str, Any]] = {
    "molecule": {"hamiltonian": H2},
    "active space": molecule(active_space={"electrons": 2, "orbitals": 2}),
    "fcidump": dump(DUMP),
    "pauli sum": paulis(("ZZ", 1.0)),
    "ising": {"hamiltonian": {"transverse_field_ising": {"sites": 3}}},
    "xxz": {"hamiltonian": {"heisenberg_xxz": {"sites": 3}}},
    "hubbard": {"hamiltonian": {"fermi_hubbard": {"columns": 2}}},
    **{name: {"ansatz": {name: {}}} for name in ("efficient_su2", "real_amplitudes", "hamiltonian_variational")},
    **{name: {"ansatz": {name: {}}, "hamiltonian": H2} for name in ("uccsd", "k_up_ccgsd", "excitation_preserving", "adapt")},
    "estimator": {"estimator": ON_AER},
    "noise": noise(t1=1e-4),
    "calibration": noise(qubits=[0, 1], **TOLD) | paulis(("ZZ", 1.0)),
    "hartree fock": {"start": {"hartree_fock": 0.1}, "hamiltonian": H2, "ansatz": {"efficient_su2": {}}},
    "uniform": {"start": {"uniform": 0.1}},
    "values": {"start": {"values": {"angles": [0.1] * 6}}},
    "deflation": {"deflation": [{"angles": [0.1] * 6}]},
}
ODD: dict[int, list[Any]] = {
    FieldDescriptor.TYPE_DOUBLE: [0.0, -1.0, 1e-300, 1e20, 1e300, -1e300, math.nan, math.inf, "1", None],
    FieldDescriptor.TYPE_STRING: ["", "  ", "x", POO, "\x00", "\u202e", "H" * 5000, "../../etc/passwd", "{}", '"' * 3000, 7],
    FieldDescriptor.TYPE_BOOL: [True, 1, "yes"],
}
WHOLE = [0, 1, -1, 2**31 - 1, 2**32 - 1, -(2**31), 10**30, 1.5, "1"]


def leaves(given: dict[str, Any], descriptor: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every scalar field of what a specification chose."""
    for field in descriptor.fields:
        value = given.get(field.name)
        inner = value[0] if field.is_repeated and field.message_type and value else value
        place = (*path, field.name, *([0] if inner is not value else []))
        if field.message_type is None:
            yield place, field
        elif isinstance(inner, dict):
            yield from leaves(inner, field.message_type, place)


def changed(vqe: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    out = copy.deepcopy(vqe)
    inner: Any = out
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return out


@pytest.mark.parametrize("part", PARTS)
def test_no_odd_value_of_any_field_is_more_than_a_sentence(part: str) -> None:
    given, refusals = PARTS[part], 0
    for place, field in leaves(given, problems_pb2.Vqe.DESCRIPTOR):
        if place[0] not in given or place[-1] == "content":
            continue
        for value in ODD.get(field.type, WHOLE):
            bad = complaint(changed(given, place, [value] if field.is_repeated else value))
            if bad is not None:
                refusals += 1
                assert bad.field.startswith("problem.vqe."), (place, value, str(bad))
                assert is_one_sentence(bad.sentence), (place, value, str(bad))
    assert complaint(given) is None
    assert refusals
