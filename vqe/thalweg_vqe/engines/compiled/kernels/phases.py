"""Diagonal runs, forwards and backwards: all their phases at once, as a product of a table over low and one over high bits."""

from __future__ import annotations

import math

from numba import njit

from thalweg_vqe.engines.compiled.kernels.agreed import FAST


@njit(error_model="numpy", fastmath=FAST)
def vqe_walsh(a):
    """Σ_b (-1)^|m∧b| a(b) at every mask m, in place."""
    step = 1
    while step < a.size:
        for high in range(0, a.size, 2 * step):
            for i in range(high, high + step):
                a[i], a[i + step] = a[i] + a[i + step], a[i] - a[i + step]
        step *= 2


@njit(error_model="numpy", fastmath=FAST)
def vqe_phase_tables(masks, angles, split, low, high):
    """exp(-i Σ_j φ_j σ_j(b)/2) as a product of a table over low and one over high bits: (2, size) each, cosines then sines."""
    for table in (low, high):
        table[0, :] = 0.0
    for j in range(masks.size):
        if masks[j] >> split:
            high[0, masks[j] >> split] += angles[j] / 2
        else:
            low[0, masks[j]] += angles[j] / 2
    vqe_exponentials(low)
    vqe_exponentials(high)


@njit(error_model="numpy", fastmath=FAST)
def vqe_exponentials(table):
    """From half angles by mask to cos and -sin of their signed sums by bits, (2, size)."""
    vqe_walsh(table[0])
    for i in range(table.shape[1]):
        half = table[0, i]
        table[0, i], table[1, i] = math.cos(half), -math.sin(half)


@njit(error_model="numpy", fastmath=FAST)
def vqe_diagonal(re, im, turns, at, few, many, classes, first, last):
    """Phases at high bits first … last-1: each one's own times the low table of its class; the tables begin at `at`."""
    width = re.size // many
    for h in range(first, last):
        base = at + classes[h] * width
        hr, hi = turns[at + 2 * few + h], turns[at + 2 * few + many + h]
        lr, li = turns[base : base + width], turns[base + few : base + few + width]
        x, y = re[h * width : (h + 1) * width], im[h * width : (h + 1) * width]
        for i in range(width):
            er, ei = lr[i] * hr - li[i] * hi, lr[i] * hi + li[i] * hr
            x[i], y[i] = er * x[i] - ei * y[i], er * y[i] + ei * x[i]


@njit(error_model="numpy", fastmath=FAST)
def vqe_back_diagonal(kr, ki, br, bi, turns, at, few, many, classes, first, last, wlow, whigh):
    """The phases taken back; Im(bra* ket) summed over high bits of a class, and over low bits."""
    width = kr.size // many
    for h in range(first, last):
        base = classes[h] * width
        hr, hi, sums = turns[at + 2 * few + h], turns[at + 2 * few + many + h], wlow[base : base + width]
        lr, li = turns[at + base : at + base + width], turns[at + base + few : at + base + few + width]
        a, b = kr[h * width : (h + 1) * width], ki[h * width : (h + 1) * width]
        x, y = br[h * width : (h + 1) * width], bi[h * width : (h + 1) * width]
        total = 0.0
        for i in range(width):
            er, ei = lr[i] * hr - li[i] * hi, -(lr[i] * hi + li[i] * hr)
            w = x[i] * b[i] - y[i] * a[i]
            sums[i] += w
            total += w
            a[i], b[i] = er * a[i] - ei * b[i], er * b[i] + ei * a[i]
            x[i], y[i] = er * x[i] - ei * y[i], er * y[i] + ei * x[i]
        whigh[h] = total
