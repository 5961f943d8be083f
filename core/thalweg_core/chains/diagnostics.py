"""How good a set of draws is: split R-hat, effective sample sizes, Monte Carlo error, for every coordinate at once.

Shapes: draws (S, B, d): S steps of B chains in d coordinates; results (d,). NaN where a coordinate has a NaN, or where
there are fewer than four draws a chain, or, for R-hat, one chain only.

Source: Vehtari, Gelman, Simpson, Carpenter, Bürkner, Bayesian Analysis 16 (2021) 667.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

_FEWEST = 4  # draws a chain: two in each half
_TAILS = (0.05, 0.95)


class Quality(NamedTuple):
    """What the draws are worth, coordinate by coordinate, (d,) each."""

    rhat: Tensor  # rank-normalized split R-hat; 1 where chains agree
    ess_bulk: Tensor  # effective draws for the middle of the distribution
    ess_tail: Tensor  # and for its 5 % and 95 % quantiles, the worse of both
    mcse_mean: Tensor  # standard error of the mean, in units of x


def quality(draws: Tensor) -> Quality:
    """All of them."""
    return Quality(rhat(draws), ess_bulk(draws), ess_tail(draws), mcse_mean(draws))


def rhat(draws: Tensor) -> Tensor:
    """Rank-normalized split R-hat, the larger of location and scale: chains agree where it is below 1.01."""
    if draws.shape[1] < 2:
        return _unknown(draws)
    return _where_known(draws, lambda halves: torch.maximum(_rhat(rank_normal(halves)), _rhat(rank_normal(_folded(halves)))))


def ess_bulk(draws: Tensor) -> Tensor:
    """Effective number of draws for the bulk: of the normal scores of the ranks."""
    return _where_known(draws, lambda halves: _ess(rank_normal(halves)))


def ess_tail(draws: Tensor) -> Tensor:
    """Effective number of draws for the tails: the smaller of those for the 5 % and the 95 % quantile."""
    ordered = draws.flatten(0, 1).sort(dim=0).values
    low, high = (_quantile(ordered, p) for p in _TAILS)
    return _where_known(draws, lambda halves: torch.minimum(_ess((halves <= low).double()), _ess((halves <= high).double())))


def ess_mean(draws: Tensor) -> Tensor:
    """Effective number of draws for the mean."""
    return _where_known(draws, _ess)


def mcse_mean(draws: Tensor) -> Tensor:
    """Standard error of the mean over all draws, in units of x."""
    return draws.flatten(0, 1).std(dim=0) / ess_mean(draws).sqrt()


def split(draws: Tensor) -> Tensor:
    """Each chain cut into its first and second half: (S, B, d) -> (S/2, 2B, d); an odd draw in the middle is left out."""
    half = draws.shape[0] // 2
    return torch.cat([draws[:half], draws[draws.shape[0] - half :]], dim=1)


def rank_normal(draws: Tensor) -> Tensor:
    """Normal scores of the ranks among all chains: Φ⁻¹((rank - 3/8) / (N + 1/4)), ties sharing their mean rank."""
    flat = draws.flatten(0, 1)
    size = flat.shape[0]
    ordered, order = flat.sort(dim=0)
    place = torch.arange(size, device=flat.device)[:, None].expand_as(order)
    opens = torch.ones_like(ordered, dtype=torch.bool)
    opens[1:] = ordered[1:] != ordered[:-1]
    closes = torch.ones_like(opens)
    closes[:-1] = opens[1:]
    first = torch.where(opens, place, 0).cummax(dim=0).values
    last = torch.where(closes, place, size).flip(0).cummin(dim=0).values.flip(0)
    rank = (first + last).to(torch.float64) / 2 + 1
    scores = torch.special.ndtri((rank - 3 / 8) / (size + 1 / 4))
    return torch.empty_like(scores).scatter_(0, order, scores).reshape(draws.shape)


def autocovariance(draws: Tensor) -> Tensor:
    """Biased autocovariance of each chain at every lag, (S, B, d), by FFT."""
    length = draws.shape[0]
    spectrum = torch.fft.rfft(draws - draws.mean(dim=0), n=2 * length, dim=0)
    power = spectrum.real.square() + spectrum.imag.square()
    covariance: Tensor = torch.fft.irfft(power.to(spectrum.dtype), n=2 * length, dim=0)[:length] / length
    return covariance


def _rhat(chains: Tensor) -> Tensor:
    """Square root of (variance of all draws) / (mean variance within a chain)."""
    length = chains.shape[0]
    within = chains.var(dim=0).mean(dim=0)
    between = length * chains.mean(dim=0).var(dim=0)
    return ((between / within + length - 1) / length).sqrt()


def _ess(chains: Tensor) -> Tensor:
    """Draws divided by their autocorrelation time, summed over Geyer's initial monotone sequence of pairs of lags."""
    length, number = chains.shape[:2]
    covariance = autocovariance(chains).mean(dim=1)
    within = covariance[0] * length / (length - 1)
    total = within * (length - 1) / length
    if number > 1:
        total = total + chains.mean(dim=0).var(dim=0)
    correlation = 1 - (within - covariance) / total
    correlation[0] = 1
    time = _autocorrelation_time(correlation).clamp_min(1 / math.log10(length * number))
    constant = chains.amax(dim=(0, 1)) - chains.amin(dim=(0, 1)) < 1e-15  # every draw the same: nothing to be unsure of
    return torch.where(constant, float(length * number), length * number / time)


