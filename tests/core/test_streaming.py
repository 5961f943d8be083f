"""Running diagnostics against the offline ones, ArviZ, and closed forms."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from tests.core.chains import autoregression
from torch import Tensor

from thalweg_core.chains import running_diagnostics
from thalweg_core.walking.checkpoint import flatten, unflatten

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import arviz as az

if az.Numba.numba_flag:
    az.Numba.disable_numba()  # where it is installed: its mcse is an array of one, and compiling takes longer than computing


def run(draws: Tensor, batches: int = running_diagnostics.BATCHES) -> running_diagnostics.Running:
    running = running_diagnostics.begin(draws[0], batches)
    for x in draws:
        running = running_diagnostics.update(running, x)
    return running


@pytest.mark.parametrize("steps", [16, 33, 64, 100, 1000, 1024])
def test_mean_spread_and_split_rhat_are_those_of_the_draws_in_full_batches(steps: int) -> None:
    draws = autoregression(0.6, steps, 5, 3) + 100.0  # far from zero: sums of squares would lose digits
    running = run(draws)
    length = running_diagnostics.batch_length(running)
    seen, halved = draws[: steps // length * length], draws[: steps // length // 2 * 2 * length]
    summary = running_diagnostics.summarize(running)
    assert len(seen) > steps - length
    np.testing.assert_allclose(summary.mean, seen.mean(dim=(0, 1)), rtol=1e-13)
    np.testing.assert_allclose(summary.sd, seen.flatten(0, 1).std(dim=0), rtol=1e-10)
    theirs = [float(az.rhat(halved[:, :, k].T.numpy(), method="split")) for k in range(3)]
    np.testing.assert_allclose(summary.rhat, theirs, rtol=1e-10)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_error_of_the_mean_is_the_closed_form_within_its_own_error(rho: float) -> None:
    steps, chains, coordinates = 4000, 16, 20
    summary = running_diagnostics.summarize(run(autoregression(rho, steps, chains, coordinates, seed=2)))
    batches = 31 * chains  # of 128 draws
    exact = math.sqrt((1 + rho) / (1 - rho) / (128 * batches))
    own_error = 1 / math.sqrt(2 * batches * coordinates)  # relative, of a spread from so many batch means
    shift = rho / (1 - rho**2) / 128  # batches of 128 draws see this little less correlation: exact for this chain, halved
    assert abs(float(summary.mcse_mean.mean()) / exact - 1) < 4 * own_error + shift
    assert (
        float((summary.ess / (128 * batches) * (1 + rho) / (1 - rho)).log().abs().max()) < 4 * math.sqrt(2 / batches) + 2 * shift
    )


def test_effective_draws_agree_with_arviz_within_the_spread_of_batch_means() -> None:
    draws = autoregression(0.7, 2048, 8, 6, seed=4)
    theirs = torch.tensor([float(az.ess(draws[:, :, k].T.numpy(), method="mean")) for k in range(6)])
    assert float((running_diagnostics.summarize(run(draws)).ess / theirs).log().abs().max()) < 4 * math.sqrt(2 / (16 * 8)) + 0.05


def test_chains_that_stand_apart_are_flagged() -> None:
    draws = autoregression(0.3, 200, 4, 1)
    draws[:, 0] += 3
    assert float(running_diagnostics.summarize(run(draws)).rhat) > 1.3


def test_a_chain_does_not_know_who_runs_beside_it() -> None:
    draws = autoregression(0.5, 77, 6, 2)
    many, one = run(draws), run(draws[:, :1])
    assert all(torch.equal(a[:1], b) for a, b in zip(many, one, strict=True))


def test_an_update_leaves_what_it_was_given_alone() -> None:
    draws = autoregression(0.5, 65, 2, 2)
    running = run(draws[:63])
    kept = [t.clone() for t in running]
    running_diagnostics.update(running_diagnostics.update(running, draws[63]), draws[64])
    assert all(torch.equal(a, b) for a, b in zip(kept, running, strict=True))


def test_memory_does_not_grow_and_a_checkpoint_holds_it_all() -> None:
    draws = autoregression(0.5, 300, 2, 3)
    half, whole = run(draws[:150]), run(draws)
    assert [t.shape for t in half] == [t.shape for t in whole]
    again = unflatten(running_diagnostics.Running, flatten(half))
    for x in draws[150:]:
        again = running_diagnostics.update(again, x)
    assert all(torch.equal(a, b) for a, b in zip(again, whole, strict=True))


def test_nothing_is_said_before_there_is_enough_to_say_it() -> None:
    assert all(bool(t.isnan().all()) for t in running_diagnostics.summarize(run(autoregression(0.0, 7, 4, 2))))
    assert all(bool(t.isfinite().all()) for t in running_diagnostics.summarize(run(autoregression(0.0, 8, 4, 2))))
