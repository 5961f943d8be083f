"""Shots of every shifted state in every group, compiled: pooled probabilities, then conditional binomials.

    p±(c) = Σ_{b in c} |ψ ± χ|²/2 = (A + B_χ)/2 ± C_χ,   A = Σ|ψ|², B = Σ|χ|², C = Σ Re ψ*χ over the class c

Each point in each group has random numbers of its own, so that no count depends on what is computed beside it.

Sources: Kachitvichyanukul & Schmeiser, Commun. ACM 31 (1988) 216 (inversion); Hörmann, J. Stat. Comput. Simul. 46 (1993)
101 (transformed rejection); Blackman & Vigna, ACM Trans. Math. Softw. 47 (2021) 36 (xoshiro256++).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, uint64

from thalweg_vqe.compiled.adjoint import FAST, vqe_odd
from thalweg_vqe.compiled.points import vqe_begins, vqe_points_run
from thalweg_vqe.compiled.tangents import vqe_lanes_run

FEW = 10.0
"""Mean below which a binomial is drawn by inversion, as Hörmann advises."""


@njit(error_model="numpy")
def vqe_split(x):
    """The next output of splitmix64 for this state."""
    x = x + uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> uint64(27))) * uint64(0x94D049BB133111EB)
    return x ^ (x >> uint64(31))


@njit(error_model="numpy")
def vqe_seed(state, first, second, group, point):
    """A generator of its own for a point in a group."""
    x = vqe_split(vqe_split(first) ^ second)
    x = vqe_split(x ^ uint64(group))
    x = vqe_split(x ^ uint64(point))
    for k in range(4):
        x = vqe_split(x)
        state[k] = x


@njit(error_model="numpy")
def vqe_uniform(state):
    """In (0, 1), by xoshiro256++."""
    a, b, c, d = state[0], state[1], state[2], state[3]
    out = a + d
    out = ((out << uint64(23)) | (out >> uint64(41))) + a
    t = b << uint64(17)
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    d = (d << uint64(45)) | (d >> uint64(19))
    state[0], state[1], state[2], state[3] = a, b, c, d
    return (float(out >> uint64(12)) + 0.5) * 2.0**-52


@njit(error_model="numpy")
def vqe_stirling(k):
    """log k! minus Stirling's formula for it."""
    if k < 10:
        total = 0.0
        for i in range(2, k + 1):
            total += math.log(i)
        return total - (0.9189385332046727 + (k + 0.5) * math.log(k + 1.0) - (k + 1.0))
    x = k + 1.0
    return (1 / 12 - (1 / 360 - 1 / 1260 / (x * x)) / (x * x)) / x


@njit(error_model="numpy")
def vqe_binomial(state, n, p):
    """How many of n succeed, each with probability p."""
    if p > 0.5:
        return n - vqe_binomial_half(state, n, 1.0 - p)
    return vqe_binomial_half(state, n, p)


