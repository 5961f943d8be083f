"""Which engine computes: chosen by what the estimator says and by what is there."""

from __future__ import annotations

import torch

from thalweg_vqe.estimator import Estimator
from thalweg_vqe.landscape import Exact, Sampler
from thalweg_vqe.parameter_shift import ParameterShift
from thalweg_vqe.pauli import Observable
from thalweg_vqe.program import Program
from thalweg_vqe.shots import StatevectorSampler
from thalweg_vqe.statevector import Statevector


def engines(program: Program, observable: Observable, estimator: Estimator) -> tuple[Exact, Sampler]:
    """What computes the circuit's energies without noise, and what measures them by shots."""
    if estimator.engine == "aer":
        from thalweg_vqe.aer import AerSampler  # Qiskit is loaded by who runs circuits, not by who checks a spec

        noise, mitigated = estimator.noise, estimator.readout_mitigation
        runner = AerSampler.of(program, observable, estimator.device, noise, mitigated, estimator.grouping)
        return Statevector(program, observable), ParameterShift(runner)
    device = torch.device("cuda" if estimator.device == "gpu" else "cpu")
    return Statevector(program, observable, device), StatevectorSampler(program, observable, device, estimator.grouping)
