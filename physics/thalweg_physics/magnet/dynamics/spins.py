"""What dynamics ask of a landscape of spins: the clock."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from thalweg_core.landscape import Capability, Landscape


class Turning(Protocol):
    """What knows how fast an effective field h turns its spins: an open landscape, or a problem that was not opened yet."""

    def larmor_rate(self) -> float:
        """Angular velocity of an undamped spin in a field h = 1, |γ| μ0 Ms, in rad/s."""
        ...

    def curvature_bound(self) -> float:
        """Bound on the largest eigenvalue of the Hessian along the spheres, in units of h."""
        ...


class Precesses(Landscape, Turning, Protocol):
    """A landscape of unit spins whose gradient is minus an effective field h, and which knows how fast h turns them."""

    def gradient(self, x: Tensor) -> Tensor:
        """-h, exact, (B, *cells, 3)."""
        ...


PRECESSION = Capability[Precesses]("an effective field", "turns spins in an effective field", Precesses)
SPINS = Capability[Turning]("the clock of its spins", protocol=Turning)
