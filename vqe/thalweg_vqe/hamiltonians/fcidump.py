"""FCIDUMP: integrals as other chemistry programs write them.

    &FCI NORB=2,NELEC=2,MS2=0,ORBSYM=1,1,ISYM=1, &END
    value  i j k l        (ij|kl); i j 0 0 for h_ij; 0 0 0 0 for the constant; i 0 0 0, an orbital's energy, is skipped

Source: Knowles & Handy, Comput. Phys. Commun. 54 (1989) 75.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np

from thalweg_core.errors import BadInput
from thalweg_vqe.hamiltonians.electronic import Integrals, Mapped, determinant_energy, mapped, of_numbers, solve
from thalweg_vqe.hamiltonians.encoding import check
from thalweg_vqe.hamiltonians.geometry import pyscf_gto
from thalweg_vqe.hamiltonians.hamiltonian import Electrons, Prepared, Solved, System
from thalweg_vqe.hamiltonians.orbitals import LARGEST_TO_TAPER, QUICK_ORBITALS, Size
from thalweg_vqe.pauli.grouping import commuting_parts
from thalweg_vqe.pauli.words import LARGEST, ROUND_OFF, Observable

MOST_CHARACTERS = 2**21
"""Of a dump in a job (arbitrary: 2 MiB, about 20 orbitals; what travels with a job is kept with it)."""


MOST_ORBITALS = 1000
"""Arbitrary; many more than a quantum circuit has qubits for."""

_LONGEST_HEADER = 2**16
"""Characters (arbitrary: the symmetries of a thousand orbitals take a tenth)."""


@dataclass(frozen=True)
class Fcidump:
    """Electrons whose integrals another program computed, written as an FCIDUMP.

    The orbitals stand as they do in the dump, filled ones first; the Hartree-Fock energy is that of the determinant of the
    first ones. In a specification's file, `file = "h2.fcidump"` stands for the text.

    Args:
        text: what the FCIDUMP says; restricted (one set of orbitals for both spins) and real.
        mapping: fermions to qubits: "jordan_wigner", "parity" or "bravyi_kitaev".
        tapering: qubits left out because a symmetry fixes them: "none"; "particles", the parities of both electron numbers;
            "all", every one that the integrals show.
    """

    text: str
    mapping: str = "jordan_wigner"
    tapering: str = "none"

    unit: ClassVar[str] = "Ha"
    mean_field: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self.mapping, self.tapering)
        if len(self.text) > MOST_CHARACTERS:
            raise BadInput("text", f"wanted at most {MOST_CHARACTERS} characters, got {len(self.text)}; freeze more orbitals")
        size = self.size()
        largest = max((abs(value) for value, (_, j, *_) in _entries(self.text, size.orbitals) if j), default=0.0)
        if largest <= ROUND_OFF:
            raise BadInput("text", f"wanted integrals, at least one larger than {ROUND_OFF:g} Ha; got none, only a constant")

    def size(self) -> Size:
        """Orbitals and electrons, from the header.

        Raises:
            BadInput: there is no header, or it cannot be.
        """
        header = _header(self.text)
        return Size(header.orbitals, (header.electrons + header.spin) // 2, (header.electrons - header.spin) // 2)

    def system(self) -> System:
        pyscf_gto()
        size = self.size()
        integrals = 8 * 3 * size.orbitals**4
        self._check_tapering(size)
        qubits = self.electrons().encoding.qubits
        return size.system(qubits, self.tapering, integrals, "fewer orbitals", "text")

    def quick(self) -> bool:
        return self.size().orbitals <= QUICK_ORBITALS

    def most(self) -> Fcidump:
        """Tapered by the numbers of electrons only, where the integrals' symmetries would take long to find."""
        self._check_tapering(self.size())
        return replace(self, tapering="particles") if self.tapering == "all" and not self.quick() else self

    def electrons(self) -> Electrons:
        if self.tapering == "all":
            return _read(self).mapped.electrons
        size = self.size()
        return of_numbers(size.orbitals, size.alpha, size.beta, self.mapping, self.tapering)

    def parts(self) -> tuple[Observable, ...]:
        """Groups of commuting words, the diagonal ones first."""
        return commuting_parts(_read(self).mapped.observable)

    def prepared(self) -> Prepared:
        """The Hartree-Fock determinant."""
        return Prepared(self.electrons().determinant)

    def observable(self) -> Observable:
        """What solve() finds, without the energies."""
        return _read(self).mapped.observable

    def solve(self) -> Solved:
        found = _read(self)
        pyscf_gto()
        from pyscf import lib

        with lib.with_omp_threads(1):  # sums over threads may round differently from run to run
            return solve(found.integrals, found.mapped, determinant_energy(found.integrals), self.size().solvable)

    def _check_tapering(self, size: Size) -> None:
        if self.tapering == "all" and size.qubits > LARGEST_TO_TAPER:
            few = f"wanted at most {LARGEST_TO_TAPER} spin orbitals to look for symmetries in, got {size.qubits}"
            raise BadInput("tapering", f'{few}; use tapering = "particles"')


