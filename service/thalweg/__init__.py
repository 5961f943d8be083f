"""Thalweg: goes down, and explores, energy landscapes. `from thalweg import Client` is where a script begins.

Nothing is loaded before it is asked for, so that `import thalweg` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.version import __version__

if TYPE_CHECKING:
    from thalweg import errors
    from thalweg.client import Client

__all__ = ["Client", "__version__", "errors"]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "Client":
        return import_module("thalweg.client").Client
    if name == "errors":
        return import_module("thalweg.errors")
    raise AttributeError(f"module 'thalweg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "client", "specs"]
