"""Problems: what a job names. A problem is built from the user's fields, opens its landscape, and knows its observables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from thalweg_core.errors import Mismatch
from thalweg_core.landscape import Capabilities, Capability, EnergyEstimate, Landscape, Offers
from thalweg_core.method import Goal, Method
from thalweg_core.streams import Stream

L = TypeVar("L", bound=Landscape)


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

    knows: Capabilities
    dimension: int
    memory: int
    memory_per_replica: int
    lacks: Mapping[Capability[Any], str] = field(default_factory=dict)
    memory_of: Mapping[Capability[Any], int] = field(default_factory=dict)
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

    def why_not(self, need: Capability[Any]) -> str:
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


class Problem(Offers, ABC, Generic[L]):
    """A landscape to be opened: a frozen dataclass whose fields are the wire schema. L is the type of its landscape.

    Every check of its fields raises BadInput with the path of the field below the problem. What has a body here is a neutral
    default. Shapes: B replicas, E the event shape of one point; U in the landscape's own unit.
    """

    start: Callable[[Any, Stream], Tensor]
    """Where each replica of the stream starts, (B, *E): a method, or a field that can be called."""

    @property
    def energy_scale(self) -> float:
        """One unit of the landscape's U, in the unit of the traits: that in which energies are given and reported."""
        return 1.0

    @abstractmethod
    def traits(self) -> Traits:
        """Raises BadInput where the fields cannot be, together, what the user wants."""

    def quick_traits(self) -> Traits:
        """Traits at least as large, within about a second: what only a longer check would refuse is taken as good, since the
        job checks it before it starts. Raises BadInput."""
        return self.traits()

    @abstractmethod
    def open(self, device: torch.device, dtype: torch.dtype) -> L: ...

    def dry_run(self) -> L | None:
        """The dry run of its landscape before that is opened, see `landscape.HasDryRun`; None where only opening it tells."""
        return None

    @abstractmethod
    def final(self, landscape: L, x: Tensor, rng: Stream) -> EnergyEstimate:
        """The energy at x (B, *E), measured anew, in the unit of the traits: never a value that was chosen because it looked
        good."""

    def final_shots(self, landscape: L) -> int:
        """Shots that `final` charges each replica: what a budget must keep for it."""
        return 0

    @abstractmethod
    def observe(self, landscape: L, x: Tensor) -> dict[str, Observed]:
        """Everything else worth knowing at the end, x (B, *E), by name."""

    def coordinates(self) -> list[str]:
        """Names of the numbers of x, with which the summary of a sampled posterior is labelled; empty where they have none."""
        return []

    def files(self, landscape: L, start: Tensor, end: Tensor) -> Iterable[File]:
        """Files in the field's own formats, beside the arrays that every job keeps. start, end: (B, *E)."""
        return ()


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
