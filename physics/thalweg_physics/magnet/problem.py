"""A magnet as a job names it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from thalweg_core.errors import BadInput
from thalweg_core.landscape import (
    COMPONENTS,
    EXACT_VALUE,
    FLAT,
    GRADIENT,
    LIPSCHITZ,
    METRIC,
    VALUE,
    Capabilities,
    EnergyEstimate,
    value_of,
)
from thalweg_core.numbers.rows import row_sum
from thalweg_core.problem import File, Observed, Problem, Traits
from thalweg_core.streams import Stream
from thalweg_physics.magnet import checks, observables
from thalweg_physics.magnet.dynamics.spins import PRECESSION, SPINS
from thalweg_physics.magnet.files import ovf
from thalweg_physics.magnet.files.picture import picture
from thalweg_physics.magnet.grid import Grid
from thalweg_physics.magnet.landscape import MagnetLandscape
from thalweg_physics.magnet.material import Material, UniaxialAnisotropy
from thalweg_physics.magnet.starts import RandomStart, SkyrmionStart, UniformStart
from thalweg_physics.magnet.terms.anisotropy import Anisotropy
from thalweg_physics.magnet.terms.dmi import InterfacialDmi
from thalweg_physics.magnet.terms.exchange import Exchange
from thalweg_physics.magnet.terms.zeeman import Zeeman

__all__ = ["Grid", "Magnet", "Material", "RandomStart", "SkyrmionStart", "UniaxialAnisotropy", "UniformStart"]

BYTES_PER_CELL = 20 * 3 * 8
"""While a replica walks: state, gradient, its variance, stages and temporaries, of three doubles each (measured: up to 20)."""

MOST_FILES = 8
"""Replicas whose magnetization is written as a file of its own (arbitrary); the arrays of the job hold all of them."""

STRONGEST_FIELD = 1e6
"""T (arbitrary): the strongest that a laboratory makes is 1e3."""

WEAKEST = 1e-30
"""Bound of h = H_eff / Ms below which nothing turns (arbitrary): a spin would take longer than the age of the universe."""


@dataclass(frozen=True)
class Magnet(Problem[MagnetLandscape]):
    """A ferromagnet: exchange, interfacial DMI, uniaxial anisotropy and Zeeman energy of unit spins on a regular grid.

    Its landscape computes in μ0 Ms² V of a cell, where the gradient is -h = -H_eff / Ms; results are in J.
    No stray field: for a thin film take it into the anisotropy, K - μ0 Ms²/2.

    Args:
        grid: the cells.
        material: what they are made of.
        external_field: B (T), three components.
        start: the magnetization at the start.
    """

    grid: Grid
    material: Material
    external_field: tuple[float, float, float] = (0.0, 0.0, 0.0)
    start: SkyrmionStart | UniformStart | RandomStart = field(default_factory=RandomStart)

    def __post_init__(self) -> None:
        checks.three("external_field", self.external_field, "components")
        for component in self.external_field:
            checks.no_larger("external_field", component, STRONGEST_FIELD, "T")
        self.start.check(self.grid)
        if not self.curvature_bound() >= WEAKEST:
            raise BadInput(
                "material",
                "wanted an energy that turns spins, got none; give exchange, DMI, anisotropy, or problem.magnet.external_field",
            )

    offers: ClassVar[Capabilities] = frozenset({SPINS})

    @property
    def energy_scale(self) -> float:
        """μ0 Ms² V of a cell: one unit of the landscape's energy, in J."""
        return self.material.energy_density * self.grid.volume

    def curvature_bound(self) -> float:
        """The open landscape's bound, in units of h = H_eff / Ms."""
        terms = (
            Exchange.of(self.grid, self.material),
            InterfacialDmi.of(self.grid, self.material),
            Anisotropy.of(self.material),
            Zeeman.of(self.external_field, self.material),
        )
        return sum(term.stiffest() for term in terms)

    def larmor_rate(self) -> float:
        """|γ| μ0 Ms, in rad/s."""
        return self.material.larmor_rate

    def traits(self) -> Traits:
        return Traits(
            knows=frozenset({VALUE, EXACT_VALUE, GRADIENT, LIPSCHITZ, PRECESSION}),
            lacks={
                FLAT: "has a unit vector in every cell: it lives on spheres",
                COMPONENTS: "is exact: there are no samples to divide over components",
                METRIC: "has spins, which are no parameters of a state or a distribution, so they have no metric",
            },
            dimension=2 * self.grid.count,
            memory=3 * 8 * self.grid.count,
            memory_per_replica=BYTES_PER_CELL * self.grid.count,
            unit="J",
            numbers=3 * self.grid.count,
        )

    def open(self, device: torch.device, dtype: torch.dtype) -> MagnetLandscape:
        return MagnetLandscape.of(self.grid, self.material, self.external_field, device, dtype)

    def final(self, landscape: MagnetLandscape, x: Tensor, rng: Stream) -> EnergyEstimate:
        """The energy, exact, in J."""
        seen = value_of(landscape, x, rng)
        return seen._replace(value=seen.value * self.energy_scale)

    def observe(self, landscape: MagnetLandscape, x: Tensor) -> dict[str, Observed]:
        """Charge, radius, torque, mean magnetization, and the energy term by term."""
        mean = x.reshape(x.shape[0], -1, 3).movedim(-1, 0)
        return {
            "topological_charge": Observed.exact(observables.topological_charge(x, self.grid)),
            "skyrmion_radius": Observed.exact(observables.skyrmion_radius(x, self.grid), "m"),
            "max_torque": Observed.exact(observables.max_torque(x, landscape.gradient(x))),
            **{f"mean_m{axis}": Observed.exact(row_sum(m) / self.grid.count) for axis, m in zip("xyz", mean, strict=True)},
            **{f"{name}_energy": Observed.exact(e * self.energy_scale, "J") for name, e in landscape.energies(x).items()},
        }

    def files(self, landscape: MagnetLandscape, start: Tensor, end: Tensor) -> Iterable[File]:
        for replica, m in enumerate(end[:MOST_FILES]):
            name = f"magnetization-{replica}.ovf" if replica else "magnetization.ovf"
            content = ovf.dumps(ovf.Ovf(m, self.grid.cell_size, "m"))
            yield File(name, content, "application/octet-stream", f"final magnetization of replica {replica}, OVF 2.0, binary 8")
        middle = self.grid.cells[2] // 2
        for name, m, when in (("before.png", start, "at the start"), ("after.png", end, "at the end")):
            yield File(
                name,
                picture(m[0, middle]),
                "image/png",
                f"magnetization of replica 0 {when}: hue is its angle in the plane, lightness m_z",
            )
