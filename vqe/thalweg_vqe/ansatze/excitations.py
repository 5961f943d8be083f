"""Electrons moved between orbitals: unitary coupled cluster, each excitation an exact product of Pauli rotations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from thalweg_core.errors import BadInput
from thalweg_vqe.ansatze.layers import program_of
from thalweg_vqe.hamiltonians.encoding import Leaves
from thalweg_vqe.hamiltonians.excitation import excitation
from thalweg_vqe.hamiltonians.hamiltonian import Electrons, Register
from thalweg_vqe.pauli.program import Program, Rotation

Moves = tuple[tuple[int, ...], tuple[int, ...]]
"""Spin orbitals that are filled, and those that are emptied."""

MOST_REPEATS = 100


@dataclass(frozen=True)
class Uccsd:
    """Unitary coupled cluster, singles and doubles, from the Hartree-Fock determinant:

        A(θ) = Π_l Π_ijab exp[θ_ijab (a†_a a†_b a_j a_i - h.c.)] Π_ia exp[θ_ia (a†_a a_i - h.c.)],   the rightmost acts first

    i, j filled and a, b empty in the determinant; spins are kept. The Pauli words of one excitation commute, so each factor is
    exact; their order is what a first-order Trotter formula leaves of exp(T - T†). At θ = 0 the energy is Hartree-Fock's.

    Args:
        reps: how often all excitations are repeated, each time with their own parameters (rad).

    Sources: Peruzzo et al., Nat. Commun. 5 (2014) 4213; Romero et al., Quantum Sci. Technol. 4 (2018) 014008.
    """

    reps: int = 1

    def __post_init__(self) -> None:
        check_repeats("reps", self.reps)

    def program(self, register: Register) -> Program:
        electrons = orbitals_of(register, "uccsd")
        moves = [(move,) for move in singles(electrons)] + [(move,) for move in doubles(electrons)]
        return cluster(electrons, moves, self.reps, "uccsd")

    def hartree_fock(self, register: Register) -> list[float]:
        """Zeros."""
        return [0.0] * program_of(self, register).parameters


@dataclass(frozen=True)
class KUpCcgsd:
    """k-fold unitary coupled cluster of pairs, with generalized singles, from the Hartree-Fock determinant:

        A(θ) = Π_{l=1…k} Π_{p<q} exp[θ_pq (a†_q↑ a†_q↓ a_p↓ a_p↑ - h.c.)] Π_{p<q} exp[t_pq Σ_σ (a†_qσ a_pσ - h.c.)]

    p, q run over all orbitals, filled or empty; both spins of a single share its parameter. m orbitals have k m (m-1)
    parameters (rad). At θ = 0 the energy is Hartree-Fock's.

    Args:
        k: factors.

    Source: Lee, Huggins, Head-Gordon & Whaley, J. Chem. Theory Comput. 15 (2019) 311.
    """

    k: int = 1

    def __post_init__(self) -> None:
        check_repeats("k", self.k)

    def program(self, register: Register) -> Program:
        electrons = orbitals_of(register, "k_up_ccgsd")
        m = electrons.orbitals
        pairs = list(combinations(range(m), 2))
        singles: list[tuple[Moves, ...]] = [(((q,), (p,)), ((q + m,), (p + m,))) for p, q in pairs]
        doubles: list[tuple[Moves, ...]] = [(((q, q + m), (p, p + m)),) for p, q in pairs]
        return cluster(electrons, singles + doubles, self.k, "k_up_ccgsd")

    def hartree_fock(self, register: Register) -> list[float]:
        """Zeros."""
        return [0.0] * program_of(self, register).parameters


def cluster(electrons: Electrons, excitations: Sequence[tuple[Moves, ...]], repeats: int, name: str) -> Program:
    """One parameter for each tuple of moves, without those that a tapered symmetry forbids.

    Raises:
        BadInput: no excitation is left.
    """
    allowed = [turns for moves in excitations if (turns := _turns(electrons, moves))]
    if not allowed:
        raise BadInput("", f"{name} finds no excitation: every orbital is filled, or forbidden by symmetry; use efficient_su2")
    gates = (turn._replace(parameter=parameter) for parameter, turns in enumerate(allowed * repeats) for turn in turns)
    return Program(electrons.encoding.qubits, len(allowed) * repeats, tuple(gates), electrons.determinant)


def _turns(electrons: Electrons, moves: Sequence[Moves]) -> list[Rotation]:
    """Several excitations with one parameter; nothing where one of them breaks a tapered symmetry."""
    try:
        return [turn for filled, emptied in moves for turn in excitation(electrons, filled, emptied, 0)]
    except Leaves:
        return []


def singles(electrons: Electrons) -> Iterator[Moves]:
    """One electron from a filled orbital to an empty one, spin kept."""
    for occupied, empty in _spins(electrons):
        for i, a in product(occupied, empty):
            yield (a,), (i,)


def doubles(electrons: Electrons) -> Iterator[Moves]:
    """Two electrons likewise: both up, both down, one of each."""
    up, down = _spins(electrons)
    for occupied, empty in (up, down):
        for (i, j), (a, b) in product(combinations(occupied, 2), combinations(empty, 2)):
            yield (a, b), (i, j)
    for i, j, a, b in product(up[0], down[0], up[1], down[1]):
        yield (a, b), (i, j)


def _spins(electrons: Electrons) -> tuple[tuple[range, range], tuple[range, range]]:
    """Filled and empty spin orbitals, of spin up and of spin down."""
    m = electrons.orbitals
    return (
        (range(electrons.alpha), range(electrons.alpha, m)),
        (range(m, m + electrons.beta), range(m + electrons.beta, 2 * m)),
    )


def orbitals_of(register: Register, name: str) -> Electrons:
    """Where the electrons sit.

    Raises:
        BadInput: the Hamiltonian has none, or only sites.
    """
    electrons = register.electrons()
    if electrons is None or not register.hamiltonian.mean_field:
        raise BadInput("", f"{name} moves electrons between Hartree-Fock orbitals, and needs a molecule or an fcidump")
    return electrons


def check_repeats(field: str, repeats: int) -> None:
    """Raises BadInput for a number of repetitions that is none."""
    if not 1 <= repeats <= MOST_REPEATS:  # the upper bound is arbitrary: it catches slips
        raise BadInput(field, f"wanted 1 to {MOST_REPEATS} repetitions, got {repeats}")
