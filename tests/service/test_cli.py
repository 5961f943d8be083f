"""The command line against the fake service: what it prints, and what it returns."""

from __future__ import annotations

import errno
import io
import json
import math
import os
import re
import subprocess
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from tests.service.fake_service import FakeService, serving

from thalweg.cli import main
from thalweg.cli.places import REPORTS
from thalweg.cli.results import rows
from thalweg.cli.screen import Screen
from thalweg.cli.serve import _ended
from thalweg.v1 import jobs_pb2, results_pb2
from thalweg.visible import visible

GOOD = 'name = "A normal density"\n[problem.density.gaussian]\nscales = [1.0]\n[method.ula]\nstep_size = 0.1\n'


@pytest.fixture
def service() -> FakeService:
    return FakeService(files={"notes.txt": b"all is well"})


@pytest.fixture
def thalweg(service, capfd, monkeypatch, tmp_path) -> Iterator[object]:
    """Runs a command line; gives exit code, stdout and stderr."""
    with serving(service) as address:
        monkeypatch.setenv("THALWEG_SERVER", address)
        monkeypatch.setenv("THALWEG_DATA", str(tmp_path / "data"))

        def run(*words: object) -> tuple[int, str, str]:
            capfd.readouterr()
            code = main([str(word) for word in words])
            out, err = capfd.readouterr()
            return code, out, err

        yield run


@pytest.fixture
def good(tmp_path) -> Path:
    path = tmp_path / "good.toml"
    path.write_text(GOOD)
    return path


def test_a_run_prints_the_result_beside_the_truth_and_ends_with_0(thalweg, good):
    code, out, err = thalweg("run", good)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "A normal density: succeeded: all 3 steps were taken"
    # -1.13623 - (-1.13730604) = 0.00108
    assert lines[1] == "quantity\tresult\ttruth\tresult − truth"
    assert lines[2] == "energy\t-1.1362 ± 0.0015 Ha\t-1.137306 Ha\t0.0011 ± 0.0015 Ha"
    assert lines[3] == "rhat_max\tunknown"
    assert "spent      240,000 shots, 12.3 s" in lines
    assert "A normal density: walk step 1/3, energy -1.00 ± 0.10 Ha" in err


def test_the_json_of_a_run_is_one_object_with_the_wires_names(thalweg, good):
    code, out, _ = thalweg("run", good, "--json")
    job = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert code == 0
    assert list(job)[:5] == ["id", "state", "outcome", "result", "provenance"]
    assert (job["id"], job["state"], job["outcome"]) == ("job1", "SUCCEEDED", "all 3 steps were taken")
    assert job["result"]["value"] == -1.13623
    assert job["result"]["standard_error"] == 0.00152
    assert job["result"]["unit"] == "Ha"
    assert job["result"]["observables"]["exact_energy"] == {"value": -1.13730604, "standard_error": 0.0, "unit": "Ha"}
    assert job["result"]["observables"]["rhat_max"]["value"] is None  # NaN is not JSON
    assert job["result"]["cost"] == {"seconds": 12.34, "shots": 240_000.0}
    assert job["result"]["artifacts"][0]["size"] == 11
    assert "path" not in job["result"]["artifacts"][0]
    assert job["result"]["stops"] == {"all 3 steps were taken": 4}
    assert job["provenance"]["seed"] == 2**63  # a number, not text
    assert job["provenance"]["packages"] == {"torch": "2.13.0"}
    assert job["spec"]["problem"] == {"density": {"gaussian": {"scales": [1.0]}}}


def test_out_saves_the_files_and_the_record(thalweg, good, tmp_path):
    code, out, _ = thalweg("run", good, "--json", "--out", tmp_path / "out")
    assert code == 0
    assert (tmp_path / "out" / "notes.txt").read_bytes() == b"all is well"
    assert json.loads((tmp_path / "out" / "job.json").read_text()) == json.loads(out)
    assert json.loads(out)["result"]["artifacts"][0]["path"] == str(tmp_path / "out" / "notes.txt")


