"""The unadjusted Langevin algorithm: gradient descent with the noise that makes it explore."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from thalweg_core.chains.metropolis import langevin_log_ratio
from thalweg_core.errors import BadInput
from thalweg_core.landscape import GRADIENT, Capabilities, Evaluation, Landscape
from thalweg_core.manifold import Euclidean
from thalweg_core.method import Goal, Info, Tunable
from thalweg_core.ranges import chosen, not_negative, positive
from thalweg_core.streams import Stream


class UlaState(NamedTuple):
    x: Tensor  # (B, *E) where the chains stand
    seen: Evaluation  # what the landscape showed there


@dataclass(frozen=True)
class Ula(Tunable):
    """Unadjusted Langevin: a step downhill and a kick, never refused.

        x <- R_x(-h grad U + sqrt(2 h T) P_x ξ),     ξ standard normal, P_x onto the tangent space

    Its draws carry a bias that no convergence diagnostic sees: on U = x² / (2 σ²) their variance is
    T σ² / (1 - h / (2 σ²)), and from h = 2 σ² on the chain runs away. On spheres it is exact to first order in h (weakly).
    Where evaluations are noisy, as by mini-batches, it is stochastic gradient Langevin dynamics [3] with a constant step: noise
    of variance v in a component of the gradient makes that coordinate hotter by h v / 2, which nothing takes back.
    In flat space, where energies are exact, `acceptance` is the one its Metropolised twin would have: near 1, little bias.
    Elsewhere it is NaN, not known. At T = 0 it is gradient descent, which has no twin either.

    Args:
        step_size: h, in units of x² / U; left out, warm-up aims at a twin's acceptance of 0.98.
        temperature: T of exp(-U / T), in units of U; in a job, in the unit in which the problem reports its energy,
            as k_B T in J for a magnet.

    Sources: [1] Parisi, Nucl. Phys. B 180 (1981) 378. [2] Roberts & Tweedie, Bernoulli 2 (1996) 341.
             [3] Welling & Teh, ICML (2011).
    """

    step_size: float | None = None
    temperature: float = 1.0

    needs: ClassVar[Capabilities] = frozenset({GRADIENT})
    goal: ClassVar[Goal] = Goal.DRAWS
    State: ClassVar[type] = UlaState
    adjusted: ClassVar[bool] = False
    energies: ClassVar[tuple[str, ...]] = ("temperature",)
    target_acceptance: ClassVar[float] = 0.98  # variances too large by 11, 4, 2 % in 1, 10, 100 equal normal coordinates

    def __post_init__(self) -> None:
        if self.step_size is not None:
            positive("step_size", self.step_size)
        not_negative("temperature", self.temperature)
        if self.temperature == 0 and self.step_size is None:
            raise BadInput(
                "step_size", "wanted a number where temperature = 0, got none: there every step looks right to a warm-up"
            )

    def init(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None) -> UlaState:
        return UlaState(x, landscape.evaluate(x, rng))

    def step(self, landscape: Landscape, state: UlaState, rng: Stream) -> tuple[UlaState, Info]:
        h = chosen(self.step_size)
        kick = math.sqrt(2 * h * self.temperature) * rng.named("kick").normal_like(state.x)
        move = landscape.manifold.tangent(state.x, kick - h * state.seen.grad)
        x = landscape.manifold.retract(state.x, move)
        proposal = UlaState(x, landscape.evaluate(x, rng))
        return proposal, self._info(landscape, state, proposal, move, h)

    def _info(self, landscape: Landscape, state: UlaState, proposal: UlaState, move: Tensor, h: float) -> Info:
        info = Info.unknown(proposal.seen.cost, proposal.seen.value)
        if landscape.noisy or self.temperature == 0 or not isinstance(landscape.manifold, Euclidean):
            return info
        log_ratio = langevin_log_ratio(state.seen, proposal.seen, move, h, self.temperature)
        twin = torch.exp(log_ratio.clamp(max=0.0)).nan_to_num(nan=0.0)  # a chain that ran away would have been refused
        known = ~state.seen.value.isnan()
        return info._replace(acceptance=torch.where(known, twin, torch.nan), energy_error=torch.where(known, -log_ratio, 0.0))
