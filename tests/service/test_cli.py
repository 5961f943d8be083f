"""The command line against the fake service: what it prints, and what it returns."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service.fake_service import FakeService, serving

from thalweg.cli import main
from thalweg.v1 import jobs_pb2

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
    assert lines[1] == "energy\t-1.1362 ± 0.0015 Ha\t-1.13730604 Ha\t0.0011 ± 0.0015 Ha"
    assert lines[2] == "rhat_max\tunknown\t\t"
    assert "spent      240,000 shots, 12.3 s" in lines
    assert "A normal density: walk 1/3, -1.00 ± 0.10 Ha" in err


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

    monkeypatch.setattr("thalweg.cli.run.follow", interrupted)
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


def test_help_and_version(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == "thalweg 0.1.0\n"
    with pytest.raises(SystemExit) as ended:
        main(["rnu"])
    assert ended.value.code == 2
