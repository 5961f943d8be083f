"""A state and some of its tangents side by side, compiled: lane 0 is ψ, the others are χ_j = -iP_j ψ from their gates on.

Arrays (N, L): the lanes of one basis state lie together, so that every gate on any qubit is a loop over lanes.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from thalweg_vqe.engines.compiled.kernels.agreed import DIAGONAL, FAST, MAP, RUN_Y
from thalweg_vqe.engines.compiled.kernels.phases import vqe_phase_tables
from thalweg_vqe.engines.compiled.kernels.words import vqe_odd


@njit(error_model="numpy", fastmath=FAST)
def vqe_lanes_turn(re, im, p, c, s):
    """RY on a qubit."""
    one, width = 1 << p, re.shape[1]
    for high in range(0, re.shape[0], 2 * one):
        for i in range(high, high + one):
            j = i + one
            for k in range(width):
                a, b = re[i, k], re[j, k]
                re[i, k], re[j, k] = c * a - s * b, c * b + s * a
                a, b = im[i, k], im[j, k]
                im[i, k], im[j, k] = c * a - s * b, c * b + s * a


@njit(error_model="numpy", fastmath=FAST)
def vqe_lanes_diagonal(re, im, low, high):
    """The product with the phases of two half tables."""
    few, width = low.shape[1], re.shape[1]
    for h in range(high.shape[1]):
        for i in range(few):
            er = low[0, i] * high[0, h] - low[1, i] * high[1, h]
            ei = low[0, i] * high[1, h] + low[1, i] * high[0, h]
            x, y = re[h * few + i], im[h * few + i]
            for k in range(width):
                a, b = x[k], y[k]
                x[k], y[k] = er * a - ei * b, er * b + ei * a


@njit(error_model="numpy", fastmath=FAST)
def vqe_lanes_map(re, im, to_re, to_im, low, high):
    """The state of basis state b from low(b) xor high(b)."""
    few, width = low.size, re.shape[1]
    for h in range(high.size):
        for i in range(few):
            source, target = low[i] ^ high[h], h * few + i
            for k in range(width):
                to_re[target, k] = re[source, k]
                to_im[target, k] = im[source, k]


@njit(error_model="numpy", fastmath=FAST)
def vqe_lanes_word(re, im, x, z, ys, c, s):
    """c ψ + s (-iP) ψ for any word, see `adjoint.vqe_word`."""
    width = re.shape[1]
    if x == 0:
        for i in range(re.shape[0]):
            t = s * (1.0 - 2.0 * vqe_odd(i & z))
            for k in range(width):
                a, b = re[i, k], im[i, k]
                re[i, k], im[i, k] = c * a + t * b, c * b - t * a
        return
    real, sign = ys % 2 == 1, -1.0 if ys % 4 in (1, 2) else 1.0
    top = 1
    while top <= x >> 1:
        top <<= 1
    for high in range(0, re.shape[0], 2 * top):
        for i in range(high, high + top):
            j = i ^ x
            t = s * sign * (1.0 - 2.0 * vqe_odd(i & z))
            if real:
                for k in range(width):
                    ri, ii, rj, ij = re[i, k], im[i, k], re[j, k], im[j, k]
                    re[i, k], im[i, k] = c * ri + t * rj, c * ii + t * ij
                    re[j, k], im[j, k] = c * rj - t * ri, c * ij - t * ii
            else:
                for k in range(width):
                    ri, ii, rj, ij = re[i, k], im[i, k], re[j, k], im[j, k]
                    re[i, k], im[i, k] = c * ri + t * ij, c * ii - t * rj
                    re[j, k], im[j, k] = c * rj + t * ii, c * ij - t * ri


@njit(error_model="numpy", fastmath=FAST)
def vqe_lanes_spawn(re, im, lane, x, z, ys):
    """Lane ← -iP times lane 0."""
    real, sign = ys % 2 == 1, -1.0 if ys % 4 in (1, 2) else 1.0
    for i in range(re.shape[0]):
        j = i ^ x
        t = sign * (1.0 - 2.0 * vqe_odd(i & z))
        if real:
            re[i, lane], im[i, lane] = t * re[j, 0], t * im[j, 0]
        else:
            re[i, lane], im[i, lane] = t * im[j, 0], -t * re[j, 0]


@njit(error_model="numpy", fastmath=FAST)
def vqe_lanes_run(
    phi, lane_of, begin, keep_at, base, lanes, split,
    kinds, firsts, numbers, xs, zs, counts, maps_low, maps_high,
):  # fmt: skip
    """From the state `base` (2, N) before run number `begin` to the end of the circuit; which half of `lanes` holds it.

    lanes (4, N, L): two states to go to and fro. The rotation j gets the lane lane_of[j], none where it is 0. Before the run
    `keep_at` the state is put back into base.
    """
    states = base.shape[1]
    low, high = np.empty((2, 1 << split)), np.empty((2, states >> split))
    re, im, sr, si = lanes[0], lanes[1], lanes[2], lanes[3]
    re[:] = 0.0
    im[:] = 0.0
    re[:, 0] = base[0]
    im[:, 0] = base[1]
    here = 0
    for op in range(begin, kinds.size):
        if op == keep_at:
            base[0] = re[:, 0]
            base[1] = im[:, 0]
        first, last = firsts[op], firsts[op + 1]
        kind = kinds[op]
        if kind == MAP:
            vqe_lanes_map(re, im, sr, si, maps_low[numbers[first], 0], maps_high[numbers[first], 0])
            re, im, sr, si = sr, si, re, im
            here = 2 - here
            continue
        if kind == RUN_Y:
            for item in range(first, last):
                half = phi[numbers[item]] / 2
                vqe_lanes_turn(re, im, counts[item], math.cos(half), math.sin(half))
        elif kind == DIAGONAL:
            vqe_phase_tables(zs[first:last], phi[numbers[first:last]], split, low, high)
            vqe_lanes_diagonal(re, im, low, high)
        else:
            half = phi[numbers[first]] / 2
            vqe_lanes_word(re, im, xs[first], zs[first], counts[first], math.cos(half), math.sin(half))
        for item in range(first, last):
            lane = lane_of[numbers[item]]
            if lane:
                vqe_lanes_spawn(re, im, lane, xs[item], zs[item], 1 if kind == RUN_Y else counts[item])
    return here


@njit(error_model="numpy", cache=True, fastmath=FAST)
def vqe_tangent_rows(
    phi, width, rows, start, split, run_of,
    kinds, firsts, numbers, xs, zs, counts, maps_low, maps_high,
):  # fmt: skip
    """ψ and every χ_j, real half then imaginary half: rows (1 + R, 2, N)."""
    states, turned = rows.shape[2], rows.shape[0] - 1
    base, lanes, lane_of = np.zeros((2, states)), np.empty((4, states, width)), np.zeros(phi.size, dtype=np.int64)
    base[0, start] = 1.0
    begin, first = 0, 0
    while first == 0 or first < turned:
        last = min(turned, first + width - 1)
        keep = run_of[last] if last < turned else kinds.size
        lane_of[:] = 0
        lane_of[first:last] = np.arange(1, 1 + last - first)
        here = vqe_lanes_run(
            phi, lane_of, begin, keep, base, lanes, split, kinds, firsts, numbers, xs, zs, counts, maps_low, maps_high
        )
        for half in range(2):
            for lane in range(0 if first == 0 else 1, 1 + last - first):
                for i in range(states):
                    rows[lane + (first if lane else 0), half, i] = lanes[here + half, i, lane]
        begin, first = keep, max(last, 1)
