"""The jobs that are submitted: few, small, with many checkpoints, so that each has one reference result."""

from __future__ import annotations

from typing import Any

from thalweg import specs
from thalweg.v1 import jobs_pb2

LABEL = "chaos"
"""Label of a job: the name of its specification below."""

_GAUSSIAN = {"density": {"gaussian": {"scales": [1.0, 2.0], "correlation": 0.5}}}
_FILM = {
    "magnet": {
        "grid": {"cells": [16, 16, 1], "cell_size": [1e-9, 1e-9, 1e-9], "periodic": [True, True, False]},
        "material": {
            "saturation_magnetization": 580e3,
            "exchange_stiffness": 15e-12,
            "uniaxial_anisotropy": {"constant": 588634, "axis": [0, 0, 1]},
        },
        "start": {"random": {}},
    }
}
_VQE = {
    "vqe": {
        "hamiltonian": {"pauli_sum": {"terms": [{"word": "ZZ", "coefficient": 1.0}, {"word": "XX", "coefficient": 0.5}]}},
        "ansatz": {"efficient_su2": {"reps": 1}},
        "start": {"uniform": 1.0},
        "estimator": {"shots": 200, "engine": "statevector"},
    }
}
TINY = "tiny"
"""About 0.1 s; the others take 1 to 2 s."""

SPECS: dict[str, dict[str, Any]] = {
    "hmc": {
        "problem": _GAUSSIAN,
        "method": {"hmc": {}},
        "plan": {"replicas": 4, "warmup": 100, "steps": 400, "seed": 5, "checkpoint_every": 50},
    },
    "llg": {
        "problem": _FILM,
        "method": {"llg": {"precession": False}},
        "plan": {"steps": 1000, "seed": 5, "checkpoint_every": 100},
    },
    "adam": {
        "problem": _VQE,
        "method": {"adam": {"learning_rate": 0.1}},
        "plan": {"steps": 40, "seed": 5, "checkpoint_every": 5},
    },
    TINY: {
        "problem": _GAUSSIAN,
        "method": {"hmc": {"step_size": 0.5}},
        "plan": {"replicas": 2, "steps": 20, "seed": 5, "checkpoint_every": 10},
    },
}
LONG = [name for name in SPECS if name != TINY]


def labelled(name: str) -> dict[str, Any]:
    """The specification as it is submitted."""
    return {**SPECS[name], "labels": {LABEL: name}}


def submission(name: str, request_id: str, check: bool = False) -> jobs_pb2.SubmitJobRequest:
    """The request that submits it, or only has it checked."""
    return jobs_pb2.SubmitJobRequest(spec=specs.load(labelled(name)), request_id=request_id, validate_only=check)
