"""Flat space and spheres: tangents, geodesics, transport."""

from __future__ import annotations

import math

import pytest
import torch
from tests.core.valleys import spins

from thalweg_core.manifold import Euclidean, Spheres
from thalweg_core.streams import Stream


def test_flat_space_is_flat() -> None:
    x, v = Stream.of(0, 3).normal((4,)), Stream.of(1, 3).normal((4,))
    space = Euclidean()
    assert torch.equal(space.tangent(x, v), v) and torch.equal(space.transport(v, x, x + 1), v)
    assert torch.equal(space.retract(x, v), x + v)
    y, p = space.flow(x, v, torch.tensor([0.0, 1.0, -2.0], dtype=torch.float64))
    torch.testing.assert_close(y, x + torch.tensor([[0.0], [1.0], [-2.0]]) * v)
    assert torch.equal(p, v) and torch.equal(space.squares(v), v * v)
    assert space.site_norm(v).tolist() == v.abs().amax(dim=1).tolist()
    assert space.dimension((4,)) == 4


def test_tangents_stand_at_right_angles_and_points_stay_on_the_spheres() -> None:
    m, v, sphere = spins(3, 5), Stream.of(1, 3).normal((5, 3)), Spheres()
    t = sphere.tangent(m, v)
    assert float((m * t).sum(-1).abs().max()) < 1e-15
    torch.testing.assert_close(sphere.tangent(m, t), t, rtol=1e-13, atol=1e-15)
    y = sphere.retract(m, t)
    assert float((y.norm(dim=-1) - 1).abs().max()) < 1e-15
    assert float((y * sphere.transport(t, m, y)).sum(-1).abs().max()) < 1e-15
    assert sphere.dimension((5, 3)) == 10


def test_a_retraction_is_the_geodesic_to_first_order() -> None:
    m, sphere = spins(2, 4), Spheres()
    t = sphere.tangent(m, Stream.of(1, 2).normal((4, 3)))
    off = [float((sphere.retract(m, h * t) - sphere.flow(m, t, h)[0]).abs().max()) for h in (1e-2, 5e-3)]
    assert off[0] / off[1] > 7.5  # they differ at third order: halving divides by 8


def test_a_geodesic_is_a_great_circle_walked_at_constant_speed() -> None:
    m, sphere = spins(3, 5), Spheres()
    p = sphere.tangent(m, Stream.of(1, 3).normal((5, 3)))
    y, q = sphere.flow(m, p, 0.7)
    torch.testing.assert_close(q.norm(dim=-1), p.norm(dim=-1), rtol=1e-14, atol=0)
    turned = torch.atan2(torch.linalg.cross(m, y).norm(dim=-1), (m * y).sum(-1))
    turns = (0.7 * p.norm(dim=-1)) % (2 * math.pi)
    torch.testing.assert_close(turned, torch.minimum(turns, 2 * math.pi - turns), rtol=1e-13, atol=1e-14)
    back, reversed_p = sphere.flow(y, -q, 0.7)
    assert float((back - m).abs().max()) < 1e-14 and float((reversed_p + p).abs().max()) < 1e-14


def test_time_may_differ_from_replica_to_replica() -> None:
    m, sphere = spins(2, 4), Spheres()
    p = sphere.tangent(m, Stream.of(1, 2).normal((4, 3)))
    y, _ = sphere.flow(m, p, torch.tensor([0.3, 0.9], dtype=torch.float64))
    assert torch.equal(y[1], sphere.flow(m, p, 0.9)[0][1])


@pytest.mark.parametrize("small", [0.0, 1e-200])
def test_a_spin_without_momentum_stays(small: float) -> None:
    m = spins(1, 2)
    p = Spheres().tangent(m, torch.full_like(m, small))
    y, q = Spheres().flow(m, p, 1.0)
    assert float((y - m).abs().max()) < 1e-15 and bool(q.isfinite().all())


def test_sites_are_measured_whole() -> None:
    v = torch.zeros(2, 3, 3, dtype=torch.float64)
    v[0, 1] = torch.tensor([3.0, 0.0, 4.0])
    v[1, 2] = torch.tensor([0.0, 2.0, 0.0])
    assert Spheres().site_norm(v).tolist() == [5, 2]
    assert Spheres().squares(v).flatten().tolist() == [25, 4] and Spheres().squares(v).shape == (2, 1, 1)


def test_a_rotation_of_all_spins_rotates_what_is_done_to_them() -> None:
    turn = torch.linalg.qr(Stream.of(5, 1).normal((3, 3))[0]).Q
    m, sphere = spins(2, 4), Spheres()
    p = sphere.tangent(m, Stream.of(1, 2).normal((4, 3)))
    torch.testing.assert_close(sphere.flow(m @ turn, p @ turn, 0.4)[0], sphere.flow(m, p, 0.4)[0] @ turn)
    torch.testing.assert_close(sphere.squares(p @ turn), sphere.squares(p))
