"""Specifications: what the three examples say, and every way to say it wrong."""

from __future__ import annotations

import json
import math
import random
import re
from datetime import date, datetime, time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg import specs
from thalweg.errors import InvalidSpec
from thalweg.v1 import jobs_pb2

EXAMPLES = Path(__file__).parents[2] / "examples"
FINE = {"problem": {"density": {"double_well": {}}}, "method": {"adam": {"learning_rate": 0.1}}}


def spec(**parts: object) -> dict[str, object]:
    return {**FINE, **parts}


def test_the_h2_example_says_what_its_file_says():
    h2 = specs.load(EXAMPLES / "h2.toml")
    assert h2.name == "H2 ground state, two million shots"
    assert h2.problem.vqe.hamiltonian.molecule.atoms == "H 0 0 0; H 0 0 0.735"
    assert h2.problem.vqe.ansatz.efficient_su2.reps == 3
    assert (h2.problem.vqe.estimator.shots, h2.problem.vqe.estimator.engine) == (1000, "statevector")
    assert h2.problem.vqe.start.hartree_fock == 0.1
    assert (h2.plan.budget.shots, h2.plan.replicas, h2.plan.seed) == (2_000_000, 4, 7)


def test_the_skyrmion_example_says_what_its_file_says():
    skyrmion = specs.load(str(EXAMPLES / "skyrmion.toml"))
    magnet = skyrmion.problem.magnet
    assert list(magnet.grid.cells) == [64, 64, 1]
    assert list(magnet.grid.periodic) == [True, True, False]
    assert magnet.material.uniaxial_anisotropy.constant == 588634.0
    assert magnet.start.skyrmion.polarity == -1
    assert skyrmion.method.llg.HasField("precession")
    assert not skyrmion.method.llg.precession
    assert skyrmion.plan.stop.max_torque == 1e-3
    assert not skyrmion.plan.HasField("steps")


@pytest.mark.parametrize("name", ["h2", "skyrmion", "logistic"])
def test_an_example_survives_the_way_through_toml_dict_and_json(name, tmp_path):
    spec = specs.load(EXAMPLES / f"{name}.toml")
    again = tmp_path / "again.json"
    again.write_text(json.dumps(specs.to_dict(spec)))
    assert specs.parse(specs.to_toml(spec)) == spec
    assert specs.load(specs.to_dict(spec)) == spec
    assert specs.load(again) == spec
    assert specs.load(spec) is spec


