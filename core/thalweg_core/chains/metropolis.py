"""The fair refusal: one rule by which every proposal is kept or not."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from thalweg_core.landscape import Evaluation
from thalweg_core.numbers.rows import row_dot
from thalweg_core.numbers.trees import choose
from thalweg_core.streams import Stream

S = TypeVar("S")


class Verdict(NamedTuple, Generic[S]):
    """What became of the proposals."""

    state: S  # row by row the proposal or the old state
    acceptance: Tensor  # (B,) min(1, r); 0 where r is not a number
    rejected_nan: Tensor  # (B,) bool: refused because r is not a number


def accept(state: S, proposal: S, log_ratio: Tensor, rng: Stream) -> Verdict[S]:
    """Keep each proposal with probability min(1, r); a refused chain stays, and so counts its old state once more.

    A ratio that is NaN or +∞ comes from an energy that overflowed or a gradient that is not a number: the proposal is
    refused and counted, else the chain would stand there for ever. A ratio of zero (U = ∞, outside the support) is an
    ordinary refusal.

    Shapes: log_ratio = ln r (B,).

    Source: Metropolis et al., J. Chem. Phys. 21 (1953) 1087; Hastings, Biometrika 57 (1970) 97.
    """
    nan = ~(log_ratio < torch.inf)
    acceptance = torch.exp(log_ratio.clamp(max=0.0)).masked_fill(nan, 0.0)
    kept = rng.named("accept").uniform() < acceptance
    return Verdict(choose(kept, proposal, state), acceptance, nan)


def langevin_log_ratio(here: Evaluation, there: Evaluation, move: Tensor, step_size: float, temperature: float) -> Tensor:
    """ln r of the Langevin proposal y = x - h ∇U(x) + sqrt(2 h T) ξ in flat space, (B,).

        T ln r = U(x) - U(y) + (y - x) · (g_x + g_y) / 2 - h (|g_y|² - |g_x|²) / 4,     g = ∇U

    which is -[U(y) - U(x)] + T ln [q(x | y) / q(y | x)] with the quadratic terms of the two Gaussians multiplied out.
    """
    gained = there.grad - here.grad
    correction = row_dot(here.grad + there.grad, 0.5 * move - (0.25 * step_size) * gained)
    return (here.value - there.value + correction) / temperature
