"""Adam as it stands in the textbook: samples of one number, steps of one length, the last iterate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from torch import Tensor

from thalweg_core.descent.adam.moments import Moments, direction, no_moments, updated
from thalweg_core.landscape import GRADIENT, Capabilities, Evaluation, Landscape, above_reference
from thalweg_core.method import Goal, Info, Method
from thalweg_core.noise.stagnation import Standstill, begin_standstill, remark, watched
from thalweg_core.ranges import positive, share
from thalweg_core.streams import Stream


class TextbookAdamState(NamedTuple):
    x: Tensor  # (B, *E) where the replicas stand
    seen: Evaluation  # what the landscape showed there
    moments: Moments  # carried along to x
    watch: Standstill  # whether the energy still falls


@dataclass(frozen=True)
class TextbookAdam(Method):
    """Adaptive moments, word for word: what method.adam is compared with.

        m <- β1 m + (1 - β1) g,   v <- β2 v + (1 - β2) g²,   x <- R_x(-η [m / (1 - β1^t)] / (sqrt(v / (1 - β2^t)) + ε))

    Every evaluation takes the landscape's own number of samples, and the answer is the last iterate. Under noise it ends by
    moving about in a valley whose width the learning rate sets; the outcome says so where its last steps brought nothing.

    Args:
        learning_rate: η, about the length of a step in each coordinate, in units of x (on spheres in rad).
        beta1: decay of the first moment.
        beta2: decay of the second moment.
        epsilon: added to the root of the second moment, in units of U / x.
        amsgrad: whether v never falls.

    Sources: [1] Kingma & Ba, ICLR (2015), arXiv:1412.6980. [2] AMSGrad: Reddi, Kale, Kumar, ICLR (2018), arXiv:1904.09237.
    """

    learning_rate: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    amsgrad: bool = False

    needs: ClassVar[Capabilities] = frozenset({GRADIENT})
    goal: ClassVar[Goal] = Goal.MINIMUM
    State: ClassVar[type] = TextbookAdamState

    def __post_init__(self) -> None:
        positive("learning_rate", self.learning_rate)
        share("beta1", self.beta1)
        share("beta2", self.beta2)
        positive("epsilon", self.epsilon)

    def carries(self, size: int) -> int:
        """Numbers beside x and the evaluation there: the moments, and the energies so far."""
        return 3 * size + 6

    def init(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None) -> TextbookAdamState:
        seen = landscape.evaluate(x, rng)
        return TextbookAdamState(x, seen, no_moments(landscape.manifold, x), begin_standstill(seen))

    def step(self, landscape: Landscape, state: TextbookAdamState, rng: Stream) -> tuple[TextbookAdamState, Info]:
        manifold = landscape.manifold
        grad = manifold.tangent(state.x, state.seen.grad)
        moments = updated(state.moments, manifold, grad, self.beta1, self.beta2, self.amsgrad)
        x = manifold.retract(state.x, -self.learning_rate * direction(moments, self.epsilon))
        seen = landscape.evaluate(x, rng)
        moments = moments._replace(mean=manifold.transport(moments.mean, state.x, x))
        return TextbookAdamState(x, seen, moments, watched(state.watch, seen)), Info.plain(seen.cost, seen.value)

    def remarks(self, landscape: Landscape, state: TextbookAdamState) -> list[str]:
        """Where evaluations are noisy: whether the last steps brought anything."""
        return remark(state.watch, above_reference(landscape, state.x)) if landscape.noisy else [""] * len(state.x)
