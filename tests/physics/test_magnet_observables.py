"""Charge, radius, torque, files and pictures of a magnetization."""

from __future__ import annotations

import io
import math
import struct
from itertools import product

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from thalweg_core.errors import BadInput
from thalweg_core.streams import Stream
from thalweg_physics.magnet.files import ovf
from thalweg_physics.magnet.files.picture import colours, picture
from thalweg_physics.magnet.grid import Grid
from thalweg_physics.magnet.material import Material, UniaxialAnisotropy
from thalweg_physics.magnet.observables import max_torque, skyrmion_radius, topological_charge
from thalweg_physics.magnet.problem import Magnet
from thalweg_physics.magnet.starts import RandomStart, SkyrmionStart, UniformStart

CPU = torch.device("cpu")
PT_CO = Material(580e3, 15e-12, 3e-3, UniaxialAnisotropy(588634.0))
BOX = Grid((40, 36, 2), (1e-9, 1.25e-9, 0.4e-9), (True, True, False))


def started(
    grid: Grid, start: SkyrmionStart | UniformStart | RandomStart, material: Material = PT_CO, replicas: int = 1
) -> Tensor:
    problem = Magnet(grid, material, start=start)
    return problem.start(problem.open(CPU, torch.float64), Stream.of(7, replicas))


@pytest.mark.parametrize("polarity", [-1, 1])
def test_a_skyrmion_has_the_charge_of_its_core(polarity: int) -> None:
    charge = topological_charge(started(BOX, SkyrmionStart(9e-9, polarity)), BOX)
    assert abs(float(charge) - polarity) < 1e-12


def test_rough_magnetizations_in_a_periodic_box_have_whole_charges_and_not_all_none() -> None:
    grid = Grid((16, 12, 1), (1e-9, 1e-9, 1e-9), (True, True, False))
    charges = topological_charge(started(grid, RandomStart(), replicas=8), grid)
    assert float((charges - charges.round()).abs().max()) < 1e-11
    assert float(charges.abs().max()) >= 1


def test_a_uniform_magnet_has_no_charge_and_no_skyrmion() -> None:
    for direction in ((0.0, 0.0, 1.0), (1.0, 2.0, -3.0), (1.0, 0.0, 0.0)):
        m = started(BOX, UniformStart(direction))
        assert float(topological_charge(m, BOX)) == 0
        assert float(skyrmion_radius(m, BOX)) == 0


def test_the_charge_of_an_open_patch_is_the_solid_angle_it_covers() -> None:
    """A cap m = (r̂ sin θ, cos θ) whose θ grows to π/2 within r = 15 cells, and stays: half the sphere, Q = 1/2."""
    n = 81
    grid = Grid((n, n, 1), (1.0, 1.0, 1.0))
    x = torch.arange(n, dtype=torch.float64) - (n - 1) / 2
    r = torch.hypot(x[None, :], x[:, None])
    theta = math.pi * (r / 30).clamp(max=0.5)
    m = torch.stack(
        [torch.sin(theta) * x[None, :] / r.clamp_min(1e-9), torch.sin(theta) * x[:, None] / r.clamp_min(1e-9), torch.cos(theta)],
        dim=-1,
    )
    assert abs(float(topological_charge(m[None, None], grid)) - 0.5) < 1e-3


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.3, 0.45), (0.5, 0.1)])
def test_the_radius_is_that_of_the_disk_wherever_its_centre_lies_between_cells(shift: tuple[float, float]) -> None:
    """m_z linear across the edge of a disk: triangles cut its area by less than the sagitta of a cell, d²/8R."""
    d, radius = 1e-9, 8e-9
    grid = Grid((40, 40, 1), (d, d, d), (True, True, False))
    x = torch.arange(40, dtype=torch.float64) * d - 20e-9 + shift[0] * d
    y = torch.arange(40, dtype=torch.float64) * d - 20e-9 + shift[1] * d
    m_z = ((torch.hypot(x[None, :], y[:, None]) - radius) / 4e-9).clamp(-1, 1)
    m = torch.stack([torch.sqrt(1 - m_z**2), torch.zeros_like(m_z), m_z], dim=-1)[None, None]
    assert abs(float(skyrmion_radius(m, grid)) - radius) < d**2 / (8 * radius)
    assert abs(float(skyrmion_radius(-m, grid)) - radius) < d**2 / (8 * radius)


