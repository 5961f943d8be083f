"""Descents without noise beside the libraries, in miniature."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from benchmarks import exact_descents, peers
from benchmarks.descents import Case
from benchmarks.exact_descents import Beside, GroupEnergies, beside_pennylane, beside_scipy, beside_textbook, markdown, told

from thalweg_core.descent.natural_gradient.textbook_natural_gradient import TextbookNaturalGradient
from thalweg_core.streams import Stream
from thalweg_core.walking.walk import begin, walk
from thalweg_vqe.ansatze.layers import RealAmplitudes
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.hamiltonians.spin_chains import TransverseFieldIsing
from thalweg_vqe.problem import Vqe
from thalweg_vqe.starts import Uniform

SMALL = Case("Ising chain of 3", Vqe(TransverseFieldIsing(3), RealAmplitudes(1), Estimator(100), Uniform(0.5)), 1000, bound=0.05)


def test_l_bfgs_takes_as_many_looks_as_scipy() -> None:
    found = beside_scipy(SMALL, range(100, 104))
    [theirs] = found.theirs.values()
    pairs = list(zip(found.looks.each, theirs.each, strict=True))
    assert pairs and all(3 < mine <= other + 1 for mine, other in pairs)  # rounding may tell the last of them apart


def test_natural_gradient_takes_fewer_looks_than_the_textbooks_form_by_any_rate() -> None:
    found = beside_textbook(SMALL, range(100, 104))
    assert len(found.theirs) == len(exact_descents.RATES)
    assert all(sum(found.looks.each) <= sum(theirs.each) for theirs in found.theirs.values())


def test_a_step_of_the_peer_is_that_of_the_textbook() -> None:
    pytest.importorskip("pennylane")
    place, starts = exact_descents._opened(SMALL, [100])
    energy, after = peers.pennylane_qng(place.program, place.observable, 0.1)(starts[0].numpy())
    method, rng = TextbookNaturalGradient(learning_rate=0.1), Stream.of(0, 1)
    position = begin(method, place, starts, rng)
    assert energy == pytest.approx(float(position.state.seen.value), abs=1e-10)
    for frame in walk(method, place, position, rng, range(1, 2)):
        np.testing.assert_allclose(frame.position.state.x[0], torch.from_numpy(after), atol=1e-8)
    peer = beside_pennylane(SMALL, [100])
    assert peer is not None and [*peer.theirs.values()] == [*beside_textbook(SMALL, [100]).theirs.values()]


def test_what_was_not_reached_is_not_given_a_number() -> None:
    ours, theirs = GroupEnergies((12.0, 13.0), 100), GroupEnergies((math.inf, 9.0), 100)
    row = Beside("H2", "ours", ours, {"peer": theirs}, 3)
    assert told(row) == "| H2 | 2 of 3 | 12.5 (25) | > 100 (> 109) |"
    other = row._replace(theirs={"one": theirs, "two": theirs})
    assert [len(part.splitlines()) for part in markdown([row, row, other]).split("\n\n")] == [4, 3]
