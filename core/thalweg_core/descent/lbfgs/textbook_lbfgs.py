"""L-BFGS as it stands in the textbook: a line search that takes every value for the landscape."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from thalweg_core.descent.lbfgs.curvature_pairs import MOST_PAIRS
from thalweg_core.descent.lbfgs.line_search import DECREASE
from thalweg_core.descent.lbfgs.quasi_newton import Descent, Search, Stage, begin_descent, descended
from thalweg_core.landscape import GRADIENT, VALUE, Capabilities, Evaluation, Landscape, above_reference
from thalweg_core.method import Goal, Info, Method
from thalweg_core.numbers.rows import row_max
from thalweg_core.ranges import not_negative, whole_between
from thalweg_core.streams import Stream


class Why(IntEnum):
    """Why it stopped."""

    WALKING = 0
    LINE_SEARCH = 1
    REDUCTION = 2
    GRADIENT = 3


class End(NamedTuple):
    """How the walk ended, where it did."""

    why: Tensor  # (B,) int64, a `Why`
    decrease: Tensor  # (B,) that was asked for last; U
    noise: Tensor  # (B,) standard deviation of the difference of two values; U


class TextbookLbfgsState(NamedTuple):
    x: Tensor  # (B, *E) where the replicas stand
    seen: Evaluation  # what the landscape showed there
    search: Search
    end: End


@dataclass(frozen=True)
class TextbookLbfgs(Method):
    """Quasi-Newton descent x <- R_x(-t H ∇U), t by a line search with the strong Wolfe conditions, and two rules to stop by.

    Every step of the walk is one evaluation, at the next trial of a search; evaluations take the landscape's own number of
    samples. With exact values in flat space it takes the steps of L-BFGS-B without bounds, as in SciPy, and stops where that
    does. With noisy ones it does the same, and shows what comes of it: a search that finds no lower value, or values that happen
    to be alike, stop it wherever it stands. Then it says so; `lbfgs` is the form that noise cannot fool.

    Args:
        memory: pairs of steps and changes of the gradient that are kept.
        reduction: it stops where an iterate's energy falls by less than this part of max(|U|, |U| before, 1); 0: never.
        gradient: it stops where no component of the gradient is larger, in units of U / x; 0: never.

    Source: Byrd, Lu, Nocedal, Zhu, SIAM J. Sci. Comput. 16 (1995) 1190; the defaults are SciPy's.
    """

    memory: int = 10
    reduction: float = 2.2e-9
    gradient: float = 1e-5

    needs: ClassVar[Capabilities] = frozenset({GRADIENT, VALUE})
    goal: ClassVar[Goal] = Goal.MINIMUM
    State: ClassVar[type] = TextbookLbfgsState

    def __post_init__(self) -> None:
        whole_between("memory", self.memory, 1, MOST_PAIRS)
        not_negative("reduction", self.reduction)
        not_negative("gradient", self.gradient)

    def carries(self, size: int) -> int:
        """Numbers beside x and the evaluation there: the pairs and a search."""
        return self.memory * (2 * size + 1) + size + 22

    def init(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None) -> TextbookLbfgsState:
        seen = landscape.evaluate(x, rng)
        search = begin_descent(landscape.manifold, x, seen, self.memory).search
        why = torch.where(search.stage == Stage.NOWHERE, int(Why.GRADIENT), int(Why.WALKING))
        why = torch.where(self._flat(landscape, x, seen), int(Why.GRADIENT), why)
        return TextbookLbfgsState(x, seen, search, End(why, torch.zeros_like(seen.value), (2 * seen.value_var).sqrt()))

    def step(self, landscape: Landscape, state: TextbookLbfgsState, rng: Stream) -> tuple[TextbookLbfgsState, Info]:
        here, trial = descended(landscape, Descent(state.x, state.seen, state.search), rng)
        info = Info.plain(trial.cost, trial.value)
        return TextbookLbfgsState(*here, self._end(landscape, state, here, trial)), info

    def finished(self, state: TextbookLbfgsState) -> Tensor:
        """Where one of its rules, or the line search, has stopped it."""
        return state.end.why != Why.WALKING

    def remarks(self, landscape: Landscape, state: TextbookLbfgsState) -> list[str]:
        """Which rule it was, and whether noise can have been all that it saw."""
        where = above_reference(landscape, state.x) if landscape.noisy else [""] * len(state.x)
        rows = zip(*(part.tolist() for part in state.end), where, strict=True)
        return [self._remark(*row) for row in rows]

    def _end(self, landscape: Landscape, before: TextbookLbfgsState, here: Descent, trial: Evaluation) -> End:
        new, line, noise = here.search.stage == Stage.ITERATE, before.search.line, before.seen.value_var + trial.value_var
        larger = torch.maximum(before.seen.value.abs(), here.seen.value.abs()).clamp_min(1.0)
        asked = torch.where(new, self.reduction * larger, -DECREASE * line.length * line.start.slope)
        small = new & (before.seen.value - here.seen.value <= asked) & (self.reduction > 0)
        why = torch.where(small, int(Why.REDUCTION), int(Why.WALKING))
        why = torch.where(here.search.stage == Stage.NOWHERE, int(Why.LINE_SEARCH), why)
        why = torch.where(new & self._flat(landscape, here.x, here.seen), int(Why.GRADIENT), why)
        return End(why, asked, noise.sqrt())

    def _flat(self, landscape: Landscape, x: Tensor, seen: Evaluation) -> Tensor:
        return row_max(landscape.manifold.tangent(x, seen.grad).abs()) <= self.gradient

    def _remark(self, why: int, decrease: float, noise: float, where: str) -> str:
        if why == Why.WALKING:
            return ""
        rule, reason = {
            Why.LINE_SEARCH: ("the line search", f"it found no value lower by the {decrease:.2g} that it asks for"),
            Why.REDUCTION: ("its rule of reduction", f"the last step did not lower the energy by the {decrease:.2g} asked for"),
            Why.GRADIENT: ("its bound on the gradient", f"no component was above {self.gradient:.2g}"),
        }[Why(why)]
        if noise > decrease:
            reason = f"the noise of the values ({noise:.2g} of a difference) is larger than the decrease asked for"
        if noise > 0 and why == Why.GRADIENT:
            reason = "one noisy evaluation cannot show that"
        return f"stopped by {rule}{where}; {reason}{', so that is not convergence' if noise > 0 else ''}"
