"""Shots of one state in one group, compiled: conditional binomials, by random numbers of its own.

Sources: Kachitvichyanukul & Schmeiser, Commun. ACM 31 (1988) 216 (inversion); Hörmann, J. Stat. Comput. Simul. 46 (1993)
101 (transformed rejection); Blackman & Vigna, ACM Trans. Math. Softw. 47 (2021) 36 (xoshiro256++).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, uint64

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
