"""The Landau–Lifshitz–Gilbert march: a single spin's closed form, order, descent, constraint, replicas."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from thalweg_core.errors import BadInput
from thalweg_core.numbers.trees import map_tensors
from thalweg_core.streams import Stream
from thalweg_core.walking.account import Budget
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.stopping import Stop
from thalweg_core.walking.walk import Rules, begin, walk
from thalweg_physics.constants import GYROMAGNETIC_RATIO, MU0
from thalweg_physics.magnet.dynamics.llg import Llg, LlgState, stable_angle
from thalweg_physics.magnet.grid import Grid
from thalweg_physics.magnet.landscape import MagnetLandscape
from thalweg_physics.magnet.material import Material, UniaxialAnisotropy
from thalweg_physics.magnet.problem import Magnet
from thalweg_physics.magnet.starts import RandomStart, SkyrmionStart, UniformStart

CPU = torch.device("cpu")
MS = 580e3
PT_CO = Material(MS, 15e-12, 3e-3, UniaxialAnisotropy(588634.0))
FILM = Grid((24, 20, 1), (2e-9, 2.5e-9, 0.4e-9), (True, True, False))
ODD = Grid((5, 7, 1), (2e-9, 2.5e-9, 0.4e-9), (True, False, False))  # sizes that no vector register divides
POINT = Grid((1, 1, 1), (1e-9, 1e-9, 1e-9))


def opened(problem: Magnet) -> MagnetLandscape:
    return problem.open(CPU, torch.float64)


def march(method: Llg, landscape: MagnetLandscape, x: Tensor, steps: int) -> list[LlgState]:
    """The states after 0, 1, … steps."""
    rng = Stream.of(0, len(x))
    state = method.init(landscape, x, rng)
    states = [map_tensors(torch.clone, state)]
    for step in range(1, steps + 1):
        state, _ = method.step(landscape, state, rng.at(step))
        states.append(map_tensors(torch.clone, state))
    return states


def larmor_angle_and_m_z(alpha: float, field: float, time: float, m_z0: float) -> tuple[float, float]:
    """A spin in a field along z: φ = γ' H t, m_z = tanh(α γ' H t + artanh m_z0), γ' = γ / (1 + α²)."""
    angle = GYROMAGNETIC_RATIO * field / (1 + alpha**2) * time
    return angle, math.tanh(alpha * angle + math.atanh(m_z0))


def spin_in_a_field(alpha: float, time_step: float, steps: int) -> tuple[float, float, float]:
    """Angle, m_z and time of a spin that starts in the x–z plane at m_z = -0.6, in 0.5 T along z."""
    landscape = opened(Magnet(POINT, Material(MS), (0.0, 0.0, 0.5), UniformStart((0.8, 0.0, -0.6))))
    x = UniformStart((0.8, 0.0, -0.6))(landscape, Stream.of(0, 1))
    last = march(Llg(alpha, True, time_step), landscape, x, steps)[-1]
    m = last.x.flatten()
    return math.atan2(float(m[1]), float(m[0])), float(m[2]), float(last.time)


@pytest.mark.parametrize("alpha", [0.02, 0.3, 1.0])
def test_a_single_spin_precesses_and_falls_as_its_closed_form_says(alpha: float) -> None:
    angle, m_z, time = spin_in_a_field(alpha, 1e-15, 20_00)
    assert math.isclose(time, 2e-12, rel_tol=1e-12)
    true_angle, true_m_z = larmor_angle_and_m_z(alpha, 0.5, time, -0.6)
    # Heun's local error is about (γ B dt)³ / 6 = 1e-13, over 2000 steps 2e-10
    assert abs(angle - true_angle) < 1e-9
    assert abs(m_z - true_m_z) < 1e-9


def test_halving_the_step_quarters_the_error() -> None:
    errors = []
    for steps in (100, 200, 400):
        angle, m_z, time = spin_in_a_field(0.3, 1e-12 / steps * 4, steps)
        true_angle, true_m_z = larmor_angle_and_m_z(0.3, 0.5, time, -0.6)
        errors.append(math.hypot(angle - true_angle, m_z - true_m_z))
    for coarse, fine in itertools.pairwise(errors):
        assert 3.8 < coarse / fine < 4.2


