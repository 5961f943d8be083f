"""Magnets: unit spins on a regular grid, their energy terms, their dynamics, their pictures."""

from thalweg_physics.magnet.dynamics.llg import Llg
from thalweg_physics.magnet.dynamics.spins import PRECESSION
from thalweg_physics.magnet.grid import Grid
from thalweg_physics.magnet.landscape import MagnetLandscape
from thalweg_physics.magnet.material import Material, UniaxialAnisotropy
from thalweg_physics.magnet.problem import Magnet
from thalweg_physics.magnet.starts import RandomStart, SkyrmionStart, UniformStart

__all__ = [
    "PRECESSION",
    "Grid",
    "Llg",
    "Magnet",
    "MagnetLandscape",
    "Material",
    "RandomStart",
    "SkyrmionStart",
    "UniaxialAnisotropy",
    "UniformStart",
]
