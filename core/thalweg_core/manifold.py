"""Where a landscape lives: flat space, or unit vectors on every site. Nobody ever writes x + v.

Shapes: B replicas, E the event shape of one point. Vectors at x have the shape of x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from thalweg_core.numbers.rows import per_row, row_max


class Manifold(Protocol):
    """The geometry that a method walks on."""

    @property
    def name(self) -> str: ...

    @property
    def reach(self) -> float:
        """How far a site can go along a geodesic before it would be nearer by another way."""
        ...

    def tangent(self, x: Tensor, v: Tensor) -> Tensor:
        """v without its part that leaves the manifold at x."""
        ...

    def retract(self, x: Tensor, v: Tensor) -> Tensor:
        """The point reached from x by the tangent step v, to first order the geodesic."""
        ...

    def transport(self, v: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """The tangent vector v at x, carried to y."""
        ...

    def flow(self, x: Tensor, p: Tensor, t: float | Tensor) -> tuple[Tensor, Tensor]:
        """The geodesic from x with velocity p after time t (a number, or one per replica): point and velocity there."""
        ...

    def toward(self, x: Tensor, y: Tensor, share: Tensor) -> Tensor:
        """The point a share (B,) of the way from x to y: x at 0, y at 1. On spheres the chord's point, put back."""
        ...

    def site_norm(self, v: Tensor) -> Tensor:
        """Largest norm of v over the sites (coordinates, spins), (B,)."""
        ...

    def squares(self, v: Tensor) -> Tensor:
        """Squared size of v in each part that may be scaled by a factor of its own; multiplies v row by row."""
        ...

    def dimension(self, event: tuple[int, ...]) -> int:
        """Degrees of freedom of a point of this event shape."""
        ...


@dataclass(frozen=True)
class Euclidean:
    """R^d: every coordinate is a site."""

    name: str = "euclidean"
    reach: ClassVar[float] = math.inf

    def tangent(self, x: Tensor, v: Tensor) -> Tensor:
        return v

    def retract(self, x: Tensor, v: Tensor) -> Tensor:
        return x + v

    def transport(self, v: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return v

    def flow(self, x: Tensor, p: Tensor, t: float | Tensor) -> tuple[Tensor, Tensor]:
        return x + _times(t, p) * p, p

    def toward(self, x: Tensor, y: Tensor, share: Tensor) -> Tensor:
        return x + per_row(share, x) * (y - x)

    def site_norm(self, v: Tensor) -> Tensor:
        return row_max(v.abs())

    def squares(self, v: Tensor) -> Tensor:
        return v * v

    def dimension(self, event: tuple[int, ...]) -> int:
        return int(torch.Size(event).numel())


@dataclass(frozen=True)
class Spheres:
    """A unit vector on every site: x (B, *sites, 3), |x| = 1 along the last axis."""

    name: str = "spheres"
    reach: ClassVar[float] = math.pi

    def tangent(self, x: Tensor, v: Tensor) -> Tensor:
        return v - _dot(x, v) * x

    def retract(self, x: Tensor, v: Tensor) -> Tensor:
        y = x + v
        return y * _dot(y, y).rsqrt()

    def transport(self, v: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return self.tangent(y, v)

    def flow(self, x: Tensor, p: Tensor, t: float | Tensor) -> tuple[Tensor, Tensor]:
        speed = _length(p)
        along = p / speed.clamp_min(torch.finfo(p.dtype).tiny)
        angle = speed * _times(t, p)
        c, s = torch.cos(angle), torch.sin(angle)
        y = c * x + s * along
        y = y / _length(y)  # rounding only: keeps |y| = 1 over millions of steps
        return y, speed * (c * along - s * x)

    def toward(self, x: Tensor, y: Tensor, share: Tensor) -> Tensor:
        chord = x + per_row(share, x) * (y - x)
        return chord / _length(chord).clamp_min(torch.finfo(x.dtype).tiny)  # halfway to the antipode there is no way to go

    def site_norm(self, v: Tensor) -> Tensor:
        return row_max(_dot(v, v)).sqrt()

    def squares(self, v: Tensor) -> Tensor:
        """Of the longest site, for all: components turn with the frame, and a spin at rest must not count like the others."""
        return per_row(row_max(_dot(v, v)), v)

    def dimension(self, event: tuple[int, ...]) -> int:
        return int(torch.Size(event).numel()) * 2 // 3


def _dot(v: Tensor, w: Tensor) -> Tensor:
    """Inner product site by site, (B, *sites, 1). Written out, because a library's sum over an axis of three is slow, and
    rounds differently with the order in which the components lie in memory."""
    a, b, c = (v * w).unbind(-1)
    return (a + b + c).unsqueeze(-1)


def _length(v: Tensor) -> Tensor:
    """Euclidean length site by site, (B, *sites, 1)."""
    return _dot(v, v).sqrt()


def _times(t: float | Tensor, like: Tensor) -> float | Tensor:
    return per_row(t, like) if isinstance(t, Tensor) and t.dim() == 1 else t
