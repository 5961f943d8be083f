"""The magnet's energy and gradient: derivatives, closed forms on the lattice, symmetries."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from thalweg_core.descent.gradient_descent import GradientDescent
from thalweg_core.errors import Mismatch
from thalweg_core.landscape import EXACT_VALUE, FLAT, GRADIENT, LIPSCHITZ, VALUE, Evaluation
from thalweg_core.problem import require
from thalweg_core.streams import Stream
from thalweg_physics.constants import MU0
from thalweg_physics.magnet.dynamics.llg import Llg
from thalweg_physics.magnet.dynamics.spins import PRECESSION
from thalweg_physics.magnet.grid import Grid
from thalweg_physics.magnet.landscape import MagnetLandscape
from thalweg_physics.magnet.material import Material, UniaxialAnisotropy
from thalweg_physics.magnet.problem import Magnet
from thalweg_physics.magnet.starts import RandomStart, SkyrmionStart, UniformStart

CPU = torch.device("cpu")
MS = 580e3
PT_CO = Material(MS, 15e-12, 3e-3, UniaxialAnisotropy(588634.0))
TILTED = Material(MS, 15e-12, -2e-3, UniaxialAnisotropy(-4e5, (1.0, 2.0, -0.5)))
CELL = (1e-9, 2e-9, 0.7e-9)  # three different edges: a formula that mixes them up must fail
GRIDS = [
    Grid((5, 4, 3), CELL),
    Grid((5, 4, 3), CELL, (True, True, True)),
    Grid((7, 3, 1), CELL, (True, False, False)),
    Grid((3, 7, 1), CELL, (False, True, True)),
    Grid((2, 2, 2), CELL, (True, True, True)),
    Grid((1, 6, 1), CELL, (True, True, True)),
    Grid((1, 1, 1), CELL),
]


def opened(grid: Grid, material: Material, field: tuple[float, float, float] = (0.02, -0.3, 0.1)) -> MagnetLandscape:
    return Magnet(grid, material, field).open(CPU, torch.float64)


def looked(landscape: MagnetLandscape, m: Tensor) -> Evaluation:
    return landscape.evaluate(m, Stream.of(0, len(m)))


def spins(landscape: MagnetLandscape, replicas: int = 2, seed: int = 5) -> Tensor:
    return RandomStart()(landscape, Stream.of(seed, replicas))


def uniform(grid: Grid, direction: tuple[float, float, float]) -> Tensor:
    return torch.tensor(direction, dtype=torch.float64).expand(1, *grid.event)


@pytest.mark.parametrize("material", [PT_CO, TILTED])
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_the_gradient_is_the_central_difference_of_the_energy(grid: Grid, material: Material) -> None:
    landscape = opened(grid, material)
    m = spins(landscape)
    gradient = looked(landscape, m).grad
    for seed in range(5):
        v = Stream.of(seed, 2).normal_like(m)
        v = v / v.abs().max()
        # U is quadratic: a central difference is exact at any length, so the length may be large and rounding small
        slope = (looked(landscape, m + v).value - looked(landscape, m - v).value) / 2
        along = (gradient * v).sum(dim=(1, 2, 3, 4))
        assert torch.allclose(slope, along, rtol=1e-9, atol=1e-9 * landscape.curvature_bound())


@pytest.mark.parametrize("material", [PT_CO, TILTED])
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_every_component_of_the_gradient_is_a_central_difference_to_1e_8(grid: Grid, material: Material) -> None:
    landscape = opened(grid, material)
    m = spins(landscape, replicas=1)
    gradient = looked(landscape, m).grad.reshape(-1)
    steps = torch.eye(len(gradient), dtype=torch.float64).reshape(-1, *m.shape[1:])
    difference = (looked(landscape, m + steps).value - looked(landscape, m - steps).value) / 2
    assert float((difference - gradient).abs().max()) < 1e-8 * float(gradient.abs().max())


@pytest.mark.parametrize("material", [PT_CO, TILTED])
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_the_fused_pass_is_the_sum_of_the_terms_by_their_formulas(grid: Grid, material: Material) -> None:
    landscape = opened(grid, material)
    m = spins(landscape).requires_grad_()
    energy = torch.stack(list(landscape.energies(m).values())).sum(dim=0)
    (slope,) = torch.autograd.grad(energy.sum(), m)
    seen = looked(landscape, m.detach())
    scale = landscape.curvature_bound()
    assert torch.allclose(seen.value, energy.detach(), rtol=1e-12, atol=1e-13 * scale * grid.count)
    assert torch.allclose(seen.grad, slope, rtol=0, atol=1e-13 * scale)


def test_the_gradient_alone_is_the_gradient_of_the_evaluation_to_the_bit() -> None:
    landscape = opened(GRIDS[0], TILTED)
    m = spins(landscape)
    assert torch.equal(landscape.gradient(m), looked(landscape, m).grad)


def test_a_uniform_magnet_has_the_energy_of_anisotropy_and_field_alone() -> None:
    grid, field = Grid((6, 5, 2), CELL), (0.0, 0.1, 0.4)
    problem = Magnet(grid, PT_CO, field)
    landscape = problem.open(CPU, torch.float64)
    angle = 0.7
    m = uniform(grid, (0.0, math.sin(angle), math.cos(angle)))
    density = -588634.0 * math.cos(angle) ** 2 - MS * (0.1 * math.sin(angle) + 0.4 * math.cos(angle))  # J/m³
    energy = float(problem.final(landscape, m, Stream.of(0, 1)).value)
    assert math.isclose(energy, density * grid.count * grid.volume, rel_tol=1e-12)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_cycloid_has_the_closed_energy_of_its_lattice(axis: int) -> None:
    """m turns by q from cell to cell in the plane of the bond and z: every bond gives A/d² 2 (1 - cos q) + D/d sin q."""
    cells, cell = [1, 1, 1], (1.5e-9, 0.8e-9, 1e-9)
    cells[axis] = n = 24
    grid = Grid((cells[0], cells[1], 1), cell, (True, True, False))
    problem = Magnet(grid, Material(MS, 12e-12, 2.5e-3))
    landscape = problem.open(CPU, torch.float64)
    q = 2 * math.pi * 3 / n
    angle = q * torch.arange(n, dtype=torch.float64)
    m = torch.zeros(n, 3, dtype=torch.float64)
    m[:, axis], m[:, 2] = torch.sin(angle), torch.cos(angle)
    d = cell[axis]
    # the continuum's D (m_z ∂ m_x - m_x ∂ m_z) is + D q/d for this sense of rotation
    density = 12e-12 / d**2 * 2 * (1 - math.cos(q)) + 2.5e-3 / d * math.sin(q)
    energy = float(problem.final(landscape, m.reshape(1, *grid.event), Stream.of(0, 1)).value)
    assert math.isclose(energy, density * n * grid.volume, rel_tol=1e-12)


def test_turning_lattice_and_spins_together_by_a_right_angle_changes_nothing() -> None:
    grid = Grid((6, 6, 1), (1e-9, 1e-9, 1e-9), (True, True, False))
    landscape = opened(grid, PT_CO, (0.0, 0.0, 0.1))
    m = spins(landscape)
    turned = m.rot90(1, dims=(3, 2))  # cells: x -> y
    turned = torch.stack([-turned[..., 1], turned[..., 0], turned[..., 2]], dim=-1)
    assert torch.allclose(looked(landscape, m).value, looked(landscape, turned).value, rtol=1e-13)


def test_shifting_a_periodic_magnet_by_a_cell_changes_nothing() -> None:
    landscape = opened(Grid((5, 4, 3), CELL, (True, True, True)), TILTED)
    m = spins(landscape)
    for dim in (1, 2, 3):
        assert torch.allclose(looked(landscape, m).value, looked(landscape, m.roll(1, dims=dim)).value, rtol=1e-12)


def test_reversing_all_spins_and_the_field_changes_nothing() -> None:
    grid = GRIDS[0]
    here, there = opened(grid, TILTED, (0.1, 0.2, 0.3)), opened(grid, TILTED, (-0.1, -0.2, -0.3))
    m = spins(here)
    assert torch.allclose(looked(here, m).value, looked(there, -m).value, rtol=1e-13)


@pytest.mark.parametrize("build", [lambda m: m, lambda m: m.movedim(-1, 1).contiguous().movedim(1, -1)])
def test_the_memory_order_of_the_magnetization_does_not_matter_to_the_bit(build: Callable[[Tensor], Tensor]) -> None:
    landscape = opened(GRIDS[0], TILTED)
    m = spins(landscape).contiguous()
    seen, other = looked(landscape, m), looked(landscape, build(m))
    assert torch.equal(seen.value, other.value)
    assert torch.equal(seen.grad, other.grad)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_a_replica_is_the_same_to_the_bit_whoever_stands_beside_it(grid: Grid) -> None:
    landscape = opened(grid, TILTED)
    m = spins(landscape, replicas=32)
    alone = looked(landscape, m[:1])
    for width in (4, 32):
        beside = looked(landscape, m[:width])
        assert torch.equal(alone.value, beside.value[:1])
        assert torch.equal(alone.grad, beside.grad[:1])


@pytest.mark.parametrize(
    ("material", "field", "share"),
    [
        (PT_CO, (0.0, 0.0, 0.0), 0.9),
        (TILTED, (0.1, 0.0, 0.0), 0.9),
        (Material(MS, 0.0, 3e-3), (0.0, 0.0, 0.0), 0.6),
        (Material(MS, 0.0, 0.0, UniaxialAnisotropy(4e5)), (0.0, 0.0, 0.0), 0.99),
        (Material(MS), (0.0, 0.0, 0.4), 0.99),
    ],
)
def test_no_curvature_along_the_spheres_exceeds_the_bound_and_some_come_near(
    material: Material, field: tuple[float, float, float], share: float
) -> None:
    """The largest eigenvalue of the Riemannian Hessian, by the full matrix, at several magnetizations."""
    grid = Grid((4, 4, 2), CELL, (True, True, True))
    landscape = opened(grid, material, field)
    size = 3 * grid.count
    zero = torch.zeros(1, *grid.event, dtype=torch.float64)
    basis = torch.eye(size, dtype=torch.float64).reshape(size, *grid.event)
    ambient = (landscape.gradient(basis) - landscape.gradient(zero)).reshape(size, size)
    # a cycloid that turns by a right angle from cell to cell along x, where the DMI is strongest
    turn = torch.tensor([[0.0, 0, 1], [1, 0, 0], [0, 0, -1], [-1, 0, 0]], dtype=torch.float64).expand(1, 2, 4, 4, 3)
    straight = [uniform(grid, (0, 0, 1)), uniform(grid, (0.6, 0.0, 0.8)), uniform(grid, (1.0, 0, 0))]
    largest = 0.0
    for m in (*spins(landscape, 4).split(1), *straight, turn, -turn, turn.flip(3), turn.roll(1, dims=3)):
        p = torch.eye(size, dtype=torch.float64) - _outer(m.reshape(-1, 3))
        along = (m * landscape.gradient(m)).sum(-1).reshape(-1).repeat_interleave(3)
        hessian = p @ ambient @ p - p @ torch.diag(along) @ p
        largest = max(largest, float(torch.linalg.eigvalsh(hessian).max()))
    bound = landscape.curvature_bound()
    assert share * bound < largest < bound * (1 + 1e-12)


def _outer(m: Tensor) -> Tensor:
    return torch.block_diag(*(v[:, None] * v for v in m))


def test_the_unit_of_energy_is_mu0_ms_squared_times_the_volume_of_a_cell() -> None:
    problem = Magnet(GRIDS[0], PT_CO)
    landscape = problem.open(CPU, torch.float64)
    m = spins(landscape)
    scale = MU0 * MS**2 * 1e-9 * 2e-9 * 0.7e-9
    assert math.isclose(problem.energy_scale, scale, rel_tol=1e-14)
    final = problem.final(landscape, m, Stream.of(0, 2))
    assert torch.allclose(final.value, looked(landscape, m).value * scale, rtol=1e-14, atol=0)
    assert not final.value_var.any()
    parts = [seen.value for name, seen in problem.observe(landscape, m).items() if name.endswith("_energy")]
    assert torch.allclose(torch.stack(parts).sum(dim=0), final.value, rtol=1e-11, atol=0)


def test_a_magnet_tells_what_it_knows_before_it_is_opened() -> None:
    traits = Magnet(Grid((64, 32, 2), CELL), PT_CO).traits()
    assert traits.dimension == 2 * 64 * 32 * 2
    assert traits.unit == "J"
    assert traits.memory_per_replica > 10 * 24 * 64 * 32 * 2  # state, gradient, variance and temporaries
    assert {VALUE, EXACT_VALUE, GRADIENT, LIPSCHITZ, PRECESSION} == traits.knows
    with pytest.raises(Mismatch, match=r"method\.flat.*problem\.magnet has a unit vector in every cell.*; use method\.llg"):
        require("flat", _NeedsFlatSpace(), "magnet", traits, ["llg", "adam"])  # type: ignore[arg-type]


class _NeedsFlatSpace:
    needs = frozenset({FLAT})


def test_nothing_is_computed_on_another_device_than_the_one_asked_for() -> None:
    """On "meta" tensors have no numbers, and refuse to meet any that have."""
    meta, rng = torch.device("meta"), Stream.of(0, 2)
    problem = Magnet(GRIDS[0], TILTED, (0.0, 0.1, 0.2))
    landscape = problem.open(meta, torch.float64)
    for start in (RandomStart(), UniformStart((1.0, 0.0, 0.0)), SkyrmionStart(2e-9)):
        m = start(landscape, rng)
        method = Llg(0.5)
        state, _ = method.step(landscape, method.init(landscape, m, rng), rng)
        assert state.x.device == state.seen.value.device == meta
        assert all(seen.value.device == meta for seen in problem.observe(landscape, state.x).values())


def test_gradient_descent_by_default_takes_steps_as_long_as_the_stiffest_wave_allows_and_never_rises() -> None:
    film = Magnet(Grid((8, 8, 1), (1e-9, 1e-9, 0.4e-9), (True, True, False)), PT_CO, start=RandomStart())
    landscape, rng = film.open(CPU, torch.float64), Stream.of(3, 2)
    method = GradientDescent()
    state = method.init(landscape, film.start(landscape, rng.named("start")), rng)
    assert math.isclose(method.resolved(landscape).learning_rate or 0.0, 1 / landscape.curvature_bound(), rel_tol=1e-15)
    for step in range(1, 60):
        before, (state, _) = state.seen.value, method.step(landscape, state, rng.at(step))
        assert bool((state.seen.value <= before).all())