def test_the_radius_counts_a_thin_stripe_in_full() -> None:
    """One row of cells down among rows up: zero crossings half a cell away on both sides."""
    grid = Grid((10, 12, 1), (1e-9, 1e-9, 1e-9), (True, True, False))
    m = started(grid, UniformStart((0, 0, 1))).clone()
    m[:, :, 4, :, 2] = -1
    assert math.isclose(float(skyrmion_radius(m, grid)), math.sqrt(10 * 1e-18 / math.pi), rel_tol=1e-12)


def test_the_torque_is_the_cross_product_with_the_field() -> None:
    m = started(BOX, RandomStart(), replicas=3)
    h = Stream.of(9, 3).normal_like(m)
    cross = torch.linalg.cross(m, h).norm(dim=-1).reshape(3, -1).amax(dim=1)
    assert torch.allclose(max_torque(m, -h), cross, rtol=1e-12)


@pytest.mark.parametrize("dmi", [3e-3, -3e-3])
@pytest.mark.parametrize("polarity", [-1, 1])
def test_a_skyrmion_starts_with_its_radius_its_far_field_and_the_turn_that_its_dmi_prefers(polarity: int, dmi: float) -> None:
    grid = Grid((64, 64, 1), (1e-9, 1e-9, 0.4e-9), (True, True, False))
    problem = Magnet(grid, Material(580e3, 15e-12, dmi, UniaxialAnisotropy(588634.0)), start=SkyrmionStart(10e-9, polarity))
    landscape = problem.open(CPU, torch.float64)
    m = problem.start(landscape, Stream.of(0, 2))
    seen = problem.observe(landscape, m)
    assert torch.allclose(seen["skyrmion_radius"].value, torch.tensor(10e-9, dtype=torch.float64), rtol=5e-3, atol=0)
    assert float(seen["dmi_energy"].value[0]) < 0
    assert float(m[0, 0, 32, 32, 2]) * polarity > 0.9
    assert float(m[0, 0, 0, 0, 2]) * polarity < -0.99
    assert torch.equal(m[0], m[1])
    assert float((m.norm(dim=-1) - 1).abs().max()) < 1e-14


def test_random_spins_are_uniform_on_the_sphere() -> None:
    m = started(Grid((20, 20, 20), (1e-9, 1e-9, 1e-9)), RandomStart())
    count = 20**3
    assert float(m.mean(dim=(0, 1, 2, 3)).abs().max()) < 4 / math.sqrt(3 * count)  # each component has variance 1/3
    # m_z is uniform on [-1, 1]: its fourth moment is 1/5, with variance 1/9 - 1/25
    assert abs(float((m[..., 2] ** 4).mean()) - 0.2) < 4 * math.sqrt((1 / 9 - 1 / 25) / count)


def test_an_ovf_file_comes_back_to_the_bit() -> None:
    m = started(Grid((3, 4, 2), (1e-9, 1.1e-9, 0.4e-9)), RandomStart())[0]
    back = ovf.loads(ovf.dumps(ovf.Ovf(m, (1e-9, 1.1e-9, 0.4e-9), "a title")))
    assert torch.equal(back.values, m)
    assert back.cell_size == (1e-9, 1.1e-9, 0.4e-9)
    assert back.title == "a title"


def test_an_ovf_file_has_the_bytes_that_the_standard_says() -> None:
    """x runs fastest, then y, then z; little-endian doubles behind the check value 123456789012345.0."""
    nx, ny, nz = 3, 4, 2
    values = torch.zeros(nz, ny, nx, 3, dtype=torch.float64)
    values[1, 2, 0] = torch.tensor([0.25, -0.5, 1.0])
    content = ovf.dumps(ovf.Ovf(values, (1e-9, 2e-9, 3e-9), "m"))
    head, data = content.split(b"# Begin: Data Binary 8\n")
    lines = head.decode().splitlines()
    assert lines[0] == "# OOMMF OVF 2.0"
    for line in (
        "# xnodes: 3",
        "# ynodes: 4",
        "# znodes: 2",
        "# valuedim: 3",
        "# ystepsize: 2e-09",
        "# meshtype: rectangular",
        "# meshunit: m",
    ):
        assert line in lines
    assert struct.unpack("<d", data[:8]) == (123456789012345.0,)
    cell = 8 + 24 * (0 + nx * (2 + ny * 1))
    assert struct.unpack("<3d", data[cell : cell + 24]) == (0.25, -0.5, 1.0)
    assert data[8 + 24 * nx * ny * nz :] == b"\n# End: Data Binary 8\n# End: Segment\n"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c[:-200],
        lambda c: c.replace(b"OOMMF OVF 2.0", b"OOMMF OVF 1.0"),
        lambda c: b"",
        lambda c: c.replace(struct.pack("<d", 123456789012345.0), struct.pack(">d", 123456789012345.0)),
    ],
)
def test_a_torn_or_foreign_ovf_file_is_refused(spoil: object) -> None:
    content = ovf.dumps(ovf.Ovf(torch.zeros(2, 3, 4, 3, dtype=torch.float64), (1.0, 1.0, 1.0), "m"))
    with pytest.raises(BadInput):
        ovf.loads(spoil(content))  # type: ignore[operator]


