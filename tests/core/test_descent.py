"""Optimizers against closed forms and torch.optim."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from tests.core.valleys import Normal, NormalSlope, Quartic, Spins, spins
from torch import Tensor

from thalweg_core.descent.adam import Adam
from thalweg_core.descent.gradient_descent import GradientDescent
from thalweg_core.kernel import Kernel
from thalweg_core.landscape import Landscape
from thalweg_core.streams import Stream


def run(kernel: Kernel, place: Landscape, x: Tensor, steps: int) -> Any:
    rng = Stream.of(0, len(x))
    state = kernel.init(place, x, rng)
    for step in range(1, steps + 1):
        state, _ = kernel.step(place, state, rng.at(step))
    return state


def test_steepest_descent_shrinks_each_direction_by_its_own_factor() -> None:
    scales, rate = (0.5, 1.0, 3.0), 0.1
    x = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
    end = run(GradientDescent(rate), Normal(scales), x, 20).x
    exact = [value * (1 - rate / s**2) ** 20 for value, s in zip(x[0].tolist(), scales, strict=True)]
    torch.testing.assert_close(end[0], torch.tensor(exact, dtype=torch.float64), rtol=1e-13, atol=0)


def test_steepest_descent_of_a_spin_in_a_field_follows_the_tangent_map() -> None:
    angle, rate = 2.0, 0.3
    m = torch.tensor([[[math.sin(angle), 0.0, math.cos(angle)]]], dtype=torch.float64)
    end = run(GradientDescent(rate), Spins(field=1.0), m, 10).x
    for _ in range(10):
        angle -= math.atan(rate * math.sin(angle))  # a step along the tangent of length rate · sin(angle), then back
    assert abs(float(end[0, 0, 2]) - math.cos(angle)) < 1e-14


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9), (0.0, 0.99)])
def test_adam_in_flat_space_takes_the_steps_of_torch_optim(betas: tuple[float, float], amsgrad: bool) -> None:
    place = Quartic()
    x = Stream.of(1, 3).normal((4,))
    theirs = x.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([theirs], lr=0.05, betas=betas, eps=1e-8, amsgrad=amsgrad)
    kernel, rng = Adam(0.05, *betas, amsgrad=amsgrad), Stream.of(0, 3)
    state = kernel.init(place, x, rng)
    for step in range(1, 101):  # later, near the minimum, quotients of small numbers magnify the rounding
        optimizer.zero_grad()
        (0.25 * theirs**4 + 0.5 * theirs**2).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        state, _ = kernel.step(place, state, rng.at(step))
        torch.testing.assert_close(state.x, theirs.detach(), rtol=0, atol=1e-13 * step)


def test_adam_left_to_itself_is_plain_adam_in_flat_space() -> None:
    x = Stream.of(1, 3).normal((4,))
    default, plain = run(Adam(0.05), Quartic(), x, 50), run(Adam(0.05, amsgrad=False), Quartic(), x, 50)
    assert torch.equal(default.x, plain.x)


def test_adam_on_spheres_turns_no_spin_by_more_than_the_learning_rate_at_first() -> None:
    m = spins(3, 6)
    rate = 0.02
    end = run(Adam(rate), Spins(field=2.0, coupling=1.5), m, 1).x
    turned = torch.atan2(torch.linalg.cross(m, end).norm(dim=-1), (m * end).sum(-1))
    torch.testing.assert_close(turned.amax(dim=1), torch.full((3,), math.atan(rate), dtype=torch.float64), rtol=1e-6, atol=0)


def test_adam_on_spheres_knows_no_preferred_frame() -> None:
    m = spins(2, 5)
    turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)  # about the field
    place = Spins(field=1.0, coupling=0.8)
    torch.testing.assert_close(run(Adam(0.05), place, m @ turn, 40).x, run(Adam(0.05), place, m, 40).x @ turn)


@pytest.mark.parametrize("rate", [0.1, 0.3, 1.0])
def test_adam_on_spheres_comes_to_rest_at_the_minimum(rate: float) -> None:
    place = Spins(field=0.5, coupling=2.0)
    m = spins(4, 12)
    end = run(Adam(rate), place, m, 3000)
    assert float(place.manifold.site_norm(place.manifold.tangent(end.x, end.seen.grad)).max()) < 1e-9
    lowest = -0.5 * 12 - 2.0 * 11  # all spins along the field
    torch.testing.assert_close(end.seen.value, torch.full((4,), lowest, dtype=torch.float64), rtol=1e-12, atol=0)


def test_optimizers_are_not_misled_by_a_landscape_that_can_do_more() -> None:
    x = Stream.of(1, 2).normal((3,))
    for kernel in (GradientDescent(0.1), Adam(0.1)):
        assert torch.equal(run(kernel, Normal((1.0, 2.0, 3.0)), x, 9).x, run(kernel, NormalSlope((1.0, 2.0, 3.0)), x, 9).x)
