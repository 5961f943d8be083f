"""From integrals to a Hamiltonian: the qubit operator under any map, the determinant's energy, full configuration interaction."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg_core.errors import BadInput
from thalweg_vqe.hamiltonians.diagonalization import ground_energy, particle_sector
from thalweg_vqe.hamiltonians.encoding import encoding, symmetries
from thalweg_vqe.hamiltonians.hamiltonian import Electrons, Solved
from thalweg_vqe.hamiltonians.jordan_wigner import electrons, number
from thalweg_vqe.pauli.words import Observable


class Integrals(NamedTuple):
    """An electronic Hamiltonian in m orthonormal orbitals, the filled ones first."""

    one: NDArray[np.float64]  # (m, m) h_pq
    two: NDArray[np.float64]  # (m, m, m, m) (pq|rs), chemists' order
    constant: float  # nuclei and frozen electrons
    alpha: int  # electrons with spin up
    beta: int


class Mapped(NamedTuple):
    """Its qubit operator."""

    observable: Observable
    electrons: Electrons


def mapped(integrals: Integrals, mapping: str, tapering: str) -> Mapped:
    """The qubit operator under a map, with the qubits of symmetries tapered off.

    Raises:
        BadInput: tapering leaves no qubit.
    """
    operator = electrons(integrals.one, integrals.two, integrals.constant)
    return taper(operator, of_numbers(len(integrals.one), integrals.alpha, integrals.beta, mapping), tapering)


def of_numbers(orbitals: int, alpha: int, beta: int, mapping: str, tapering: str = "none") -> Electrons:
    """Where electrons sit as far as their numbers tell: the map, without the two qubits of tapering "particles".

    Raises:
        BadInput: those are all.
    """
    sites = Electrons(orbitals, alpha, beta, encoding(mapping, 2 * orbitals))
    return sites if tapering == "none" else without_numbers(sites)


def without_numbers(sites: Electrons) -> Electrons:
    """Without the two qubits that the parities of both electron numbers fix."""
    up = (1 << sites.orbitals) - 1
    return _some_left(sites._replace(encoding=sites.encoding.tapered([up, up << sites.orbitals], sites.occupation)))


def taper(operator: Observable, sites: Electrons, tapering: str) -> Mapped:
    """A Jordan-Wigner operator under the electrons' map, without the qubits that symmetries fix.

    Raises:
        BadInput: that leaves no qubit.
    """
    if tapering == "particles":
        sites = without_numbers(sites)
    elif tapering == "all":
        sites = sites._replace(encoding=sites.encoding.tapered(symmetries(operator), sites.occupation))
    return Mapped(_some_left(sites).encoding.observable(operator), sites)


def _some_left(sites: Electrons) -> Electrons:
    """The same, unless tapering left no qubit."""
    if sites.encoding.qubits == 0:
        raise BadInput("tapering", 'symmetries alone fix every qubit, so nothing is left to vary; use tapering = "none"')
    return sites


def solve(integrals: Integrals, found: Mapped, hartree_fock_energy: float, solvable: bool = True) -> Solved:
    """The lowest energy with these numbers of electrons; after tapering all symmetries, with the determinant's symmetry.

    PySCF's full configuration interaction, or the qubit operator diagonalized where a symmetry beyond the numbers is fixed;
    NaN where it is not solvable in reasonable time.
    """
    from pyscf import fci

    m, sites, exact = len(integrals.one), found.electrons, math.nan
    if not solvable:
        pass
    elif sites.encoding.dropped.bit_count() > 2:
        sector = sites.encoding.sector(particle_sector(m, sites.alpha, sites.beta))
        exact = ground_energy(found.observable, sector)
    else:
        exact, _ = fci.direct_spin1.kernel(
            integrals.one, integrals.two, m, (sites.alpha, sites.beta), ecore=integrals.constant, conv_tol=1e-12, max_cycle=500
        )
    count = sites.encoding.observable(number(2 * m))
    return Solved(found.observable, float(exact), hartree_fock_energy, sites, count)


def determinant_energy(integrals: Integrals) -> float:
    """⟨Φ|H|Φ⟩ of the determinant that fills the first orbitals of either spin.

    E = constant + Σ_σ Σ_{i∈σ} h_ii + ½ Σ_{σ,τ} Σ_{i∈σ, j∈τ} (ii|jj) - ½ Σ_σ Σ_{i,j∈σ} (ij|ji)
    """
    one, two = np.diag(integrals.one), integrals.two
    coulomb, exchange = np.einsum("iijj->ij", two), np.einsum("ijji->ij", two)
    spins = [np.arange(integrals.alpha), np.arange(integrals.beta)]
    energy = integrals.constant + sum(one[s].sum() for s in spins)
    energy += 0.5 * sum(coulomb[np.ix_(s, t)].sum() for s in spins for t in spins)
    return float(energy - 0.5 * sum(exchange[np.ix_(s, s)].sum() for s in spins))
