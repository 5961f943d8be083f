"""Where the nuclei are: a geometry read from its text."""

from __future__ import annotations

import math
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import combinations
from typing import Any, NamedTuple

from thalweg_core.errors import BadInput, Unavailable

CLOSEST = 0.05
"""Å; nuclei nearer than this are a slip of the pen, not a geometry (arbitrary; the shortest bond, H2's, is 0.74 Å)."""


FARTHEST = 1e4
"""Å; nuclei farther out have lost their unit (arbitrary)."""

MOST_ATOMS = 200
"""Arbitrary; many more than a quantum circuit has qubits for."""


class Atom(NamedTuple):
    """A nucleus."""

    symbol: str
    position: tuple[float, float, float]  # Å


def read(text: str) -> tuple[Atom, ...]:
    """The atoms of "H 0 0 0; H 0 0 0.735", positions in Å.

    Raises:
        BadInput: of the field atoms.
    """
    parts = [part for part in text.replace("\n", ";").split(";") if part.strip()]
    if len(parts) > MOST_ATOMS:
        raise BadInput("atoms", f"wanted at most {MOST_ATOMS} atoms, got {len(parts)}")
    atoms = tuple(map(_atom, parts))
    if not atoms:
        raise BadInput("atoms", 'wanted atoms such as "H 0 0 0; H 0 0 0.735", got none')
    for (i, a), (j, b) in combinations(enumerate(atoms, 1), 2):
        if (distance := math.dist(a.position, b.position)) < CLOSEST:
            pair = f"atoms {i} ({a.symbol}) and {j} ({b.symbol}) are {distance:g} Å apart"
            raise BadInput("atoms", f"impossible geometry: {pair}, wanted at least {CLOSEST} Å")
    return atoms


def atomic_number(symbol: str) -> int:
    """Its place among the elements.

    Raises:
        BadInput: of the field atoms, for a symbol that is no element's.
        Unavailable: PySCF is not installed.
    """
    pyscf_gto()
    from pyscf.data.elements import ELEMENTS

    elements = ELEMENTS[1:]  # the first is PySCF's ghost atom
    if symbol not in elements:
        near = get_close_matches(symbol.capitalize(), elements, n=3, cutoff=0.5)
        hint = f"; did you mean {quoted(near)}?" if near else ""
        raise BadInput("atoms", f'wanted the symbol of an element such as "H" or "Li", got "{symbol}"{hint}')
    return int(elements.index(symbol)) + 1


def pyscf_gto() -> Any:
    """PySCF's module of molecules; to be asked for before anything else of PySCF is imported, see `pyscf_names`.

    Raises:
        Unavailable: it is not installed.
    """
    try:
        from thalweg_vqe.hamiltonians.pyscf_names import gto
    except ImportError as error:
        raise Unavailable("", 'a molecule needs PySCF, which is not installed here: pip install "thalweg[chemistry]"') from error
    return gto


def quoted(names: Iterable[str]) -> str:
    """The names as a choice: "a" or "b"."""
    return " or ".join(f'"{name}"' for name in names)


def _number(text: str) -> float:
    if "_" in text or not text.isascii():
        raise ValueError("Python reads 1_0 as 10; people do not")
    return float(text)


def _atom(text: str) -> Atom:
    symbol, *numbers = text.split()
    if len(numbers) != 3:
        raise BadInput("atoms", f'wanted an element and three coordinates (Å) as in "H 0 0 0.735", got "{text.strip()}"')
    try:
        x, y, z = (_number(number) for number in numbers)
    except ValueError as error:
        raise BadInput("atoms", f'wanted three numbers (Å) after the element, got "{text.strip()}"') from error
    if not all(abs(coordinate) <= FARTHEST for coordinate in (x, y, z)):
        raise BadInput("atoms", f'wanted coordinates from {-FARTHEST:g} to {FARTHEST:g} Å, got "{text.strip()}"')
    return Atom(symbol, (x, y, z))