def test_several_specifications_run_side_by_side_and_keep_apart(thalweg, good, tmp_path):
    other = tmp_path / "elsewhere" / "good.toml"
    other.parent.mkdir()
    other.write_text(GOOD)
    code, out, _ = thalweg("run", good, other, "--json", "--out", tmp_path / "out")
    assert code == 0
    assert [job["id"] for job in json.loads(out)["jobs"]] == ["job1", "job2"]
    assert (tmp_path / "out" / "good-1" / "job.json").exists()
    assert (tmp_path / "out" / "good-2" / "notes.txt").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (GOOD.replace("gaussian", "gausian"), "problem.density.gausian: no such field; did you mean problem.density.gaussian?"),
        (GOOD.replace("scales = [1.0]", "scales = []"), "problem.density.gaussian.scales: wanted at least one scale, got none"),
        (GOOD.replace("[1.0]", "[1.0]\ncorrelation = 2"), "plan.device: this machine has no GPU"),
    ],
)
def test_a_bad_specification_is_one_sentence_and_exit_2(thalweg, tmp_path, text, sentence):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    for command in ("run", "submit"):
        assert thalweg(command, path) == (2, "", f"thalweg: {sentence}\n")
    code, out, _ = thalweg("run", path, "--json")
    assert code == 2
    assert json.loads(out)["error"]["sentence"] == sentence


def test_one_bad_specification_among_several_submits_none_and_is_named(thalweg, service, good, tmp_path):
    bad = tmp_path / "bad.toml"
    for text in (GOOD.replace("scales", "scalse"), GOOD.replace("[1.0]", "[]")):
        bad.write_text(text)
        code, _, err = thalweg("run", good, bad)
        assert code == 2
        assert err.startswith(f"thalweg: {bad}: problem.density.gaussian.scal")
    assert service.jobs == {}


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
def test_following_a_job_that_does_not_succeed_ends_with_1(thalweg, service, state):
    id = service.put(state, "the energy became NaN").id
    for verb in ("watch", "result"):
        code, out, _ = thalweg("jobs", verb, id)
        assert code == 1
        assert "the energy became NaN" in out
    code, out, _ = thalweg("jobs", "watch", id, "--json")
    assert (code, json.loads(out)["state"], json.loads(out)["result"]) == (1, state, None)


def test_submit_prints_the_id_alone_and_how_to_follow(thalweg, good, monkeypatch):
    code, out, err = thalweg("submit", good)
    assert (code, out) == (0, "job1\n")
    assert "thalweg jobs watch job1" in err
    assert json.loads(thalweg("submit", good, "--json")[1])["id"] == "job2"
    assert "-1.1362 ± 0.0015 Ha" in thalweg("submit", good, "--follow", "--quiet")[1]


def test_quiet_says_nothing_but_the_result(thalweg, good):
    assert thalweg("run", good, "--quiet")[2] == ""
    assert thalweg("--quiet", "run", good)[2] == ""


def test_jobs_are_listed_newest_first(thalweg, service, good):
    thalweg("submit", good)
    service.put("FAILED")
    code, out, _ = thalweg("jobs", "list")
    assert code == 0
    assert [line.split("\t")[:2] for line in out.splitlines()] == [["job2", "failed"], ["job1", "succeeded"]]
    assert "A normal density" in out
    assert [job["id"] for job in json.loads(thalweg("jobs", "list", "--state", "failed", "--json")[1])["jobs"]] == ["job2"]
    assert thalweg("jobs", "list", "--label", "x")[0] == 2


def test_the_verbs_of_jobs(thalweg, service, good, tmp_path):
    thalweg("submit", good)
    assert "scales = [1.0]" in thalweg("jobs", "get", "job1")[1]
    assert json.loads(thalweg("jobs", "get", "job1", "--json")[1])["id"] == "job1"
    assert thalweg("jobs", "artifacts", "job1")[1].startswith("notes.txt\t11\ttext/plain")
    code, out, _ = thalweg("jobs", "artifacts", "job1", "--save", tmp_path / "files", "--json")
    assert json.loads(out)["artifacts"][0]["path"] == str(tmp_path / "files" / "notes.txt")
    assert (tmp_path / "files" / "notes.txt").exists()
    running = service.put("RUNNING").id
    code, _, err = thalweg("jobs", "result", running)
    assert code == 1
    assert "is running and has no result yet; thalweg jobs watch job2 waits for it" in err
    assert json.loads(thalweg("jobs", "cancel", running, "--json")[1])["state"] == "CANCELLING"
    assert thalweg("jobs", "delete", "job1")[:2] == (0, "job1: deleted\n")
    assert thalweg("jobs", "get", "job1") == (1, "", "thalweg: there is no job job1\n")