_KINDS = {(True,) * filled + (False,) * (4 - filled) for filled in (0, 1, 2, 4)}
"""Which of i j k l a line may name."""


class _Read(NamedTuple):
    integrals: Integrals
    mapped: Mapped


class _Header(NamedTuple):
    orbitals: int
    electrons: int
    spin: int  # N_alpha - N_beta
    lines: int  # that it takes


@lru_cache(maxsize=4)  # a job's checks and its landscape ask for the same one
def _read(dump: Fcidump) -> _Read:
    size = dump.size()
    m = size.orbitals
    one, two, constant = np.zeros((m, m)), np.zeros((m, m, m, m)), 0.0
    for value, (i, j, k, l) in _entries(dump.text, m):  # noqa: E741 (the format's own names)
        if k and l and i and j:
            for p, q in ((i - 1, j - 1), (j - 1, i - 1)):
                for r, s in ((k - 1, l - 1), (l - 1, k - 1)):
                    two[p, q, r, s] = two[r, s, p, q] = value
        elif i and j and not k and not l:
            one[i - 1, j - 1] = one[j - 1, i - 1] = value
        elif not (i or j or k or l):
            constant = value
    integrals = Integrals(one, two, constant, size.alpha, size.beta)
    return _Read(integrals, mapped(integrals, dump.mapping, dump.tapering))


def _header(text: str) -> _Header:
    """NORB, NELEC and MS2 of the namelist &FCI … &END, which may also end with a slash."""
    found = re.match(
        r"\s*&FCI\b(.*?)(?:&END\b|^[ \t]*/|/[ \t]*$)", text[:_LONGEST_HEADER], re.DOTALL | re.IGNORECASE | re.MULTILINE
    )
    if found is None:
        raise BadInput("text", "wanted an FCIDUMP, which starts with &FCI NORB=…,NELEC=…,MS2=… and &END; found no such header")
    inside = found.group(1)
    if re.search(r"\bIUHF\s*=\s*(?!0|\.?F)\S", inside, re.IGNORECASE) or re.search(r"\bUHF\s*=\s*\.?T", inside, re.IGNORECASE):
        raise BadInput("text", "an unrestricted FCIDUMP (IUHF) has two sets of orbitals; wanted a restricted one")
    orbitals, electrons, spin = (_number(inside, name) for name in ("NORB", "NELEC", "MS2"))
    if orbitals is None or electrons is None:
        raise BadInput("text", f"the header gives no {'NORB' if orbitals is None else 'NELEC'}")
    if orbitals > MOST_ORBITALS:
        raise BadInput("text", f"wanted at most {MOST_ORBITALS} orbitals, got NORB = {orbitals}")
    spin = spin or 0
    alpha, beta = (electrons + spin) // 2, (electrons - spin) // 2
    if orbitals < 1 or electrons < 1 or spin < 0 or (electrons + spin) % 2 or beta < 0 or alpha > orbitals:
        raise BadInput("text", f"NORB = {orbitals}, NELEC = {electrons} and MS2 = {spin} cannot be together")
    return _Header(orbitals, electrons, spin, text[: found.end()].count("\n"))


def _number(inside: str, name: str) -> int | None:
    found = re.search(rf"\b{name}\s*=\s*(-?\d{{1,18}})(?!\d)", inside, re.IGNORECASE)
    return None if found is None else int(found.group(1))


def _entries(text: str, orbitals: int) -> Iterator[tuple[float, tuple[int, int, int, int]]]:
    """Value and the four orbitals of each line after the header."""
    before = _header(text).lines + 1
    for number, line in enumerate(text.splitlines()[before:], before + 1):
        if not line.strip():
            continue
        try:
            value, i, j, k, l = line.replace("D", "E").split()  # noqa: E741
            entry = float(value), (int(i), int(j), int(k), int(l))
        except ValueError as error:
            raise BadInput("text", f'line {number}: wanted a real number and four orbitals, got "{line.strip()[:60]}"') from error
        if not abs(entry[0]) <= LARGEST:
            raise BadInput("text", f"line {number}: wanted a number from {-LARGEST:g} to {LARGEST:g} Ha, got {entry[0]}")
        got = " ".join(map(str, entry[1]))
        if max(entry[1]) > orbitals or min(entry[1]) < 0:
            raise BadInput("text", f"line {number}: wanted orbitals up to NORB = {orbitals}, got {got}")
        if tuple(map(bool, entry[1])) not in _KINDS:
            raise BadInput("text", f"line {number}: wanted i j k l, i j 0 0, i 0 0 0 or 0 0 0 0, got {got}")
        yield entry
