"""The contract of everything that walks: optimizers and samplers alike."""

from __future__ import annotations

from enum import Enum
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from thalweg_core.landscape import Capability, Cost, Evaluation, Landscape
from thalweg_core.streams import Stream


class Goal(Enum):
    """What a kernel is for."""

    MINIMUM = "minimum"  # the end of the walk counts
    DRAWS = "draws"  # every step counts


class Walking(Protocol):
    """What every kernel's state starts with; a state is a NamedTuple of tensors that all lead with the replicas' axis."""

    @property
    def x(self) -> Tensor:  # (B, *E)
        ...

    @property
    def seen(self) -> Evaluation:  # what the landscape showed there
        ...


class Info(NamedTuple):
    """Nice to know about a step, per replica."""

    cost: Cost  # what the step spent
    acceptance: Tensor  # (B,) probability with which the move was, or would have been, accepted; NaN: not known
    energy_error: Tensor  # (B,) ΔH of the proposal, in units of T; 0 where there is none
    rejected_nan: Tensor  # (B,) bool: the proposal was not a number, and was refused

    @classmethod
    def plain(cls, cost: Cost, like: Tensor) -> Info:
        """The info of a step that nothing could refuse; `like` is a (B,) float tensor."""
        return cls(cost, torch.ones_like(like), torch.zeros_like(like), torch.zeros_like(like, dtype=torch.bool))

    @classmethod
    def unknown(cls, cost: Cost, like: Tensor) -> Info:
        """The info of a step whose acceptance cannot be told, or that was not taken."""
        return cls.plain(cost, like)._replace(acceptance=torch.full_like(like, torch.nan))


class Kernel(Protocol):
    """One step of an optimizer or a sampler: a frozen dataclass of hyperparameters.

    Its fields are the wire schema, the command line's help, and its repr in the report.
    """

    needs: ClassVar[frozenset[Capability]]
    goal: ClassVar[Goal]
    State: ClassVar[type]

    def init(self, landscape: Landscape, x: Tensor, rng: Stream) -> Any:
        """The state at x (B, *E). Its seen.cost is all that was spent to make it, looks before the first included."""
        ...

    def step(self, landscape: Landscape, state: Any, rng: Stream) -> tuple[Any, Info]:
        """The next state. Pure in its interface; it consumes its state: clone it to keep it."""
        ...


@runtime_checkable
class ChecksProblem(Protocol):
    """A kernel whose numbers must go with the problem's, as can be told from the fields of both."""

    def check(self, problem: Any) -> None:
        """Raises BadInput, naming the kernel's field, for a number that cannot go with this problem; opens nothing."""
        ...


@runtime_checkable
class Settles(Protocol):
    """A kernel that leaves some of its numbers to the landscape."""

    def settled(self, landscape: Landscape) -> Kernel:
        """The kernel with these numbers filled in: it walks on this landscape as it would have, to the bit."""
        ...


@runtime_checkable
class Reports(Protocol):
    """A kernel whose answer is not where it stands, such as one that averages its iterates."""

    def reported(self, state: Any) -> Tensor:
        """The answer, (B, *E): what is measured at the end, observed and kept."""
        ...


@runtime_checkable
class Forecasts(Protocol):
    """A kernel whose steps get dearer, and that knows by how much."""

    def forecast(self, landscape: Landscape, state: Any) -> Cost | None:
        """What the next step will cost at most; None where that is not known."""
        ...


@runtime_checkable
class Thrifty(Protocol):
    """A kernel whose first looks depend on one another, such as on a pilot's, so that they could outrun a budget."""

    def init_within(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None) -> Any:
        """As `init`, for no more than these shots (B,), or the least that it can do where they are fewer; None: as it likes."""
        ...


@runtime_checkable
class Finishes(Protocol):
    """A kernel that may stop by itself, such as one whose line search finds no lower energy."""

    def finished(self, state: Any) -> Tensor:
        """Which replicas it has stopped, (B,) bool."""
        ...


@runtime_checkable
class Remarks(Protocol):
    """A kernel that has something to say about how a walk went: whether noise fooled it."""

    def remarks(self, landscape: Landscape, state: Any) -> list[str]:
        """A sentence without a full stop for each replica, or "" where there is nothing to say."""
        ...


@runtime_checkable
class Carries(Protocol):
    """A kernel whose state holds more than x and the evaluation there."""

    def carries(self, size: int) -> int:
        """How many numbers more, for each replica and at most, where x has `size` numbers: what memory is estimated by."""
        ...


def state_numbers(kernel: Kernel | None, size: int) -> int:
    """Numbers that the state of a replica holds at most, where x has `size` of them; None: x and the evaluation alone."""
    plain = 4 * size + 6  # x, the gradient, its variance, second derivatives; value, variance and four counts
    return plain + (kernel.carries(size) if isinstance(kernel, Carries) else 0)


def reported(kernel: Kernel, state: Any) -> Tensor:
    """The answer of a walk that ends here, (B, *E)."""
    return kernel.reported(state) if isinstance(kernel, Reports) else state.x