def test_what_the_service_knows_is_listed_and_described(thalweg):
    assert "adam\tMoments.\tdensity.gaussian" in thalweg("describe")[1]
    assert "adam\tMoments." not in thalweg("describe", "problems")[1]
    assert "learning_rate\tnumber\trequired\tStep." in thalweg("describe", "methods", "adam")[1]
    assert json.loads(thalweg("describe", "methods", "adam", "--json")[1])["fields"][0]["required"] is True
    assert "plan\tHow far to walk." in thalweg("describe")[1]
    assert thalweg("describe", "plan")[1] == "[plan]  How far to walk.\nstop.plateau\tinteger\t\tSteps without a decrease.\n"
    assert json.loads(thalweg("describe", "plan", "--json")[1])["fields"][0]["name"] == "stop.plateau"
    assert set(json.loads(thalweg("describe", "--json")[1])) == {"problems", "methods", "plan"}
    assert thalweg("describe", "plan", "steps")[0] == 2
    assert thalweg("describe", "methods", "adm") == (2, "", "thalweg: adm: no such method; did you mean adam?\n")


def test_a_report_is_written_from_the_jobs_artifacts(thalweg, good, tmp_path, monkeypatch):
    def write(records, path):
        path.write_text("".join(f"{record.job.id}: {record.read('notes.txt').decode()}\n" for record in records))
        return [path]

    monkeypatch.setattr("thalweg.report.write", write)
    target = tmp_path / "new" / "report.html"
    code, out, _ = thalweg("run", good, "--report", target)
    assert code == 0
    assert f"report     {target}" in out
    assert target.read_text() == "job1: all is well\n"
    assert json.loads(thalweg("report", "job1", "-o", target, "--json")[1]) == {"files": [str(target)]}


@pytest.mark.slow
def test_nobody_there_is_a_sentence_and_exit_1(thalweg):
    code, out, err = thalweg("jobs", "list", "--server", "127.0.0.1:1")
    assert (code, out) == (1, "")
    assert err.startswith("thalweg: no thalweg service answers at 127.0.0.1:1")


