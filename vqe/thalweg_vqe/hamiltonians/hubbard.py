"""Electrons that hop on a lattice and meet: the Fermi-Hubbard model in one and two dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np

from thalweg_core.errors import BadInput
from thalweg_vqe.hamiltonians.diagonalization import affordable, ground_energy, particle_sector
from thalweg_vqe.hamiltonians.electronic import Mapped, of_numbers, taper
from thalweg_vqe.hamiltonians.encoding import Leaves, check
from thalweg_vqe.hamiltonians.excitation import excitation
from thalweg_vqe.hamiltonians.hamiltonian import Electrons, Prepared, Solved, System
from thalweg_vqe.hamiltonians.jordan_wigner import lower, number, raise_
from thalweg_vqe.hamiltonians.slater import rotations
from thalweg_vqe.hamiltonians.spin_chains import check_finite, neighbours
from thalweg_vqe.pauli.words import Observable, Word, product, total

MOST_SITES = 30
"""Masks of spin orbitals are 64-bit integers; memory refuses long before."""

SPLITTING = 1e-6
"""Relative difference of hops that tells equal levels apart (far above rounding, and changes energies by its square)."""

Terms = list[tuple[Word, complex]]


@dataclass(frozen=True)
class FermiHubbard:
    """Fermi-Hubbard model:  H = -t Σ_<ij>σ (c†_iσ c_jσ + c†_jσ c_iσ) + U Σ_i n_i↑ n_i↓,  on a chain or a rectangle.

    Energies are in the unit that t and U are given in. Spin orbitals 0 … L-1 are the spin-up ones, row by row; L … 2L-1 the
    spin-down ones. The reference is the lowest energy with these numbers of electrons. There is no Hartree-Fock energy:
    the qubits are sites, not mean-field orbitals.

    Args:
        columns: sites along x.
        rows: sites along y; 1 is a chain.
        hopping: t, of a hop to a neighbouring site (energies have the unit of t and U).
        repulsion: U, of two electrons on one site.
        spin_up: electrons with spin up; half filling by default, rounded up.
        spin_down: electrons with spin down; half filling by default, rounded down.
        periodic: whether opposite edges are neighbours, along directions of at least 3 sites.
        mapping: fermions to qubits: "jordan_wigner", "parity" or "bravyi_kitaev".
        tapering: qubits left out because a symmetry fixes them: "none"; "particles", the parities of both electron numbers;
            "all", every one that shows as a product of Z.

    Source: Hubbard, Proc. R. Soc. Lond. A 276 (1963) 238.
    """

    columns: int
    rows: int = 1
    hopping: float = 1.0
    repulsion: float = 4.0
    spin_up: int | None = None
    spin_down: int | None = None
    periodic: bool = False
    mapping: str = "jordan_wigner"
    tapering: str = "none"

    unit: ClassVar[str] = ""
    mean_field: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check(self.mapping, self.tapering)
        check_finite(hopping=self.hopping, repulsion=self.repulsion)
        if self.columns < 1 or self.rows < 1:
            raise BadInput("rows" if self.rows < 1 else "columns", f"wanted at least 1, got {min(self.rows, self.columns)}")
        if not 2 <= self.sites <= MOST_SITES:
            raise BadInput("columns", f"wanted 2 to {MOST_SITES} sites, got {self.columns} × {self.rows}")
        for field, count in (("spin_up", self.alpha), ("spin_down", self.beta)):
            if not 0 <= count <= self.sites:
                raise BadInput(field, f"wanted 0 to {self.sites} electrons on {self.sites} sites, got {count}")
        if self.alpha + self.beta == 0:
            raise BadInput("spin_up", "wanted at least one electron, got none")

    @property
    def sites(self) -> int:
        return self.columns * self.rows

    @property
    def alpha(self) -> int:
        return (self.sites + 1) // 2 if self.spin_up is None else self.spin_up

    @property
    def beta(self) -> int:
        return self.sites // 2 if self.spin_down is None else self.spin_down

    def system(self) -> System:
        sector = math.comb(self.sites, self.alpha) * math.comb(self.sites, self.beta)
        flips = 1 + 2 * sum(len(bonds) for bonds in self._bonds())
        return System(self.electrons().encoding.qubits, flips, sector, less="fewer sites", solvable=affordable(flips, sector))

    def quick(self) -> bool:
        return True

    def most(self) -> FermiHubbard:
        return self

    def electrons(self) -> Electrons:
        if self.tapering == "all":
            return _operator(self).mapped.electrons
        return of_numbers(self.sites, self.alpha, self.beta, self.mapping, self.tapering)

    def parts(self) -> tuple[Observable, ...]:
        """The repulsion, then the hops: every other bond along x, those between, then along y."""
        return _operator(self).parts

    def prepared(self) -> Prepared:
        """The ground state of the hops alone: the lowest levels of the lattice, filled.

        Of levels with equal energies it takes those that split off lowest where the later sets of bonds are weaker by a trace:
        they have the symmetries that all parts share, and which no turn by a part could bring in.
        """
        hops = np.zeros((self.sites, self.sites))
        for place, bonds in enumerate(self._bonds()):
            for i, j in bonds:
                hops[i, j] = hops[j, i] = -self.hopping * (1 - place * SPLITTING)
        levels = np.linalg.eigh(hops)[1].T
        sites = self.electrons()
        try:
            gates = [
                turn
                for count, shift in ((self.alpha, 0), (self.beta, self.sites))
                for p, q, angle in rotations(levels[:count])
                for turn in excitation(sites, (q + shift,), (p + shift,), None, angle)
            ]
        except Leaves:
            raise BadInput("tapering", 'leaves no way to fill the lattice\'s levels; use tapering = "particles"') from None
        return Prepared(sites.determinant, tuple(gates))

    def observable(self) -> Observable:
        """What solve() finds, without the energies."""
        return _operator(self).mapped.observable

    def solve(self) -> Solved:
        found = _operator(self)
        sites = found.mapped.electrons
        sector = sites.encoding.sector(particle_sector(self.sites, self.alpha, self.beta))
        count = sites.encoding.observable(number(2 * self.sites))
        exact = ground_energy(found.mapped.observable, sector) if self.system().solvable else math.nan
        return Solved(found.mapped.observable, exact, electrons=sites, number=count)

    def _bonds(self) -> list[list[tuple[int, int]]]:
        """Sets of bonds: along x, then along y, each split so that the bonds of a set share no site."""
        along_x = [(self.columns, 1, [row * self.columns for row in range(self.rows)])]
        along_y = [(self.rows, self.columns, list(range(self.columns)))]
        sets: list[list[tuple[int, int]]] = []
        for length, stride, firsts in along_x + along_y:
            bonds = neighbours(length, self.periodic and length > 2)
            wrap = bonds.pop() if self.periodic and length > 2 and length % 2 else None
            for chosen in (bonds[0::2], bonds[1::2], [wrap] if wrap else []):
                if chosen:
                    sets.append([(first + stride * i, first + stride * j) for first in firsts for i, j in chosen])
        return sets


class _Operator(NamedTuple):
    mapped: Mapped
    parts: tuple[Observable, ...]


@lru_cache(maxsize=4)  # a job's checks and its landscape ask for the same one
def _operator(model: FermiHubbard) -> _Operator:
    sites = of_numbers(model.sites, model.alpha, model.beta, model.mapping)
    meetings = total(term for i in range(model.sites) for term in _meeting(model, i))
    hops = [total(term for bond in bonds for term in _hops(model, *bond)) for bonds in model._bonds()]
    parts = [Observable.of(2 * model.sites, part) for part in (meetings, *hops)]
    whole = Observable.of(2 * model.sites, total(term for part in (meetings, *hops) for term in part.items()))
    found = taper(whole, sites, model.tapering)
    images = tuple(found.electrons.encoding.observable(part) for part in parts if part.words)
    return _Operator(found, images)


def _meeting(model: FermiHubbard, i: int) -> Terms:
    """U n_i↑ n_i↓."""
    up, down = (product(raise_(q), lower(q)) for q in (i, i + model.sites))
    return [(word, model.repulsion * c) for word, c in product(up, down).items()]


def _hops(model: FermiHubbard, i: int, j: int) -> Terms:
    """-t (c†_i c_j + c†_j c_i) for both spins."""
    ends = [(p + s, q + s) for s in (0, model.sites) for p, q in ((i, j), (j, i))]
    return [(word, -model.hopping * c) for p, q in ends for word, c in product(raise_(p), lower(q)).items()]