@njit(error_model="numpy")
def vqe_binomial_half(state, n, p):
    """The same for p ≤ 1/2."""
    if p <= 0.0:
        return 0
    if n * p < FEW:
        ratio, none = p / (1.0 - p), math.exp(n * math.log1p(-p))
        while True:
            u, k, mass = vqe_uniform(state), 0, none
            while u > mass and k <= n:
                u -= mass
                k += 1
                mass *= ratio * (n + 1 - k) / k
            if k <= n:
                return k
    spread = math.sqrt(n * p * (1.0 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    middle, safe = n * p + 0.5, 0.92 - 4.2 / b
    odds, alpha, mode = p / (1.0 - p), (2.83 + 5.1 / b) * spread, int((n + 1) * p)
    known, head = False, 0.0
    while True:
        v = vqe_uniform(state)
        u = vqe_uniform(state) - 0.5
        us = 0.5 - abs(u)
        real = math.floor((2 * a / us + b) * u + middle)
        if us >= 0.07 and v <= safe:
            return int(real)
        if real < 0 or real > n:
            continue
        k = int(real)
        if not known:
            known = True
            head = (mode + 0.5) * math.log((mode + 1) / (odds * (n - mode + 1))) + vqe_stirling(mode) + vqe_stirling(n - mode)
        bound = head + (n + 1) * math.log((n - mode + 1) / (n - k + 1)) + (k + 0.5) * math.log(odds * (n - k + 1) / (k + 1))
        if math.log(v * alpha / (a / (us * us) + b)) <= bound - vqe_stirling(k) - vqe_stirling(n - k):
            return k


@njit(error_model="numpy")
def vqe_multinomial(state, shots, p, rest, counts):
    """Counts of all classes: each a binomial of what the ones before have left; p need not sum to 1."""
    total = 0.0
    for c in range(p.size - 1, -1, -1):
        total += p[c]
        rest[c] = total
    left = shots
    for c in range(p.size):
        k = vqe_binomial(state, left, p[c] / rest[c]) if left > 0 and p[c] > 0.0 else 0
        counts[c] = k
        left -= k


@njit(error_model="numpy")
def vqe_look(state, shots, p, rest, counts, energies):
    """Mean energy of so many shots on outcomes with these probabilities, and the variance of that mean."""
    vqe_multinomial(state, shots, p, rest, counts)
    total = 0.0
    for c in range(p.size):
        total += counts[c] * energies[c]
    mean = total / shots
    if shots == 1:
        return mean, np.inf
    spread = 0.0
    for c in range(p.size):
        spread += counts[c] * (energies[c] - mean) ** 2
    return mean, spread / (float(shots) * (shots - 1))


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


@njit(error_model="numpy", cache=True)
def vqe_shifted_shots(
    angles, shots, seeds, width, means, variances, start, split, run_of,
    turner_firsts, turner_words, class_firsts, energies, class_low, class_high,
    kinds, firsts, numbers, xs, zs, counts, maps_low, maps_high,
):  # fmt: skip
    """Every group's mean and variance at φ, φ + π/2 e_j, φ - π/2 e_j for every replica, where shots (B, 1 + 2R, G) ask for it."""
    states, groups, turned = class_low.shape[1] * class_high.shape[1], turner_firsts.size - 1, run_of.size
    most = 0
    for group in range(groups):
        most = max(most, class_firsts[group + 1] - class_firsts[group])
    base, lanes, moved = np.empty((2, states)), np.empty((4, states, width)), np.empty((2, states, width))
    density, overlap = np.empty((most, width)), np.empty((most, width))
    p, rest, seen, state = np.empty(most), np.empty(most), np.empty(most, dtype=np.int64), np.empty(4, dtype=np.uint64)
    wanted, lane_of = np.empty(turned, dtype=np.int64), np.zeros(angles.shape[1], dtype=np.int64)
    for replica in range(angles.shape[0]):
        phi, asked, mean, variance = angles[replica], shots[replica], means[replica], variances[replica]
        one, two = seeds[replica, 0], seeds[replica, 1]
        size = 0
        for j in range(turned):
            if asked[1 + j].any() or asked[1 + turned + j].any():
                wanted[size] = j
                size += 1
        if size == 0 and not asked[0].any():
            continue
        base[:] = 0.0
        base[0, start] = 1.0
        begin, first = 0, 0
        while first == 0 or first < size:
            last = min(size, first + width - 1)
            keep = run_of[wanted[last]] if last < size else kinds.size
            lane_of[:] = 0
            for lane in range(1, 1 + last - first):
                lane_of[wanted[first + lane - 1]] = lane
            here = vqe_lanes_run(
                phi, lane_of, begin, keep, base, lanes, split, kinds, firsts, numbers, xs, zs, counts, maps_low, maps_high
            )
            for group in range(groups):
                any_shots = first == 0 and asked[0, group] > 0
                for k in range(first, last):
                    any_shots = any_shots or asked[1 + wanted[k], group] > 0 or asked[1 + turned + wanted[k], group] > 0
                if not any_shots:
                    continue
                re, im = vqe_turned(
                    lanes[here], lanes[here + 1], moved, turner_words, turner_firsts[group], turner_firsts[group + 1]
                )
                classes = class_firsts[group + 1] - class_firsts[group]
                e = energies[class_firsts[group] : class_firsts[group + 1]]
                vqe_pool(re, im, class_low[group], class_high[group], density[:classes], overlap[:classes])
                if first == 0 and asked[0, group] > 0:
                    for c in range(classes):
                        p[c] = density[c, 0]
                    vqe_seed(state, one, two, group, 0)
                    mean[0, group], variance[0, group] = vqe_look(state, asked[0, group], p[:classes], rest, seen, e)
                for lane in range(1, 1 + last - first):
                    for side in range(2):
                        point = 1 + wanted[first + lane - 1] + side * turned
                        if asked[point, group] == 0:
                            continue
                        for c in range(classes):
                            half, cross = (density[c, 0] + density[c, lane]) / 2, overlap[c, lane]
                            p[c] = max(0.0, half - cross if side else half + cross)
                        vqe_seed(state, one, two, group, point)
                        mean[point, group], variance[point, group] = vqe_look(
                            state, asked[point, group], p[:classes], rest, seen, e
                        )
            begin, first = keep, max(last, 1)


@njit(error_model="numpy", cache=True)
def vqe_points_shots(
    angles, shots, seeds, width, means, variances, start, split, run_of,
    turner_firsts, turner_words, class_firsts, energies, class_low, class_high,
    kinds, firsts, numbers, xs, zs, counts, maps_low, maps_high,
):  # fmt: skip
    """Every group's mean and variance at all points (B, K, angles) of every replica, where shots (B, K, G) ask for it."""
    states, groups, amount = class_low.shape[1] * class_high.shape[1], turner_firsts.size - 1, angles.shape[1]
    most = 0
    for group in range(groups):
        most = max(most, class_firsts[group + 1] - class_firsts[group])
    base, lanes, moved = np.empty((4, states, 1)), np.empty((4, states, width)), np.empty((2, states, width))
    density = np.empty((most, width))
    p, rest, seen, state = np.empty(most), np.empty(most), np.empty(most, dtype=np.int64), np.empty(4, dtype=np.uint64)
    begins, phi = np.empty(amount, dtype=np.int64), np.empty((width, angles.shape[2]))
    wanted = np.empty(amount, dtype=np.int64)
    for replica in range(angles.shape[0]):
        points, asked, mean, variance = angles[replica], shots[replica], means[replica], variances[replica]
        one, two = seeds[replica, 0], seeds[replica, 1]
        vqe_begins(points, run_of, begins, kinds.size)
        size = 0
        for k in np.argsort(begins, kind="mergesort"):
            if asked[k].any():
                wanted[size] = k
                size += 1
        base[0] = 0.0
        base[1] = 0.0
        base[0, start, 0] = 1.0
        at = 0
        for first in range(0, size, width):
            last = min(size, first + width)
            begin = begins[wanted[first]]
            here = vqe_points_run(points[:1], at, begin, base, split, kinds, firsts, numbers, xs, zs, counts, maps_low, maps_high)
            at = begin
            if here:
                base[0], base[1] = base[2], base[3]
            for lane in range(width):
                phi[lane] = points[wanted[min(first + lane, last - 1)]]
            for half in range(2):
                for i in range(states):
                    lanes[half, i] = base[half, i, 0]
            here = vqe_points_run(
                phi, begin, kinds.size, lanes, split, kinds, firsts, numbers, xs, zs, counts, maps_low, maps_high
            )
            for group in range(groups):
                any_shots = False
                for k in range(first, last):
                    any_shots = any_shots or asked[wanted[k], group] > 0
                if not any_shots:
                    continue
                re, im = vqe_turned(
                    lanes[here], lanes[here + 1], moved, turner_words, turner_firsts[group], turner_firsts[group + 1]
                )
                classes = class_firsts[group + 1] - class_firsts[group]
                e = energies[class_firsts[group] : class_firsts[group + 1]]
                vqe_pool_each(re, im, class_low[group], class_high[group], density[:classes])
                for k in range(first, last):
                    point = wanted[k]
                    if asked[point, group] == 0:
                        continue
                    for c in range(classes):
                        p[c] = density[c, k - first]
                    vqe_seed(state, one, two, group, point)
                    mean[point, group], variance[point, group] = vqe_look(state, asked[point, group], p[:classes], rest, seen, e)
