"""Gradient and curvature of the energy from energies at shifted parameters: which points, and with what weights.

Along one parameter the energy is a trigonometric polynomial. Where its frequencies are  l ω, l ≤ R:

    ∂U = Σ_μ w_μ U(θ + x_μ),   x_μ = (2μ - 1) π/(2Rω),   w_μ = (-1)^(μ-1) ω / (4R sin²(ω x_μ / 2)),   μ = 1 … 2R

With shots in proportion to |w_μ| its variance is (R ω)² Var/shots, no more than that of turning every rotation by itself.
The same energies and U(θ) show the curvature: with b_l the amplitude of cos l ω x,

    ∂²U = -ω² Σ_l l² b_l,   b_0 = Σ_μ U_μ / 2R,   b_l = Σ_μ U_μ cos(l ω x_μ) / R for 0 < l < R,   b_R = U(θ) - Σ_{l<R} b_l

Source: Wierichs, Izaac, Wang & Lin, Quantum 6 (2022) 677.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thalweg_core.landscape import Harmonics
from thalweg_vqe.measurement.allocation import LEAST, Floats, Ints, apportioned, pairwise
from thalweg_vqe.pauli.harmonics import Spectrum, spectra
from thalweg_vqe.pauli.program import Program
from thalweg_vqe.pauli.words import Observable


@dataclass(frozen=True)
class ShiftRule:
    """The points of a gradient: θ itself, then (if `turns`) every rotation turned by +π/2, then by -π/2, then S more.

    A parameter with one rotation is read from the turns, which one pass through the circuit shows; one with several from
    2R further points, where these are no more than its turns. A parameter's points are its own.

    Args:
        program: the circuit.
        spectra: of every parameter.
    """

    program: Program
    spectra: tuple[Spectrum, ...]

    @classmethod
    def of(cls, program: Program, observable: Observable | None, ideal: bool = True) -> ShiftRule:
        """What the circuit allows, and the operator, if it is all that is measured.

        On a device with noise rotations that should act as one do not, and each counts for itself.
        """
        return cls(program, spectra(program, observable, ideal))

    @property
    def harmonics(self) -> Harmonics:
        """(P,) each; where the frequencies have no common divisor the number is 0, and the base the largest."""
        base, number = zip(*self.spectra, strict=True) if self.spectra else ((), ())
        return Harmonics(torch.tensor(base, dtype=torch.float64), torch.tensor(number, dtype=torch.int64))

    @cached_property
    def turns(self) -> bool:
        """Whether turned rotations are among the points."""
        return any(alike and not self._own(k) for k, alike in enumerate(self._rotations))

    @property
    def looks(self) -> int:
        """Points that a gradient is read from, θ itself among them."""
        return 1 + int(self._tables.used.sum())

    @property
    def in_pass(self) -> int:
        """Points before the further ones: θ, and its turns if they are among them."""
        return 1 + 2 * len(self.program.turned) if self.turns else 1

    def further(self, theta: Tensor) -> Tensor:
        """Angles (rad) of θ and of the S further points: (B, P) -> (B, 1 + S, R)."""
        if not self._further:
            return self.program.angles(theta)[:, None]
        points = theta[:, None].repeat(1, 1 + len(self._further), 1)
        parameters, shifts = zip(*self._further, strict=True)
        points[:, range(1, 1 + len(shifts)), parameters] += theta.new_tensor(shifts)
        return self.program.angles(points.flatten(0, 1)).reshape(*points.shape[:2], -1)

    def samples(self, samples: Ints, here: Ints) -> Ints:
        """Samples of every point: (B, P) for each point of a component on average, (B,) for θ itself -> (B, K)."""
        t = self._tables
        each = samples
        if not t.even:
            least = np.minimum(samples, LEAST)
            parts = least[:, :, None] + apportioned((samples - least) * np.count_nonzero(t.used, axis=1), t.shares)
            each = parts.reshape(len(samples), -1)
        return np.concatenate([here[:, None], np.zeros_like(here[:, None]), each], axis=1)[:, t.sources]

    def seen(self, mean: Floats, variance: Floats) -> Floats:
        """∂U/∂θ, its variance, and ∂²U/∂θ², from U at all points and theirs: (B, K), (B, K) -> (3, B, P).

        The curvature is NaN where several rotations of a parameter were turned one by one.
        """
        t = self._tables
        points = np.stack([mean, variance, mean])[:, :, t.places]
        if t.padded:
            points = np.where(t.used, points, 0.0)  # 0 times infinity were no number
        out = pairwise(t.weights * points)
        out[2] += t.bend_here * mean[:, :1]
        return out

    @cached_property
    def _rotations(self) -> list[list[int]]:
        """The numbers of every parameter's rotations."""
        alike: list[list[int]] = [[] for _ in range(self.program.parameters)]
        for number, rotation in enumerate(self.program.turned):
            assert rotation.parameter is not None
            alike[rotation.parameter].append(number)
        return alike

    def _own(self, parameter: int) -> bool:
        """Whether a parameter is read from further points."""
        count = len(self._rotations[parameter])
        return count > 1 and 0 < self.spectra[parameter].number <= count

    @cached_property
    def _further(self) -> list[tuple[int, float]]:
        """Parameter and shift of every further point."""
        return [(k, term.shift) for k, spectrum in enumerate(self.spectra) if self._own(k) for term in equidistant(spectrum)]

    @cached_property
    def _tables(self) -> Tables:
        first, rows, here = self.in_pass, [], []
        for k, (alike, spectrum) in enumerate(zip(self._rotations, self.spectra, strict=True)):
            if self._own(k):
                terms = equidistant(spectrum)
                rows.append([(first + place, term.weight, term.bend) for place, term in enumerate(terms)])
                here.append(-((spectrum.base * spectrum.number) ** 2))
                first += len(terms)
            else:
                rows.append(self._turned(alike))
                here.append(-sum(self.program.turned[j].scale ** 2 for j in alike) if len(alike) < 2 else math.nan)
        return Tables.of(rows, here, self.in_pass + len(self._further))

    def _turned(self, alike: list[int]) -> list[tuple[int, float, float]]:
        """Place, weight and bend of a parameter's rotations, turned one by one."""
        turned = len(self.program.turned)
        return [
            (1 + j + side * turned, (scale / 2, -scale / 2)[side], scale**2 / 2)
            for j, scale in ((j, self.program.turned[j].scale) for j in alike)
            for side in (0, 1)
        ]