class Unwritable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"problem": {"vqe": {"anzatz": {}}}}, "problem.vqe.anzatz: no such field; did you mean problem.vqe.ansatz?"),
        ({"problem": {"vqe": {"shots": 5}}}, "problem.vqe.shots: no such field; did you mean problem.vqe.estimator.shots?"),
        (spec(method={"adma": {}}), "method.adma: no such field; did you mean method.adam?"),
        (spec(steps=3), "steps: no such field; did you mean plan.steps?"),
        (spec(Problem={}), "Problem: no such field; did you mean problem?"),
        (
            spec(method={"adam": {"lr": 1}}),
            "method.adam.lr: no such field; method.adam has learning_rate, beta1, beta2",
        ),
        (
            spec(problem={"density": {"double_well": {"x": 1}}}),
            "problem.density.double_well.x: no such field; problem.density.double_well has no fields",
        ),
        (spec(plan={"steps": "sixty"}), 'plan.steps: wanted an integer, got "sixty"'),
        (spec(plan={"steps": True}), "plan.steps: wanted an integer, got true"),
        (spec(plan={"steps": 1.5}), "plan.steps: wanted an integer, got 1.5"),
        (spec(plan={"steps": -1}), "plan.steps: wanted an integer from 0 to 18446744073709551615, got -1"),
        (spec(plan={"replicas": 2**32}), "plan.replicas: wanted an integer from 0 to 4294967295, got 4294967296"),
        (
            spec(plan={"seed": 10**400}),
            "plan.seed: wanted an integer from 0 to 18446744073709551615, got an integer of",
        ),
        (spec(plan={"device": 1}), "plan.device: wanted text in quotes, got 1"),
        (spec(plan=[1, 2]), "plan: wanted a table with steps | replicas | seed"),
        (spec(method={"adam": {"learning_rate": "0.1"}}), 'method.adam.learning_rate: wanted a number, got "0.1"'),
        (spec(method={"adam": {"learning_rate": math.nan}}), "method.adam.learning_rate: wanted a finite number, got nan"),
        (spec(method={"adam": {"learning_rate": 10**400}}), "method.adam.learning_rate: wanted a finite number, got an integer"),
        (spec(method={"llg": {"precession": 1}}), "method.llg.precession: wanted true or false, got 1"),
        (spec(method={"adam": {}, "hmc": {}}), "method: adam and hmc are both given; wanted only one of them"),
        (spec(method={}), "method: wanted one of gradient_descent, adam, textbook_adam"),
        (spec(method=None), "method: missing; wanted one of [method.gradient_descent]"),
        (spec(method="adam"), 'method: wanted a table, got "adam"; write [method.adam]'),
        ({"method": {"adam": {}}}, "problem: missing; wanted one of [problem.vqe], [problem.magnet], [problem.density]"),
        ({"problem": {"magnet": {"grid": {"cells": "64"}}}}, 'problem.magnet.grid.cells: wanted a list, got "64"'),
        ({"problem": {"magnet": {"grid": {"cells": [64, 6.4, 1]}}}}, "problem.magnet.grid.cells[1]: wanted an integer, got 6.4"),
        (
            {"problem": {"vqe": {"hamiltonian": {"pauli_sum": {"terms": [{"wrod": "ZZ"}]}}}}},
            "problem.vqe.hamiltonian.pauli_sum.terms[0].wrod: no such field; did you mean "
            "problem.vqe.hamiltonian.pauli_sum.terms[0].word?",
        ),
        (spec(name=date(2026, 1, 2)), "name: wanted text in quotes, got the date 2026-01-02"),
        (spec(name="a\ud800"), r'name: wanted text in Unicode, got "a\ud800"; character 2 is half of one'),
        (spec(labels={"\udcff": "x"}), r'labels.\udcff: wanted text in Unicode, got "\udcff"; character 1 is half of one'),
        (spec(labels={1: "x"}), "labels: wanted names that are text, got 1"),
        (spec(**{"a\ud800": 1}), r'a\ud800: wanted text in Unicode, got "a\ud800"; character 2 is half of one'),
        ({**FINE, 10**5000: 1}, "wanted names that are text, got an integer of more than 20 digits"),
        ({**FINE, "plan": {None: 1}}, "plan: wanted names that are text, got None"),
        (spec(**{"x" * 10**6: 1}), f"{'x' * 57}…: no such field; a specification has"),
        (
            spec(plan={"seed": 10**5000}),
            "plan.seed: wanted an integer from 0 to 18446744073709551615, got an integer of more than 20",
        ),
        (
            spec(method={"adam": {"learning_rate": -(10**5000)}}),
            "method.adam.learning_rate: wanted a finite number, got an integer",
        ),
        (spec(plan={"steps": Unwritable()}), "plan.steps: wanted an integer, got an object of type Unwritable"),
        (spec(plan={"steps": np.ndarray}), "plan.steps: wanted an integer, got <class 'numpy.ndarray'>"),
        (spec(name="x" * (3 * 2**20)), "wanted a specification of at most 3145728 bytes, got 31457"),
        (
            {**FINE, "problem": {"density": {"gaussian": {"scales": range(10**30)}}}},
            "problem.density.gaussian.scales: wanted a list of at most 3145728 items, got a list of more than 3145728",
        ),
        (spec(labels={"who": 3}), "labels.who: wanted text in quotes, got 3"),
        (spec(labels=["a"]), "labels: wanted a table of names and values, got a list of 1"),
    ],
)
def test_a_wrong_specification_is_refused_with_the_path_and_the_way_out(given, sentence):
    with pytest.raises(InvalidSpec) as refused:
        specs.load(given)
    assert str(refused.value).startswith(sentence)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.toml", "", "the file is empty"),
        ("blank.toml", "\n\n  \n", "the file is empty"),
        ("broken.toml", "[plan]\nsteps = \n", "is not TOML: invalid value (at line 2, column 9)"),
        ("twice.toml", "name = 'a'\nname = 'b'\n", "is not TOML: cannot overwrite a value (at line 2"),
        ("broken.json", '{"plan": {"steps": 1,}}', "is not JSON:"),
        ("list.json", "[1]", "wanted a JSON object"),
        ("binary.toml", b"\xff\xfe\x00", "is not text in UTF-8"),
        ("zero.toml", b"name = 'a\x00'", "is not TOML: found invalid character"),
        ("digits.toml", "[plan]\nsteps = 7\nseed = " + "1" * 5000, "holds an integer of more than 20 digits (at line 3)"),
        ("lists.toml", "name = 1\nx = " + "[" * 100_000, "its tables and lists are nested too deeply (at line 2)"),
        ("tables.toml", "x = " + "{a=" * 100_000, "its tables and lists are nested too deeply (at line 1)"),
        ("lists.json", '{"name":\n' + "[" * 100_000, "its objects and lists are nested too deeply (at line 2)"),
        ("tables.json", '{"a":' * 100_000, "its objects and lists are nested too deeply (at line 1)"),
        ("large.toml", b"#" * (16 * 2**20 + 1), "wanted at most 16777216 bytes, got more"),
    ],
)
def test_a_broken_file_is_one_sentence_that_names_it(name, content, sentence, tmp_path):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidSpec) as refused:
        specs.load(path)
    assert str(refused.value).startswith(str(path))
    assert sentence in str(refused.value)
    assert refused.value.field == ""


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    (tmp_path / "h2.toml").write_text("name = 'x'")
    with pytest.raises(InvalidSpec, match=r"nothing: no such file$"):
        specs.load(tmp_path / "nothing")
    with pytest.raises(InvalidSpec, match=r"h2: no such file; did you mean .*h2\.toml\?"):
        specs.load(tmp_path / "h2")
    with pytest.raises(InvalidSpec, match="is a folder"):
        specs.load(tmp_path)


