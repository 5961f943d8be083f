"""Hamiltonian Monte Carlo, in flat space and on spheres."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from torch import Tensor

from thalweg_core.chains.metropolis import accept
from thalweg_core.landscape import EXACT_VALUE, GRADIENT, GRADIENT_ALONE, Capabilities, Cost, Evaluation, Landscape
from thalweg_core.method import Goal, Info, Tunable
from thalweg_core.numbers.rows import row_dot
from thalweg_core.ranges import chosen, fraction, positive, whole_between
from thalweg_core.streams import Stream

MOST_LEAPFROG_STEPS = 10**6
"""Of a trajectory (arbitrary): nobody can stop a job within one."""


class HmcState(NamedTuple):
    x: Tensor  # (B, *E) where the chains stand
    seen: Evaluation  # what the landscape showed there


class Phase(NamedTuple):
    """A point on a trajectory."""

    x: Tensor  # (B, *E)
    p: Tensor  # (B, *E) momentum, tangent at x
    seen: Evaluation


@dataclass(frozen=True)
class Hmc(Tunable):
    """Hamiltonian Monte Carlo: a random kick, a roll without friction, a fair refusal.

        p ~ N(0, T) tangent at x;   (y, q) = leapfrog^L (x, p);   r = exp(-(H(y, q) - H(x, p)) / T),   H = U + |p|² / 2

    Draws from exp(-U / T) whatever the step is. Positions roll along exact geodesics, so spheres need no correction [2].
    Each trajectory draws its number of steps L uniformly, for all chains alike: one fixed length may resonate with the
    landscape and never mix, and chains that roll together stay one batch.

    Args:
        step_size: ε of the leapfrog, in units of x / sqrt(U) (unit mass); left out, warm-up finds it.
        leapfrog_steps: largest L; a trajectory draws its own between 1 and this.
        temperature: T of exp(-U / T), in units of U; in a job, in the unit in which the problem reports its energy,
            as k_B T in J for a magnet.
        target_acceptance: mean acceptance that warm-up aims at.

    Sources: [1] Duane, Kennedy, Pendleton, Roweth, Phys. Lett. B 195 (1987) 216; Neal, Handbook of MCMC (2011), ch. 5.
             [2] Byrne & Girolami, Scand. J. Stat. 40 (2013) 825.
    """

    step_size: float | None = None
    leapfrog_steps: int = 16
    temperature: float = 1.0
    target_acceptance: float = 0.8

    needs: ClassVar[Capabilities] = frozenset({GRADIENT, EXACT_VALUE})
    goal: ClassVar[Goal] = Goal.DRAWS
    State: ClassVar[type] = HmcState
    adjusted: ClassVar[bool] = True
    energies: ClassVar[tuple[str, ...]] = ("temperature",)

    def __post_init__(self) -> None:
        if self.step_size is not None:
            positive("step_size", self.step_size)
        whole_between("leapfrog_steps", self.leapfrog_steps, 1, MOST_LEAPFROG_STEPS)
        positive("temperature", self.temperature)
        fraction("target_acceptance", self.target_acceptance)

    def init(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None) -> HmcState:
        return HmcState(x, landscape.evaluate(x, rng))

    def step(self, landscape: Landscape, state: HmcState, rng: Stream) -> tuple[HmcState, Info]:
        kick = math.sqrt(self.temperature) * rng.named("momentum").normal_like(state.x)
        start = Phase(state.x, landscape.manifold.tangent(state.x, kick), state.seen)
        end, cost = leapfrog(landscape, start, chosen(self.step_size), self._length(rng), rng)
        error = (hamiltonian(end) - hamiltonian(start)) / self.temperature
        verdict = accept(state, HmcState(end.x, end.seen), -error, rng)
        return verdict.state, Info(cost, verdict.acceptance, error, verdict.rejected_nan)

    def next_cost(self, landscape: Landscape, state: HmcState) -> Cost:
        """The longest trajectory."""
        return Cost.of(state.x, evaluations=1, gradients=self.leapfrog_steps)

    def _length(self, rng: Stream) -> int:
        return 1 + int(self.leapfrog_steps * rng.named("length").shared().uniform().item())


def hamiltonian(at: Phase) -> Tensor:
    """Potential and kinetic energy, (B,)."""
    return at.seen.value + 0.5 * row_dot(at.p, at.p)


def leapfrog(landscape: Landscape, start: Phase, step_size: float, steps: int, rng: Stream) -> tuple[Phase, Cost]:
    """So many steps of half a kick, a geodesic, half a kick; and what they cost.

    Kicks that meet at one point are merged, and only the last point is asked for its energy. Reversible and volume
    preserving; the energy error is of order step_size².
    """
    manifold = landscape.manifold
    alone = landscape.offer(GRADIENT_ALONE)
    x, p = start.x, _kick(landscape, start.x, start.p, start.seen.grad, step_size / 2)
    for _ in range(steps - 1):
        x, p = manifold.flow(x, p, step_size)
        grad = landscape.evaluate(x, rng).grad if alone is None else alone.gradient(x)
        p = _kick(landscape, x, p, grad, step_size)
    x, p = manifold.flow(x, p, step_size)
    seen = landscape.evaluate(x, rng)
    between = Cost.of(x, gradients=1) if alone is not None else seen.cost  # exact evaluations all cost the same
    return Phase(x, _kick(landscape, x, p, seen.grad, step_size / 2), seen), seen.cost.plus(between.times(steps - 1))


def _kick(landscape: Landscape, x: Tensor, p: Tensor, grad: Tensor, time: float) -> Tensor:
    return p - time * landscape.manifold.tangent(x, grad)
