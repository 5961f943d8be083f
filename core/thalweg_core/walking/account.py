"""What replicas may spend, have spent and must keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_core.errors import BadInput
from thalweg_core.landscape import Cost
from thalweg_core.numbers.trees import take_rows
from thalweg_core.walking.outcomes import Outcome

MOST = 2**62
"""Of a budget: sums of what was spent and is to come stay within 64 bits."""


@dataclass(frozen=True)
class Budget:
    """What a replica may spend in all: pilots, first evaluation, warm-up, walk, and the measurement at the end.

    What is left out is not limited. A replica stops where its next step and the measurement at the end would not both fit.
    The next step is forecast by the method where its steps get dearer, else to cost as much as the dearest so far, the
    first evaluation among them; where the budget is about to end and the landscape has dry runs, one tells the cost of the step.
    A budget that does not pay for the first evaluation and the end is refused.

    Args:
        shots: shots of a replica, or rows of mini-batches.
        gradients: gradient evaluations of a replica.
        seconds: wall clock of the whole job; a run stopped by it depends on the machine.
    """

    shots: int | None = None
    gradients: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("shots", "gradients", "seconds"):
            limit = getattr(self, name)
            if limit is not None and not limit > 0:
                raise BadInput(name, f"wanted a positive number, got {limit}; leave it out for no limit")
            if limit is not None and limit > MOST:
                raise BadInput(name, f"wanted at most {MOST}, got {limit}; leave it out for no limit")


class Account(NamedTuple):
    """What replicas have spent, against what they may spend and must keep."""

    budget: Budget
    reserve: int  # shots that each replica keeps for the measurement at the end
    spent: Cost  # (B,) each

    @property
    def limited(self) -> bool:
        """Whether an evaluation may cost too much."""
        return self.budget.shots is not None or self.budget.gradients is not None

    @property
    def shots_left(self) -> Tensor | None:
        """Shots for evaluations, (B,) int64; None: no limit."""
        return None if self.budget.shots is None else self.budget.shots - self.reserve - self.spent.shots

    def after(self, cost: Cost) -> Account:
        """Once so much more was spent."""
        return self._replace(spent=self.spent.plus(cost))

    def of(self, rows: Tensor) -> Account:
        """Of some replicas."""
        return self._replace(spent=take_rows(self.spent, rows))

    def cannot_pay(self, coming: Cost) -> Tensor:
        """Which replicas cannot pay for what comes: (B,) int64, an Outcome or 0."""
        outcome, then = torch.zeros_like(self.spent.shots), self.spent.plus(coming)
        for limit, used, code in (
            (self.budget.gradients, then.gradients, Outcome.GRADIENTS),
            (self.budget.shots, then.shots + self.reserve, Outcome.SHOTS),
        ):
            if limit is not None:
                outcome[used > limit] = code
        return outcome
