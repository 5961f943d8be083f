"""Problems: what a job names. A problem is built from the user's fields, opens its landscape, and knows its observables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from thalweg_core.errors import Mismatch
from thalweg_core.landscape import Capability, Landscape, Reading
from thalweg_core.method import Goal, Method
from thalweg_core.streams import Stream


@dataclass(frozen=True)
class Traits:
    """What can be told about a landscape before it is opened, at the price of a look at its fields.

    Args:
        knows: what it can be asked.
        lacks: for what it cannot be asked, why, and after a semicolon what would change that: completes "but problem.…".
        memory_of: bytes more that it takes to be asked for this.
        dimension: degrees of freedom of one replica.
        memory: bytes that the open landscape needs by itself.
        memory_per_replica: bytes that each replica adds while it is evaluated.
        unit: unit of U, empty for pure numbers.
        numbers: numbers of x where they are more than the degrees of freedom, as the three of a unit vector; 0: as many.
        grows: whether it becomes another landscape as it is walked, see `growth.Grows`.
    """

    knows: frozenset[Capability]
    dimension: int
    memory: int
    memory_per_replica: int
    lacks: Mapping[Capability, str] = field(default_factory=dict)
    memory_of: Mapping[Capability, int] = field(default_factory=dict)
    unit: str = ""
    grows: bool = False
    numbers: int = 0

    @property
    def size(self) -> int:
        """Numbers of x, for one replica."""
        return self.numbers or self.dimension

    def fits(self, method: Method | type[Method]) -> bool:
        """Whether a method asks for nothing that it does not know; nobody samples what changes under way."""
        return method.needs <= self.knows and not (self.grows and method.goal is Goal.DRAWS)

    def why_not(self, need: Capability) -> str:
        """Why it cannot be asked this: completes "but problem.NAME …"."""
        return self.lacks.get(need, f"has no {need.name.removeprefix('an ').removeprefix('a ')}")


class Observed(NamedTuple):
    """An observable, per replica."""

    value: Tensor  # (B,)
    variance: Tensor  # (B,) of the estimate; 0 where exact
    unit: str = ""

    @classmethod
    def exact(cls, value: Tensor, unit: str = "") -> Observed:
        return cls(value, torch.zeros_like(value), unit)


class File(NamedTuple):
    """A file to keep with the result."""

    name: str
    content: bytes
    media_type: str
    description: str


class Problem(Protocol):
    """A landscape to be opened: a frozen dataclass whose fields are the wire schema.

    Every check of its fields raises BadInput with the path of the field below the problem.
    """

    def traits(self) -> Traits:
        """Raises BadInput where the fields cannot be, together, what the user wants."""
        ...

    def open(self, device: torch.device, dtype: torch.dtype) -> Landscape: ...

    def start(self, landscape: Landscape, rng: Stream) -> Tensor:
        """Where each replica starts, (B, *E)."""
        ...

    def final(self, landscape: Landscape, x: Tensor, rng: Stream) -> Reading:
        """The energy at the end, measured anew: never a value that was chosen because it looked good."""
        ...

    def observe(self, landscape: Landscape, x: Tensor) -> dict[str, Observed]:
        """Everything else worth knowing at the end, by name."""
        ...

    def files(self, landscape: Landscape, start: Tensor, end: Tensor) -> Iterable[File]:
        """Files in the field's own formats, beside the arrays that every job keeps."""
        ...


@runtime_checkable
class Foretells(Protocol):
    """A problem whose traits may take long to find, and which tells sooner what they are at most."""

    def foretold(self) -> Traits:
        """Traits at least as large, and what only a long look would refuse taken as good: the job looks before it starts."""
        ...


def foretold(problem: Problem) -> Traits:
    """What a problem tells of itself within about a second.

    Raises:
        BadInput: what `Problem.traits` refuses, as far as that shows so soon.
    """
    return problem.foretold() if isinstance(problem, Foretells) else problem.traits()


@runtime_checkable
class MeasuresEnd(Protocol):
    """A problem whose measurement at the end takes shots."""

    def final_shots(self, landscape: Landscape) -> int:
        """Shots that `final` charges each replica: what a budget must keep for it."""
        ...


@runtime_checkable
class RehearsesUnopened(Protocol):
    """A problem that knows what looks cost before its landscape is opened."""

    def rehearsal(self) -> Landscape | None:
        """That of its landscape, see `landscape.Rehearses`; None where only opening it tells."""
        ...


def end_shots(problem: Problem, landscape: Landscape) -> int:
    """Shots of the measurement at the end, for each replica."""
    return problem.final_shots(landscape) if isinstance(problem, MeasuresEnd) else 0


@runtime_checkable
class NamesCoordinates(Protocol):
    """A problem whose coordinates have names: what the summary of a sampled posterior is labelled with."""

    def coordinates(self) -> list[str]: ...


def require(name: str, method: Method, problem: str, traits: Traits, fitting: Iterable[str]) -> None:
    """Refuse a method that needs what the landscape does not know, in a sentence that names both.

    Raises:
        Mismatch: with the path "method.NAME".
    """
    for need in sorted(method.needs - traits.knows, key=lambda capability: capability.name):
        why = traits.why_not(need)
        otherwise = "or use" if ";" in why else "use"
        raise Mismatch(f"method.{name}", f"{need.need}, but problem.{problem} {why}; {otherwise} {_either(fitting)}")
    if not traits.fits(method):
        changes = f"draws from one density, but problem.{problem} changes as it is walked"
        raise Mismatch(f"method.{name}", f"{changes}; use {_either(fitting)}")


def _either(methods: Iterable[str]) -> str:
    *others, last = [f"method.{name}" for name in methods] or ["another problem: no method fits this one"]
    return f"{', '.join(others)} or {last}" if others else last
