"""Molecules: atoms in a Gaussian basis, their electrons on qubits, and the energies known without any circuit."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from thalweg_core.errors import BadInput
from thalweg_vqe.hamiltonians.electronic import Integrals, Mapped, mapped, of_numbers, solve
from thalweg_vqe.hamiltonians.encoding import check
from thalweg_vqe.hamiltonians.geometry import Atom, atomic_number, pyscf_gto, quoted, read
from thalweg_vqe.hamiltonians.hamiltonian import Electrons, Prepared, Solved, System
from thalweg_vqe.hamiltonians.orbitals import LARGEST_TO_TAPER, QUICK_ORBITALS, ActiveSpace, Size
from thalweg_vqe.pauli.grouping import commuting_parts
from thalweg_vqe.pauli.words import Observable

if TYPE_CHECKING:
    from pyscf import gto

_NAME = r"[A-Za-z0-9][A-Za-z0-9+*(), _-]{0,50}"
"""What a name looks like; whether PySCF knows it is asked later."""

_SMALLER = "a smaller basis, an active_space or fewer atoms"

_PYSCF_NUMBERS = 2**29
"""Above so many integrals PySCF computes them as it needs them (its max_memory, 4 GB)."""

QUICK_FUNCTIONS = 32
"""Up to so many basis functions a check runs the mean field: their number is all that tells beforehand how long it takes. Where
it does not converge 32 functions take 1.4 s; 200 take more than a minute and 2 GB."""


@dataclass(frozen=True)
class Molecule:
    """Electrons of a molecule in a Gaussian basis, mapped to qubits.

    Spin orbitals 0 … m-1 are the spin-up ones by falling occupation, then rising energy; m … 2m-1 the spin-down ones. By
    Jordan-Wigner they are the qubits.

    Args:
        atoms: geometry, "H 0 0 0; H 0 0 0.735": element and x y z in Å, atoms separated by ';'.
        basis: Gaussian basis set by its PySCF name, such as "sto-3g".
        mapping: fermions to qubits: "jordan_wigner", "parity" or "bravyi_kitaev".
        charge: total charge, in units of e.
        spin: unpaired electrons, N_alpha - N_beta.
        frozen_core: keep the electrons of each atom's noble-gas core in their Hartree-Fock orbitals, and off the qubits.
        active_space: put only the electrons and orbitals around the highest filled one on qubits.
        tapering: qubits left out because a symmetry fixes them: "none"; "particles", the parities of both electron numbers
            (two qubits, with mapping "parity" the two-qubit reduction); "all", also those of the point group.

    Source: Sun et al., J. Chem. Phys. 153 (2020) 024109 (PySCF).
    """

    atoms: str
    basis: str = "sto-3g"
    mapping: str = "jordan_wigner"
    charge: int = 0
    spin: int = 0
    frozen_core: bool = False
    active_space: ActiveSpace | None = None
    tapering: str = "none"

    unit: ClassVar[str] = "Ha"
    mean_field: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self.mapping, self.tapering)
        if self.frozen_core and self.active_space is not None:
            raise BadInput("frozen_core", "an active_space leaves the inner shells out already; give only one of the two")
        if self.spin < 0:
            raise BadInput("spin", f"wanted 0 or more unpaired electrons, got {self.spin}")
        if not re.fullmatch(_NAME, self.basis):
            raise BadInput("basis", f'wanted the name of a basis set such as "sto-3g" or "6-31g", got "{self.basis}"')
        self.geometry()

    def geometry(self) -> tuple[Atom, ...]:
        """The atoms, read from their text."""
        return read(self.atoms)

    def size(self) -> Size:
        """Orbitals and electrons on the qubits, at the price of a look at the basis set.

        Raises:
            BadInput: an unknown element or basis; a charge, spin or active space that these atoms cannot have.
            Unavailable: PySCF is not installed.
        """
        nuclear = sum(atomic_number(atom.symbol) for atom in self.geometry())
        electrons = nuclear - self.charge
        if electrons < 1:
            raise BadInput("charge", f"wanted at most {nuclear - 1} so that an electron is left, got {self.charge}")
        if self.spin > electrons or (electrons - self.spin) % 2:
            wanted = "an even" if electrons % 2 == 0 else "an odd"
            raise BadInput("spin", f"wanted {wanted} number up to {electrons}, the number of electrons, got {self.spin}")
        mole = self._mole()
        orbitals = int(mole.nao)
        alpha, beta = (electrons + self.spin) // 2, (electrons - self.spin) // 2
        if alpha > orbitals:
            room = f'basis "{self.basis}" has {orbitals} orbital(s) for {alpha} spin-up electrons'
            raise BadInput("spin" if electrons <= 2 * orbitals else "charge", f"{room}; wanted fewer, or a larger basis")
        everything = Size(orbitals, alpha, beta)
        if self.active_space is not None:
            return self.active_space.of(everything)
        return everything.without(min(_core_orbitals(self.geometry()), beta)) if self.frozen_core else everything

    def system(self) -> System:
        size = self.size()
        functions = int(self._mole().nao)
        integrals = 8 * (min(functions**4 // 8, _PYSCF_NUMBERS) + 3 * size.orbitals**4)
        self._check_tapering(size)
        qubits = self.electrons().encoding.qubits
        return size.system(qubits, self.tapering, integrals, _SMALLER)

    def quick(self) -> bool:
        return int(self._mole().nao) <= QUICK_FUNCTIONS and self.size().orbitals <= QUICK_ORBITALS

    def most(self) -> Molecule:
        """Tapered by the numbers of electrons only, where the point group's symmetries would take long to find."""
        self._check_tapering(self.size())
        return replace(self, tapering="particles") if self.tapering == "all" and not self.quick() else self

    def electrons(self) -> Electrons:
        if self.tapering == "all":
            return _mean_field(self).mapped.electrons
        size = self.size()
        return of_numbers(size.orbitals, size.alpha, size.beta, self.mapping, self.tapering)

    def parts(self) -> tuple[Observable, ...]:
        """Groups of commuting words, the diagonal ones first."""
        return commuting_parts(_mean_field(self).mapped.observable)

    def prepared(self) -> Prepared:
        """The Hartree-Fock determinant."""
        return Prepared(self.electrons().determinant)

    def observable(self) -> Observable:
        """What solve() finds, without the energies."""
        return _mean_field(self).mapped.observable

    def solve(self) -> Solved:
        """Mean field, integrals, qubit operator and exact energy.

        Raises:
            BadInput: the mean field does not converge; tapering leaves no qubit.
        """
        found = _mean_field(self)
        from pyscf import lib

        with lib.with_omp_threads(1):  # sums over threads may round differently from run to run
            return solve(found.integrals, found.mapped, found.energy, self.size().solvable)

    def _check_tapering(self, size: Size) -> None:
        if self.tapering == "all" and size.qubits > LARGEST_TO_TAPER:
            few = f"wanted at most {LARGEST_TO_TAPER} spin orbitals to look for symmetries in, got {size.qubits}"
            raise BadInput("tapering", f'{few}; use tapering = "particles" or a smaller active_space')

    def _mole(self, symmetry: bool = False) -> gto.Mole:
        gto = pyscf_gto()
        from thalweg_vqe.hamiltonians.pyscf_names import is_basis, without_files

        if not is_basis(self.basis):
            raise BadInput("basis", self._unknown_basis(gto))
        atoms = [[atom.symbol, atom.position] for atom in self.geometry()]
        options = {"basis": self.basis, "charge": self.charge, "spin": self.spin, "unit": "Angstrom", "verbose": 0}
        options["symmetry"] = symmetry
        with warnings.catch_warnings(action="ignore"), without_files():  # advice to install a package that fetches basis sets
            try:
                return gto.M(atom=atoms, dump_input=False, parse_arg=False, **options)
            except (gto.basis.BasisNotFoundError, KeyError) as error:
                elements = ", ".join(sorted({atom.symbol for atom in self.geometry()}))
                raise BadInput("basis", f'PySCF\'s "{self.basis}" does not cover all of {elements}') from error

    def _unknown_basis(self, gto: Any) -> str:
        near = get_close_matches(self.basis.lower(), [_spelled(*alias) for alias in gto.basis.ALIAS.items()], n=3)
        hint = f"did you mean {quoted(near)}?" if near else 'for example "sto-3g" or "6-31g"'
        return f'wanted a basis set that PySCF knows, got "{self.basis}"; {hint}'


