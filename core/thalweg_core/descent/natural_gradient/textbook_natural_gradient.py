"""Natural gradient as it stands in the textbook: no damping to speak of, samples of one number, the last iterate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from thalweg_core.descent.natural_gradient.running_metric import look_at_metric
from thalweg_core.landscape import (
    FLAT,
    GRADIENT,
    METRIC,
    METRIC_FORMS,
    SAMPLES,
    Capabilities,
    Evaluation,
    Landscape,
    above_reference,
)
from thalweg_core.method import Goal, Info, Method
from thalweg_core.noise.divergence import Rise, begin_rise, climbed, remark
from thalweg_core.ranges import not_negative, one_of, positive
from thalweg_core.streams import Stream


class TextbookNaturalGradientState(NamedTuple):
    x: Tensor  # (B, P) where the replicas stand
    seen: Evaluation  # what the landscape showed there
    metric: Tensor  # (B, P, P) seen there
    rise: Rise  # whether the energy has gone up


@dataclass(frozen=True)
class TextbookNaturalGradient(Method):
    """Natural gradient, word for word: what method.natural_gradient is compared with.

        x <- x - η (F + λ)⁺ grad U,   (·)⁺: the pseudo-inverse

    Every evaluation, at the gradient as at the metric, takes the landscape's own number of samples, and the answer is the last
    iterate. Where F is nearly singular and noisy, its inverse is large and wrong: then the walk jumps, and the outcome says so
    where the energy ended above what it had been. Step for step PennyLane's `QNGOptimizer`, whose defaults are these.

    Args:
        learning_rate: η, in units of 1/U.
        metric: how much of F is used: "full", "block_diagonal" or "diagonal".
        damping: λ, in units of 1/x².

    Sources: [1] Amari, Neural Comput. 10 (1998) 251. [2] Stokes, Izaac, Killoran & Carleo, Quantum 4 (2020) 269.
    """

    learning_rate: float = 0.01
    metric: str = "block_diagonal"
    damping: float = 0.0

    needs: ClassVar[Capabilities] = frozenset({GRADIENT, FLAT, METRIC})
    goal: ClassVar[Goal] = Goal.MINIMUM
    State: ClassVar[type] = TextbookNaturalGradientState

    def __post_init__(self) -> None:
        positive("learning_rate", self.learning_rate)
        one_of("metric", self.metric, METRIC_FORMS)
        not_negative("damping", self.damping)

    def carries(self, size: int) -> int:
        """Numbers beside x and the evaluation there: the metric, and the energies so far."""
        return size**2 + 4

    def init(self, landscape: Landscape, x: Tensor, rng: Stream, shots: Tensor | None = None) -> TextbookNaturalGradientState:
        seen, metric = self._look(landscape, x, rng)
        return TextbookNaturalGradientState(x, seen, metric, begin_rise(seen))

    def step(
        self, landscape: Landscape, state: TextbookNaturalGradientState, rng: Stream
    ) -> tuple[TextbookNaturalGradientState, Info]:
        x = state.x - self.learning_rate * _solved(state.metric, self.damping, state.seen.grad)
        seen, metric = self._look(landscape, x, rng)
        return TextbookNaturalGradientState(x, seen, metric, climbed(state.rise, seen)), Info.plain(seen.cost, seen.value)

    def remarks(self, landscape: Landscape, state: TextbookNaturalGradientState) -> list[str]:
        """Where evaluations are noisy: whether noise has led it up."""
        return remark(state.rise, above_reference(landscape, state.x)) if landscape.noisy else [""] * len(state.x)

    def _look(self, landscape: Landscape, x: Tensor, rng: Stream) -> tuple[Evaluation, Tensor]:
        """Gradient and metric, and what both cost."""
        seen = landscape.evaluate(x, rng)
        asked = landscape.offer(SAMPLES)
        metric = look_at_metric(landscape, x, rng.named("metric"), 1 if asked is None else asked.samples, self.metric)
        return seen._replace(cost=seen.cost.plus(metric.cost)), metric.metric


def _solved(metric: Tensor, damping: float, right: Tensor) -> Tensor:
    """(F + λ)⁺ g, row by row, each from memory of its own: no bit depends on the batch."""
    identity = torch.eye(right.shape[1], dtype=right.dtype, device=right.device)
    return torch.stack([torch.linalg.pinv(f + damping * identity).mv(g.clone()) for f, g in zip(metric, right, strict=True)])
