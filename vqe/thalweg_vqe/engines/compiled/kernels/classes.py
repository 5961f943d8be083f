"""Probabilities of what a group distinguishes, compiled: lanes in its basis, squares summed over each class of outcomes."""

from __future__ import annotations

from numba import njit

from thalweg_vqe.engines.compiled.kernels.agreed import FAST
from thalweg_vqe.engines.compiled.kernels.words import vqe_odd


@njit(error_model="numpy", fastmath=FAST)
def vqe_turner(re, im, to_re, to_im, x, z, qubit):
    """(g + Z_q) ψ, twice its share of √2; from and to may be the same."""
    ys, width, one = 0, re.shape[1], 1 << qubit
    both = x & z
    while both:
        both &= both - 1
        ys += 1
    real, sign = ys % 2 == 0, -1.0 if ys % 4 >= 2 else 1.0  # (-i)^ys
    for high in range(0, re.shape[0], 2 * one):
        for i in range(high, high + one):
            j = i ^ x
            t = sign * (1.0 - 2.0 * vqe_odd(i & z))
            if real:
                for k in range(width):
                    ri, ii, rj, ij = re[i, k], im[i, k], re[j, k], im[j, k]
                    to_re[i, k], to_im[i, k] = ri + t * rj, ii + t * ij
                    to_re[j, k], to_im[j, k] = t * ri - rj, t * ii - ij
            else:
                for k in range(width):
                    ri, ii, rj, ij = re[i, k], im[i, k], re[j, k], im[j, k]
                    to_re[i, k], to_im[i, k] = ri + t * ij, ii - t * rj
                    to_re[j, k], to_im[j, k] = -t * ii - rj, t * ri - ij


@njit(error_model="numpy", fastmath=FAST)
def vqe_pool(re, im, low, high, density, overlap):
    """Σ|χ|² and Σ Re ψ*χ over each class, (C, L)."""
    density[:] = 0.0
    overlap[:] = 0.0
    few, width = low.size, re.shape[1]
    for h in range(high.size):
        for i in range(few):
            x, y = re[h * few + i], im[h * few + i]
            b, c = density[low[i] ^ high[h]], overlap[low[i] ^ high[h]]
            r, m = x[0], y[0]
            for k in range(width):
                b[k] += x[k] * x[k] + y[k] * y[k]
                c[k] += r * x[k] + m * y[k]


@njit(error_model="numpy", fastmath=FAST)
def vqe_pool_each(re, im, low, high, density):
    """Σ|ψ|² over each class, (C, L)."""
    density[:] = 0.0
    few, width = low.size, re.shape[1]
    for h in range(high.size):
        for i in range(few):
            x, y, b = re[h * few + i], im[h * few + i], density[low[i] ^ high[h]]
            for k in range(width):
                b[k] += x[k] * x[k] + y[k] * y[k]


@njit(error_model="numpy", fastmath=FAST)
def vqe_turned(re, im, moved, turner_words, first, last):
    """The lanes after a group's turners: where they are, in `moved` if there is any turner."""
    for turner in range(first, last):
        vqe_turner(re, im, moved[0], moved[1], turner_words[turner, 0], turner_words[turner, 1], turner_words[turner, 2])
        re, im = moved[0], moved[1]
    return re, im
