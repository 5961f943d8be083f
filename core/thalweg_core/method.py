"""The contract of everything that walks: optimizers and samplers alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import Any, ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor

from thalweg_core.landscape import Capabilities, Cost, Evaluation, Landscape, Offers
from thalweg_core.streams import Stream


class Goal(Enum):
    """What a method is for."""

    MINIMUM = "minimum"  # the end of the walk counts
    DRAWS = "draws"  # every step counts


class Walking(Protocol):
    """What every method's state starts with; a state is a NamedTuple of tensors that all lead with the replicas' axis."""

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


class Method(ABC):
    """One step of an optimizer or a sampler: a frozen dataclass of hyperparameters.

    Its fields are the wire schema, the command line's help, and its repr in the report. `needs` is what it asks of a
    landscape, `goal` what it is for, `State` the type of its states. A method has to have `init` and `step`; the other
    methods have neutral defaults. A method around a method, such as warm-up, is a method.

    Shapes: B replicas, E the event shape of one point.
    """

    needs: ClassVar[Capabilities]
    goal: ClassVar[Goal]
    State: ClassVar[type]
    energies: ClassVar[tuple[str, ...]] = ()
    """Fields that are energies: in a job they are given in the unit in which the problem reports its own."""
    cheaper: ClassVar[str] = "let evaluations take fewer"
    """What its user may do where a budget does not pay for the first evaluation: completes "raise it, or …"."""

    def check(self, problem: Offers | Landscape) -> None:
        """Raises BadInput, naming the method's field, for a number that cannot go with this problem; opens nothing."""
        return

    def resolved(self, landscape: Landscape) -> Method:
        """The method with the numbers filled in that it leaves to the landscape: it walks there as it would have, to the bit."""
        return self

    @abstractmethod
    def init(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None) -> Any:
        """The state at x (B, *E). Its seen.cost is all that was spent to make it, evaluations before the first included.

        shots: (B,) at most so many are spent, or the least that is possible where they are fewer; None: no limit.
        """

    @abstractmethod
    def step(self, landscape: Landscape, state: Any, rng: Stream) -> tuple[Any, Info]:
        """The next state. Pure in its interface; it consumes its state: clone it to keep it."""

    def answer(self, state: Any) -> Tensor:
        """The answer of a walk that ends here, (B, *E): it is measured at the end, observed and kept. By default x; for a
        method that averages, the average."""
        return state.x  # type: ignore[no-any-return]

    def draw(self, state: Any) -> Tensor:
        """What a sampler records of this step, (B, *D), leading with the replicas' axis: by default x; for one that walks in
        other coordinates, or on several rungs, the point in those of the problem, or of the cold rung."""
        return state.x  # type: ignore[no-any-return]

    def handed_over(self, state: Any) -> tuple[Method, Any]:
        """The method that goes on after this phase, and its state: by default itself; for a warm-up, the tuned sampler."""
        return self, state

    def next_cost(self, landscape: Landscape, state: Any) -> Cost | None:
        """What the next step will cost at most; None: about as much as the steps before."""
        return None

    def finished(self, state: Any) -> Tensor | None:
        """Which replicas it has stopped by itself, (B,) bool, such as those whose line search finds no lower energy; None:
        it never stops by itself."""
        return None

    def remarks(self, landscape: Landscape, state: Any) -> list[str]:
        """How the walk went, such as whether noise fooled it: B sentences without a full stop; "" where nothing is to say."""
        return [""] * len(state.x)

    def adaptation(self) -> Tunable | None:
        """The sampler itself, where a warm-up has to find its step size before it can walk; None: nothing is left to find."""
        return None

    def states(self, path: str) -> dict[str, type]:
        """The types of its state, by path: its own at `path`, and below it those of the methods that it contains."""
        return {path: self.State}

    def result_numbers(self) -> dict[str, float]:
        """Numbers that were found for it before it walked, and that a result shows, by name."""
        return {}

    def carries(self, size: int) -> int:
        """Numbers that a replica's state holds at most beside x and the evaluation there, where x has `size` numbers."""
        return 0


class Tunable(Method):
    """A sampler whose step size can be found by its acceptance."""

    step_size: float | None  # None: warm-up finds it
    adjusted: ClassVar[bool]  # whether it refuses by itself; else its Metropolised twin walks through the warm-up

    @property
    @abstractmethod
    def target_acceptance(self) -> float:
        """Mean acceptance that warm-up aims at, between 0 and 1."""

    def adaptation(self) -> Tunable | None:
        return self if self.step_size is None else None

    def result_numbers(self) -> dict[str, float]:
        return {} if self.step_size is None else {"step_size": self.step_size}


FEWER_FIRST = "set fewer first_samples"
"""`Method.cheaper` of those that have this field."""


def state_numbers(method: Method | None, size: int) -> int:
    """Numbers that the state of a replica holds at most, where x has `size` of them; None: x and the evaluation alone."""
    plain = 4 * size + 6  # x, the gradient, its variance, second derivatives; value, variance and four counts
    return plain + (0 if method is None else method.carries(size))
