"""Specifications: what a user writes as TOML, JSON or a dict, read into the wire's JobSpec and written back."""

from thalweg.specs.reading import Source, load, parse
from thalweg.specs.writing import to_dict, to_toml

__all__ = ["Source", "load", "parse", "to_dict", "to_toml"]
