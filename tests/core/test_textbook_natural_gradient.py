"""The textbook's natural gradient: its steps by hand, and what it says where noise has led it astray."""

from __future__ import annotations

import math
import re

import numpy as np
import torch
from tests.core.valleys import Qubits, SampledQubits

from thalweg_core.descent.natural_gradient.textbook_natural_gradient import TextbookNaturalGradient
from thalweg_core.landscape import Cost, Evaluation
from thalweg_core.noise.divergence import begin_rise, climbed, remark
from thalweg_core.streams import Stream

MIXING = ((1.0, 0.2, 0.0), (0.0, 0.7, -0.4), (0.5, 0.0, 1.3))


def test_qubits_turn_towards_their_field_as_if_the_metric_were_a_quarter() -> None:
    place, method, rng = Qubits(MIXING), TextbookNaturalGradient(0.05, metric="full"), Stream.of(0, 4)
    state = method.init(place, Stream.of(1, 4).normal((3,)), rng)
    phi = place.turns(state.x)
    for step in range(1, 31):
        state, _ = method.step(place, state, rng.at(step))
        phi = phi - 4 * 0.05 * phi.sin()
    torch.testing.assert_close(place.turns(state.x), phi, rtol=0, atol=1e-12)


def test_directions_that_turn_nothing_stay_as_they_are_and_damping_is_added() -> None:
    place = Qubits(((1.0, 1.0),))  # the difference of the coordinates turns nothing
    x = torch.tensor([[0.4, 0.1]], dtype=torch.float64)
    gradient = np.sin(0.5) * np.ones(2)
    metric = np.ones((2, 2)) / 4
    for damping in (0.0, 0.3):
        method, rng = TextbookNaturalGradient(0.1, metric="full", damping=damping), Stream.of(0, 1)
        state, _ = method.step(place, method.init(place, x, rng), rng.at(1))
        expected = x[0].numpy() - 0.1 * np.linalg.pinv(metric + damping * np.eye(2)) @ gradient
        np.testing.assert_allclose(state.x[0].numpy(), expected, rtol=0, atol=1e-13)


def looks(energies: torch.Tensor, error: float) -> list[Evaluation]:
    """(B, K) energies as K looks, with noise of this size."""
    rows = Stream.of(11, len(energies)).normal((energies.shape[1],)) * error + energies
    grad = torch.zeros(len(energies), 1, dtype=torch.float64)
    return [Evaluation(v, grad, torch.full_like(v, error**2), grad, Cost.none(grad)) for v in rows.unbind(dim=1)]


def said(energies: torch.Tensor, error: float) -> list[str]:
    first, *others = looks(energies, error)
    rise = begin_rise(first)
    for seen in others:
        rise = climbed(rise, seen)
    return remark(rise, [""] * len(rise.recent))


def test_noise_alone_is_no_rise() -> None:
    assert said(torch.zeros(2000, 300, dtype=torch.float64), 0.1) == [""] * 2000


def test_a_rise_beyond_the_noise_is_told_with_its_size() -> None:
    valley = torch.cat([torch.linspace(1, 0, 50), torch.linspace(0, 2, 50), torch.full((50,), 2.0)]).double()
    for sentence in said(valley.expand(20, -1), 0.1):
        size = re.fullmatch(r"it diverged: its energy ended (\S+) above the lowest it had been, \d+ standard errors .*", sentence)
        # a mean errs by 0.03, and lags by four looks of 0.03 on either side of the bottom; two digits are told
        assert size and abs(float(size[1]) - 2.0) < 4 * math.hypot(0.033, 0.033) + 4 * 0.03 + 0.05


def test_a_descent_that_stays_down_has_nothing_to_admit() -> None:
    fall = torch.cat([torch.linspace(1, 0, 50), torch.zeros(100)]).double()
    assert said(fall.expand(200, -1), 0.1) == [""] * 200


def test_it_admits_that_noise_fooled_it_and_says_nothing_of_exact_looks() -> None:
    nearly_singular = ((1.0, 1.0), (0.01, -0.01))
    method, rng, rows = TextbookNaturalGradient(0.1, metric="full"), Stream.of(5, 8), 8
    for place, diverges in ((SampledQubits(nearly_singular), True), (Qubits(nearly_singular), False)):
        state = method.init(place, 0.3 * Stream.of(1, rows).normal((2,)), rng)
        for step in range(1, 60):
            state, _ = method.step(place, state, rng.at(step))
        sentences = method.remarks(place, state)
        assert (sum("diverged" in sentence for sentence in sentences) > 0) is diverges
