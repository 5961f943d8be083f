"""Adam: descent by adaptive moments, at its best under noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

from torch import Tensor

from thalweg_core.descent.adam.moments import Moments, direction, no_moments, tempered, updated
from thalweg_core.landscape import (
    ALLOCATIONS,
    GRADIENT,
    HARMONICS,
    Capabilities,
    Cost,
    Evaluation,
    Landscape,
    allocated,
)
from thalweg_core.manifold import Euclidean
from thalweg_core.method import FEWER_FIRST, Goal, Info, Method
from thalweg_core.noise.averaging import Average, averaged, begin_average
from thalweg_core.noise.natural_units import natural_units
from thalweg_core.noise.sample_sizes import SampleRule, SampleSize, dearer, look, shrunk
from thalweg_core.numbers.rows import per_row
from thalweg_core.ranges import at_least, between, not_negative, one_of, positive, share
from thalweg_core.streams import Stream


class AdamState(NamedTuple):
    x: Tensor  # (B, *E) where the replicas stand
    seen: Evaluation  # what the landscape showed there
    moments: Moments  # carried along to x
    size: SampleSize | None  # samples of the next evaluation; None where evaluations are exact
    average: Average | None  # of the iterates: the answer; None where it is x


@dataclass(frozen=True)
class Adam(Method):
    """Adaptive moments: a step along the mean gradient, divided by its usual size.

        m <- β1 m + (1 - β1) g,   v <- β2 v + (1 - β2) g²
        x <- R_x(-η (n₀/n)^s u [m / (1 - β1^t)] / (sqrt(v / (1 - β2^t)) + ε)),   no coordinate further than c u

    g is the tangent gradient, m is carried along; u is the natural unit of each coordinate, 1/(ω R) where the landscape is a
    trigonometric polynomial with R harmonics of ω, else 1. On spheres one g² serves all sites, that of the site with the
    largest gradient: it turns by about η at most, the others less, all of them downhill, so that spins at rest are not shaken.

    Under noise [3]: a pilot gradient sets the number of samples n₀ of the first evaluation; n grows with what was spent, while
    steps shrink by (n₀/n)^s and are capped; samples go where the spread is; and the answer is the iterate averaged over the
    last part of the budget. On a trigonometric polynomial, whose coordinates have units that can be compared, a step is
    tempered before the cap, with w = u² v and w̄ its mean over all coordinates:

        step <- [w̄ / max(w, w̄ / 10)]^(p/2) step

    Where evaluations are few samples, v is about the variance of g. Divided by its root, noisy coordinates are shaken most;
    divided by v itself (p = 1) each goes at a rate inverse to its variance, and all come to one temperature: of diagonal
    rates these bring the walk nearest to a Boltzmann distribution [4]. Where a walk must pass a saddle that takes fewer
    shots, elsewhere as many. Each of these has a field that switches it off, and all of them vanish where evaluations are exact.

    Exact gradients: steps equal those of torch.optim.Adam. With a constant learning rate it does not come to rest: as
    gradients fade, v follows, steps grow too long for the steepest direction, and it swings. AMSGrad [2] divides by the
    largest v so far, and settles where gradients are exact. Under noise a v that never falls only slows the walk.

    Args:
        learning_rate: η, about the length of a step in each coordinate, in its natural unit (on spheres in rad); left out,
            0.05 under noise, 0.1 where evaluations are exact.
        beta1: decay of the first moment; left out, 0.7 under noise, 0.9 where evaluations are exact.
        beta2: decay of the second moment; left out, 0.99 under noise, 0.999 where evaluations are exact.
        epsilon: added to the root of the second moment, in units of U / x.
        amsgrad: whether v never falls; left out, on spheres only.
        first_samples: samples of the pilot gradient, such as shots per circuit; of the first look where there is no pilot.
        pilot: whether a pilot gradient sets n₀.
        pilot_noise: variance over squared length of the gradient that n₀ aims at.
        growth: evaluations for which all samples spent so far would pay: n grows as soon as it is less; 0: n stays.
        shrinking: s, the power by which steps shrink as n grows; 0: they stay.
        max_step: c, the longest step of a coordinate, in its natural unit; 0: no cap.
        allocation: how samples are divided over what is measured separately: "measured", by the spread seen, or "equal".
        averaging: last part of the budget spent so far over which the iterate is averaged; 0: the answer is the last iterate.
        tempering: p, the power by which steps turn from Adam's (0) to those of one temperature in all coordinates (1).

    Sources: [1] Kingma & Ba, ICLR (2015), arXiv:1412.6980. [2] Reddi, Kale, Kumar, ICLR (2018), arXiv:1904.09237.
             On manifolds: Bécigneul & Ganea, ICLR (2019), arXiv:1810.00760. [3] averaging: Polyak & Juditsky, SIAM J. Control
             Optim. 30 (1992) 838; growing samples: Byrd, Chin, Nocedal, Wu, Math. Program. 134 (2012) 127. [4] Mandt, Hoffman
             & Blei, JMLR 18 (2017) 134, arXiv:1704.04289. The constants are from coarse grids on two small molecules; the tenth
             is arbitrary.
    """

    learning_rate: float | None = None
    beta1: float | None = None
    beta2: float | None = None
    epsilon: float = 1e-8
    amsgrad: bool | None = None
    first_samples: int = 10
    pilot: bool = True
    pilot_noise: float = 4.0
    growth: float = 200.0
    shrinking: float = 0.25
    max_step: float = 0.3
    allocation: str = "measured"
    averaging: float = 0.2
    tempering: float = 1.0

    cheaper: ClassVar[str] = FEWER_FIRST
    needs: ClassVar[Capabilities] = frozenset({GRADIENT})
    goal: ClassVar[Goal] = Goal.MINIMUM
    State: ClassVar[type] = AdamState

    def __post_init__(self) -> None:
        if self.learning_rate is not None:
            positive("learning_rate", self.learning_rate)
        if self.beta1 is not None:
            share("beta1", self.beta1)
        if self.beta2 is not None:
            share("beta2", self.beta2)
        positive("epsilon", self.epsilon)
        at_least("first_samples", self.first_samples, 2)
        positive("pilot_noise", self.pilot_noise)
        for field in ("growth", "shrinking", "max_step"):
            not_negative(field, getattr(self, field))
        between("tempering", self.tempering, 0, 1)
        one_of("allocation", self.allocation, ALLOCATIONS)
        share("averaging", self.averaging)

    def carries(self, size: int) -> int:
        """Numbers beside x and the evaluation there: three moments, the average, and counts."""
        return 4 * size + 7

    def init(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None) -> AdamState:
        """With a first evaluation that is paid for, whatever the pilot says."""
        seen, size = self._rule.begin(allocated(landscape, self.allocation), x, rng, shots)
        average = begin_average(x, seen.cost) if landscape.noisy and self.averaging else None
        return AdamState(x, seen, no_moments(landscape.manifold, x), size, average)

    def step(self, landscape: Landscape, state: AdamState, rng: Stream) -> tuple[AdamState, Info]:
        method, manifold = self.resolved(landscape), landscape.manifold
        assert method.beta1 is not None and method.beta2 is not None and method.amsgrad is not None
        grad = manifold.tangent(state.x, state.seen.grad)
        moments = updated(state.moments, manifold, grad, method.beta1, method.beta2, method.amsgrad)
        x = manifold.retract(state.x, method._step(landscape, moments, state.size))
        seen = look(allocated(landscape, self.allocation), x, rng, state.size)
        moments = moments._replace(mean=manifold.transport(moments.mean, state.x, x))
        average = state.average and averaged(state.average, manifold, x, seen.cost, self.averaging)
        moved = AdamState(x, seen, moments, self._rule.grown(state.size, seen.cost), average)
        return moved, Info.plain(seen.cost, seen.value)

    def answer(self, state: AdamState) -> Tensor:
        """The average, where there is one."""
        return state.x if state.average is None else state.average.x

    def next_cost(self, landscape: Landscape, state: AdamState) -> Cost:
        """An evaluation with the samples that it has grown to."""
        return dearer(state.seen, state.size)

    def resolved(self, landscape: Landscape) -> Adam:
        """The same with the numbers chosen that depend on whether evaluations are exact, and `amsgrad`."""
        rate, decay1, decay2 = (0.05, 0.7, 0.99) if landscape.noisy else (0.1, 0.9, 0.999)
        return replace(
            self,
            learning_rate=rate if self.learning_rate is None else self.learning_rate,
            beta1=decay1 if self.beta1 is None else self.beta1,
            beta2=decay2 if self.beta2 is None else self.beta2,
            amsgrad=not isinstance(landscape.manifold, Euclidean) if self.amsgrad is None else self.amsgrad,
        )

    def _step(self, landscape: Landscape, moments: Moments, size: SampleSize | None) -> Tensor:
        """The tangent step, (B, *E)."""
        assert self.learning_rate is not None
        unit = natural_units(landscape, moments.mean)
        step = -self.learning_rate * unit * direction(moments, self.epsilon)
        if landscape.noisy and self.tempering and landscape.offer(HARMONICS) is not None:
            step = tempered(step, moments, unit, self.tempering)
        if size is not None:
            step = per_row(shrunk(size, self.shrinking).to(step), step) * step
        cap = self.max_step * unit
        return step.clamp(-cap, cap) if landscape.noisy and self.max_step else step

    @property
    def _rule(self) -> SampleRule:
        return SampleRule(self.first_samples, self.pilot, self.pilot_noise, self.growth)