def test_a_fault_of_ours_is_a_sentence_with_the_place_of_the_traceback(thalweg, good, monkeypatch, tmp_path):
    monkeypatch.setattr("thalweg.cli.run.follow", lambda *_: 1 / 0)
    code, _, err = thalweg("run", good)
    assert code == 1
    assert err == (
        f"thalweg: unexpected ZeroDivisionError: division by zero; the traceback is in {tmp_path}/data/cli.log"
        " (THALWEG_DEBUG=1 prints it)\n"
    )
    assert "ZeroDivisionError" in (tmp_path / "data" / "cli.log").read_text()
    monkeypatch.setenv("THALWEG_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        thalweg("run", good)


def test_ctrl_c_detaches_and_says_how_to_come_back(thalweg, service, good, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("thalweg.cli.follow.merged", interrupted)
    code, _, err = thalweg("run", good)
    assert code == 130
    assert "the job goes on" in err
    assert "thalweg jobs watch job1" in err
    assert "thalweg jobs cancel job1" in err
    assert service.cancelled == []


def test_no_number_that_json_lacks_is_ever_printed():
    from thalweg.cli.records import plain

    cost = jobs_pb2.Progress(value=math.nan, cost={"seconds": math.inf})
    assert plain(cost)["value"] is None
    assert plain(cost)["cost"] == {"seconds": None}
    assert "fraction" not in plain(cost)


@pytest.mark.parametrize("asked", ["in time", "in vain"])
def test_after_ctrl_c_the_one_json_object_is_the_job_as_it_is_now(thalweg, service, good, monkeypatch, asked):
    class Gone(Exception):
        pass

    def interrupted(jobs):
        yield 0, jobs_pb2.JobEvent(number=9, state_change=jobs_pb2.StateChange(state=jobs_pb2.JOB_STATE_RUNNING, attempt=1))
        service.jobs["job1"].state = jobs_pb2.JOB_STATE_CANCELLING
        raise KeyboardInterrupt

    monkeypatch.setattr("thalweg.cli.follow.merged", interrupted)
    if asked == "in vain":
        monkeypatch.setattr("thalweg.cli.run.ANSWER_WITHIN", 0.1)
        monkeypatch.setattr("thalweg.client.Job.fetch", lambda _: time.sleep(1))
    code, out, _ = thalweg("run", good, "--json")
    job = json.loads(out)
    assert (code, job["id"]) == (130, "job1")
    assert job["state"] == ("CANCELLING" if asked == "in time" else "RUNNING")
    assert asked == "in time" or job["last_event"] == 9


def test_help_and_version(thalweg):
    assert thalweg("--version") == (0, "thalweg 0.1.0\n", "")
    assert thalweg("jobs", "list", "--help")[1].startswith("usage: thalweg jobs list")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["rnu"], r"COMMAND: invalid choice: 'rnu' .*; `thalweg --help` tells more"),
        (["jobs", "list", "--limit", "0"], "--limit: wanted a whole number of 1 or more, got 0; `thalweg jobs list --help`"),
        (["jobs", "list", "--limit", "-3"], "--limit: wanted a whole number of 1 or more, got -3; "),
        (["jobs", "list", "--limit", "ten"], "--limit: wanted a whole number of 1 or more, got ten; "),
        (["jobs"], "the following arguments are required: VERB; "),
        (["serve", "--server", "there:1"], "--server: names a service that runs already"),
    ],
)
def test_a_command_line_that_cannot_be_is_one_sentence_and_exit_2(thalweg, words, sentence):
    code, out, err = thalweg(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.match(f"thalweg: {sentence}", err)
    code, out, again = thalweg(*words, "--json")
    error = json.loads(out)["error"]
    assert (code, again) == (2, err)
    assert err == f"thalweg: {error['sentence']}\n"
    assert (error["kind"], error["field"]) == (("InvalidSpec", "--server") if words[0] == "serve" else ("Usage", ""))


def test_a_place_where_nothing_can_be_written_is_refused_before_anything_runs(thalweg, service, good, tmp_path):
    file, folder = tmp_path / "file", tmp_path / "folder.md"
    file.write_text("")
    folder.mkdir()
    id = service.put("SUCCEEDED").id
    for words, sentence in (
        (["run", good, "--report", "x.pdf"], "--report: wanted NAME.html or NAME.md, got x.pdf"),
        (["run", good, "--report", file / "x.md"], f"--report: wanted a folder, got {file}: {file} is a file"),
        (["run", good, "--report", folder], f"--report: wanted a file, got {folder}, which is a folder"),
        (["run", good, "--out", file], f"--out: wanted a folder, got {file}: {file} is a file"),
        (["run", good, "--out", file / "a" / "b"], f"--out: wanted a folder, got {file / 'a' / 'b'}: {file} is a file"),
        (["run", good, "--out", "x" * 300], f"--out: {'x' * 300} cannot be used: File name too long"),
        (["report", id, "-o", "x.pdf"], "--output: wanted NAME.html or NAME.md, got x.pdf"),
        (["report", id, "-o", file / "x.html"], f"--output: wanted a folder, got {file}: {file} is a file"),
        (["jobs", "artifacts", id, "--save", file], f"--save: wanted a folder, got {file}: {file} is a file"),
    ):
        assert thalweg(*words) == (2, "", f"thalweg: {sentence}\n")
    assert list(service.jobs) == [id]
    assert set(REPORTS) == {name for name in (".html", ".htm", ".md", ".pdf") if _can_be_a_report(name, tmp_path)}


def _can_be_a_report(ending: str, folder: Path) -> bool:
    from thalweg.report.page import write

    class Empty:
        job = jobs_pb2.Job(state=jobs_pb2.JOB_STATE_FAILED)

    try:
        return bool(write([Empty()], folder / f"report{ending}"))
    except ValueError:
        return False


def test_a_disk_that_fills_up_is_a_sentence(thalweg, good, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("thalweg.client.Artifact.save", full)
    code, _, err = thalweg("run", good, "--quiet", "--out", tmp_path / "out")
    assert code == 1
    assert err == f"thalweg: --out: {tmp_path}/out cannot be written: No space left on device; the service keeps the job\n"


HOSTILE = "a\x1b[31m\tb\r\nc\x9b2J\u202ed\x7f"
TAMED = r"a\x1b[31m\tb\r\nc\x9b2J\u202ed\x7f"


def test_control_characters_of_a_name_are_shown_and_never_obeyed(thalweg, service, tmp_path):
    path = tmp_path / "hostile.json"
    path.write_text(json.dumps({"name": HOSTILE, **tomllib.loads(GOOD.split("\n", 1)[1])}))
    for words in (["run", path], ["submit", path], ["jobs", "list"], ["jobs", "get", "job1"], ["jobs", "result", "job1"]):
        code, out, err = thalweg(*words)
        assert code == 0
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", out + err)
        if words[:2] != ["jobs", "get"]:  # a TOML document, with escapes of its own
            assert TAMED in out + err
    assert [len(line.split("\t")) for line in thalweg("jobs", "list")[1].splitlines()] == [7, 7]
    out = thalweg("jobs", "get", "job1", "--json")[1]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", out)
    assert json.loads(out)["spec"]["name"] == HOSTILE


def test_a_narrow_terminal_cuts_names_and_dates_but_no_id_and_no_state(service, good):
    file = io.StringIO()
    out = Console(file=file, force_terminal=True, width=80, highlight=False, color_system=None)
    ids = ["a" * 12, "0123456789ab"]
    rows = [
        (id, "cancelling", "density", "hmc", "2026-11-21 12:00:00 UTC", "A very long name of a job", "-1.1362 ± 0.0015 Ha")
        for id in ids
    ]
    whole = ("id", "state", "problem", "value")
    Screen(out, out).table(("id", "state", "problem", "method", "created", "name", "value"), rows, whole=whole)
    lines = [line for line in file.getvalue().splitlines() if "cancelling" in line]
    assert [line.split()[:3] for line in lines] == [[id, "cancelling", "density"] for id in ids]
    assert all("-1.1362 ± 0.0015 Ha" in line for line in lines)
    assert all(len(line) <= 80 for line in file.getvalue().splitlines())
    assert len(lines) == 2 and "…" in lines[0]


def test_an_error_that_is_known_exactly_has_four_digits_and_an_energy_seven():
    result = results_pb2.Result(value=-1.1362, standard_error=0.0015, unit="Ha")
    for name, value in (("energy_error", 0.001191986103), ("exact_energy", -1.13730603575), ("true_energy", -1.136114049)):
        result.observables[name].CopyFrom(results_pb2.Observable(value=value, unit="Ha"))
    assert rows(result) == [
        ("energy", "-1.1362 ± 0.0015 Ha", "-1.137306 Ha", "0.0011 ± 0.0015 Ha"),
        ("energy_error", "0.001192 Ha", "", ""),
        ("true_energy", "-1.136114 Ha", "", ""),
    ]


HOSTILE_FILES: dict[str, bytes] = {
    "digits.toml": f"[plan]\nseed = {'1' * 5000}".encode(),
    "digits.json": f'{{"plan": {{"seed": {"1" * 5000}}}}}'.encode(),
    "deep.toml": b"x = " + b"[" * 100_000,
    "deep.json": b'{"a":' * 100_000,
    "half.json": b'{"name": "\\ud800", "problem": {}}',
    "key.json": b'{"\\udc00": 1}',
    "date.toml": b"name = 1979-05-27",
    "zero.toml": b'[problem.vqe.hamiltonian.fcidump]\nfile = "a\\u0000b"',
    "home.toml": b'[problem.vqe.hamiltonian.fcidump]\nfile = "~nobody-of-this-name/x"',
    "long.json": b'{"' + b"x" * 3_000_000 + b'": 1}',
    "name.json": json.dumps({"name": "x" * 3_200_000, **tomllib.loads(GOOD.split("\n", 1)[1])}).encode(),
    "twice.json": b'{"plan": {"seed": 1, "seed": 2}}',
    "huge.json": b'{"plan": {"seed": 1e999}}',
    "bytes.toml": b"name = '\xff'",
    "bytes.json": b"\xff\xfe{\0}\0",
}


@pytest.mark.parametrize("name", HOSTILE_FILES)
def test_a_hostile_file_is_one_short_sentence_and_exit_2(thalweg, service, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(HOSTILE_FILES[name])
    for words in (["run", path], ["submit", path], ["run", path, "--json"]):
        code, out, err = thalweg(*words)
        assert (code, err.count("\n")) == (2, 1)
        assert err.startswith("thalweg: ") and len(err) < 1000
        assert "unexpected" not in err
    assert err == f"thalweg: {visible(json.loads(out)['error']['sentence'])}\n"
    assert service.jobs == {}


WORDS = [
    "",
    "a\0b",
    "a\ud800",
    "bytes\udcff",
    "x" * 300,
    "x" * 10_000,
    "~nobody/x",
    "\x1b[31m\n",
    "9" * 5000,
    "%s{}",
    "/",
]
LINES = [
    *(["run", "W"], ["submit", "W"], ["run", "GOOD", "--out", "W/out"], ["run", "GOOD", "--report", "W.md"], ["W"]),
    *(["jobs", verb, "W"] for verb in ("get", "watch", "cancel", "delete", "result", "artifacts")),
    *(["jobs", "list", flag, "W"] for flag in ("--limit", "--label", "--kind", "--state")),
    *(["jobs", "list", "--label", "W=W"], ["report", "W", "-o", "x.md"], ["report", "job1", "-o", "W"]),
    *(["describe", "W"], ["describe", "methods", "W"], ["jobs", "artifacts", "job1", "--save", "W"]),
    *(["serve", "--data", "W", "--server", "there:1"], ["jobs", "list", "--server", "W"]),
]


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_a_hostile_command_line_is_met_by_one_sentence(thalweg, service, good, tmp_path, monkeypatch, line):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("thalweg.client.embedded.Fixed.__init__.__defaults__", (0.0,))
    service.put("SUCCEEDED")
    for word in WORDS:
        words = [str(good) if part == "GOOD" else part.replace("W", word) for part in line]
        code, _, err = thalweg(*words, "--quiet")
        assert code in (0, 1, 2), err
        assert "unexpected" not in err and "Traceback" not in err
        assert code == 0 or (err.count("\n") == 1 and len(err) < 5000)


def test_a_data_folder_that_can_be_none_is_one_sentence_and_exit_2(thalweg, monkeypatch):
    monkeypatch.delenv("THALWEG_SERVER")
    for words in (["jobs", "list"], ["serve"]):
        for folder in ("a\0b", "a\ud800", "~nobody-of-this-name/x", "x" * 5000):
            code, out, err = thalweg(*words, "--data", folder)
            assert (code, out, err.count("\n")) == (2, "", 1)
            assert err.startswith("thalweg: --data: wanted ")


def test_the_traceback_of_a_fault_is_for_its_user_only_whatever_the_command_line_held(thalweg, good, monkeypatch, tmp_path):
    monkeypatch.setattr("thalweg.cli.run.follow", lambda *_: 1 / 0)
    monkeypatch.setattr("sys.argv", ["thalweg", "a\udcff"])
    umask = os.umask(0)
    try:
        code, _, err = thalweg("run", good)
    finally:
        os.umask(umask)
    log = tmp_path / "data" / "cli.log"
    assert (code, err.count("\n")) == (1, 1)
    assert "thalweg a\\udcff" in log.read_text()
    assert [path.stat().st_mode & 0o777 for path in (log.parent, log)] == [0o700, 0o600]


def test_a_call_without_the_token_is_a_sentence_and_exit_1(thalweg, service, monkeypatch, tmp_path):
    service.token = "s3cret"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("THALWEG_TOKEN", raising=False)
    code, out, err = thalweg("jobs", "list", "--json")
    assert (code, json.loads(out)["error"]["kind"], err.count("\n")) == (1, "Unauthenticated", 1)
    assert f"does not accept what {tmp_path}/thalweg/services/" in err
    monkeypatch.setenv("THALWEG_TOKEN", "s3cret")
    assert thalweg("jobs", "list")[0] == 0
    monkeypatch.setenv("THALWEG_TOKEN", "s3cret\n")
    assert thalweg("jobs", "list")[0] == 2


def test_the_wait_for_a_service_ends_now_and_then_so_that_a_signal_just_before_it_is_passed_on():
    waits = []

    class Service:
        def wait(self, timeout=None):
            waits.append(timeout)
            if len(waits) < 3:
                raise subprocess.TimeoutExpired([], timeout)
            return 7

    assert _ended(Service()) == 7
    assert len(waits) == 3
    assert None not in waits