def test_small_oscillations_about_the_easy_axis_have_kittels_frequency() -> None:
    material = Material(MS, uniaxial_anisotropy=UniaxialAnisotropy(588634.0))
    tilt = 1e-4
    landscape = opened(Magnet(POINT, material))
    x = UniformStart((math.sin(tilt), 0.0, math.cos(tilt)))(landscape, Stream.of(0, 1))
    last = march(Llg(1e-8, True, 2e-15), landscape, x, 3000)[-1]
    m = last.x.flatten()
    frequency = GYROMAGNETIC_RATIO * 2 * 588634.0 / (2 * math.pi * MS)
    turned = 2 * math.pi * frequency * float(last.time)
    assert turned > 2  # a third of a turn and more
    assert abs(math.atan2(float(m[1]), float(m[0])) - turned) < 1e-6


def test_without_precession_a_spin_follows_the_same_meridian() -> None:
    landscape = opened(Magnet(POINT, Material(MS), (0.0, 0.0, 0.5)))
    x = UniformStart((0.48, 0.64, -0.6))(landscape, Stream.of(0, 1))
    last = march(Llg(0.5, False, 1e-14), landscape, x, 500)[-1]
    m = last.x.flatten()
    _, m_z = larmor_angle_and_m_z(0.5, 0.5, float(last.time), -0.6)
    assert math.isclose(float(m[1] / m[0]), 0.64 / 0.48, rel_tol=1e-12)
    assert abs(float(m[2]) - m_z) < 1e-7


@pytest.mark.parametrize("start", [SkyrmionStart(8e-9), RandomStart()])
@pytest.mark.parametrize("time_step", [None, 5e-12])
def test_downhill_the_energy_never_rises_and_spins_stay_on_their_spheres(
    start: SkyrmionStart | RandomStart, time_step: float | None
) -> None:
    """5 ps is some twenty times the stable step: it must be halved, not believed."""
    steps = 300 if time_step is None else 40
    problem = Magnet(FILM, PT_CO, (0.0, 0.05, 0.02), start)
    landscape = opened(problem)
    states = march(Llg(1.0, False, time_step), landscape, problem.start(landscape, Stream.of(3, 3)), steps)
    energies = torch.stack([state.seen.value for state in states])
    rounding = 2e-16 * landscape.curvature_bound() * math.sqrt(FILM.count)
    assert float(energies.diff(dim=0).max()) <= rounding
    assert float((energies[-1] - energies[0]).max()) < -1e3 * rounding
    for state in states:
        assert float((torch.linalg.vector_norm(state.x, dim=-1) - 1).abs().max()) < 1e-12


def test_a_halved_step_is_charged_for() -> None:
    problem = Magnet(FILM, PT_CO, start=SkyrmionStart(8e-9))
    landscape = opened(problem)
    rng = Stream.of(3, 2)
    x = problem.start(landscape, rng)
    costs = {}
    for time_step in (None, 5e-12):
        method = Llg(1.0, False, time_step)
        state = method.init(landscape, x, rng)
        moved, info = method.step(landscape, state, rng.at(1))
        halvings = torch.log2(method.seconds(landscape) / moved.time).round().to(torch.int64)
        assert torch.equal(info.cost.gradients, 2 * (1 + halvings))
        assert torch.equal(info.cost.evaluations, 1 + halvings)
        costs[time_step] = int(info.cost.gradients[0])
    assert costs[None] == 2 < costs[5e-12]


@pytest.mark.parametrize("alpha", [0.05, 0.5, 1.0, 5.0])
def test_the_stable_angle_is_where_heuns_factor_leaves_the_unit_circle(alpha: float) -> None:
    def factor(s: float) -> float:
        z = s * complex(-alpha, 1.0)
        return abs(1 + z + z * z / 2)

    s = stable_angle(alpha)
    assert math.isclose(factor(s), 1.0, abs_tol=1e-12)
    assert max(factor(s * part / 100) for part in range(1, 100)) < 1
    assert factor(1.001 * s) > 1


