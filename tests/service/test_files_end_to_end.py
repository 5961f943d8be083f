"""Files that a specification names travel with the job: a circuit in QPY and a device's calibration, run by a real service."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from qiskit import qpy
from qiskit.circuit.library import real_amplitudes

JOB = """
[problem.vqe]
start = { uniform = 0.5 }
hamiltonian = { transverse_field_ising = { sites = 2, field = 0.6 } }
ansatz = { qpy = { file = "circuit.qpy" } }
[problem.vqe.estimator]
shots = 500
engine = "aer"
readout_mitigation = true
noise = { backend_properties = { file = "properties.json" }, qubits = [2, 1] }
[method.adam]
learning_rate = 0.1
[plan]
steps = 3
"""
PAIRS = ((0, 1), (1, 2))


def nduv(name: str, value: float, unit: str = "") -> dict[str, object]:
    return {"date": "2026-01-01T00:00:00Z", "name": name, "value": value, "unit": unit}


def calibration() -> str:
    qubits = [[nduv("T1", 80, "us"), nduv("T2", 60, "us"), nduv("readout_error", 0.05)] for _ in range(3)]
    values = [nduv("gate_error", 2e-3), nduv("gate_length", 40, "ns")]
    gates = [{"gate": "sx", "qubits": [q], "parameters": values} for q in range(3)]
    gates += [{"gate": "ecr", "qubits": list(pair), "parameters": values} for pair in PAIRS]
    return json.dumps({"qubits": qubits, "gates": gates})


@pytest.mark.slow
def test_a_circuit_in_qpy_runs_on_a_calibrated_device_from_files_beside_the_specification(tmp_path: Path) -> None:
    circuit = real_amplitudes(2, reps=1)
    with (tmp_path / "circuit.qpy").open("wb") as file:
        qpy.dump(circuit, file)
    (tmp_path / "properties.json").write_text(calibration())
    (tmp_path / "job.toml").write_text(JOB)
    command = [sys.executable, "-m", "thalweg.cli", "run", "job.toml", "--data", "data", "--out", "out", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["result"]
    ground = -np.sqrt(1 + 4 * 0.6**2)  # of -ZZ - 0.6 (XI + IX): the even sector's 2 × 2 block
    assert abs(result["observables"]["exact_energy"]["value"] - ground) < 1e-12
    assert np.load(tmp_path / "out" / "final.npz")["x"].shape == (1, circuit.num_parameters)


@pytest.mark.slow
def test_a_file_that_is_no_circuit_is_refused_by_the_command_line_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "circuit.qpy").write_bytes(b"QISKIT\x12 and then nothing")
    (tmp_path / "properties.json").write_text(calibration())
    (tmp_path / "job.toml").write_text(JOB)
    command = [sys.executable, "-m", "thalweg.cli", "run", "job.toml", "--data", "data"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("thalweg: problem.vqe.ansatz.qpy.content: Qiskit cannot read it")
    assert done.stderr.count("\n") == 1
