"""Magnets against the continuum: walls, tilted edges, the skyrmion's radial equation; and the job of the example."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.integrate import solve_bvp
from scipy.optimize import minimize
from torch import Tensor

from thalweg_core.descent.adam.adam import Adam
from thalweg_core.descent.lbfgs.lbfgs import Lbfgs
from thalweg_core.method import Method
from thalweg_core.streams import Stream
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.stopping import Stop
from thalweg_core.walking.walk import Position, Rules, begin, walk
from thalweg_physics.magnet.dynamics.llg import Llg
from thalweg_physics.magnet.grid import Grid
from thalweg_physics.magnet.material import Material, UniaxialAnisotropy
from thalweg_physics.magnet.problem import Magnet
from thalweg_physics.magnet.starts import SkyrmionStart

A, D, K, MS = 15e-12, 3e-3, 588634.0, 580e3
PT_CO = Material(MS, A, D, UniaxialAnisotropy(K))
WALL = math.sqrt(A / K)
CPU = torch.device("cpu")
torch.set_num_threads(1)


def relaxed(problem: Magnet, start: Tensor) -> tuple[Tensor, float]:
    """The minimum next to a start, by SciPy's L-BFGS on vectors of any length, and its energy in J."""
    landscape, rng = problem.open(CPU, torch.float64), Stream.of(0, 1)

    def look(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        v = torch.from_numpy(flat).reshape(1, *problem.grid.event)
        length = v.norm(dim=-1, keepdim=True)
        m = v / length
        seen = landscape.evaluate(m, rng)
        slope = (seen.grad - (m * seen.grad).sum(-1, keepdim=True) * m) / length
        return float(seen.value), slope.reshape(-1).contiguous().numpy()

    options = {"maxiter": 20_000, "maxfun": 20_000, "ftol": 1e-15, "gtol": 1e-7, "maxcor": 20}
    found = minimize(look, start.reshape(-1).contiguous().numpy(), jac=True, method="L-BFGS-B", options=options)
    m = torch.from_numpy(found.x).reshape(1, *problem.grid.event)
    m = m / m.norm(dim=-1, keepdim=True)
    return m, float(problem.final(landscape, m, rng).value)


def wire(cell: float, length: float, periodic: bool, dmi: float) -> Magnet:
    grid = Grid((round(length / cell), 1, 1), (cell, 1e-9, 1e-9), (periodic, False, False))
    return Magnet(grid, Material(MS, A, dmi, UniaxialAnisotropy(K)))


def centres(problem: Magnet) -> Tensor:
    return (torch.arange(problem.grid.cells[0], dtype=torch.float64) + 0.5) * problem.grid.cell_size[0]


def in_plane_of_wire(angle: Tensor) -> Tensor:
    return torch.stack([torch.sin(angle), torch.zeros_like(angle), torch.cos(angle)], dim=-1)[None, None, None]


def extrapolated(coarse: float, fine: float) -> float:
    """Limit of a quantity with an error in d², from cells of d and d/2."""
    return (4 * fine - coarse) / 3


def two_walls(cell: float, dmi: float) -> float:
    """Energy of two walls in a periodic wire above the uniform state, per wall and area, in J/m²."""
    length = 40 * WALL
    problem = wire(length / round(length / cell), length, True, dmi)
    x = centres(problem)
    turn = 2 * torch.atan(torch.exp((x - length / 4) / WALL)) + 2 * torch.atan(torch.exp((x - 3 * length / 4) / WALL))
    _, energy = relaxed(problem, in_plane_of_wire(-math.copysign(1.0, dmi) * turn))
    uniform = -K * problem.grid.count * problem.grid.volume
    return (energy - uniform) / 2 / 1e-18


@pytest.mark.parametrize("dmi", [0.0, 2e-3, -2e-3])
def test_a_wall_has_the_energy_four_root_a_k_minus_pi_d(dmi: float) -> None:
    truth = 4 * math.sqrt(A * K) - math.pi * abs(dmi)
    coarse, fine = two_walls(WALL / 5, dmi), two_walls(WALL / 10, dmi)
    # halving the cell divides the error by 4 and leaves terms of order (d/WALL)⁴ = 1e-4 of 1/100
    assert abs(fine - truth) < abs(coarse - truth)
    assert abs(extrapolated(coarse, fine) - truth) < 1e-5 * 4 * math.sqrt(A * K)


def test_an_open_edge_tilts_as_the_natural_boundary_condition_says() -> None:
    """tan(θ/2) = tan(θ_0/2) exp(-x/w) behind the edge x = 0, where θ' = -D/2A: sin θ_0 = D / (2 sqrt(A K)).

    Source: Rohart & Thiaville, Phys. Rev. B 88, 184422 (2013).
    """
    dmi = 2e-3
    edge = math.asin(dmi / (2 * math.sqrt(A * K)))
    errors = []
    for cell in (WALL / 4, WALL / 8):
        problem = wire(cell, 24 * WALL, False, dmi)
        m, _ = relaxed(problem, in_plane_of_wire(torch.full((problem.grid.count,), 1e-3, dtype=torch.float64)))
        x = centres(problem)[: problem.grid.count // 2]
        angle = torch.atan2(m[0, 0, 0, : len(x), 0], m[0, 0, 0, : len(x), 2])
        truth = 2 * torch.atan(math.tan(edge / 2) * torch.exp(-x / WALL))
        errors.append(float((angle - truth).abs().max()))
    assert errors[1] < 0.3 * errors[0]  # second order: a quarter
    assert errors[1] < 1e-3 * edge


def radial_skyrmion() -> tuple[float, float]:
    """Radius (m) and energy per thickness above the uniform state (J/m) of the continuum's skyrmion.

    θ'' + θ'/r - sin θ cos θ / r² + (D/A) sin² θ / r - (K/A) sin θ cos θ = 0,  θ(0) = π, θ(∞) = 0, in units of the wall's width.
    """
    d = D / math.sqrt(A * K)
    r = np.linspace(1e-3, 20, 400)

    def slopes(r: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        theta, slope = y
        sc = np.sin(theta) * np.cos(theta)
        return np.vstack([slope, -slope / r + sc / r**2 - d * np.sin(theta) ** 2 / r + sc])

    guess = np.vstack([2 * np.arctan(np.sinh(1.5) / np.sinh(r)), -2 / np.cosh(r - 1.5)])
    found = solve_bvp(slopes, lambda a, b: np.array([a[0] - math.pi - 1e-3 * a[1], b[0]]), r, guess, tol=1e-9, max_nodes=200_000)
    assert found.success
    fine = np.linspace(1e-3, 20, 200_001)
    theta, slope = found.sol(fine)
    radius = float(np.interp(-math.pi / 2, -theta, fine)) * WALL
    sin, cos = np.sin(theta), np.cos(theta)
    density = (slope**2 + sin**2 / fine**2) + d * (slope + sin * cos / fine) + sin**2
    return radius, float(2 * math.pi * A * np.trapezoid(density * fine, fine))


EXAMPLE = Magnet(Grid((64, 64, 1), (1e-9, 1e-9, 0.4e-9), (True, True, False)), PT_CO, start=SkyrmionStart(10e-9, -1))
COARSE = Magnet(Grid((32, 32, 1), (2e-9, 2e-9, 0.4e-9), (True, True, False)), PT_CO, start=SkyrmionStart(10e-9, -1))


class Skyrmion(NamedTuple):
    """A relaxed skyrmion."""

    energy: float  # J
    texture: float  # J above the uniform state
    radius: float  # m


def bottom_of(problem: Magnet) -> Skyrmion:
    """The minimum next to the problem's start, by SciPy."""
    landscape = problem.open(CPU, torch.float64)
    m, energy = relaxed(problem, problem.start(landscape, Stream.of(0, 1)))
    seen = problem.observe(landscape, m)
    assert abs(float(seen["topological_charge"].value) + 1) < 1e-12
    assert float(seen["max_torque"].value) < 1e-5
    return Skyrmion(energy, energy + K * problem.grid.count * problem.grid.volume, float(seen["skyrmion_radius"].value))


@pytest.fixture(scope="module")
def bottom() -> Skyrmion:
    return bottom_of(EXAMPLE)


def test_the_skyrmion_is_that_of_the_radial_equation(bottom: Skyrmion) -> None:
    """Its radius and energy in the limit of small cells; the box is so wide that its images add less than exp(-64/5)."""
    radius, energy = radial_skyrmion()
    coarse = bottom_of(COARSE)
    # cells of 2 and 1 nm differ by 2.7 % in radius; what extrapolation leaves is of the square of that
    assert abs(extrapolated(coarse.radius, bottom.radius) / radius - 1) < 1e-3
    assert abs(extrapolated(coarse.texture, bottom.texture) / (0.4e-9 * energy) - 1) < 1e-3


def walked(problem: Magnet, method: Method, rules: Rules, steps: int) -> Position:
    landscape, rng = problem.open(CPU, torch.float64), Stream.of(0, 1)
    position = begin(method, landscape, problem.start(landscape, rng), rng, rules)
    for frame in walk(method, landscape, position, rng, range(1, steps + 1), rules):
        position = frame.position
    return position


KERNELS = [Llg(damping=1.0, precession=False), Adam(), Lbfgs()]


@pytest.mark.parametrize("method", KERNELS, ids=["llg", "adam", "lbfgs"])
def test_the_example_relaxes_to_the_same_skyrmion_by_its_dynamics_and_by_optimizers(method: Method, bottom: Skyrmion) -> None:
    landscape, rng = EXAMPLE.open(CPU, torch.float64), Stream.of(0, 1)
    position = walked(EXAMPLE, method, Rules(Stop(max_torque=1e-3)), 50_000)
    assert position.outcome.tolist() == [Outcome.TORQUE]
    m = position.state.x
    seen = EXAMPLE.observe(landscape, m)
    assert float(seen["max_torque"].value) <= 1e-3
    assert abs(float(seen["topological_charge"].value) + 1) < 1e-12
    assert float((m.norm(dim=-1) - 1).abs().max()) < 1e-12
    # above a minimum the energy is of second order in the torque, (1e-3)² times the wall's cells over a soft curvature,
    # and the radius, which breathes in that soft valley, of first
    assert -1e-9 < (float(EXAMPLE.final(landscape, m, rng).value) - bottom.energy) / bottom.texture < 1e-5
    assert abs(float(seen["skyrmion_radius"].value) / bottom.radius - 1) < 0.005


def test_l_bfgs_relaxes_the_skyrmion_in_a_tenth_of_the_looks_that_the_dynamics_take() -> None:
    rules = Rules(Stop(max_torque=1e-3))
    dynamics, descent = (int(walked(EXAMPLE, method, rules, 50_000).spent.gradients) for method in (KERNELS[0], KERNELS[2]))
    assert 10 * descent < dynamics
