"""Molecules: atoms in a Gaussian basis, their electrons on qubits, and the energies known without any circuit."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from thalweg_core.errors import BadInput, Unavailable
from thalweg_vqe.jordan_wigner import electrons
from thalweg_vqe.pauli import Observable

if TYPE_CHECKING:
    from pyscf import gto

MAPPINGS = ("jordan_wigner",)

CLOSEST = 0.05
"""Å; nuclei nearer than this are a slip of the pen, not a geometry (arbitrary; the shortest bond, H2's, is 0.74 Å)."""


class Atom(NamedTuple):
    """A nucleus."""

    symbol: str
    position: tuple[float, float, float]  # Å


class Size(NamedTuple):
    """What a molecule needs, as its basis tells before any integral is computed."""

    orbitals: int
    alpha: int  # electrons with spin up
    beta: int

    @property
    def qubits(self) -> int:
        """One for each spin orbital."""
        return 2 * self.orbitals

    @property
    def determinants(self) -> int:
        """Basis states with the right number of electrons of either spin."""
        return math.comb(self.orbitals, self.alpha) * math.comb(self.orbitals, self.beta)

    @property
    def flips(self) -> int:
        """At most so many different sets of qubits are flipped by the terms: none, one pair or two pairs of orbitals."""
        pairs = math.comb(self.orbitals, 2)
        return 1 + 2 * pairs + 2 * math.comb(self.orbitals, 4) + pairs**2

    @property
    def determinant(self) -> int:
        """The Hartree-Fock determinant as a basis state: the lowest orbitals of either spin are filled."""
        return (1 << self.alpha) - 1 | ((1 << self.beta) - 1) << self.orbitals


class Solved(NamedTuple):
    """A molecule after its mean field and its exact diagonalization."""

    observable: Observable
    hartree_fock_energy: float  # Ha
    exact_energy: float  # Ha, the lowest with these numbers of spin-up and spin-down electrons


@dataclass(frozen=True)
class Molecule:
    """Electrons of a molecule in a Gaussian basis, mapped to qubits.

    Qubits 0 … m-1 are the spin-up orbitals by falling occupation, then rising energy; qubits m … 2m-1 the spin-down ones.

    Args:
        atoms: geometry, "H 0 0 0; H 0 0 0.735": element and x y z in Å, atoms separated by ';'.
        basis: Gaussian basis set by its PySCF name, such as "sto-3g".
        mapping: fermions to qubits: "jordan_wigner".
        charge: total charge, in units of e.
        spin: unpaired electrons, N_alpha - N_beta.

    Source: Sun et al., J. Chem. Phys. 153 (2020) 024109 (PySCF).
    """

    atoms: str
    basis: str = "sto-3g"
    mapping: str = "jordan_wigner"
    charge: int = 0
    spin: int = 0

    def __post_init__(self) -> None:
        if self.mapping not in MAPPINGS:
            raise BadInput("mapping", f'wanted {_quoted(MAPPINGS)}, got "{self.mapping}"')
        if self.spin < 0:
            raise BadInput("spin", f"wanted 0 or more unpaired electrons, got {self.spin}")
        self.geometry()

    def geometry(self) -> tuple[Atom, ...]:
        """The atoms, read from their text."""
        atoms = tuple(_atom(text) for text in self.atoms.replace("\n", ";").split(";") if text.strip())
        if not atoms:
            raise BadInput("atoms", 'wanted atoms such as "H 0 0 0; H 0 0 0.735", got none')
        for (i, a), (j, b) in combinations(enumerate(atoms, 1), 2):
            if (distance := math.dist(a.position, b.position)) < CLOSEST:
                pair = f"atoms {i} ({a.symbol}) and {j} ({b.symbol}) are {distance:g} Å apart"
                raise BadInput("atoms", f"impossible geometry: {pair}, wanted at least {CLOSEST} Å")
        return atoms

    def size(self) -> Size:
        """Orbitals and electrons, at the price of a look at the basis set.

        Raises:
            BadInput: an unknown element or basis; a charge or spin that these atoms cannot have.
            Unavailable: PySCF is not installed.
        """
        nuclear = sum(_atomic_number(atom.symbol) for atom in self.geometry())
        electrons = nuclear - self.charge
        if electrons < 1:
            raise BadInput("charge", f"wanted at most {nuclear - 1} so that an electron is left, got {self.charge}")
        if self.spin > electrons or (electrons - self.spin) % 2:
            wanted = "an even" if electrons % 2 == 0 else "an odd"
            raise BadInput("spin", f"wanted {wanted} number up to {electrons} with {electrons} electrons, got {self.spin}")
        orbitals = int(self._mole().nao)
        alpha, beta = (electrons + self.spin) // 2, (electrons - self.spin) // 2
        if alpha > orbitals:
            room = f'basis "{self.basis}" has {orbitals} orbital(s) for {alpha} spin-up electrons'
            raise BadInput("spin" if electrons <= 2 * orbitals else "charge", f"{room}; wanted fewer, or a larger basis")
        return Size(orbitals, alpha, beta)

    def solve(self) -> Solved:
        """Mean field, integrals, qubit operator and exact energy.

        Raises:
            BadInput: the mean field does not converge.
        """
        from pyscf import ao2mo, fci, lib, scf

        size = self.size()
        with lib.with_omp_threads(1):  # sums over threads may round differently from run to run
            mole = self._mole()
            field = scf.RHF(mole) if self.spin == 0 else scf.ROHF(mole)
            energy = _converged(field)
            orbitals = field.mo_coeff[:, np.argsort(-field.mo_occ, kind="stable")]
            one = orbitals.T @ field.get_hcore() @ orbitals
            two = ao2mo.restore(1, ao2mo.kernel(mole, orbitals), size.orbitals)
            nuclear = float(mole.energy_nuc())
            exact, _ = fci.direct_spin1.kernel(
                one, two, size.orbitals, (size.alpha, size.beta), ecore=nuclear, conv_tol=1e-12, max_cycle=500
            )
        return Solved(electrons(one, two, nuclear), energy, float(exact))

    def _mole(self) -> gto.Mole:
        gto = _pyscf_gto()
        atoms = [[atom.symbol, atom.position] for atom in self.geometry()]
        with warnings.catch_warnings(action="ignore"):  # advice to install a package that fetches basis sets
            try:
                return gto.M(atom=atoms, basis=self.basis, charge=self.charge, spin=self.spin, unit="Angstrom", verbose=0)
            except (gto.basis.BasisNotFoundError, KeyError) as error:
                raise BadInput("basis", self._unknown_basis(gto)) from error

    def _unknown_basis(self, gto: Any) -> str:
        if _squeezed(self.basis) in gto.basis.ALIAS:
            return f'PySCF\'s "{self.basis}" does not cover all of {", ".join(sorted({a.symbol for a in self.geometry()}))}'
        near = get_close_matches(self.basis.lower(), [_spelled(*alias) for alias in gto.basis.ALIAS.items()], n=3)
        hint = f"did you mean {_quoted(near)}?" if near else 'for example "sto-3g" or "6-31g"'
        return f'wanted a basis set that PySCF knows, got "{self.basis}"; {hint}'


def _atom(text: str) -> Atom:
    symbol, *numbers = text.split()
    if len(numbers) != 3:
        raise BadInput("atoms", f'wanted an element and three coordinates (Å) as in "H 0 0 0.735", got "{text.strip()}"')
    try:
        x, y, z = (float(number) for number in numbers)
    except ValueError as error:
        raise BadInput("atoms", f'wanted three numbers (Å) after the element, got "{text.strip()}"') from error
    if not all(math.isfinite(coordinate) for coordinate in (x, y, z)):
        raise BadInput("atoms", f'wanted finite coordinates (Å), got "{text.strip()}"')
    return Atom(symbol, (x, y, z))


def _atomic_number(symbol: str) -> int:
    _pyscf_gto()
    from pyscf.data.elements import ELEMENTS

    elements = ELEMENTS[1:]  # the first is PySCF's ghost atom
    if symbol not in elements:
        near = get_close_matches(symbol.capitalize(), elements, n=3, cutoff=0.5)
        hint = f"; did you mean {_quoted(near)}?" if near else ""
        raise BadInput("atoms", f'wanted the symbol of an element such as "H" or "Li", got "{symbol}"{hint}')
    return int(elements.index(symbol)) + 1


def _pyscf_gto() -> Any:
    try:
        from pyscf import gto
    except ImportError as error:
        raise Unavailable("", 'a molecule needs PySCF, which is not installed here: pip install "thalweg[chemistry]"') from error
    return gto


def _converged(field: Any) -> float:
    """The mean field's energy (Ha), by the second-order solver where the first does not converge."""
    field.conv_tol = 1e-12
    field.kernel()
    if not field.converged:
        second = field.newton()
        second.kernel(field.mo_coeff, field.mo_occ)
        if not second.converged:
            raise BadInput("atoms", "the Hartree-Fock equations do not converge for this geometry, charge and spin")
        field.mo_coeff, field.mo_occ, field.e_tot = second.mo_coeff, second.mo_occ, second.e_tot
    return float(field.e_tot)


def _squeezed(basis: str) -> str:
    return "".join(letter for letter in basis.lower() if letter not in "-_ ")


def _spelled(alias: str, source: Any) -> str:
    """How people write a basis set that PySCF lists without its hyphens: "sto-3g", "6-31g"."""
    if isinstance(source, str) and _squeezed(source.removesuffix(".dat")) == alias:
        return source.removesuffix(".dat").lower()
    return re.sub(r"^(\d)(\d+\+*g)", r"\1-\2", alias)


def _quoted(names: Any) -> str:
    return " or ".join(f'"{name}"' for name in names)
