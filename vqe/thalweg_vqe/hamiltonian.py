"""What every Hamiltonian tells: its size before any work; afterwards its operator, and energies known without a circuit."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from thalweg_vqe.encoding import Encoding
from thalweg_vqe.pauli import Observable
from thalweg_vqe.statevector import AMPLITUDES

_KRYLOV = 20
"""Vectors that ARPACK and PySCF's Davidson keep, about."""


class System(NamedTuple):
    """What decides how much memory an operator takes."""

    qubits: int
    flips: int  # different sets of qubits flipped by its words, at most
    sector: int  # basis states that the exact diagonalization is done in
    extra: int = 0  # bytes beside all that: integrals
    less: str = "fewer qubits"  # what would make it smaller
    field: str = ""  # whose size that is, below the Hamiltonian

    @property
    def memory(self) -> int:
        """Bytes: the diagonals of the operator, states worked on together, the vectors of the exact diagonalization."""
        amplitude = 16
        states = max(1 << self.qubits, AMPLITUDES)
        return amplitude * ((self.flips << self.qubits) + 6 * states + _KRYLOV * self.sector) + self.extra


class Electrons(NamedTuple):
    """Who sits where: spin-up orbitals 0 … m-1, spin-down ones m … 2m-1, and the map to qubits."""

    orbitals: int  # m
    alpha: int  # electrons with spin up
    beta: int
    encoding: Encoding

    @property
    def occupation(self) -> int:
        """The determinant that fills the first orbitals of either spin, a mask of spin orbitals."""
        return (1 << self.alpha) - 1 | ((1 << self.beta) - 1) << self.orbitals


class Solved(NamedTuple):
    """A Hamiltonian after its exact diagonalization."""

    observable: Observable
    exact_energy: float  # the lowest in the sector of interest
    hartree_fock_energy: float | None = None  # None where there is no mean field
    electrons: Electrons | None = None  # None for spins
    number: Observable | None = None  # of electrons
    parts: tuple[
        Observable, ...
    ] = ()  # what a Hamiltonian-variational circuit turns by, in this order; their sum is the operator


class Hamiltonian(Protocol):
    """An operator to be minimized: a frozen dataclass whose fields are the wire schema."""

    @property
    def unit(self) -> str:
        """Unit of its energies, empty where its own constants set it."""
        ...

    def system(self) -> System:
        """What it needs, without computing it.

        Raises:
            BadInput: what the fields say cannot be, together.
            Unavailable: a package is missing.
        """
        ...

    def electrons(self) -> Electrons | None:
        """Where the electrons sit; None for spins."""
        ...

    def parts(self) -> tuple[Observable, ...]:
        """Sums of commuting words that make up the operator, none of them zero, but for a constant."""
        ...

    def solve(self) -> Solved:
        """The operator, and the energies known without a circuit."""
        ...
