"""Which engine computes: chosen by what the estimator says and by what is there."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec

import torch

from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.engines.noiseless import NoiselessEngine
from thalweg_vqe.engines.noiseless_torch import TorchNoiseless
from thalweg_vqe.engines.outcomes import Counter, MeasuredCircuit, States, StatevectorCounter, TorchStates
from thalweg_vqe.engines.overlap import OverlapSampler, Projector, followed_by_inverse
from thalweg_vqe.engines.sampler import Sampler
from thalweg_vqe.engines.shots_torch import StatevectorSampler
from thalweg_vqe.pauli.program import Program
from thalweg_vqe.pauli.words import Hermitian, Observable

_log = logging.getLogger("thalweg.vqe")


def engines(program: Program, observable: Observable, estimator: Estimator) -> tuple[NoiselessEngine, Sampler]:
    """What computes the circuit's energies without noise, and what measures them by shots."""
    if estimator.engine == "aer":
        from thalweg_vqe.engines.aer.sampler import AerSampler  # Qiskit is loaded by who runs circuits, not by who checks a spec

        noise, mitigated = estimator.noise, estimator.readout_mitigation
        sampler = AerSampler.of(program, observable, estimator.device, noise, mitigated, estimator.grouping)
        known = (
            TorchNoiseless(program, observable) if estimator.shots else exact(program, observable)
        )  # an evaluation or two at the end
        return known, sampler
    if estimator.device == "gpu":
        device = torch.device("cuda")
        return TorchNoiseless(program, observable, device), StatevectorSampler(program, observable, device, estimator.grouping)
    if not compiled_sampler():
        return exact(program, observable), StatevectorSampler(program, observable, grouping=estimator.grouping)
    from thalweg_vqe.engines.compiled.engine import CompiledSampler

    return exact(program, observable), CompiledSampler.of(program, observable, estimator.grouping)


def exact(program: Program, observable: Hermitian) -> NoiselessEngine:
    """What computes without noise on the processor."""
    if not compiled():
        return TorchNoiseless(program, observable)
    from thalweg_vqe.engines.compiled.exact import CompiledExact

    return CompiledExact(program, observable)


def states(program: Program, estimator: Estimator) -> States:
    """What computes the circuit's states."""
    if estimator.device == "gpu" and estimator.engine == "statevector":
        return TorchStates(program, torch.device("cuda"))
    if not compiled():
        return TorchStates(program)
    from thalweg_vqe.engines.compiled.engine import CompiledStates

    return CompiledStates(program)


def return_probability(there_and_back: Program, weight: float, estimator: Estimator) -> tuple[NoiselessEngine, Sampler]:
    """What computes how probably a circuit ends where it started, and what measures that, times a weight (Ha)."""
    known = exact(there_and_back, Projector(there_and_back.qubits, there_and_back.start))
    if estimator.engine == "aer":
        return known, _aer_returning(there_and_back, weight, estimator)
    start = torch.zeros(2, 1 << there_and_back.qubits, dtype=torch.float64)
    start[0, there_and_back.start] = 1.0
    return known, OverlapSampler(states(there_and_back, estimator), start, weight)


def overlapping(
    program: Program, angles: Sequence[float], weight: float, estimator: Estimator
) -> tuple[NoiselessEngine, Sampler]:
    """What computes the overlap with the circuit's state at fixed angles φ' (rad), and what measures it, times a weight (Ha)."""
    there_and_back = followed_by_inverse(program, angles)
    if estimator.engine == "aer":
        return return_probability(there_and_back, weight, estimator)
    known = exact(there_and_back, Projector(program.qubits, program.start))
    engine = states(program, estimator)  # the other state is known: no need to run backwards
    return known, OverlapSampler(engine, engine.states(torch.tensor([angles], dtype=torch.float64))[0], weight)


def _aer_returning(there_and_back: Program, weight: float, estimator: Estimator) -> Sampler:
    from thalweg_vqe.engines.aer.sampler import AerSampler

    noise, mitigated = estimator.noise, estimator.readout_mitigation
    return AerSampler.return_probability(there_and_back, weight, estimator.device, noise, mitigated)


def counter(shown: Sequence[MeasuredCircuit], estimator: Estimator) -> Counter:
    """What counts the outcomes of circuits."""
    if estimator.engine == "aer":
        from thalweg_vqe.engines.aer.sampler import AerCounter

        return AerCounter.of(shown, estimator.device, estimator.noise, estimator.readout_mitigation)
    return StatevectorCounter(tuple(shown), {program: states(program, estimator) for program in {s.program for s in shown}})


@cache
def compiled() -> bool:
    """Whether the compiled engines without noise are there and right; says so once where they are not."""
    if find_spec("numba") is None:
        _log.warning("numba is not installed (pip install 'thalweg[fast]'): circuits are computed in torch, more slowly")
        return False
    from thalweg_vqe.engines.compiled.check import fault

    return _right(fault())


@cache
def compiled_sampler() -> bool:
    """The same of the one that draws shots."""
    if not compiled():
        return False
    from thalweg_vqe.engines.compiled.check import fault_of_shots

    return _right(fault_of_shots())


def _right(wrong: str | None) -> bool:
    if wrong:
        _log.warning("the compiled circuit kernels are not used: %s from those computed in torch", wrong)
    return wrong is None
