"""SPSA: descent by simultaneous perturbation, two energies for a slope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from torch import Tensor

from thalweg_core.descent.spsa.simultaneous_perturbation import Perturbation, SpsaProgress, capped
from thalweg_core.landscape import ALLOCATIONS, VALUE, Capabilities, Cost, Evaluation, Landscape, allocated, unsloped
from thalweg_core.method import FEWER_FIRST, Goal, Info, Method
from thalweg_core.noise.averaging import Average, averaged, begin_average
from thalweg_core.noise.natural_units import natural_units
from thalweg_core.numbers.rows import per_row
from thalweg_core.numbers.trees import choose
from thalweg_core.ranges import not_negative, one_of, share
from thalweg_core.streams import Stream


class SpsaState(NamedTuple):
    x: Tensor  # (B, *E) where the replicas stand
    seen: Evaluation  # the energy there; no gradient
    perturbing: SpsaProgress  # gain, steps and samples
    average: Average | None  # of the iterates: the answer; None where it is x


@dataclass(frozen=True)
class Spsa(Method):
    """Simultaneous perturbation stochastic approximation: a step along a random direction, by its slope.

        s = [U(x + c_k uΔ) - U(x - c_k uΔ)] / 2c_k,   x <- R_x(-a_k s uΔ),   Δ random signs
        a_k = a / (A + k + 1)^α,   c_k = c / (k + 1)^γ

    u is the natural unit of each coordinate, 1/(ω R) where the landscape is a trigonometric polynomial with R harmonics of
    ω, else 1. A pilot of slopes sets the gain a so that first steps have a given length. On request a step that raises the
    energy by more than noise explains is taken back (blocking); else the energy where a step has led is only told, by a
    quarter of the samples of a slope's. Everything is charged: pilot, slopes, the energy after each step.

    Energies of variance V hold the walk about a P V / 8c² above a bottom of P coordinates, and the bottom looked for is about
    that of U + c² tr(∂²U) / 2, both in natural units: hence many small steps by few samples each, and no large c. α and γ are
    those of [2], the number of slopes in the pilot that of [3], c that of Qiskit's SPSA; first_step, growth and A from coarse
    grids on two small molecules and an Ising chain, where blocking by two standard errors cost more than it saved.

    Args:
        first_step: length of first steps in each coordinate, in its natural unit: sets a.
        perturbation: c, in natural units.
        gain_decay: α.
        perturbation_decay: γ.
        stability: A, about the number of steps before gains fall.
        resamplings: slopes averaged for a step.
        calibration: slopes of the pilot.
        max_step: longest step of a coordinate, in its natural unit; 0: no cap.
        blocking: standard errors by which the energy may rise in a step that is kept; 0: every step is.
        first_samples: samples of each energy at first, such as shots per circuit.
        growth: steps for which all samples spent so far would pay: samples grow as soon as it is less; 0: they stay.
        allocation: how samples are divided over what is measured separately: "measured", by the spread seen, or "equal".
        averaging: last part of the budget spent so far over which the iterate is averaged; 0: the answer is the last iterate.

    Sources: [1] Spall, IEEE Trans. Autom. Control 37 (1992) 332. [2] gains, blocking: Spall, Johns Hopkins APL Tech. Dig. 19
             (1998) 482. [3] Kandala et al., Nature 549 (2017) 242, supplement.
    """

    first_step: float = 0.015
    perturbation: float = 0.2
    gain_decay: float = 0.602
    perturbation_decay: float = 0.101
    stability: float = 50.0
    resamplings: int = 1
    calibration: int = 25
    max_step: float = 0.3
    blocking: float = 0.0
    first_samples: int = 8
    growth: float = 3000.0
    allocation: str = "measured"
    averaging: float = 0.2

    cheaper: ClassVar[str] = FEWER_FIRST
    needs: ClassVar[Capabilities] = frozenset({VALUE})
    goal: ClassVar[Goal] = Goal.MINIMUM
    State: ClassVar[type] = SpsaState

    def __post_init__(self) -> None:
        _ = self._rule  # which checks its own fields
        not_negative("max_step", self.max_step)
        one_of("allocation", self.allocation, ALLOCATIONS)
        share("averaging", self.averaging)

    def carries(self, size: int) -> int:
        """Numbers beside x and the evaluation there: the average, and counts."""
        return size + 11

    def init(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None) -> SpsaState:
        seen, perturbing = self._rule.begin(allocated(landscape, self.allocation), x, rng)
        average = begin_average(x, seen.cost) if landscape.noisy and self.averaging else None
        return SpsaState(x, seen, perturbing, average)

    def step(self, landscape: Landscape, state: SpsaState, rng: Stream) -> tuple[SpsaState, Info]:
        place, manifold, rule = allocated(landscape, self.allocation), landscape.manifold, self._rule
        slopes = rule.slopes(place, state.x, rng, state.perturbing)
        step = capped(-per_row(rule.rate(state.perturbing), state.x) * slopes.uphill, self.max_step)
        x = manifold.retract(state.x, manifold.tangent(state.x, natural_units(landscape, state.x) * step))
        here = rule.look(place, x, rng.named("here"), state.perturbing)
        cost, good = slopes.cost.plus(here.cost), rule.kept(here, state.seen)
        moved = choose(good, state._replace(x=x, seen=unsloped(here, x)), state)
        average = state.average and averaged(state.average, manifold, moved.x, cost, self.averaging)
        moved = moved._replace(perturbing=rule.stepped(state.perturbing, cost), average=average)
        return moved, Info.plain(cost, here.value)._replace(acceptance=good.to(here.value))

    def answer(self, state: SpsaState) -> Tensor:
        """The average, where there is one."""
        return state.x if state.average is None else state.average.x

    def next_cost(self, landscape: Landscape, state: SpsaState) -> Cost:
        """Its energies with the samples that have grown."""
        return self._rule.forecast(state.perturbing)

    @property
    def _rule(self) -> Perturbation:
        return Perturbation.of(self)
