"""The command line and the SDK against the real embedded service: few tests, short jobs."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from thalweg import Client, errors
from thalweg.client.embedded import Embedded

SHORT = {"problem": {"density": {"gaussian": {"scales": [1.0, 2.0]}}}, "method": {"hmc": {}}}
PLAN = {"steps": 400, "warmup": 100, "replicas": 8, "seed": 5}
LONG = {**SHORT, "method": {"ula": {"step_size": 0.01}}, "plan": {"steps": 10_000_000, "replicas": 2}}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Iterator[Path]:
    """A data folder whose service ends with the tests."""
    folder = tmp_path_factory.mktemp("service") / "data"
    yield folder
    stop(folder, signal.SIGTERM)


def stop(folder: Path, number: signal.Signals) -> None:
    """Send a signal to the folder's service, and wait until it no longer answers."""
    embedded = Embedded(folder)
    if embedded.address() is None:
        return
    for job in Client(data=folder).jobs(states=["queued", "starting", "running"]) if number == signal.SIGTERM else ():
        job.cancel()
    os.kill(json.loads((folder / "server.json").read_text())["pid"], number)
    until = time.monotonic() + 30
    while embedded.address() is not None:
        assert time.monotonic() < until
        time.sleep(0.05)


def thalweg(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, timeout=120)


COMMAND = [sys.executable, "-m", "thalweg.cli"]


def written(path: Path, spec: dict[str, object]) -> Path:
    path.write_text(json.dumps(spec))
    return path


@pytest.mark.slow
def test_a_run_draws_the_gaussian_that_was_asked_for_and_brings_its_files_home(data, tmp_path):
    out = tmp_path / "out"
    ran = thalweg("run", written(tmp_path / "short.json", {**SHORT, "plan": PLAN}), "--json", "--out", out, "--data", data)
    assert ran.returncode == 0, ran.stderr
    job = json.loads(ran.stdout)
    result = job["result"]
    assert job["state"] == "SUCCEEDED"
    # each coordinate of a normal density holds T/2 of energy on average
    assert abs(result["value"] - 1.0) < 4 * result["standard_error"]
    assert json.loads((out / "job.json").read_text()) == job
    assert result["artifacts"]
    for artifact in result["artifacts"]:
        assert hashlib.sha256(Path(artifact["path"]).read_bytes()).hexdigest() == artifact["sha256"]
    assert "short" in ran.stderr or "walk" in ran.stderr or job["id"] in ran.stderr


def test_what_the_service_finds_wrong_is_one_sentence_and_exit_2(data, tmp_path):
    bad = {**SHORT, "problem": {"density": {"gaussian": {"scales": [-1.0]}}}}
    ran = thalweg("run", written(tmp_path / "bad.json", bad), "--data", data)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("thalweg: problem.density.gaussian.scales")
    assert ran.stderr.count("\n") == 1


def test_ctrl_c_leaves_the_job_running_and_says_how_to_come_back(data, tmp_path):
    spec = written(tmp_path / "long.json", LONG)
    running = subprocess.Popen([*COMMAND, "run", spec, "--data", data], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    for line in running.stderr:
        if "walk" in line:
            break
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "Traceback" not in err
    again = next(line for line in err.splitlines() if "thalweg jobs watch" in line)
    id = again.split("jobs watch ")[1].split()[0]
    assert f"--data {data}" in again
    job = Client(data=data).job(id)
    assert job.status() == "RUNNING"
    assert thalweg("jobs", "cancel", id, "--data", data).returncode == 0
    watched = thalweg("jobs", "watch", id, "--json", "--data", data)
    assert watched.returncode == 1
    assert json.loads(watched.stdout)["state"] == "CANCELLED"
    with pytest.raises(errors.JobCancelled):
        job.result()


@pytest.mark.slow
def test_a_watch_outlives_a_killed_service_and_sees_every_event_once(data):
    with Client(data=data) as client:
        job = client.submit({**LONG, "plan": {"steps": 4_000, "replicas": 2, "seed": 2}})
        numbers, killed = [], False
        for event in job.watch():
            numbers.append(event.number)
            if event.HasField("progress") and not killed:
                stop(data, signal.SIGKILL)
                killed = True
        assert killed
        assert numbers == list(range(1, len(numbers) + 1))
        assert job.wait() == "SUCCEEDED"


def test_two_clients_that_start_the_service_at_once_find_the_same_one(tmp_path):
    folder, addresses = tmp_path / "data", []

    def connect() -> None:
        addresses.append(Embedded(folder)().address)

    threads = [threading.Thread(target=connect) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    stop(folder, signal.SIGTERM)
    assert len(addresses) == 2
    assert len(set(addresses)) == 1


@pytest.mark.slow
def test_a_service_that_cannot_start_is_a_sentence_that_names_its_log(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.NoService, match="cannot use"):
        Client(data=tmp_path / "file" / "data").describe()
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "jobs").write_text("")  # a file where the service wants a folder: it ends at once
    with pytest.raises(
        errors.NoService, match=r"did not start; the reason is in .*server\.log \(it ends: the folder .* cannot be used"
    ):
        Client(data=folder).describe()
    for words in (["jobs", "list"], ["serve"]):
        failed = thalweg(*words, "--json", "--data", folder)
        sentence = json.loads(failed.stdout)["error"]["sentence"]
        assert f"the folder {folder} cannot be used: Not a directory" in sentence
        assert failed.returncode in (1, 2)
        assert "Traceback" not in failed.stderr
    plain = thalweg("serve", "--quiet", "--data", folder)
    assert (plain.returncode, plain.stdout) == (2, "")
    assert plain.stderr.startswith(f"the folder {folder} cannot be used: Not a directory")
    assert plain.stderr.count("\n") == 1


@pytest.mark.slow
def test_no_file_of_the_working_folder_or_the_data_folder_stands_in_for_a_module(tmp_path):
    folder = tmp_path / "data"
    Client(data=folder).describe()
    stop(folder, signal.SIGTERM)
    for place in (folder, tmp_path):
        (place / "argparse.py").write_text("raise SystemExit('it was read')")
    Client(data=folder).describe()
    stop(folder, signal.SIGTERM)
    command = [sys.executable, "-P", "-m", "thalweg.cli", "serve", "--json", "--data", folder, "--address", "127.0.0.1:0"]
    with (tmp_path / "said").open("w") as said:
        serving = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, cwd=tmp_path)
    assert serving.stdout is not None
    assert serving.stdout.readline() == "{\n"
    serving.send_signal(signal.SIGTERM)
    serving.wait(60)
    assert "it was read" not in (tmp_path / "said").read_text()