def test_an_integer_of_thousands_of_digits_in_json_is_refused_with_its_field(tmp_path):
    path = tmp_path / "digits.json"
    path.write_text(f'{{"problem": {{"density": {{"double_well": {{}}}}}}, "plan": {{"seed": -{"1" * 5000}}}}}')
    with pytest.raises(
        InvalidSpec, match=r"^plan\.seed: wanted an integer from 0 to 18446744073709551615, got an integer of more"
    ):
        specs.load(path)


def test_many_names_in_json_are_read_in_a_time_that_grows_as_their_number(tmp_path):
    path = tmp_path / "many.json"
    names = ", ".join(f'"{number}": "x"' for number in range(100_000))  # a dict for each of them would be 5e9 entries
    path.write_text(f'{{"labels": {{{names}, "7": "y"}}}}')
    with pytest.raises(InvalidSpec, match=r"^7: is given twice in the same JSON object$"):
        specs.load(path)


@pytest.mark.parametrize("name", ["a\0b.toml", "a\ud800.toml", "x" * 300, "x" * 252, "x" * 10**6])
def test_a_path_that_no_file_can_have_is_one_sentence(name):
    why = "cannot be read: no file can have this name|cannot be read: File name too long|no such file"
    with pytest.raises(InvalidSpec, match=f": ({why})$") as refused:
        specs.load(name)
    assert len(str(refused.value)) < 600


def test_a_name_given_twice_in_json_is_refused(tmp_path):
    path = tmp_path / "twice.json"
    path.write_text('{"plan": {"steps": 1, "steps": 2}}')
    with pytest.raises(InvalidSpec, match="steps: is given twice"):
        specs.load(path)


def test_what_was_left_out_stays_apart_from_what_was_set_to_zero():
    left_out, zero = specs.load(spec(plan={})), specs.load(spec(plan={"seed": 0}))
    assert not left_out.plan.HasField("seed")
    assert zero.plan.HasField("seed")
    assert specs.load(spec(plan={"seed": None})) == left_out


def test_an_empty_table_is_a_choice():
    assert specs.load(FINE).problem.density.WhichOneof("kind") == "double_well"


def test_scientists_may_write_1e6_steps_and_hand_in_numpy_arrays():
    magnet = {"grid": {"cells": np.array([4, 4, 1]), "cell_size": np.full(3, 1e-9)}, "start": {"random": {}}}
    read = specs.load(
        {"problem": {"magnet": magnet}, "method": {"adam": {"learning_rate": np.float32(0.5)}}, "plan": {"steps": 1e6}}
    )
    assert list(read.problem.magnet.grid.cells) == [4, 4, 1]
    assert read.method.adam.learning_rate == 0.5
    assert read.plan.steps == 1_000_000


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)


@given(TEXT, st.dictionaries(TEXT, TEXT, max_size=3), st.lists(NUMBER, max_size=4), st.integers(0, 2**64 - 1))
def test_any_specification_written_as_toml_reads_back_equal(name, labels, scales, seed):
    spec = jobs_pb2.JobSpec(name=name, labels=labels)
    spec.problem.density.gaussian.scales.extend(scales)
    spec.method.adam.SetInParent()
    spec.plan.seed = seed
    assert specs.parse(specs.to_toml(spec)) == spec


