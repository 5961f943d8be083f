"""Where the angles of a circuit start: each kind, called with a landscape and a stream, gives (B, P) angles (rad)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from thalweg_core.errors import BadInput
from thalweg_core.ranges import no_more_than
from thalweg_core.streams import Stream
from thalweg_vqe.landscapes.circuit import VqeLandscape

WIDEST = 1e6
"""rad; of larger angles a double says too little (arbitrary)."""


@dataclass(frozen=True)
class HartreeFock:
    """Angles that prepare the Hartree-Fock determinant, each plus or minus a spread.

    Args:
        spread: half width of the uniform distribution around the determinant's angles (rad).
    """

    spread: float = 0.1

    def __post_init__(self) -> None:
        _check(self.spread)

    def __call__(self, landscape: VqeLandscape, rng: Stream) -> Tensor:
        angles = landscape.reference.determinant
        if angles is None:
            raise BadInput("start.hartree_fock", "no Hartree-Fock determinant here; use start.uniform or start.zeros")
        return _around(angles, self.spread, landscape, rng)


@dataclass(frozen=True)
class Zeros:
    """All angles zero, in every replica."""

    def __call__(self, landscape: VqeLandscape, rng: Stream) -> Tensor:
        return _around([0.0] * landscape.parameters, 0.0, landscape, rng)


@dataclass(frozen=True)
class Uniform:
    """Angles uniform around zero.

    Args:
        spread: half width of the distribution (rad).
    """

    spread: float = math.pi

    def __post_init__(self) -> None:
        _check(self.spread)

    def __call__(self, landscape: VqeLandscape, rng: Stream) -> Tensor:
        return _around([0.0] * landscape.parameters, self.spread, landscape, rng)


@dataclass(frozen=True)
class ParameterValues:
    """Given angles, the same for every replica.

    Args:
        angles: one for each parameter (rad), in the order of the circuit.
        job: the job that ended with them, where a service looked them up (start.job); they are taken as they stand.
        replica: its replica.
    """

    angles: tuple[float, ...]
    job: str = ""
    replica: int | None = None

    def __post_init__(self) -> None:
        for number, angle in enumerate(self.angles):
            no_more_than(f"angles[{number}]", angle, WIDEST)

    def __call__(self, landscape: VqeLandscape, rng: Stream) -> Tensor:
        return _around(list(self.angles), 0.0, landscape, rng)


@dataclass(frozen=True)
class JobEnd:
    """The angles with which another job of the same service ended; the service puts them into start.values.

    Args:
        id: of a job that ended with a result.
        replica: counted from 0; the one with the lowest energy, measured anew at its end, by default.
    """

    id: str
    replica: int | None = None

    def __call__(self, landscape: VqeLandscape, rng: Stream) -> Tensor:
        raise BadInput("start.job", "only a service knows how its jobs ended; use start.values")


def _around(centre: list[float], spread: float, landscape: VqeLandscape, rng: Stream) -> Tensor:
    """Independent angles uniform in centre ± spread, (B, P)."""
    turns = 2.0 * rng.named("angles").uniform((len(centre),)) - 1.0
    return (torch.tensor(centre, dtype=torch.float64, device=turns.device) + spread * turns).to(landscape.device, landscape.dtype)


def _check(spread: float) -> None:
    if not 0 <= spread <= WIDEST:
        raise BadInput("spread", f"wanted 0 to {WIDEST:g} (rad), got {spread}")
