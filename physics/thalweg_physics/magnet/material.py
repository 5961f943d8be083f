"""What a magnet is made of: the same everywhere on its grid."""

from __future__ import annotations

from dataclasses import dataclass

from thalweg_core.errors import BadInput
from thalweg_physics.constants import GYROMAGNETIC_RATIO, MU0
from thalweg_physics.magnet import checks

LEAST_MAGNETIZATION, MOST_MAGNETIZATION = 1.0, 1e9
"""A/m. Of iron it is 1.7e6."""

STIFFEST, MOST_DMI, MOST_ANISOTROPY = 1e3, 1e6, 1e12
"""J/m, J/m², J/m³: far above those of any material (arbitrary). With the least magnetization and the smallest cell the
landscape's numbers stay below 1e34, which float32 holds."""


@dataclass(frozen=True)
class UniaxialAnisotropy:
    """E = -K V Σ_i (m_i · n)²: an easy axis for K > 0, an easy plane for K < 0.

    Args:
        constant: K (J/m³). In a thin film without its own stray field, K - μ0 Ms²/2 of the perpendicular axis.
        axis: n; its length does not matter.
    """

    constant: float
    axis: tuple[float, float, float] = (0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        checks.no_larger("constant", self.constant, MOST_ANISOTROPY, "J/m³")
        checks.direction("axis", self.axis)


@dataclass(frozen=True)
class Material:
    """Constants of a ferromagnet.

    Args:
        saturation_magnetization: Ms (A/m).
        exchange_stiffness: A of E = A (∇m)² (J/m).
        interfacial_dmi: D of E = D [m_z div m - (m · ∇) m_z] (J/m²).
        uniaxial_anisotropy: K (J/m³) and axis of E = -K (m · axis)².
    """

    saturation_magnetization: float
    exchange_stiffness: float = 0.0
    interfacial_dmi: float = 0.0
    uniaxial_anisotropy: UniaxialAnisotropy = UniaxialAnisotropy(0.0)

    def __post_init__(self) -> None:
        magnetization = self.saturation_magnetization
        checks.within("saturation_magnetization", magnetization, LEAST_MAGNETIZATION, MOST_MAGNETIZATION, "A/m")
        if self.exchange_stiffness < 0:
            raise BadInput("exchange_stiffness", f"wanted 0 or more J/m, as in a ferromagnet, got {self.exchange_stiffness:g}")
        checks.within("exchange_stiffness", self.exchange_stiffness, 0.0, STIFFEST, "J/m")
        checks.no_larger("interfacial_dmi", self.interfacial_dmi, MOST_DMI, "J/m²")

    @property
    def energy_density(self) -> float:
        """μ0 Ms², in J/m³: the unit that all energies are computed in."""
        return MU0 * self.saturation_magnetization**2

    @property
    def larmor_rate(self) -> float:
        """|γ| μ0 Ms, in rad/s."""
        return GYROMAGNETIC_RATIO * MU0 * self.saturation_magnetization