@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_the_default_step_with_precession_relaxes_a_rough_film(alpha: float) -> None:
    problem = Magnet(FILM, PT_CO, (0.0, 0.0, 0.5), RandomStart())
    landscape = opened(problem)
    states = march(Llg(alpha), landscape, problem.start(landscape, Stream.of(3, 1)), 400)
    energies = torch.cat([state.seen.value for state in states])
    assert bool(torch.isfinite(energies).all())
    assert float(energies[-1]) < float(energies[200]) < float(energies[0])


@pytest.mark.parametrize("precession", [True, False])
def test_a_march_is_the_same_to_the_bit_whoever_marches_beside(precession: bool) -> None:
    problem = Magnet(ODD, PT_CO, (0.1, 0.2, 0.3), RandomStart())
    landscape = opened(problem)
    method = Llg(0.5, precession)
    ends = {}
    for replicas in (1, 4, 32):
        x = problem.start(landscape, Stream.of(11, replicas))
        ends[replicas] = march(method, landscape, x, 30)[-1]
    for replicas in (4, 32):
        assert torch.equal(ends[1].x, ends[replicas].x[:1])
        assert torch.equal(ends[1].seen.value, ends[replicas].seen.value[:1])
        assert torch.equal(ends[1].seen.grad, ends[replicas].seen.grad[:1])


def test_halving_the_step_of_one_replica_leaves_the_bits_of_the_others() -> None:
    """A rough magnet goes down by any step; the smooth one beside it must halve."""
    landscape = opened(Magnet(FILM, PT_CO))
    rough = RandomStart()(landscape, Stream.of(3, 1))
    smooth = SkyrmionStart(8e-9)(landscape, Stream.of(0, 1))
    method = Llg(1.0, False, 2e-12)
    alone, beside = march(method, landscape, rough, 3)[-1], march(method, landscape, torch.cat([rough, smooth]), 3)[-1]
    assert torch.equal(alone.x, beside.x[:1])
    assert torch.equal(alone.time, beside.time[:1])
    assert float(beside.time[1]) < float(beside.time[0])


@pytest.mark.parametrize("precession", [True, False])
def test_a_march_from_a_copied_state_is_the_unbroken_one_to_the_bit(precession: bool) -> None:
    """A checkpoint gives tensors back in another memory order."""
    problem = Magnet(ODD, PT_CO, (0.1, 0.2, 0.3), RandomStart())
    landscape, method, rng = opened(problem), Llg(0.5, precession), Stream.of(11, 2)
    states = march(method, landscape, problem.start(landscape, rng), 20)
    resumed = map_tensors(lambda t: t.contiguous().clone(memory_format=torch.contiguous_format), states[7])
    for step in range(8, 21):
        resumed, _ = method.step(landscape, resumed, rng.at(step))
    assert torch.equal(resumed.x, states[20].x)
    assert torch.equal(resumed.seen.value, states[20].seen.value)
    assert torch.equal(resumed.time, states[20].time)


def test_a_relaxed_magnet_stops_at_the_torque_it_was_asked_for() -> None:
    problem = Magnet(Grid((6, 6, 1), (1e-9, 1e-9, 1e-9), (True, True, False)), PT_CO, start=UniformStart((0.3, 0.2, 0.9)))
    landscape, rng, rules = opened(problem), Stream.of(0, 2), Rules(Stop(max_torque=1e-3), Budget(gradients=100_000))
    method = Llg(1.0, False)
    position = begin(method, landscape, problem.start(landscape, rng), rng, rules)
    for frame in walk(method, landscape, position, rng, range(1, 50_000), rules):
        position = frame.position
    assert position.outcome.tolist() == [Outcome.TORQUE] * 2
    seen = problem.observe(landscape, position.state.x)
    assert float(seen["max_torque"].value.max()) <= 1e-3
    assert abs(float(seen["mean_mz"].value[0]) - 1) < 1e-6


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("damping", {"damping": -0.1}),
        ("damping", {"damping": math.nan}),
        ("damping", {"damping": 1e300}),
        ("damping", {"damping": 5e-324}),
        ("damping", {"damping": 0.0, "precession": False}),
        ("time_step", {"damping": 0.0}),
        ("time_step", {"time_step": 0.0}),
        ("time_step", {"time_step": math.inf}),
    ],
)
def test_a_march_that_cannot_be_is_refused(field: str, arguments: dict[str, float]) -> None:
    with pytest.raises(BadInput) as refused:
        Llg(**arguments)  # type: ignore[arg-type]
    assert refused.value.field == field