def _autocorrelation_time(correlation: Tensor) -> Tensor:
    """τ = -1 + 2 Σ of pairs ρ(2k) + ρ(2k+1) while they stay positive, made to fall, and the even lag of the pair after."""
    last = max((correlation.shape[0] - 3) // 2, 0)  # number of the last pair looked at
    even, odd = correlation[0 : 2 * last + 1 : 2], correlation[1 : 2 * last + 2 : 2]
    pairs = even + odd
    ends = pairs <= 0
    ends[last] = True
    end = ends.to(torch.int8).argmax(dim=0, keepdim=True)  # number of the pair where the sequence ends
    inside = torch.arange(last + 1, device=pairs.device)[:, None] < end
    falling = torch.where(inside, pairs, 0.0).cummin(dim=0).values
    next_even, next_pair = even.gather(0, end)[0], pairs.gather(0, end)[0]
    extra = torch.where((next_even > 0) | (next_pair >= 0), next_even, 0.0)
    return -1 + 2 * torch.where(inside, falling, 0.0).sum(dim=0) + extra


def _folded(halves: Tensor) -> Tensor:
    """Distance from the median, in which chains of different scale differ."""
    ordered = halves.flatten(0, 1).sort(dim=0).values
    size = ordered.shape[0]
    return (halves - (ordered[(size - 1) // 2] + ordered[size // 2]) / 2).abs()


def _quantile(ordered: Tensor, p: float) -> Tensor:
    """Quantile by linear interpolation between the order statistics around (N - 1) p."""
    size = ordered.shape[0]
    position = size * p + (1 - p)
    below = min(max(math.floor(position), 1), size - 1)
    share = min(max(position - below, 0.0), 1.0)
    return (1 - share) * ordered[below - 1] + share * ordered[below]


def _where_known(draws: Tensor, figure: Callable[[Tensor], Tensor]) -> Tensor:
    """The figure of the half chains; NaN where a coordinate has a NaN, or where there are too few draws."""
    if draws.shape[0] < _FEWEST:
        return _unknown(draws)
    return figure(split(draws)).masked_fill(draws.isnan().any(dim=0).any(dim=0), torch.nan)


def _unknown(draws: Tensor) -> Tensor:
    return torch.full_like(draws[0, 0], torch.nan)