def test_a_list_of_tables_survives_toml():
    spec = jobs_pb2.JobSpec()
    spec.problem.vqe.hamiltonian.pauli_sum.terms.add(word="ZZ", coefficient=-0.5)
    spec.problem.vqe.hamiltonian.pauli_sum.terms.add(word="XI", coefficient=0.25)
    spec.method.adam.learning_rate = 0.1
    assert specs.parse(specs.to_toml(spec)) == spec


FCIDUMP = """
[problem.vqe.hamiltonian.fcidump]
{text}
[problem.vqe.ansatz.efficient_su2]
[method.adam]
"""


def test_a_text_may_stand_in_a_file_beside_the_specification(tmp_path: Path) -> None:
    (tmp_path / "h2.fcidump").write_text("&FCI NORB=2")
    (tmp_path / "job.toml").write_text(FCIDUMP.format(text='file = "h2.fcidump"'))
    spec = specs.load(tmp_path / "job.toml")
    assert spec.problem.vqe.hamiltonian.fcidump.text == "&FCI NORB=2"
    assert specs.load(specs.to_dict(spec)) == spec


QPY = """
[problem.vqe.hamiltonian.transverse_field_ising]
sites = 2
[problem.vqe.ansatz.qpy]
{content}
[method.adam]
"""


def test_bytes_stand_in_a_file_or_as_base64_and_survive_toml_dict_and_json(tmp_path: Path) -> None:
    content = bytes(range(256))
    (tmp_path / "circuit.qpy").write_bytes(content)
    (tmp_path / "job.toml").write_text(QPY.format(content='file = "circuit.qpy"'))
    spec = specs.load(tmp_path / "job.toml")
    assert spec.problem.vqe.ansatz.qpy.content == content
    assert specs.parse(specs.to_toml(spec)) == spec
    assert specs.load(json.loads(json.dumps(specs.to_dict(spec)))) == spec
    given = specs.to_dict(spec)
    given["problem"]["vqe"]["ansatz"]["qpy"]["content"] = content
    assert specs.load(given) == spec


def test_a_calibration_may_stand_in_a_file_inside_the_noise(tmp_path: Path) -> None:
    (tmp_path / "properties.json").write_text('{"qubits": [], "gates": []}')
    text = QPY.format(content='content = ""') + (
        "[problem.vqe.estimator]\nengine = 'aer'\n"
        "noise = { backend_properties = { file = 'properties.json' }, qubits = [3, 4] }\n"
    )
    (tmp_path / "job.toml").write_text(text)
    noise = specs.load(tmp_path / "job.toml").problem.vqe.estimator.noise
    assert (noise.backend_properties.text, list(noise.qubits)) == ('{"qubits": [], "gates": []}', [3, 4])


@pytest.mark.parametrize("content", ['content = "%%%"', "content = 3", "content = [1, 2]", 'content = "abc"'])
def test_what_is_no_base64_is_refused(content: str) -> None:
    with pytest.raises(InvalidSpec, match=r"^problem.vqe.ansatz.qpy.content: wanted the bytes of a file as text in base64, got "):
        specs.parse(QPY.format(content=content))


