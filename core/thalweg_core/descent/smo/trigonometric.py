"""A trigonometric polynomial in one angle, from as few values as fix it: where it is lowest, and how sure that is.

    p(t) = c + Σ_{l ≤ R} a_l cos l t + b_l sin l t = Σ_j y_j L_j(t),   2R + 1 points t_j

Shapes: B rows, each with a number of harmonics of its own, R at most; K = 2R + 1 points, those that a row does not need have
a variance of 0 and no weight. Angles t in rad.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_core.numbers.rows import row_sum

CELLS = 12
"""Cells of the grid on which minima are bracketed, per half turn of the fastest harmonic (arbitrary)."""

NEWTON = 8
"""Steps from a cell's middle to rounding."""


class Design(NamedTuple):
    """Where polynomials of 1 … most harmonics are looked at, and how they follow from what is seen there."""

    points: Tensor  # (N, K) t_j: 0, and 2R points evenly about it, ±(2j - 1) π / 2R; 0 where there is none
    used: Tensor  # (N, K) bool
    weights: Tensor  # (N, K) share of each point in the slope at 0, Σ of them 1; 0 for t = 0
    cardinals: Tensor  # (N, 2 most, K) a_1 … , b_1 … from y

    def of(self, number: Tensor) -> Design:
        """For each replica the row of its number of harmonics: (B,) -> (B, …)."""
        return Design(*(table.to(number.device)[number - 1] for table in self))


@cache
def design(most: int) -> Design:
    """Of 1 … most harmonics, in double precision.

    The slope at 0 is read from the 2R points about it alone, with weights  ±1 / (4R sin²(t_j / 2)):  with samples in
    proportion to these its variance is the least, R² Var(one sample) / samples.

    Source: Wierichs, Izaac, Wang & Lin, Quantum 6 (2022) 677.
    """
    return Design(*map(torch.stack, zip(*(_row(number, most) for number in range(1, most + 1)), strict=True)))


def _row(number: int, most: int) -> Design:
    around = torch.arange(1, 2 * number, 2, dtype=torch.float64) * (math.pi / (2 * number))
    points = torch.cat([torch.zeros(1, dtype=torch.float64), around, -around])
    used, length = 1 + 2 * number, 1 + 2 * most
    turns = points[:, None] * torch.arange(1, number + 1, dtype=torch.float64)
    basis = torch.cat([torch.ones(used, 1, dtype=torch.float64), torch.cos(turns), torch.sin(turns)], dim=1)
    inverse = torch.linalg.inv(basis)[1:]
    cardinals = torch.zeros(2 * most, length, dtype=torch.float64)
    cardinals[:number, :used], cardinals[most : most + number, :used] = inverse[:number], inverse[number:]
    weights = 1 / torch.sin(around / 2).square().repeat(2)
    weights = torch.cat([torch.zeros(1, dtype=torch.float64), weights / weights.sum()])
    return Design(_padded(points, length), torch.arange(length) < used, _padded(weights, length), cardinals)


def _padded(row: Tensor, length: int) -> Tensor:
    return torch.nn.functional.pad(row, (0, length - len(row)))


