"""The same questions while the chains still run, in memory that does not grow: means of batches that double in length.

A chain's draws fill batches of L; when all are full, neighbours merge and L doubles. So at any time a chain is a few dozen
batch means and scatters: their halves give split R-hat, their spread the error of the mean, whatever the number of draws.
Draws of a batch that is still open wait for the next evaluation.

Shapes: B chains, K batches, d coordinates (an event flattened).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

BATCHES = 32
"""Batches a chain keeps at most, an even number: between 16 and 32 are full, once there were as many draws."""


class Running(NamedTuple):
    """What is remembered of the draws; every row belongs to one chain and knows nothing of the others."""

    draws: Tensor  # (B,) int64, so far
    mean: Tensor  # (B, d) of the open batch
    scatter: Tensor  # (B, d) sum of squares about its mean
    means: Tensor  # (B, K, d) of the full batches, those to come are 0
    scatters: Tensor  # (B, K, d)


class Summary(NamedTuple):
    """What the draws so far say, (d,) each; NaN before there is enough to say it."""

    mean: Tensor
    sd: Tensor
    mcse_mean: Tensor  # standard error of the mean, by batch means
    ess: Tensor  # effective number of draws for the mean
    rhat: Tensor  # split R-hat, not rank-normalized


def begin(x: Tensor, batches: int = BATCHES) -> Running:
    """Nothing seen yet, of as many chains and coordinates as x (B, *E) has."""
    open_batch = torch.zeros_like(x).reshape(len(x), -1)
    full = open_batch[:, None, :].repeat(1, batches, 1)
    return Running(torch.zeros(len(x), dtype=torch.int64, device=x.device), open_batch, open_batch, full, full)


def update(running: Running, x: Tensor) -> Running:
    """One more draw of every chain, x (B, *E)."""
    length = batch_length(running)
    inside = int(running.draws[0]) % length
    y = x.reshape(len(x), -1)
    step = y - running.mean if inside else y
    mean = running.mean + step / (inside + 1) if inside else y
    scatter = running.scatter + step * (y - mean) if inside else torch.zeros_like(y)
    running = running._replace(draws=running.draws + 1, mean=mean, scatter=scatter)
    return _close(running, length) if inside + 1 == length else running


def batch_length(running: Running) -> int:
    """L: the power of two with which the next draw still finds a batch."""
    draws, batches = int(running.draws[0]), running.means.shape[1]
    length = 1
    while length * batches <= draws:
        length *= 2
    return length


def summarize(running: Running) -> Summary:
    """What the full batches say."""
    length = batch_length(running)
    full = int(running.draws[0]) // length
    if full < _FEWEST:
        unknown = torch.full_like(running.mean[0], torch.nan)
        return Summary(unknown, unknown, unknown, unknown, unknown)
    return _summary(running.means[:, :full], running.scatters[:, :full], length)


_FEWEST = 8  # batches a chain: with fewer, halves and spreads say nothing yet; arbitrary


def _summary(means: Tensor, scatters: Tensor, length: int) -> Summary:
    chains, full, _ = means.shape
    draws = chains * full * length
    mean = means.mean(dim=(0, 1))
    about = (means - mean).square().sum(dim=(0, 1))
    variance = (scatters.sum(dim=(0, 1)) + length * about) / (draws - 1)
    error2 = about / (chains * full - 1) / (chains * full)  # of the mean over all batches, which are nearly independent
    even = full - full % 2
    rhat = _split_rhat(means[:, :even], scatters[:, :even], length)
    return Summary(mean, variance.sqrt(), error2.sqrt(), variance / error2, rhat)


def _split_rhat(means: Tensor, scatters: Tensor, length: int) -> Tensor:
    """Half chains rebuilt from their batches: (B, K, d) -> means and variances (2B, d)."""
    chains, full, width = means.shape
    n = full // 2 * length
    halves = means.reshape(2 * chains, full // 2, width)
    centre = halves.mean(dim=1)
    inside = scatters.reshape(2 * chains, full // 2, width).sum(dim=1)
    within = ((inside + length * (halves - centre[:, None]).square().sum(dim=1)) / (n - 1)).mean(dim=0)
    return ((n * centre.var(dim=0) / within + n - 1) / n).sqrt()


def _close(running: Running, length: int) -> Running:
    """Put the open batch, now full, in its place; merge neighbours when every place is taken."""
    place = int(running.draws[0]) // length - 1
    means, scatters = running.means.clone(), running.scatters.clone()
    means[:, place], scatters[:, place] = running.mean, running.scatter
    if place + 1 == means.shape[1]:
        means, scatters = _merge(means, scatters, length)
    return running._replace(means=means, scatters=scatters)


def _merge(means: Tensor, scatters: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Neighbouring batches of L draws as one of 2 L; the places set free are 0."""
    left, right = means[:, 0::2], means[:, 1::2]
    scatter = scatters[:, 0::2] + scatters[:, 1::2] + (length / 2) * (right - left).square()
    free = torch.zeros_like(left)
    return torch.cat([(left + right) / 2, free], dim=1), torch.cat([scatter, free], dim=1)
