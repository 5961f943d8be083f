"""PySCF for names that somebody else wrote: it knows them, or it does not; it never takes one for a file.

PySCF opens what has the name of a file in the working directory, and evaluates text in it as Python: the name of a basis set
("ano", of its own initial guess too), and a settings file .pyscf_conf.py when it is imported. Here it is imported without
settings of the working directory, and `without_files` lets it look up names only.

This module needs PySCF, and is imported where a molecule is built.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

_NO_SETTINGS = Path(__file__).with_name("pyscf_settings.py")


def _settings() -> str:
    """The user's own settings, from where PySCF looks for them, but not those of the working directory."""
    own = Path(os.environ.get("PYSCF_CONFIG_FILE", "")), Path(os.environ.get("HOME", "/"), ".pyscf_conf.py")
    return str(next((path for path in own if path.is_absolute() and path.is_file()), _NO_SETTINGS))


with patch.dict(os.environ, {"PYSCF_CONFIG_FILE": _settings()}):
    from pyscf import gto as gto

_POPLE = re.compile(r"(?P<core>(?:321|431|631)[^(),]*)\((?P<heavy>(?:\d?[a-z])*)(?:,(?P<light>(?:\d?[a-z])*))?\)")
"""A core such as 6-31+G; functions for all atoms but H and He, then for these."""

_ONE_AT_A_TIME = threading.RLock()


def is_basis(name: str) -> bool:
    """Whether PySCF has a basis set of this name: in its tables, also uncontracted ("unc-"), or Pople's with polarization,
    such as "6-31g(d,p)"; capitals, '-', '_' and spaces do not matter."""
    found = squeezed(name.lower().removeprefix("unc"))
    if found in gto.basis.ALIAS or found in gto.basis.GTH_ALIAS:
        return True
    polarized = _POPLE.fullmatch(found)
    return polarized is not None and polarized["core"] in gto.basis.ALIAS and _has_polarization(**polarized.groupdict())


def squeezed(name: str) -> str:
    """A name as PySCF looks it up."""
    return "".join(letter for letter in name.lower() if letter not in "-_ ")


@contextmanager
def without_files() -> Iterator[None]:
    """PySCF takes no name of a basis set for a file meanwhile."""
    names = SimpleNamespace(**vars(os) | {"path": SimpleNamespace(**vars(os.path) | {"isfile": lambda path: False})})
    with _ONE_AT_A_TIME, patch.object(gto.basis, "os", names):
        yield


def _has_polarization(core: str, heavy: str, light: str | None) -> bool:
    """Whether PySCF brings a file for each of the functions."""
    plain = (core[0] + "-" + core[1:].upper()).replace("+", "").replace("*", "")
    folder = Path(gto.basis.__file__).with_name("pople-basis")
    functions = re.findall(r"\d?[a-z]", heavy + (light or ""))
    return all((folder / f"{plain}-polarization-{function}.dat").is_file() for function in functions)