class Term(NamedTuple):
    """A point of a rule."""

    shift: float  # x
    weight: float  # of U there in ∂U
    bend: float  # in ∂²U


def equidistant(spectrum: Spectrum) -> list[Term]:
    """The 2R points of one parameter; U(θ) itself enters ∂²U with -(R ω)²."""
    base, number = spectrum
    terms: list[Term] = []
    for point in range(2 * number):
        turn = (2 * point + 1) * math.pi / (2 * number)
        weight = (-1) ** point * base / (4 * number * math.sin(turn / 2) ** 2)
        rest = sum((number**2 - k**2) * math.cos(k * turn) for k in range(1, number))
        bend = base**2 * (number**2 / 2 + rest) / number
        terms.append(Term(math.remainder(turn, 2 * math.pi) / base, weight, bend))
    return terms


class Tables(NamedTuple):
    """The points of every component, M of them at most."""

    places: Ints  # (P, M) where each stands among all points
    used: NDArray[np.bool_]  # (P, M) rows are filled up
    padded: bool  # whether any are
    weights: Floats  # (3, 1, P, M) of U in ∂U, of Var U in its variance, of U in ∂²U
    bend_here: Floats  # (P,) of U(θ) in ∂²U
    shares: Floats  # (P, M) of a component's shots
    even: bool  # whether all shares of a component are equal
    sources: Ints  # (K,) where each point's samples come from: θ, none, then components or, if not even, their points

    @classmethod
    def of(cls, rows: list[list[tuple[int, float, float]]], here: list[float], points: int) -> Tables:
        """From place, weight and bend of every point of every component."""
        width = max([1, *map(len, rows)])
        filled = np.array([row + [(0, 0.0, 0.0)] * (width - len(row)) for row in rows], dtype=np.float64)
        places, weights, bends = np.moveaxis(filled.reshape(-1, width, 3), 2, 0)
        used = np.arange(width) < np.array([len(row) for row in rows], dtype=np.int64)[:, None]
        total = np.abs(weights).sum(axis=1, keepdims=True)
        even = all(abs(abs(row[0][1]) - abs(w)) < 1e-12 * abs(w) for row in rows for _, w, _ in row)
        number = np.arange(used.size).reshape(used.shape)
        sources = np.ones(points, dtype=np.int64)
        sources[0] = 0
        sources[places.astype(np.int64)[used]] = 2 + (number // width if even else number)[used]
        return cls(
            places.astype(np.int64),
            used,
            not bool(used.all()),
            np.stack([weights, weights**2, bends])[:, None],
            np.array(here, dtype=np.float64),
            np.abs(weights) / np.where(total > 0, total, 1.0),
            even,
            sources,
        )
