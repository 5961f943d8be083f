"""Shots of every shifted state in every group, compiled: the probabilities of both shifts from one state and its tangents.

    p±(c) = Σ_{b in c} |ψ ± χ|²/2 = (A + B_χ)/2 ± C_χ,   A = Σ|ψ|², B = Σ|χ|², C = Σ Re ψ*χ over the class c

Each point in each group has random numbers of its own, so that no count depends on what is computed beside it.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from thalweg_vqe.engines.compiled.kernels.classes import vqe_pool, vqe_pool_each, vqe_turned
from thalweg_vqe.engines.compiled.kernels.draws import vqe_look, vqe_seed
from thalweg_vqe.engines.compiled.kernels.points import vqe_begins, vqe_points_run
from thalweg_vqe.engines.compiled.kernels.tangents import vqe_lanes_run


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