@pytest.mark.parametrize("damping", [1e-30, 1e12])
@pytest.mark.parametrize("precession", [True, False])
def test_the_least_and_the_most_damping_have_a_stable_step(damping: float, precession: bool) -> None:
    assert 0 < Llg(damping, precession).seconds(Magnet(FILM, PT_CO)) < math.inf


def test_a_step_at_which_precession_swings_up_is_refused_with_the_largest_that_does_not() -> None:
    problem = Magnet(FILM, PT_CO)
    landscape = opened(problem)
    x = problem.start(landscape, Stream.of(0, 1))
    largest = Llg(0.5).seconds(landscape) / 0.9
    Llg(0.5, True, 0.999 * largest).init(landscape, x, Stream.of(0, 1))
    with pytest.raises(BadInput, match="wanted at most"):
        Llg(0.5, True, 1.001 * largest).init(landscape, x, Stream.of(0, 1))


def test_a_magnet_knows_before_it_is_opened_how_fast_its_spins_turn() -> None:
    tilted = Material(MS, 15e-12, 3e-3, UniaxialAnisotropy(588634.0, (1.0, 2.0, 3.0)))
    for problem in (Magnet(ODD, tilted, (0.1, 0.2, 0.3)), Magnet(POINT, Material(MS), (0.0, 0.0, 0.5)), Magnet(FILM, PT_CO)):
        landscape = opened(problem)
        assert problem.curvature_bound() == landscape.curvature_bound()
        assert problem.larmor_rate() == landscape.larmor_rate() == GYROMAGNETIC_RATIO * MU0 * MS


@pytest.mark.parametrize(("precession", "allowance"), [(True, 1.0), (False, 2.0**30)])
def test_a_step_that_init_refuses_is_refused_before_the_magnet_is_opened(precession: bool, allowance: float) -> None:
    problem = Magnet(FILM, PT_CO)
    largest = allowance * Llg(0.5, precession).seconds(problem) / 0.9
    Llg(0.5, precession, 0.999 * largest).check(problem)
    for where in (problem, opened(problem)):
        with pytest.raises(BadInput, match="wanted at most") as refused:
            Llg(0.5, precession, 1.001 * largest).check(where)
        assert refused.value.field == "time_step"
    Llg(0.5, precession).check(problem)
    Llg(0.0, True, 1.0).check(problem)  # has no stable step to be held to


def test_the_longest_step_downhill_still_goes_downhill() -> None:
    landscape = opened(Magnet(FILM, PT_CO))
    longest = 2.0**30 * Llg(1.0, False).seconds(landscape)
    states = march(Llg(1.0, False, longest), landscape, SkyrmionStart(8e-9)(landscape, Stream.of(0, 1)), 3)
    assert float(states[3].seen.value) < float(states[0].seen.value)


def test_single_precision_marches_too() -> None:
    problem = Magnet(FILM, PT_CO, start=SkyrmionStart(8e-9))
    landscape = problem.open(CPU, torch.float32)
    x = problem.start(landscape, Stream.of(0, 1))
    assert x.dtype == torch.float32
    last = march(replace(Llg(), precession=False), landscape, x, 50)[-1]
    assert last.x.dtype == torch.float32
    exact = march(Llg(1.0, False), opened(problem), x.double(), 50)[-1]
    assert float((last.x - exact.x).abs().max()) < 1e-3