class _MeanField(NamedTuple):
    """A molecule as far as all that comes after needs it."""

    integrals: Integrals
    mapped: Mapped
    energy: float  # Ha, of the Hartree-Fock determinant


@lru_cache(maxsize=4)  # a job's checks and its landscape ask for the same one
def _mean_field(molecule: Molecule) -> _MeanField:
    """Hartree-Fock, the active orbitals' integrals in the field of the frozen ones, and the qubit operator."""
    size = molecule.size()  # imports PySCF without settings of the working directory
    from pyscf import ao2mo, lib, scf

    with lib.with_omp_threads(1):  # sums over threads may round differently from run to run
        mole = molecule._mole(symmetry=molecule.tapering == "all")  # its orbitals show the symmetries that are to be tapered
        field = scf.RHF(mole) if molecule.spin == 0 else scf.ROHF(mole)
        energy = _converged(field)
        orbitals = np.asarray(field.mo_coeff)[:, np.argsort(-field.mo_occ, kind="stable")]
        inner, active = orbitals[:, : size.frozen], orbitals[:, size.frozen : size.frozen + size.orbitals]
        core, constant = field.get_hcore(), float(mole.energy_nuc())
        if size.frozen:
            density = 2 * inner @ inner.T
            coulomb, exchange = field.get_jk(mole, density)
            potential = coulomb - 0.5 * exchange
            constant += float(np.einsum("ij,ji->", density, core + 0.5 * potential))
            core = core + potential
        one = active.T @ core @ active
        two = ao2mo.restore(1, ao2mo.kernel(mole, active), size.orbitals)
    integrals = Integrals(one, two, constant, size.alpha, size.beta)
    return _MeanField(integrals, mapped(integrals, molecule.mapping, molecule.tapering), energy)


