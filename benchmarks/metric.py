"""The full Fubini-Study metric of efficient_su2, against forward-mode differentiation of the state by torch.func.jacfwd."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from benchmarks.exact_gradient import ising
from benchmarks.harness import Effort, Row, race, row
from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.engines.choosing import exact
from thalweg_vqe.engines.noiseless_torch import TorchNoiseless
from thalweg_vqe.pauli.program import Cx, Program

NAME = "metric"
CASES = ((8, 4), (12, 3))  # qubits, entangling layers


def rows(effort: Effort) -> Iterator[Row]:
    """Time of a metric, and the largest difference of an entry."""
    torch.set_num_threads(1)
    for qubits, reps in CASES[:1] if effort.small else CASES:
        program = EfficientSu2(reps).program(qubits)
        angles = torch.from_numpy(np.random.default_rng(qubits).uniform(-np.pi, np.pi, (1, program.parameters)))
        engine, twin = exact(program, ising(qubits)), TorchNoiseless(program, ising(qubits))
        case, theirs = f"{qubits} qubits, {program.parameters} angles", partial(by_jacfwd, program, angles[0])
        yield from race(NAME, case, "torch.func.jacfwd", partial(engine.metric, angles), theirs, min(effort.repeats, 5))
        yield from race(
            NAME, case, "our torch twin", partial(engine.metric, angles), partial(twin.metric, angles), effort.repeats
        )
        apart = float((engine.metric(angles)[0] - theirs()).abs().max())
        yield row(NAME, case, "largest difference of an entry", "1", apart, "torch.func.jacfwd", apart, larger_is_better=False)


def by_jacfwd(program: Program, angles: Tensor) -> Tensor:
    """The plain way: the state as a function of its angles, its Jacobian, their inner products."""
    psi = torch.view_as_complex(state(program, angles))
    jacobian = torch.view_as_complex(torch.func.jacfwd(partial(state, program))(angles).transpose(1, 2).contiguous())
    along = psi.conj() @ jacobian
    return (jacobian.conj().T @ jacobian - torch.outer(along.conj(), along)).real


def state(program: Program, angles: Tensor) -> Tensor:
    """Gate by gate on complex numbers; RY, RZ and CX. (N, 2): jacfwd wants real numbers."""
    psi = torch.zeros(2**program.qubits, dtype=torch.complex128)
    psi[0] = 1.0
    number = 0
    for gate in program.gates:
        if isinstance(gate, Cx):
            basis = torch.arange(len(psi))
            psi = psi[basis ^ ((basis >> gate.control & 1) << gate.target)]
            continue
        c, s = torch.cos(angles[number] / 2), torch.sin(angles[number] / 2)
        zero, one = psi.reshape(-1, 2, gate.word.support).unbind(1)
        turned = (c * zero - s * one, s * zero + c * one) if gate.word.x else ((c - 1j * s) * zero, (c + 1j * s) * one)
        psi = torch.stack(turned, dim=1).reshape(-1)
        number += 1
    return torch.view_as_real(psi)