def objects(text: str) -> list[dict[str, object]]:
    """Every JSON object in a text that holds nothing else."""
    found, decoder = [], json.JSONDecoder()
    while text := text.strip():
        one, end = decoder.raw_decode(text)
        found.append(one)
        text = text[end:]
    return found


@pytest.mark.slow
def test_ctrl_c_twice_prints_one_json_object_with_the_state_of_now(data, tmp_path):
    spec = written(tmp_path / "long.json", LONG)
    command = [*COMMAND, "run", spec, "--json", "--data", data]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    for line in running.stderr:
        if "walk" in line:
            break
    for _ in range(3):
        running.send_signal(signal.SIGINT)
        time.sleep(0.01)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "Traceback" not in err
    (job,) = objects(out)
    assert job["state"] == "RUNNING"
    assert job["attempt"] == 1
    Client(data=data).job(str(job["id"])).cancel()


@pytest.mark.parametrize("json_wanted", [True, False])
def test_ctrl_c_while_the_program_loads_is_no_traceback(json_wanted):
    words = ["describe", "--server", "127.0.0.1:1", *(["--json"] if json_wanted else [])]
    for stage in (" argparse\n", " google.protobuf\n", " grpc\n"):
        command = [sys.executable, "-X", "importtime", *COMMAND[1:], *words]  # tells on stderr what is loaded already
        loading = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert loading.stderr is not None
        assert any(line.endswith(stage) for line in loading.stderr)
        loading.send_signal(signal.SIGINT)
        out, err = loading.communicate(timeout=30)
        assert loading.returncode == 130
        assert [line for line in err.splitlines() if not line.startswith("import time:")] == ["thalweg: interrupted"]
        assert [one["error"]["kind"] for one in objects(out)] == ["Interrupted"] * json_wanted


@pytest.mark.slow
def test_a_full_device_is_a_sentence_and_a_reader_that_has_enough_is_none(data):
    for words in (["jobs", "list", "--json"], ["describe"], ["--help"]):
        with Path("/dev/full").open("w") as full:
            ran = subprocess.run([*COMMAND, *words, "--quiet", "--data", data], stdout=full, stderr=subprocess.PIPE, text=True)
        sentence = "thalweg: the results cannot be written to standard output: No space left on device\n"
        assert (ran.returncode, ran.stderr) == (1, sentence)
        read, write = os.pipe()
        os.close(read)
        ran = subprocess.run([*COMMAND, *words, "--quiet", "--data", data], stdout=write, stderr=subprocess.PIPE, text=True)
        os.close(write)
        assert ran.stderr == ""


@pytest.mark.slow
def test_serve_prints_where_it_serves_as_one_json_object_and_ends_on_a_signal(tmp_path):
    folder = tmp_path / "data"
    command = [*COMMAND, "serve", "--json", "--quiet", "--data", folder]
    serving = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert serving.stdout is not None
    said = "".join(iter(serving.stdout.readline, "}\n")) + "}"
    served = json.loads(said)
    assert set(served) == {"address", "pid", "version", "data"}
    assert served["data"] == str(folder)
    assert Embedded(folder).address() == served["address"]
    second = thalweg("serve", "--json", "--data", folder)
    assert second.returncode == 3
    assert "has a service already" in json.loads(second.stdout)["error"]["sentence"]
    serving.send_signal(signal.SIGTERM)
    assert serving.communicate(timeout=60)[0] == ""
    assert serving.returncode == 0
    assert Embedded(folder).address() is None