@pytest.mark.parametrize(
    ("text", "field", "part"),
    [
        ('file = "zero\\u0000byte"', "file", "cannot be read"),
        ('file = "/dev/zero"', "file", "/dev/zero: wanted at most 3145728 bytes, got more"),
        ('file = "~nobody-of-this-name/x"', "file", "~nobody-of-this-name/x: cannot be read: no such user"),
        (f'file = "{"x" * 10**6}"', "file", "x…: cannot be read: File name too long"),
        ("file = 1979-05-27", "file", "wanted the name of a file, got the date 1979-05-27"),
        ('file = "none.fcidump"', "file", "none.fcidump: cannot be read: No such file"),
        ('file = "bytes"', "file", "is not text in UTF-8"),
        ('file = "nothing"', "file", "nothing: the file is empty"),
        ("file = 3", "file", "wanted the name of a file, got 3"),
        ('file = "x"\ntext = "y"', "", "file and text are both given"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_field(text: str, field: str, part: str, tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\xfa")
    (tmp_path / "nothing").touch()
    (tmp_path / "job.toml").write_text(FCIDUMP.format(text=text))
    with pytest.raises(InvalidSpec, match=part) as refused:
        specs.load(tmp_path / "job.toml")
    assert refused.value.field == "problem.vqe.hamiltonian.fcidump" + (f".{field}" if field else "")


def test_no_control_character_of_a_name_stands_bare_in_toml():
    names = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
    spec = specs.load({"name": names, "problem": {"density": {"double_well": {}}}, "method": {"adam": {}}})
    text = specs.to_toml(spec)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    assert specs.parse(text) == spec


HOSTILE = [
    *("", "\0", "\ud800", "a\udcffb", "\N{PILE OF POO}", "\x1b[31m", "x" * 10_000, "a.b", "~nobody/x", "/dev/null"),
    *(0, -1, True, None, 2**63, 2**64, -(2**64), 10**400, -(10**5000), 1.5, -0.0, 1e308, math.inf, -math.inf, math.nan, 1j),
    *(b"\xff", bytearray(b"a"), date(2026, 1, 2), time(1, 2), datetime(2026, 1, 2), Unwritable(), object, np.ndarray, {1, 2}),
    *([], {}, [[]], [None], ["x"] * 10, range(10), range(10**30), (1, "a"), {"": ""}, {1: 2}, {"file": 3}, {"file": "/"}),
    *(np.arange(3), np.array(["a", None]), np.float32("nan"), np.int64(-1), np.array(3), np.datetime64("2026-01-01")),
]
KEYS = ["", "\0", "\ud800", "x" * 10_000, "problem", "file", "text", "a.b", "\n", 1, None, 10**5000, (1,), b"a", True, math.nan]
BASES = [specs.to_dict(specs.load(EXAMPLES / f"{name}.toml")) for name in ("h2", "skyrmion", "logistic")]


def spoilt(rng: random.Random, given: object, depth: int = 0) -> object:
    """The same with something hostile somewhere in it: in place of a value, or under a name that is none."""
    if not isinstance(given, dict) or not given or (depth and rng.random() < 0.2):
        return rng.choice(HOSTILE)
    name = rng.choice(list(given)) if rng.random() < 0.8 else rng.choice(KEYS)
    return given | {name: spoilt(rng, given.get(name), depth + 1)}


def refused_in_a_sentence(read: object) -> bool:
    """Whether a specification is refused, and not by anything but one short sentence."""
    try:
        read()
    except InvalidSpec as refused:
        assert "\n" not in str(refused)
        assert len(str(refused)) < 1200
        assert not re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", str(refused))
        return True
    return False


def test_no_hostile_value_in_a_dict_is_met_by_anything_but_a_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = random.Random(1)
    refused = [refused_in_a_sentence(lambda: specs.load(spoilt(rng, rng.choice(BASES)))) for _ in range(3000)]
    assert 1000 < sum(refused) < 3000  # both happens


TOKENS = [
    *("[", "]", "{", "}", "=", ".", ",", '"', "'", '"""', "#", "[[", "]]", "-", "+"),
    *("\n", "\r", "\0", "\\", "\\ud800", "\\u0000", "\ufeff", "\u2028", "x" * 5000),
    *("1" * 5000, "0x" + "f" * 5000, "e999", "1e400", "1_", "0b2", "nan", "inf", "Infinity", "null", "true"),
    *("1979-05-27", "1979-13-45T25:61:61Z", "07:32:00+99:99"),
    *("[" * 2000, "{a=" * 2000, '{"a":' * 2000, "a." * 2000 + "b = 1\n"),
]


def torn(rng: random.Random, text: str) -> bytes:
    """A text with a few pieces cut out and a few tokens put in, and sometimes with bytes that are no text."""
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice([0, 0, 1, 5, 50]))
        text = text[:start] + rng.choice(["", *TOKENS]) + text[end:]
    content = text.encode(errors="surrogatepass")
    return content + b"\xff" if rng.random() < 0.02 else content


@pytest.mark.parametrize("ending", [".toml", ".json"])
def test_no_torn_text_is_met_by_anything_but_a_sentence(ending, tmp_path):
    rng, path, refused = random.Random(2), tmp_path / f"torn{ending}", 0
    texts = [specs.to_toml(specs.load(base)) if ending == ".toml" else json.dumps(base) for base in BASES]
    for _ in range(1000):
        path.write_bytes(torn(rng, rng.choice(texts)))
        refused += refused_in_a_sentence(lambda: specs.load(path))
    assert 500 < refused < 1000
