"""A circuit that grows under way: ADAPT-VQE as an ansatz."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from thalweg_core.errors import BadInput
from thalweg_core.ranges import positive
from thalweg_vqe.ansatze import pools
from thalweg_vqe.ansatze.pools import POOLS, Operator
from thalweg_vqe.hamiltonians.hamiltonian import Register
from thalweg_vqe.pauli.harmonics import ROUNDED, Spectrum, spectra
from thalweg_vqe.pauli.program import Program, Rotation

MOST_OPERATORS = 1000
"""Of one circuit (arbitrary: it catches slips)."""


@dataclass(frozen=True)
class Adapt:
    """Takes one operator after the other from a pool, each time the one along which the energy falls steepest:

        A(θ) = exp(θ_d A_d) ⋯ exp(θ_1 A_1),   A_d = argmax_A |⟨ψ|[H, A]|ψ⟩| where the circuit of the first d - 1 stands

    A new angle is 0; all angles are optimized on. Every replica takes operators of its own. Coordinate d of x is the angle of
    the d-th operator taken (rad); one that is not taken yet is 0 and has no slope. With shots the slopes of the pool are
    measured with as many shots per circuit as a step, and charged; an operator taken for noise does no harm but its cost.

    Args:
        pool: what it takes from: "uccsd", excitations from filled orbitals to empty ones; "generalized", excitations between
            all orbitals or sites; "qubit", single Pauli words, those of these excitations or of up to three spins.
        operators: most to take: the number of parameters.
        steps_per_operator: steps of the method after which it takes the next; the first is taken before the first step.
        gradient: it grows no more once the largest slope of the pool is below this (Ha, or the unit of the Hamiltonian). What
            a slope s can still gain is about s²/4, with 0.01 Ha less than 0.1 mHa.

    Sources: Grimsley, Economou, Barnes & Mayhall, Nat. Commun. 10 (2019) 3007; Tang et al., PRX Quantum 2 (2021) 020310.
    """

    pool: str = "uccsd"
    operators: int = 20
    steps_per_operator: int = 30
    gradient: float = 1e-2

    def __post_init__(self) -> None:
        if self.pool not in POOLS:
            raise BadInput("pool", f"wanted {' or '.join(f'{name!r}' for name in POOLS)}, got {self.pool!r}".replace("'", '"'))
        if not 1 <= self.operators <= MOST_OPERATORS:
            raise BadInput("operators", f"wanted 1 to {MOST_OPERATORS} operators, got {self.operators}")
        if self.steps_per_operator < 1:
            raise BadInput("steps_per_operator", f"wanted at least 1 step, got {self.steps_per_operator}")
        positive("gradient", self.gradient)

    def program(self, register: Register) -> Program:
        """The circuit before it has taken any operator."""
        return self.circuit(register, ())

    def hartree_fock(self, register: Register) -> list[float]:
        """Zeros, where the circuit starts from the determinant."""
        return [0.0] * self.operators

    def from_pool(self, register: Register) -> tuple[Operator, ...]:
        """What it may take."""
        return pools.operators(self.pool, register)

    def circuit(self, register: Register, taken: tuple[int, ...]) -> Program:
        """The circuit of these operators, by their numbers in the pool."""
        pool, empty = self.from_pool(register), self.empty(register)
        turns = [Rotation(word, d, scale=scale) for d, number in enumerate(taken) for word, scale in pool[number].turns]
        return replace(empty, gates=(*empty.gates, *turns))

    def empty(self, register: Register) -> Program:
        """The circuit before it has taken any operator; nobody asks what there is to take."""
        prepared = register.prepared()
        return Program(register.qubits, self.operators, prepared.gates, prepared.start)

    def spectra(self, register: Register, ideal: bool) -> tuple[Spectrum]:
        """Of every parameter, whatever it becomes the angle of."""
        return (spectrum(register.qubits, self.from_pool(register), ideal),)

    def most_turned(self, register: Register) -> int:
        """Rotations of the longest circuit that it may grow."""
        return self.operators * max(len(operator.turns) for operator in self.from_pool(register))


@lru_cache(maxsize=4)
def spectrum(qubits: int, pool: tuple[Operator, ...], ideal: bool) -> Spectrum:
    """Frequencies among which are those of every operator of a pool; see `harmonics.spectra`."""
    turns = [Rotation(word, number, scale=scale) for number, operator in enumerate(pool) for word, scale in operator.turns]
    bases, numbers = zip(*spectra(Program(qubits, len(pool), tuple(turns)), None, ideal), strict=True)
    base, largest = min(bases), max(base * number for base, number in zip(bases, numbers, strict=True))
    known = all(numbers) and all(abs(one / base - round(one / base)) < ROUNDED for one in bases)
    return Spectrum(base, round(largest / base)) if known else Spectrum(max(*bases, largest), 0)
