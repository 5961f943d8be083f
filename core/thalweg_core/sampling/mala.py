"""The Metropolis-adjusted Langevin algorithm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from torch import Tensor

from thalweg_core.chains.metropolis import accept, langevin_log_ratio
from thalweg_core.landscape import EXACT_VALUE, FLAT, GRADIENT, Capabilities, Evaluation, Landscape
from thalweg_core.method import Goal, Info, Tunable
from thalweg_core.ranges import chosen, fraction, positive
from thalweg_core.streams import Stream


class MalaState(NamedTuple):
    x: Tensor  # (B, *E) where the chains stand
    seen: Evaluation  # what the landscape showed there


@dataclass(frozen=True)
class Mala(Tunable):
    """Metropolis-adjusted Langevin: a step downhill, a kick, a fair refusal.

        y = x - h grad U(x) + sqrt(2 h T) ξ,     kept with probability min(1, r)

    Draws from exp(-U / T) whatever h is; h only sets how fast.

    Args:
        step_size: h, in units of x² / U; left out, warm-up finds it.
        temperature: T of exp(-U / T), in units of U; in a job, in the unit in which the problem reports its energy,
            as k_B T in J for a magnet.
        target_acceptance: mean acceptance that warm-up aims at; 0.574 is best for many independent coordinates [2].

    Sources: [1] Roberts & Tweedie, Bernoulli 2 (1996) 341.
             [2] Roberts & Rosenthal, J. R. Stat. Soc. B 60 (1998) 255.
    """

    step_size: float | None = None
    temperature: float = 1.0
    target_acceptance: float = 0.574

    needs: ClassVar[Capabilities] = frozenset({GRADIENT, EXACT_VALUE, FLAT})
    goal: ClassVar[Goal] = Goal.DRAWS
    State: ClassVar[type] = MalaState
    adjusted: ClassVar[bool] = True
    energies: ClassVar[tuple[str, ...]] = ("temperature",)

    def __post_init__(self) -> None:
        if self.step_size is not None:
            positive("step_size", self.step_size)
        positive("temperature", self.temperature)
        fraction("target_acceptance", self.target_acceptance)

    def init(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None) -> MalaState:
        return MalaState(x, landscape.evaluate(x, rng))

    def step(self, landscape: Landscape, state: MalaState, rng: Stream) -> tuple[MalaState, Info]:
        h = chosen(self.step_size)
        kick = math.sqrt(2 * h * self.temperature) * rng.named("kick").normal_like(state.x)
        move = kick - h * state.seen.grad
        y = state.x + move  # flat space, as `needs` says
        proposal = MalaState(y, landscape.evaluate(y, rng))
        log_ratio = langevin_log_ratio(state.seen, proposal.seen, move, h, self.temperature)
        verdict = accept(state, proposal, log_ratio, rng)
        return verdict.state, Info(proposal.seen.cost, verdict.acceptance, -log_ratio, verdict.rejected_nan)
