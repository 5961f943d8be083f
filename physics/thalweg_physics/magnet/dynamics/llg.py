"""Landau–Lifshitz–Gilbert dynamics by Heun's predictor and corrector: the march of a magnet."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from thalweg_core.errors import BadInput
from thalweg_core.landscape import Capabilities, Cost, Evaluation, Landscape, Offers, must_offer
from thalweg_core.method import Goal, Info, Method
from thalweg_core.numbers.rows import per_row
from thalweg_core.numbers.trees import put_rows, take_rows
from thalweg_core.streams import Stream
from thalweg_physics.magnet.dynamics.spins import PRECESSION, SPINS, Precesses, Turning
from thalweg_physics.magnet.grid import planes

OF_STABLE = 0.9
"""Part of the largest stable step that is taken where none was asked for."""

LEAST_DAMPING, MOST_DAMPING = 1e-30, 1e12
"""Far outside of any material (arbitrary): between them the stable step is a number, and is found."""

MOST_HALVINGS = 30
"""A step that still climbs at a billionth of its length climbs by rounding alone: it is not taken."""


class LlgState(NamedTuple):
    x: Tensor  # (B, *cells, 3) the magnetization
    seen: Evaluation  # what the landscape showed there
    time: Tensor  # (B,) float64, the time marched, in s


@dataclass(frozen=True)
class Llg(Method):
    """Spins that precess in their effective field and turn into it.

        dm/dt = -γ' (m × H + α m × (m × H)),   γ' = |γ| μ0 / (1 + α²),   H = Ms h = -Ms ∇U

    One step is Heun's: predict with the velocity here, correct with the mean of here and there, and put every spin back
    on its sphere. Two evaluations a step. Without precession only the second term is kept, the gradient flow of U, and
    the energy never rises: a step that would raise it, beyond the rounding of the sum, is halved until it does not.

    Args:
        damping: Gilbert damping α. Without precession it only sets how fast time runs.
        precession: whether spins precess; without, the march is straight downhill.
        time_step: (s); left out, 0.9 of the largest step at which no linear mode grows.

    Raises:
        BadInput: damping 0 with nothing to move the spins, or with no step at which Heun is stable; a time step above
            the stable one, with precession, or so far above it that all halvings are not enough, without.

    Sources: Landau & Lifshitz, Phys. Z. Sowjetunion 8 (1935) 153; Gilbert, IEEE Trans. Magn. 40 (2004) 3443.
    """

    damping: float = 1.0
    precession: bool = True
    time_step: float | None = None

    needs: ClassVar[Capabilities] = frozenset({PRECESSION})
    goal: ClassVar[Goal] = Goal.MINIMUM
    State: ClassVar[type] = LlgState

    def __post_init__(self) -> None:
        if self.damping != 0 and not LEAST_DAMPING <= self.damping <= MOST_DAMPING:
            raise BadInput("damping", f"wanted 0, or {LEAST_DAMPING:g} to {MOST_DAMPING:g}, got {self.damping:g}")
        if self.time_step is not None and not (math.isfinite(self.time_step) and self.time_step > 0):
            raise BadInput(
                "time_step", f"wanted a positive number of seconds, got {self.time_step}; leave it out for the largest stable"
            )
        if self.damping == 0 and not self.precession:
            raise BadInput("damping", "wanted more than 0 where precession = false, got 0, and nothing would move")
        if self.damping == 0 and self.time_step is None:
            raise BadInput(
                "time_step",
                "wanted a step, got none: without damping every step of Heun's gains energy; give one far below 1 / (γ μ0 H)",
            )

    def carries(self, size: int) -> int:
        """Numbers beside x and the evaluation there: the time."""
        return 1

    def check(self, problem: Offers | Landscape) -> None:
        """Raises BadInput for a time step that is too long for the spins of a problem, or of a landscape."""
        spins = problem.offer(SPINS)
        if spins is None or not self.damping or self.time_step is None:
            return
        largest, why = self._stable_step(spins), "spins of this magnet swing up"
        if not self.precession:
            largest, why = largest * 2.0**MOST_HALVINGS, f"not even {MOST_HALVINGS} halvings lead downhill"
        if self.time_step > largest:
            raise BadInput("time_step", f"wanted at most {largest:.3g} s, above which {why}, got {self.time_step:g} s")

    def resolved(self, landscape: Landscape) -> Llg:
        """The same with the time step it takes."""
        return replace(self, time_step=self.seconds(must_offer(landscape, PRECESSION)))

    def init(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None) -> LlgState:
        self.check(landscape)
        x = planes(x)
        return LlgState(x, landscape.evaluate(x, rng), torch.zeros(x.shape[0], dtype=torch.float64, device=x.device))

    def step(self, landscape: Landscape, state: LlgState, rng: Stream) -> tuple[LlgState, Info]:
        spins = must_offer(landscape, PRECESSION)
        state = state._replace(x=planes(state.x))
        velocity = self._velocity(landscape, state.x, state.seen.grad)
        duration = torch.full_like(state.time, self.seconds(spins))
        moved = self._heun(spins, state, velocity, duration, rng)
        cost = moved.seen.cost
        if not self.precession:
            moved, cost = self._downhill(spins, state, velocity, duration, moved, rng)
        return moved, Info.plain(cost, moved.seen.value)

    def seconds(self, landscape: Turning) -> float:
        """The time step on this landscape, in s."""
        return self.time_step if self.time_step is not None else OF_STABLE * self._stable_step(landscape)

    def _stable_step(self, landscape: Turning) -> float:
        """Largest step at which Heun damps every mode up to the landscape's curvature, in s."""
        angle = stable_angle(self.damping) if self.precession else 2.0 / self.damping
        return angle / (landscape.curvature_bound() * self._rate(landscape))

    def _rate(self, landscape: Turning) -> float:
        """γ' Ms, in 1/s."""
        return landscape.larmor_rate() / (1 + self.damping**2)

    def _velocity(self, landscape: Landscape, m: Tensor, grad: Tensor) -> Tensor:
        """dm/dt over γ' Ms: α (h - (m · h) m) - m × h."""
        downhill = landscape.manifold.tangent(m, grad).mul_(-self.damping)
        return downhill.add_(_cross(m, grad)) if self.precession else downhill

    def _heun(self, spins: Precesses, state: LlgState, velocity: Tensor, duration: Tensor, rng: Stream) -> LlgState:
        """The state after a time (B,); its evaluation is charged for both of the step's."""
        manifold, x = spins.manifold, state.x
        turn = per_row((duration * self._rate(spins)).to(x.dtype), x)
        guess = manifold.retract(x, turn * velocity)
        there = self._velocity(spins, guess, spins.gradient(guess))
        y = manifold.retract(x, there.add_(velocity).mul_(0.5 * turn))
        seen = spins.evaluate(y, rng)
        return LlgState(y, seen._replace(cost=seen.cost.plus(Cost.of(y, gradients=1))), state.time + duration)

    def _downhill(
        self, spins: Precesses, state: LlgState, velocity: Tensor, duration: Tensor, moved: LlgState, rng: Stream
    ) -> tuple[LlgState, Cost]:
        """The step, halved for the replicas whose energy rose; and what it took in all."""
        cost = moved.seen.cost
        slack = _rounding(spins, state.x)
        for halving in range(1, MOST_HALVINGS + 1):
            rose = torch.nonzero(moved.seen.value > state.seen.value + slack).flatten()
            if len(rose) == 0:
                return moved, cost
            again = self._heun(spins, take_rows(state, rose), velocity[rose], duration[rose] * 0.5**halving, rng.take(rose))
            moved = put_rows(moved, rose, again)
            cost = cost.plus(put_rows(Cost.none(moved.x), rose, again.seen.cost))
        rose = torch.nonzero(moved.seen.value > state.seen.value + slack).flatten()
        return put_rows(moved, rose, take_rows(state, rose)), cost


def stable_angle(damping: float) -> float:
    """Largest s for which Heun's factor 1 + z + z²/2 stays within the unit circle at z = s (-α ± i), the modes of the linear LLG.

    The root of  s³ (1 + α²)² / 4 - s² α (1 + α²) + 2 s α² - 2 α,  which grows with s.
    """
    alpha, grown = damping, 1 + damping**2
    low, high = 0.0, 4.0 / min(alpha, 1.0) if alpha else 0.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        grows = middle**3 * grown**2 / 4 - middle**2 * alpha * grown + 2 * middle * alpha**2 - 2 * alpha > 0
        low, high = (low, middle) if grows else (middle, high)
    return low


def _cross(a: Tensor, b: Tensor) -> Tensor:
    """a × b along the last axis, in planes: six products that round alike wherever they lie."""
    out = torch.empty_like(a)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        torch.sub(a[..., j] * b[..., k], a[..., k] * b[..., j], out=out[..., i])
    return out


def _rounding(spins: Precesses, x: Tensor) -> float:
    """How far rounding alone may move the energy: one unit in the last place of each cell's stiffest term, added at random."""
    cells = x[0].numel() // 3
    return torch.finfo(x.dtype).eps * spins.curvature_bound() * math.sqrt(cells)
