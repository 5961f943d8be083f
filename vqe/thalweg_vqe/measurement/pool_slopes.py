"""How steeply the energy falls along each operator of a pool: what an adaptive circuit looks at before it grows.

    s_A = d/dθ ⟨ψ| e^{-θA} H e^{θA} |ψ⟩ = ⟨ψ| [H, A] |ψ⟩  at θ = 0

Exactly by one adjoint pass through the circuit with the whole pool behind it; by shots as the expectation values of the
commutators, whose words are measured together, each circuit once for the whole pool.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thalweg_core.streams import Stream
from thalweg_vqe.ansatze.pools import Operator
from thalweg_vqe.engines.choosing import counter, exact
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.engines.outcomes import Counts, MeasuredCircuit
from thalweg_vqe.pauli.grouping import groups
from thalweg_vqe.pauli.program import Program, Rotation
from thalweg_vqe.pauli.words import IDENTITY, Observable, Word, commute, times, total

Floats = NDArray[np.float64]


class Slopes(NamedTuple):
    """Along each of M operators."""

    slope: Tensor  # (B, M) ∂U/∂θ (Ha)
    variance: Tensor  # (B, M)


def exact_slopes(program: Program, observable: Observable, pool: Sequence[Operator], theta: Tensor) -> Slopes:
    """Without noise, for the states at these parameters (B, P)."""
    first = program.parameters
    behind = [Rotation(word, first + k, scale) for k, operator in enumerate(pool) for word, scale in operator.turns]
    probe = Program(program.qubits, first + len(pool), (*program.gates, *behind), program.start)
    _, slopes = exact(probe, observable).gradients(torch.cat([theta, theta.new_zeros(len(theta), len(pool))], dim=1))
    slope = slopes[:, first:].contiguous()
    return Slopes(slope, torch.zeros_like(slope))


class Commutators(NamedTuple):
    """[H, A] for every operator A of a pool, as sums of the words of G groups."""

    measured: tuple[tuple[Word, ...], ...]  # the words of each group
    weights: tuple[Floats, ...]  # (M, W) of these words in each commutator
    constant: Floats  # (M,)

    @property
    def circuits(self) -> int:
        """G."""
        return len(self.measured)

    @classmethod
    def of(cls, observable: Observable, pool: Sequence[Operator], grouping: str) -> Commutators:
        found = [commutator(observable, operator) for operator in pool]
        largest: dict[Word, float] = {}
        for terms in found:
            for word, c in terms.items():
                largest[word] = max(abs(complex(c).real), largest.get(word, 0.0))
        measured = tuple(group.words for group in groups(Observable.of(observable.qubits, largest), grouping))
        weights = tuple(np.array([[complex(terms.get(w, 0)).real for w in words] for terms in found]) for words in measured)
        return cls(measured, weights, np.array([complex(terms.get(IDENTITY, 0)).real for terms in found]))

    def slopes(self, program: Program, estimator: Estimator, angles: Tensor, shots: Tensor, rng: Stream) -> Slopes:
        """By shots (B,) of every circuit, for the states at these angles (B, R)."""
        both = np.zeros((2, len(angles), len(self.constant)))
        both[0] += self.constant
        if self.measured:
            shown = [MeasuredCircuit.of(program, words) for words in self.measured]
            engine = counter(shown, estimator)
            for replica, row in enumerate(engine.counts(angles, shots, rng)):
                for one, weights, seen, readings in zip(shown, self.weights, row, engine.readings, strict=True):
                    both[:, replica] += _statistics(weights @ one.readings(seen.outcomes, readings), seen)
        return Slopes(*torch.from_numpy(both))


QUICK_PRODUCTS, QUICK_WORDS = 200_000, 5000
"""Products of words in all commutators, and words of their sums, up to which they are soon put into groups (arbitrary: two
seconds; the excitations of LiH in twelve qubits take half a minute)."""


def quick(observable: Observable, pool: Sequence[Operator]) -> bool:
    """Whether the groups that `Commutators.of` measures are found in about a second."""
    if len(observable.words) * sum(len(operator.turns) for operator in pool) > QUICK_PRODUCTS:
        return False
    return len({word for operator in pool for word in commutator(observable, operator)}) <= QUICK_WORDS


def commutator(observable: Observable, operator: Operator) -> dict[Word, complex]:
    """[H, A] of A = -i Σ_j s_j P_j / 2:  Σ_j s_j Σ_Q c_Q i P_j Q over the words Q of H that do not commute with P_j."""
    terms = list(zip(observable.words, observable.coefficients, strict=True))
    return total(
        (word, scale * c * 1j * phase)
        for p, scale in operator.turns
        for q, c in terms
        if not commute(p, q)
        for word, phase in [times(p, q)]
    )


def _statistics(energies: Floats, seen: Counts) -> Floats:
    """The mean over shots and the variance of that mean: (M, N) -> (2, M)."""
    shots = int(seen.times.sum())
    mean = (energies * seen.times).sum(axis=1) / shots
    spread = ((energies - mean[:, None]) ** 2 * seen.times).sum(axis=1)
    return np.array([mean, spread / (shots * (shots - 1))])