@dataclass(frozen=True)
class Polynomial:
    """One polynomial for each row, without its constant.

    Args:
        design: the points of each row.
        values: (B, K) y.
        variances: (B, K) of them.
    """

    design: Design
    values: Tensor
    variances: Tensor

    @property
    def number(self) -> Tensor:
        """Harmonics of each row, (B,)."""
        return (self.design.used.sum(dim=1) - 1) // 2

    @property
    def coefficients(self) -> Tensor:
        """a_1 … a_R, b_1 … b_R, (B, 2R)."""
        return _weighted(self.design.cardinals, self.values[:, None])

    def difference(self, s: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """p(s) - p(t) and its variance: (B,), (B,) -> (B,), (B,)."""
        weights = _weighted(self.design.cardinals.transpose(1, 2), (self._basis(s) - self._basis(t))[:, None])
        return row_sum(weights * self.values), row_sum(weights.square() * self.variances)

    def slope(self) -> tuple[Tensor, Tensor]:
        """p'(0) and its variance, (B,) each."""
        orders = self._orders(self.values)
        weights = _weighted(self.design.cardinals[:, len(orders) :].transpose(1, 2), orders.expand(len(self.values), 1, -1))
        return row_sum(weights * self.values), row_sum(weights.square() * self.variances)

    def apart(self, s: Tensor, t: Tensor) -> Tensor:
        """Whether two angles are further apart than one minimum is known, (B,) bool."""
        turns = (s - t) / (2 * math.pi)
        return (turns - turns.round()).abs() * (2 * math.pi) > 2 * math.pi / (CELLS * self._harmonics)

    def lowest(self) -> Tensor:
        """Where p is lowest, in [-π, π], (B,)."""
        grid = self._grid()
        low = self._polished(grid.expand(len(self.values), -1))  # every cell: two minima may differ by less than the grid shows
        return low.gather(1, self._heights(low).argmin(dim=1, keepdim=True))[:, 0]

    def valley(self) -> Tensor:
        """The bottom of the valley in which 0 lies, in [-π, π], (B,)."""
        grid = self._grid()
        heights, middle = self._heights(grid.expand(len(self.values), -1)), len(grid) // 2
        right, left = _first_rise(heights[:, middle:]), _first_rise(heights[:, : middle + 1].flip(1))
        nearest = torch.where(self.slope()[0] <= 0, grid[middle + right], grid[middle - left])
        return self._polished(nearest[:, None])[:, 0]

    def _grid(self) -> Tensor:
        """Angles from -π to π, (T,)."""
        half = CELLS * self._harmonics
        return torch.arange(-half, half + 1, dtype=self.values.dtype, device=self.values.device) * (math.pi / half)

    def _polished(self, t: Tensor) -> Tensor:
        """The minimum within a cell of each angle, or the lower end, by Newton's method: (B, T) -> (B, T)."""
        cell = math.pi / (CELLS * self._harmonics)
        low, high = t - cell, t + cell
        for _ in range(NEWTON):
            slope, bend = self._derivatives(t)
            step = torch.where(bend > 0, -slope / torch.where(bend > 0, bend, 1.0), -cell * slope.sign())
            t = torch.minimum(torch.maximum(t + step, low), high)
        return t

    def _heights(self, t: Tensor) -> Tensor:
        """p, (B, T) -> (B, T); harmonic by harmonic, for a matrix product may round differently in a wider batch."""
        out = torch.zeros_like(t)
        for order, (a, b) in enumerate(self._pairs, start=1):
            out = out + a * torch.cos(order * t) + b * torch.sin(order * t)
        return out

    def _derivatives(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """p' and p'', (B, T) -> (B, T)."""
        slope, bend = torch.zeros_like(t), torch.zeros_like(t)
        for order, (a, b) in enumerate(self._pairs, start=1):
            cos, sin = torch.cos(order * t), torch.sin(order * t)
            slope = slope + order * (b * cos - a * sin)
            bend = bend - order**2 * (a * cos + b * sin)
        return slope, bend

    @property
    def _pairs(self) -> list[tuple[Tensor, Tensor]]:
        """(a_l, b_l), (B, 1) each."""
        columns = [column[:, None] for column in self.coefficients.unbind(1)]
        return list(zip(columns[: self._harmonics], columns[self._harmonics :], strict=True))

    @property
    def _harmonics(self) -> int:
        return self.design.cardinals.shape[1] // 2

    def _orders(self, like: Tensor) -> Tensor:
        return torch.arange(1, self._harmonics + 1, dtype=like.dtype, device=like.device)

    def _basis(self, t: Tensor) -> Tensor:
        turns = t[:, None] * self._orders(t)
        return torch.cat([torch.cos(turns), torch.sin(turns)], dim=1)


def _weighted(table: Tensor, weights: Tensor) -> Tensor:
    """Σ over the last axis: (B, N, M), (B, 1, M) -> (B, N)."""
    product = table * weights
    return row_sum(product.reshape(-1, product.shape[-1])).reshape(product.shape[:-1])


def _first_rise(heights: Tensor) -> Tensor:
    """How many points it goes down from the first, (B,)."""
    rises = heights[:, 1:] > heights[:, :-1]
    return torch.where(rises.any(dim=1), rises.to(torch.int8).argmax(dim=1), heights.shape[1] - 1)
