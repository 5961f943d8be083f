"""The compiled engines against the readable ones, and against their own parts written out."""

import logging
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.stats import binom, chi2
from tests.vqe.random_circuits import random_observable, random_program, random_turns

from thalweg_core.streams import Stream
from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.engines import choosing
from thalweg_vqe.engines.noiseless_torch import TorchNoiseless
from thalweg_vqe.engines.sampler import shifted_angles
from thalweg_vqe.engines.shots_torch import StatevectorSampler
from thalweg_vqe.engines.statevector import Statevector
from thalweg_vqe.pauli.words import Observable

pytest.importorskip("numba")

from thalweg_vqe.engines.compiled import check
from thalweg_vqe.engines.compiled.engine import CompiledSampler
from thalweg_vqe.engines.compiled.exact import CompiledExact
from thalweg_vqe.engines.compiled.kernels import draws as kernels

ROUNDING = 1e-12
CERTAIN = 6.3e-5  # outside four standard deviations of a normal, both sides


PROGRAMS = {
    **{f"random {n}": random_program(n) for n in (1, 2, 3, 6, 7)},
    **{f"su2 {n}": EfficientSu2(2).program(n) for n in (1, 2, 5)},
}


@pytest.mark.parametrize("way", ["points", "shifted"])
@pytest.mark.parametrize("name", ["random 3", "random 6", "su2 5"])
def test_means_and_variances_by_shots_are_those_of_the_readable_engine(name, way):
    """At shifted points, the first of them in the middle, and in torch with so many shots that their noise is small."""
    program, repeats, shots, many = PROGRAMS[name], 300, 500, 10**6
    observable, angles = random_observable(program.qubits), random_turns(1, len(program.turned)).expand(repeats, -1)
    ours, theirs = CompiledSampler.of(program, observable), StatevectorSampler(program, observable)
    points, groups = 1 + 2 * angles.shape[1], ours.groups
    asked = torch.full((repeats, points, groups), shots)
    wanted = theirs.points(shifted_angles(angles[:1]), torch.full((1, points, groups), many), Stream.of(1, 1))
    if way == "points":
        seen = ours.points(shifted_angles(angles), asked, Stream.of(1, repeats))
    else:
        seen = ours.shifted(angles, asked, Stream.of(1, repeats))
    variance = wanted.variance[0] * many / shots + 1e-18
    error = (variance / repeats + wanted.variance[0]).sqrt()
    assert ((seen.mean.mean(dim=0) - wanted.mean[0]).abs() < 5.2 * error + ROUNDING).all()  # the largest of many
    error = seen.variance.std(dim=0) / math.sqrt(repeats)
    assert ((seen.variance.mean(dim=0) - variance).abs() < 5.2 * error + 0.01 * variance).all()  # theirs is known to a percent


def test_points_leave_the_first_where_they_differ_from_it():
    """All angles their own, one changed at either end, none changed: against states computed one by one, by many shots."""
    program, shots = PROGRAMS["random 6"], 10**6
    observable, base = random_observable(6), random_turns(1, len(program.turned))[0]
    last = torch.eye(len(base), dtype=torch.float64)[-1]
    first = torch.eye(len(base), dtype=torch.float64)[0]
    (other,), others = (random_turns(rows, len(base), seed) for rows, seed in ((1, 5), (30, 6)))
    points = torch.stack([base, base + last, other, base, base + first, *others])
    sampler = CompiledSampler.of(program, observable)
    seen = sampler.points(points[None], torch.full((1, len(points), sampler.groups), shots), Stream.of(3, 1))
    truth = Statevector(program, observable).energies(points) - observable.constant
    assert ((seen.mean[0].sum(dim=1) - truth).abs() < 4.7 * seen.variance[0].sum(dim=1).sqrt()).all()