def test_up_is_white_down_is_black_and_the_plane_is_the_wheel_of_colours() -> None:
    directions = {
        (0.0, 0.0, 1.0): (1.0, 1.0, 1.0),
        (0.0, 0.0, -1.0): (0.0, 0.0, 0.0),
        (1.0, 0.0, 0.0): (1.0, 0.0, 0.0),  # red
        (0.5, math.sqrt(0.75), 0.0): (1.0, 1.0, 0.0),  # 60 degrees: yellow
        (-0.5, math.sqrt(0.75), 0.0): (0.0, 1.0, 0.0),  # 120: green
        (-1.0, 0.0, 0.0): (0.0, 1.0, 1.0),  # 180: cyan
        (-0.5, -math.sqrt(0.75), 0.0): (0.0, 0.0, 1.0),  # 240: blue
        (0.5, -math.sqrt(0.75), 0.0): (1.0, 0.0, 1.0),  # 300: magenta
    }
    got = colours(torch.tensor(list(directions), dtype=torch.float64))
    assert torch.allclose(got, torch.tensor(list(directions.values()), dtype=torch.float64), atol=1e-12)


def test_colours_are_those_of_the_standard_library() -> None:
    import colorsys

    m = started(Grid((6, 6, 1), (1e-9, 1e-9, 1e-9)), RandomStart()).reshape(-1, 3)
    for spin, rgb in zip(m.tolist(), colours(m).tolist(), strict=True):
        hue = math.atan2(spin[1], spin[0]) / (2 * math.pi) % 1.0
        assert np.allclose(rgb, colorsys.hls_to_rgb(hue, (1 + spin[2]) / 2, 1.0), atol=1e-12)


def test_a_picture_is_a_png_with_y_upwards() -> None:
    m = torch.zeros(10, 20, 3, dtype=torch.float64)
    m[..., 2] = -1
    m[9, 0] = torch.tensor([1.0, 0.0, 0.0])  # the top left cell points along x: red
    image = np.asarray(Image.open(io.BytesIO(picture(m))))
    assert image.shape == (240, 480, 3)
    assert image[0, 0].tolist() == image[23, 23].tolist() == [255, 0, 0]
    assert image[24, 24].tolist() == [0, 0, 0]


def test_a_magnet_keeps_its_magnetization_and_two_pictures() -> None:
    problem = Magnet(BOX, PT_CO, start=SkyrmionStart(9e-9))
    landscape = problem.open(CPU, torch.float64)
    start = problem.start(landscape, Stream.of(0, 3))
    end = -start
    files = {file.name: file for file in problem.files(landscape, start, end)}
    assert set(files) == {"magnetization.ovf", "magnetization-1.ovf", "magnetization-2.ovf", "before.png", "after.png"}
    assert torch.equal(ovf.loads(files["magnetization.ovf"].content).values, end[0])
    assert files["before.png"].content == picture(start[0, 1])
    assert files["after.png"].content == picture(end[0, 1])


