"""Offline diagnostics against ArviZ, and against an autocorrelation time known in closed form."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from tests.core.chains import autoregression
from torch import Tensor

from thalweg_core.chains import diagnostics

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import arviz as az

if az.Numba.numba_flag:
    az.Numba.disable_numba()  # where it is installed: its mcse is an array of one, and compiling takes longer than computing


def sticky(draws: Tensor) -> Tensor:
    """Chains that refuse often: whole stretches of equal draws, hence ties among the ranks."""
    kept = torch.rand(draws.shape[:2], generator=torch.Generator().manual_seed(1)) < 0.4
    kept[0] = True
    place = torch.where(kept, torch.arange(len(draws))[:, None], 0).cummax(dim=0).values
    return draws.gather(0, place[..., None].expand_as(draws))


def apart(draws: Tensor) -> Tensor:
    """Chains that disagree in place and in scale."""
    shift = torch.linspace(-1, 1, draws.shape[1])[None, :, None]
    return draws * (1 + shift.abs()) + shift


CASES = {
    "independent": autoregression(0.0, 200, 4, 3),
    "correlated": autoregression(0.9, 300, 8, 3),
    "antithetic": autoregression(-0.6, 257, 5, 3),
    "sticky": sticky(autoregression(0.7, 251, 6, 3)),
    "apart": apart(autoregression(0.8, 100, 4, 3)),
    "heavy": autoregression(0.5, 400, 4, 3).exp() ** 3,
    "long memory": autoregression(0.999, 64, 3, 3),
    "few": autoregression(0.3, 9, 4, 3),
    "fewest": autoregression(0.3, 4, 2, 3),
    "one chain": autoregression(0.5, 101, 1, 3),
}


@pytest.mark.parametrize("name", CASES)
def test_every_figure_equals_that_of_arviz(name: str) -> None:
    draws = CASES[name]
    ours = diagnostics.quality(draws)
    for k in range(draws.shape[2]):
        chains = draws[:, :, k].T.numpy()
        theirs = (az.rhat(chains), az.ess(chains, method="bulk"), az.ess(chains, method="tail"), az.mcse(chains, method="mean"))
        np.testing.assert_allclose([float(figure[k]) for figure in ours], theirs, rtol=1e-8)


def test_single_figures_equal_those_of_the_whole_set() -> None:
    draws = CASES["sticky"]
    whole = diagnostics.quality(draws)
    alone = (diagnostics.rhat(draws), diagnostics.ess_bulk(draws), diagnostics.ess_tail(draws), diagnostics.mcse_mean(draws))
    assert all(torch.equal(a, b) for a, b in zip(whole, alone, strict=True))


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_effective_sample_size_is_that_of_the_autoregression(rho: float) -> None:
    steps, chains, repeats = 1000, 8, 40
    exact = steps * chains * (1 - rho) / (1 + rho)
    found = diagnostics.ess_mean(autoregression(rho, steps, chains, repeats, seed=5))
    error = float(found.std()) / math.sqrt(repeats)
    bias = 0.02 * exact  # Geyer's cut reads noise as correlation: a per cent or so, at this length
    assert abs(float(found.mean()) - exact) < 4 * error + bias


def test_the_error_of_the_mean_is_the_spread_of_means() -> None:
    repeats = 200
    draws = autoregression(0.8, 500, 4, repeats, seed=3)
    spread = float(draws.mean(dim=(0, 1)).std())
    stated = float(diagnostics.mcse_mean(draws).square().mean().sqrt())
    assert abs(stated / spread - 1) < 4 / math.sqrt(2 * repeats)  # a standard deviation from so many means


def test_chains_that_stand_apart_are_flagged_and_chains_that_agree_are_not() -> None:
    assert float(diagnostics.rhat(CASES["apart"]).min()) > 1.1
    assert float(diagnostics.rhat(autoregression(0.0, 1000, 8, 5)).max()) < 1.01


def test_what_cannot_be_said_is_not_said() -> None:
    draws = autoregression(0.2, 50, 4, 2)
    draws[3, 1, 0] = torch.nan
    assert [bool(figure[0].isnan()) and not bool(figure[1].isnan()) for figure in diagnostics.quality(draws)] == [True] * 4
    assert all(bool(figure.isnan().all()) for figure in diagnostics.quality(draws[:3]))
    assert bool(diagnostics.rhat(draws[:, :1]).isnan().all())


def test_a_coordinate_that_never_moves_counts_every_draw() -> None:
    assert float(diagnostics.ess_mean(torch.ones(100, 4, 1, dtype=torch.float64))) == 400