@pytest.mark.parametrize(("n", "p"), [(5, 0.3), (1000, 0.004), (1000, 0.011), (1000, 0.35), (1000, 0.93), (200_000, 0.5)])
def test_binomials_follow_their_distribution(n, p):
    """By inversion and by rejection, either side of one half: χ² over outcomes expected more than ten times."""
    state, draws = np.zeros(4, dtype=np.uint64), 20_000
    kernels.vqe_seed(state, np.uint64(11), np.uint64(7), 3, n)
    seen = np.array([kernels.vqe_binomial(state, n, p) for _ in range(draws)])
    outcomes = np.arange(seen.min(), seen.max() + 1)
    expected = draws * binom.pmf(outcomes, n, p)
    often = expected > 10
    counts = np.bincount(seen - seen.min(), minlength=len(outcomes))
    rest = draws - expected[often].sum()
    statistic = ((counts[often] - expected[often]) ** 2 / expected[often]).sum() + (counts[~often].sum() - rest) ** 2 / rest
    low, high = chi2.ppf([CERTAIN / 2, 1 - CERTAIN / 2], often.sum())
    assert low < statistic < high


def test_multinomials_have_the_covariance_of_multinomials():
    """Cov(k_a, k_b) = n (p_a δ_ab - p_a p_b); its error over N draws is below n/√N times 2."""
    p, n, draws = np.array([0.1, 0.0, 0.55, 0.05, 0.3]), 60, 20_000
    state, rest, counts = np.zeros(4, dtype=np.uint64), np.empty(5), np.empty(5, dtype=np.int64)
    kernels.vqe_seed(state, np.uint64(1), np.uint64(2), 3, 4)
    seen = np.empty((draws, 5))
    for k in range(draws):
        kernels.vqe_multinomial(state, n, p, rest, counts)
        seen[k] = counts
    wanted = n * (np.diag(p) - np.outer(p, p))
    scale = np.sqrt((np.outer(wanted.diagonal(), wanted.diagonal()) + wanted**2) / draws)
    assert (seen.sum(axis=1) == n).all()
    assert (np.abs(np.cov(seen.T) - wanted) <= 4.5 * scale + 1e-12).all()


def test_streams_of_random_numbers_are_uniform_and_unrelated():
    states = np.zeros((2, 4), dtype=np.uint64)
    kernels.vqe_seed(states[0], np.uint64(1), np.uint64(2), 0, 0)
    kernels.vqe_seed(states[1], np.uint64(1), np.uint64(2), 0, 1)
    u = np.array([[kernels.vqe_uniform(state) for _ in range(20_000)] for state in states])
    assert ((u > 0) & (u < 1)).all()
    assert np.abs(u.mean(axis=1) - 0.5).max() < 4 / math.sqrt(12 * 20_000)
    assert abs(np.corrcoef(u)[0, 1]) < 4 / math.sqrt(20_000)


def test_a_wrong_kernel_is_found_and_the_readable_engine_serves(monkeypatch, caplog):
    assert check.fault() is None
    right = CompiledExact.energies
    monkeypatch.setattr(CompiledExact, "energies", lambda self, angles: right(self, angles) + 1e-6)
    monkeypatch.setattr(check, "fault", check._compare)
    choosing.compiled.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            assert isinstance(choosing.exact(PROGRAMS["su2 2"], random_observable(2)), TorchNoiseless)
        assert "not used: energies differ by 1.0e-06" in caplog.text
    finally:
        choosing.compiled.cache_clear()


def test_without_numba_the_readable_engine_serves_and_says_so():
    code = (
        "import importlib.util as u, sys; find = u.find_spec; u.find_spec = lambda n, *a: None if n == 'numba' else find(n, *a);"
        "from thalweg_vqe.engines.choosing import compiled; assert not compiled(); assert 'numba' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert "thalweg[fast]" in done.stderr


def test_an_operator_without_words_takes_no_circuit():
    sampler = CompiledSampler.of(EfficientSu2(1).program(2), Observable(2, (), ()))
    looks = sampler.shifted(torch.zeros(3, 8, dtype=torch.float64), torch.zeros(3, 17, 0, dtype=torch.int64), Stream.of(1, 3))
    assert sampler.groups == 0
    assert looks.mean.shape == (3, 17, 0)
