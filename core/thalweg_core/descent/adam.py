"""Adam: descent by adaptive moments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from thalweg_core.kernel import Goal, Info
from thalweg_core.landscape import GRADIENT, Capability, Evaluation, Landscape
from thalweg_core.manifold import Euclidean
from thalweg_core.ranges import positive, share
from thalweg_core.rows import per_row
from thalweg_core.streams import Stream


class AdamState(NamedTuple):
    x: Tensor  # (B, *E) where the replicas stand
    seen: Evaluation  # what the landscape showed there
    mean: Tensor  # (B, *E) first moment, tangent at x
    square: Tensor  # (B, *E), on spheres (B, 1, ...): second moment
    largest: Tensor  # as square: the largest second moment so far, where it is kept
    fade1: Tensor  # (B,) β1^t
    fade2: Tensor  # (B,) β2^t


@dataclass(frozen=True)
class Adam:
    """Adaptive moments: a step along the mean gradient, divided by its usual size.

        m <- β1 m + (1 - β1) g,   v <- β2 v + (1 - β2) g²,   x <- R_x(-η [m / (1 - β1^t)] / (sqrt(v / (1 - β2^t)) + ε))

    g is the tangent gradient, m is carried along. In flat space g² is taken coordinate by coordinate, and steps equal
    those of torch.optim.Adam. On spheres one g² serves all sites, that of the site with the largest gradient: it turns by
    about η at most, the others less, all of them downhill, so that spins at rest are not shaken.

    With a constant learning rate Adam does not come to rest: as gradients fade, v follows, steps grow too long for the
    steepest direction, and it swings. AMSGrad [2] divides by the largest v so far, and settles where gradients are exact.
    Under shot noise a v that never falls only slows the walk.

    Args:
        learning_rate: η, about the length of a step in each coordinate, in units of x (on spheres in rad).
        beta1: decay of the first moment.
        beta2: decay of the second moment.
        epsilon: added to the root of the second moment, in units of U / x.
        amsgrad: whether v never falls; left out, on spheres only.

    Sources: [1] Kingma & Ba, ICLR (2015), arXiv:1412.6980. [2] Reddi, Kale, Kumar, ICLR (2018), arXiv:1904.09237.
             On manifolds: Bécigneul & Ganea, ICLR (2019), arXiv:1810.00760.
    """

    learning_rate: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    amsgrad: bool | None = None

    needs: ClassVar[frozenset[Capability]] = frozenset({GRADIENT})
    goal: ClassVar[Goal] = Goal.MINIMUM
    State: ClassVar[type] = AdamState

    def __post_init__(self) -> None:
        positive("learning_rate", self.learning_rate)
        share("beta1", self.beta1)
        share("beta2", self.beta2)
        positive("epsilon", self.epsilon)

    def init(self, landscape: Landscape, x: Tensor, rng: Stream) -> AdamState:
        square = torch.zeros_like(landscape.manifold.squares(x))
        fresh = torch.ones(len(x), dtype=x.dtype, device=x.device)
        return AdamState(x, landscape.evaluate(x, rng), torch.zeros_like(x), square, square, fresh, fresh)

    def step(self, landscape: Landscape, state: AdamState, rng: Stream) -> tuple[AdamState, Info]:
        manifold = landscape.manifold
        grad = manifold.tangent(state.x, state.seen.grad)
        mean = self.beta1 * state.mean + (1 - self.beta1) * grad
        square = self.beta2 * state.square + (1 - self.beta2) * manifold.squares(grad)
        largest = torch.maximum(state.largest, square) if self._never_falls(landscape) else square
        fade1, fade2 = self.beta1 * state.fade1, self.beta2 * state.fade2
        size = (largest / per_row(1 - fade2, largest)).sqrt() + self.epsilon
        x = manifold.retract(state.x, per_row(-self.learning_rate / (1 - fade1), mean) * mean / size)
        seen = landscape.evaluate(x, rng)
        carried = manifold.transport(mean, state.x, x)
        return AdamState(x, seen, carried, square, largest, fade1, fade2), Info.plain(seen.cost, seen.value)

    def settled(self, landscape: Landscape) -> Adam:
        """The same with `amsgrad` chosen."""
        return replace(self, amsgrad=self._never_falls(landscape))

    def _never_falls(self, landscape: Landscape) -> bool:
        return not isinstance(landscape.manifold, Euclidean) if self.amsgrad is None else self.amsgrad
