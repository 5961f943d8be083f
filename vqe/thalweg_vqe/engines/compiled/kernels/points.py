"""States at many points side by side, compiled: every lane has angles of its own.

Arrays (N, L) as in `tangents`. Points that agree with a common one up to some run of the circuit start there.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from thalweg_vqe.engines.compiled.kernels.agreed import DIAGONAL, FAST, MAP, RUN_Y
from thalweg_vqe.engines.compiled.kernels.phases import vqe_phase_tables
from thalweg_vqe.engines.compiled.kernels.tangents import vqe_lanes_diagonal, vqe_lanes_map, vqe_lanes_turn, vqe_lanes_word
from thalweg_vqe.engines.compiled.kernels.words import vqe_odd


@njit(error_model="numpy", fastmath=FAST)
def vqe_each_turn(re, im, p, c, s):
    """RY on a qubit."""
    one, width = 1 << p, re.shape[1]
    for high in range(0, re.shape[0], 2 * one):
        for i in range(high, high + one):
            j = i + one
            for k in range(width):
                a, b = re[i, k], re[j, k]
                re[i, k], re[j, k] = c[k] * a - s[k] * b, c[k] * b + s[k] * a
                a, b = im[i, k], im[j, k]
                im[i, k], im[j, k] = c[k] * a - s[k] * b, c[k] * b + s[k] * a


@njit(error_model="numpy", fastmath=FAST)
def vqe_each_word(re, im, x, z, ys, c, s):
    """c ψ + s (-iP) ψ for any word."""
    width = re.shape[1]
    if x == 0:
        for i in range(re.shape[0]):
            sign = 1.0 - 2.0 * vqe_odd(i & z)
            for k in range(width):
                a, b, t = re[i, k], im[i, k], sign * s[k]
                re[i, k], im[i, k] = c[k] * a + t * b, c[k] * b - t * a
        return
    real, turn = ys % 2 == 1, -1.0 if ys % 4 in (1, 2) else 1.0
    top = 1
    while top <= x >> 1:
        top <<= 1
    for high in range(0, re.shape[0], 2 * top):
        for i in range(high, high + top):
            j = i ^ x
            sign = turn * (1.0 - 2.0 * vqe_odd(i & z))
            if real:
                for k in range(width):
                    ri, ii, rj, ij, t = re[i, k], im[i, k], re[j, k], im[j, k], sign * s[k]
                    re[i, k], im[i, k] = c[k] * ri + t * rj, c[k] * ii + t * ij
                    re[j, k], im[j, k] = c[k] * rj - t * ri, c[k] * ij - t * ii
            else:
                for k in range(width):
                    ri, ii, rj, ij, t = re[i, k], im[i, k], re[j, k], im[j, k], sign * s[k]
                    re[i, k], im[i, k] = c[k] * ri + t * ij, c[k] * ii - t * rj
                    re[j, k], im[j, k] = c[k] * rj + t * ii, c[k] * ij - t * ri


@njit(error_model="numpy", fastmath=FAST)
def vqe_one_diagonal(re, im, lane, low, high):
    """The product of one lane with the phases of two half tables."""
    few = low.shape[1]
    for h in range(high.shape[1]):
        for i in range(few):
            er = low[0, i] * high[0, h] - low[1, i] * high[1, h]
            ei = low[0, i] * high[1, h] + low[1, i] * high[0, h]
            a, b = re[h * few + i, lane], im[h * few + i, lane]
            re[h * few + i, lane], im[h * few + i, lane] = er * a - ei * b, er * b + ei * a


@njit(error_model="numpy")
def vqe_begins(points, run_of, begins, runs):
    """The run in which each point first differs from the first point; the number of runs for one that does not."""
    for k in range(points.shape[0]):
        begins[k] = runs
        for j in range(run_of.size):
            if points[k, j] != points[0, j]:
                begins[k] = min(begins[k], run_of[j])


@njit(error_model="numpy")
def vqe_same(phi, number):
    """Whether an angle is the same on all lanes."""
    same = True
    for k in range(1, phi.shape[0]):
        same = same and phi[k, number] == phi[0, number]
    return same


@njit(error_model="numpy", fastmath=FAST)
def vqe_points_run(
    phi, begin, end, lanes, split,
    kinds, firsts, numbers, xs, zs, counts, maps_low, maps_high,
):  # fmt: skip
    """The runs begin ≤ r < end on the lanes (4, N, L), at the angles phi (L, angles); which half of them holds the state."""
    states, width = lanes.shape[1], phi.shape[0]
    low, high = np.empty((2, 1 << split)), np.empty((2, states >> split))
    c, s = np.empty(width), np.empty(width)
    re, im, sr, si = lanes[0], lanes[1], lanes[2], lanes[3]
    here = 0
    for op in range(begin, end):
        first, last, kind = firsts[op], firsts[op + 1], kinds[op]
        if kind == MAP:
            vqe_lanes_map(re, im, sr, si, maps_low[numbers[first], 0], maps_high[numbers[first], 0])
            re, im, sr, si = sr, si, re, im
            here = 2 - here
        elif kind == DIAGONAL:
            same = True
            for item in range(first, last):
                same = same and vqe_same(phi, numbers[item])
            for k in range(1 if same else width):
                vqe_phase_tables(zs[first:last], phi[k][numbers[first:last]], split, low, high)
                if same:
                    vqe_lanes_diagonal(re, im, low, high)
                else:
                    vqe_one_diagonal(re, im, k, low, high)
        else:
            for item in range(first, last):
                number = numbers[item]
                if vqe_same(phi, number):
                    half = phi[0, number] / 2
                    if kind == RUN_Y:
                        vqe_lanes_turn(re, im, counts[item], math.cos(half), math.sin(half))
                    else:
                        vqe_lanes_word(re, im, xs[item], zs[item], counts[item], math.cos(half), math.sin(half))
                    continue
                for k in range(width):
                    half = phi[k, number] / 2
                    c[k], s[k] = math.cos(half), math.sin(half)
                if kind == RUN_Y:
                    vqe_each_turn(re, im, counts[item], c, s)
                else:
                    vqe_each_word(re, im, xs[item], zs[item], counts[item], c, s)
    return here
