"""Chains of spins one half: transverse-field Ising and Heisenberg XXZ. Letters are Pauli matrices, not spins σ/2."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from thalweg_core.errors import BadInput
from thalweg_core.ranges import no_more_than
from thalweg_vqe.hamiltonians.diagonalization import affordable, ground_energy
from thalweg_vqe.hamiltonians.free_fermions import ising_energy
from thalweg_vqe.hamiltonians.hamiltonian import Prepared, Solved, System
from thalweg_vqe.pauli.program import Cx, ry
from thalweg_vqe.pauli.words import LARGEST, Observable, Word, total

MOST_SITES = 60
"""Masks of sites are 64-bit integers; memory refuses long before."""


@dataclass(frozen=True)
class TransverseFieldIsing:
    """Ising chain in a transverse field:  H = -J Σ_<ij> Z_i Z_j - h Σ_i X_i.

    Energies are in the unit that J and h are given in. Critical at |h| = |J|. The reference is the closed form.

    Args:
        sites: spins on the chain, one qubit each.
        coupling: J; positive is ferromagnetic.
        field: h, along x (energies have the unit of J and h).
        periodic: whether the last spin is the first one's neighbour.

    Source: Pfeuty, Ann. Phys. 57 (1970) 79.
    """

    sites: int
    coupling: float = 1.0
    field: float = 1.0
    periodic: bool = False

    unit: ClassVar[str] = ""
    mean_field: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_sites(self.sites, self.periodic)
        check_finite(coupling=self.coupling, field=self.field)

    def system(self) -> System:
        return System(self.sites, self.sites + 1, 0, less="fewer sites", field="sites", varying=1)

    def quick(self) -> bool:
        return True

    def most(self) -> TransverseFieldIsing:
        return self

    def electrons(self) -> None:
        return None

    def parts(self) -> tuple[Observable, ...]:
        """The bonds, then the field."""
        bonds = [(Word(0, 1 << i | 1 << j), -self.coupling) for i, j in neighbours(self.sites, self.periodic)]
        fields = [(Word(1 << i, 0), -self.field) for i in range(self.sites)]
        return _parts(self.sites, bonds, fields)

    def prepared(self) -> Prepared:
        """All spins along the field."""
        along = math.copysign(math.pi / 2, self.field)
        return Prepared(0, tuple(ry(q, None, offset=along) for q in range(self.sites)))

    def observable(self) -> Observable:
        """What solve() finds, without the energies."""
        return _whole(self.sites, self.parts())

    def solve(self) -> Solved:
        operator = self.observable()
        return Solved(operator, ising_energy(self.sites, self.coupling, self.field, self.periodic))


@dataclass(frozen=True)
class HeisenbergXxz:
    """Heisenberg chain with an easy axis:  H = J Σ_<ij> (X_i X_j + Y_i Y_j + Δ Z_i Z_j) + h Σ_i Z_i.

    Energies are in the unit that J and h are given in. The magnetization Σ Z is conserved; the reference is the lowest
    energy over all its values.

    Args:
        sites: spins on the chain, one qubit each.
        coupling: J; positive is antiferromagnetic.
        anisotropy: Δ; 1 is the isotropic chain, 0 the XX chain.
        field: h, along z.
        periodic: whether the last spin is the first one's neighbour.

    Source: des Cloizeaux & Gaudin, J. Math. Phys. 7 (1966) 1384.
    """

    sites: int
    coupling: float = 1.0
    anisotropy: float = 1.0
    field: float = 0.0
    periodic: bool = False

    unit: ClassVar[str] = ""
    mean_field: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_sites(self.sites, self.periodic)
        check_finite(coupling=self.coupling, anisotropy=self.anisotropy, field=self.field)

    def system(self) -> System:
        sector = math.comb(self.sites, self.sites // 2)
        solvable = affordable(self.sites + 1, 1 << self.sites)
        return System(self.sites, self.sites + 1, sector, less="fewer sites", field="sites", solvable=solvable)

    def quick(self) -> bool:
        return True

    def most(self) -> HeisenbergXxz:
        return self

    def electrons(self) -> None:
        return None

    def parts(self) -> tuple[Observable, ...]:
        """Every other bond, the bonds between, on an odd ring its last bond, the field."""
        pairs = neighbours(self.sites, self.periodic)
        wrap = pairs.pop() if self.periodic and self.sites % 2 else None
        sets = (pairs[0::2], pairs[1::2], [wrap] if wrap else [])
        bonds = [[term for pair in chosen for term in self._bond(*pair)] for chosen in sets]
        return _parts(self.sites, *bonds, [(Word(0, 1 << i), self.field) for i in range(self.sites)])

    def prepared(self) -> Prepared:
        """Pairs (|01⟩ ∓ |10⟩)/√2 on every other bond: singlets where J > 0, otherwise triplets; an odd spin is up."""
        firsts = range(0, self.sites - 1, 2)
        turn = math.copysign(math.pi / 2, -self.coupling)
        gates = [gate for q in firsts for gate in (ry(q, None, offset=turn), Cx(q, q + 1))]
        return Prepared(sum(2 << q for q in firsts), tuple(gates))

    def observable(self) -> Observable:
        """What solve() finds, without the energies."""
        return _whole(self.sites, self.parts())

    def solve(self) -> Solved:
        operator = self.observable()
        return Solved(operator, self._exact(operator) if self.system().solvable else math.nan)

    def _bond(self, i: int, j: int) -> list[tuple[Word, float]]:
        both, flat = 1 << i | 1 << j, self.coupling
        return [(Word(both, 0), flat), (Word(both, both), flat), (Word(0, both), flat * self.anisotropy)]

    def _exact(self, operator: Observable) -> float:
        states = np.arange(2**self.sites)
        ups = np.bitwise_count(states)
        values = range(self.sites // 2 + 1) if self.field == 0 else range(self.sites + 1)  # without h, up and down are alike
        return min(ground_energy(operator, states[ups == up]) for up in values)


def neighbours(sites: int, periodic: bool) -> list[tuple[int, int]]:
    """The bonds of a chain."""
    return [(i, (i + 1) % sites) for i in range(sites if periodic else sites - 1)]


def _parts(sites: int, *parts: Iterable[tuple[Word, complex]]) -> tuple[Observable, ...]:
    """Those that are not zero."""
    every = (Observable.of(sites, total(part)) for part in parts)
    return tuple(part for part in every if part.words)


def _whole(sites: int, parts: Iterable[Observable]) -> Observable:
    return Observable.of(sites, total(term for part in parts for term in zip(part.words, part.coefficients, strict=True)))


def check_sites(sites: int, periodic: bool, field: str = "sites") -> None:
    """Raises BadInput for a chain that is none."""
    least = 3 if periodic else 2
    if not least <= sites <= MOST_SITES:
        ring = " on a ring, where two would be neighbours twice" if periodic and sites == 2 else ""
        raise BadInput(field, f"wanted {least} to {MOST_SITES} sites{ring}, got {sites}")


def check_finite(**numbers: float) -> None:
    """Raises BadInput for the first that is no number, or too large a one."""
    for name, value in numbers.items():
        no_more_than(name, value, LARGEST)
