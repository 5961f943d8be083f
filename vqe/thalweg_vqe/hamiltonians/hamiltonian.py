"""What every Hamiltonian tells: its size before any work; afterwards its operator, and energies known without a circuit."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from thalweg_core.errors import BadInput
from thalweg_vqe.hamiltonians.encoding import Encoding
from thalweg_vqe.pauli.program import Gate
from thalweg_vqe.pauli.words import Observable

T = TypeVar("T")


class System(NamedTuple):
    """What decides how much memory an operator takes, and whether its ground state can be computed."""

    qubits: int
    flips: int  # different sets of qubits flipped by its words, at most
    sector: int  # basis states that the exact diagonalization is done in; 0 where there is a closed form
    extra: int = 0  # bytes beside all that: integrals
    less: str = "fewer qubits"  # what would make it smaller
    field: str = ""  # whose size that is, below the Hamiltonian
    most_entries: int | None = None  # of a row of the operator, at most; by default one for each flip
    varying: int | None = None  # flips whose weight depends on the state, at most; by default all
    solvable: bool = True  # whether the exact diagonalization is done: it takes minutes at most
    stored: bool = True  # whether it keeps the operator's entries, or computes them from integrals
    words: int = 0  # of the operator, at most; 0 where that is not asked for, since it is found as soon

    @property
    def row(self) -> int:
        """Entries of a row of the operator, at most."""
        return self.flips if self.most_entries is None else self.most_entries

    @property
    def dense(self) -> int:
        """Diagonals of the operator that are not constant, at most."""
        return self.flips if self.varying is None else self.varying


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

    @property
    def determinant(self) -> int:
        """The basis state of that determinant."""
        return self.encoding.state(self.occupation)


class Prepared(NamedTuple):
    """A state that a circuit can start from: a basis state, and gates without parameters."""

    start: int
    gates: tuple[Gate, ...] = ()


class Solved(NamedTuple):
    """A Hamiltonian after its exact diagonalization."""

    observable: Observable
    exact_energy: float  # the lowest in the sector of interest; NaN where that would take too long
    hartree_fock_energy: float | None = None  # None where there is no mean field
    electrons: Electrons | None = None  # None for spins
    number: Observable | None = None  # of electrons
    parts: tuple[Observable, ...] = ()  # what a Hamiltonian-variational circuit turns by, in order; they sum to the operator


class Hamiltonian(Protocol):
    """An operator to be minimized: a frozen dataclass whose fields are the wire schema."""

    @property
    def unit(self) -> str:
        """Unit of its energies, empty where its own constants set it."""
        ...

    @property
    def mean_field(self) -> bool:
        """Whether its orbitals are Hartree-Fock's, so that their first ones make a determinant worth starting from."""
        ...

    def system(self) -> System:
        """What it needs, without computing it.

        Raises:
            BadInput: what the fields say cannot be, together.
            Unavailable: a package is missing.
        """
        ...

    def quick(self) -> bool:
        """Whether its operator is found in about a second, mean field and all: so soon that a check may ask for it.

        Raises:
            BadInput: as `system`.
        """
        ...

    def most(self) -> Hamiltonian:
        """Where it is not quick, the same without the symmetries that only its operator shows: on as many qubits or more."""
        ...

    def electrons(self) -> Electrons | None:
        """Where the electrons sit; None for spins."""
        ...

    def parts(self) -> tuple[Observable, ...]:
        """Sums of commuting words that make up the operator, none of them zero, but for a constant."""
        ...

    def prepared(self) -> Prepared:
        """A state near the ground state that is easy to prepare, with its symmetries."""
        ...

    def observable(self) -> Observable:
        """The operator alone; of molecules it takes the mean field."""
        ...

    def solve(self) -> Solved:
        """The operator, and the energies known without a circuit."""
        ...


class Refused(BadInput):
    """A Hamiltonian's own complaint while a circuit is built on it; the field is below the Hamiltonian."""


class Register(NamedTuple):
    """What a circuit is built on: qubits, and whose they are.

    Every question raises Refused where the Hamiltonian cannot answer.
    """

    qubits: int
    hamiltonian: Hamiltonian

    def electrons(self) -> Electrons | None:
        return _asked(self.hamiltonian.electrons)

    def parts(self) -> tuple[Observable, ...]:
        return _asked(self.hamiltonian.parts)

    def prepared(self) -> Prepared:
        return _asked(self.hamiltonian.prepared)


def _asked(question: Callable[[], T]) -> T:
    try:
        return question()
    except BadInput as bad:
        raise Refused(bad.field, bad.sentence) from None