@pytest.mark.parametrize(
    ("field", "build"),
    [
        ("cells", lambda: Grid((0, 4, 1), (1e-9, 1e-9, 1e-9))),
        ("cells", lambda: Grid((4, 4), (1e-9, 1e-9, 1e-9))),  # type: ignore[arg-type]
        ("cells", lambda: Grid((100_000, 100_000, 1), (1e-9, 1e-9, 1e-9))),
        ("cell_size", lambda: Grid((4, 4, 1), (1e-9, 0.0, 1e-9))),
        ("cell_size", lambda: Grid((4, 4, 1), (1e-9, math.nan, 1e-9))),
        ("cell_size", lambda: Grid((4, 4, 1), (1e-9, 1e-9))),  # type: ignore[arg-type]
        ("cell_size", lambda: Grid((4, 4, 1), (1e-9, 1e-170, 1e-9))),
        ("cell_size", lambda: Grid((4, 4, 1), (1e-9, 1e170, 1e-9))),
        ("periodic", lambda: Grid((4, 4, 1), (1e-9, 1e-9, 1e-9), (True,))),  # type: ignore[arg-type]
        ("saturation_magnetization", lambda: Material(0.0)),
        ("saturation_magnetization", lambda: Material(math.inf)),
        ("saturation_magnetization", lambda: Material(1e300)),
        ("saturation_magnetization", lambda: Material(1e-170)),
        ("exchange_stiffness", lambda: Material(5e5, -1e-12)),
        ("exchange_stiffness", lambda: Material(5e5, math.nan)),
        ("exchange_stiffness", lambda: Material(5e5, 1e300)),
        ("interfacial_dmi", lambda: Material(5e5, 1e-12, math.nan)),
        ("interfacial_dmi", lambda: Material(5e5, 1e-12, -1e300)),
        ("constant", lambda: UniaxialAnisotropy(math.nan)),
        ("constant", lambda: UniaxialAnisotropy(-1e300)),
        ("axis", lambda: UniaxialAnisotropy(1.0, (0.0, 0.0, 0.0))),
        ("axis", lambda: UniaxialAnisotropy(1.0, (0.0, 1.0))),  # type: ignore[arg-type]
        ("radius", lambda: SkyrmionStart(0.0)),
        ("polarity", lambda: SkyrmionStart(1e-9, 0)),
        ("direction", lambda: UniformStart((0.0, 0.0, 0.0))),
        ("direction", lambda: UniformStart((math.inf, 0.0, 0.0))),
        ("external_field", lambda: Magnet(BOX, PT_CO, (0.0, 0.0))),  # type: ignore[arg-type]
        ("external_field", lambda: Magnet(BOX, PT_CO, (0.0, 0.0, math.nan))),
        ("external_field", lambda: Magnet(BOX, PT_CO, (0.0, 1e300, 0.0))),
        ("material", lambda: Magnet(BOX, Material(580e3))),
        ("material", lambda: Magnet(BOX, Material(580e3), (0.0, 0.0, 5e-324))),
        ("material", lambda: Magnet(Grid((1, 1, 1), (1e-9, 1e-9, 1e-9)), Material(580e3, 15e-12, 3e-3))),
        ("start.skyrmion.radius", lambda: Magnet(BOX, PT_CO, start=SkyrmionStart(20e-9))),
        ("start.skyrmion.radius", lambda: Magnet(BOX, PT_CO, start=SkyrmionStart(1e-9))),
    ],
)
def test_what_cannot_be_a_magnet_is_refused_by_the_name_of_its_field(field: str, build: object) -> None:
    with pytest.raises(BadInput) as refused:
        build()  # type: ignore[operator]
    assert refused.value.field == field
    assert "wanted" in refused.value.sentence


def test_the_largest_and_the_smallest_numbers_that_are_taken_make_finite_energies_even_in_single_precision() -> None:
    sizes, largest = [(1e-12,) * 3, (1.0,) * 3], UniaxialAnisotropy(1e12)
    materials = [Material(ms, 1e3, 1e6, largest) for ms in (1.0, 1e9)] + [Material(ms, 1e-20) for ms in (1.0, 1e9)]
    for size, material in product(sizes, materials):
        problem = Magnet(Grid((3, 2, 2), size), material, (0.0, 1e6, 0.0))
        landscape = problem.open(CPU, torch.float32)
        seen = landscape.evaluate(problem.start(landscape, Stream.of(0, 2)), Stream.of(0, 2))
        assert torch.isfinite(seen.value).all() and torch.isfinite(seen.grad).all()
        assert 0 < problem.energy_scale < math.inf


@pytest.mark.parametrize("axis", [(0.0, 0.0, 1e-200), (0.0, 0.0, 1e200), (0.0, 0.0, 5.0)])
def test_the_length_of_an_axis_does_not_matter(axis: tuple[float, float, float]) -> None:
    m = started(BOX, RandomStart())
    plain = Magnet(BOX, Material(580e3, uniaxial_anisotropy=UniaxialAnisotropy(1e5)))
    scaled = Magnet(BOX, Material(580e3, uniaxial_anisotropy=UniaxialAnisotropy(1e5, axis)))
    values = [p.final(p.open(CPU, torch.float64), m, Stream.of(0, 1)).value for p in (plain, scaled)]
    assert torch.equal(*values)
