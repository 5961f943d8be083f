"""A circuit of the user's own, whatever it is written in: asked of the process that reads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import lru_cache
from importlib.util import find_spec

from thalweg_core.errors import BadInput, Unavailable
from thalweg_vqe.pauli.program import Cx, Gate, Program, Rotation
from thalweg_vqe.pauli.words import Word

SECONDS = 12
"""Of processor time for a reader (arbitrary: twice what the longest text admitted takes)."""

PATIENCE = 120
"""Seconds of wall clock for a reader, on a busy machine (arbitrary)."""


@lru_cache(maxsize=8)  # a job's check and its landscape ask for the same one
def read(kind: str, content: bytes) -> Program:
    """The program of a circuit written in "open_qasm" or "qpy".

    Raises:
        BadInput: of no field: it cannot be read, or is no parametrized unitary circuit.
        Unavailable: the packages that read it are not installed.
    """
    answer = json.loads(asked(kind, content))
    if "refused" in answer:
        raise BadInput("", answer["refused"])
    if not answer["qubits"]:
        raise BadInput("", "the circuit has no qubit")
    if not answer["parameters"]:
        raise BadInput("", "the circuit has no parameter; wanted at least one angle to vary")
    return Program(answer["qubits"], answer["parameters"], tuple(_gate(*gate) for gate in answer["gates"]))


def fitting(kind: str, content: bytes, qubits: int) -> Program:
    """The same, on as many qubits as wanted.

    Raises:
        BadInput: of no field.
    """
    program = read(kind, content)
    if program.qubits != qubits:
        raise BadInput("", f"the circuit has {program.qubits} qubits, the Hamiltonian {qubits}")
    return program


def asked(kind: str, content: bytes) -> bytes:
    """The answer of a process that reads it, see `foreign`."""
    for package in ("qiskit", "qiskit_qasm3_import"):
        if find_spec(package) is None:
            sentence = f"{package} reads a circuit of your own, and is not installed here"
            raise Unavailable("", f'{sentence}: pip install "thalweg[server]"')
    command = [sys.executable, "-P", "-m", "thalweg_vqe.ansatze.user.foreign", kind, str(SECONDS)]
    environment = os.environ | _ALONE | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(command, input=content, capture_output=True, env=environment, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise BadInput("", _ENDLESS) from None
    if done.returncode == 0:
        return done.stdout
    last = (done.stderr.decode(errors="replace").split("\n") or [""])[-2:][0]
    raise BadInput("", _ENDLESS if done.returncode < 0 or "MemoryError" in last or not last else f"Qiskit fails on it: {last}")


def _gate(*numbers: float) -> Gate:
    if len(numbers) == 2:
        return Cx(*map(int, numbers))
    x, z, parameter, scale, offset = numbers
    return Rotation(Word(int(x), int(z)), parameter, scale, offset)  # type: ignore[arg-type]


_ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "QISKIT_PARALLEL": "FALSE"}
"""One thread: each more would take of the reader's address space."""

_ENDLESS = "Qiskit comes to no end with it: the circuit has too many gates, or gates defined by too many gates, or is broken"