def _core_orbitals(atoms: tuple[Atom, ...]) -> int:
    """Spatial orbitals of the noble gas before each atom."""
    before = ((2, 1), (10, 5), (18, 9), (36, 18), (54, 27), (86, 43))  # its electrons, its filled orbitals
    return sum(max((o for e, o in before if atomic_number(atom.symbol) > e), default=0) for atom in atoms)


def _converged(field: Any) -> float:
    """The mean field's energy (Ha), by the second-order solver where the first does not converge."""
    from thalweg_vqe.hamiltonians.pyscf_names import without_files

    field.conv_tol = 1e-12
    with without_files():
        guess = field.get_init_guess(field.mol, field.init_guess, s1e=field.get_ovlp())
    field.kernel(dm0=guess)
    if not field.converged:
        second = field.newton()
        second.kernel(field.mo_coeff, field.mo_occ)
        if not second.converged:
            raise BadInput("atoms", "the Hartree-Fock equations do not converge for this geometry, charge and spin")
        field.mo_coeff, field.mo_occ, field.e_tot = second.mo_coeff, second.mo_occ, second.e_tot
    return float(field.e_tot)


def _spelled(alias: str, source: Any) -> str:
    """How people write a basis set that PySCF lists without its hyphens: "sto-3g", "6-31g"."""
    from thalweg_vqe.hamiltonians.pyscf_names import squeezed

    if isinstance(source, str) and squeezed(source.removesuffix(".dat")) == alias:
        return source.removesuffix(".dat").lower()
    return re.sub(r"^(\d)(\d+\+*g)", r"\1-\2", alias)
