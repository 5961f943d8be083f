"""Runs of rotations about y, two qubits at a pass, forwards and backwards: they turn each half of the numbers by itself."""

from __future__ import annotations

from numba import njit

from thalweg_vqe.engines.compiled.kernels.agreed import BLOCK, FAST


@njit(error_model="numpy", fastmath=FAST)
def vqe_turn_two(a, p, q, cp, sp, cq, sq):
    """RY on the qubits p < q of one half."""
    one, two = 1 << p, 1 << q
    if p == 0 and q == 1:
        for i in range(0, a.size, 4):
            a0, a1, a2, a3 = a[i], a[i + 1], a[i + 2], a[i + 3]
            b0, b1, b2, b3 = cp * a0 - sp * a1, cp * a1 + sp * a0, cp * a2 - sp * a3, cp * a3 + sp * a2
            a[i], a[i + 1], a[i + 2], a[i + 3] = cq * b0 - sq * b2, cq * b1 - sq * b3, cq * b2 + sq * b0, cq * b3 + sq * b1
        return
    for high in range(0, a.size, 2 * two):
        for middle in range(high, high + two, 2 * one):
            w0, w1 = a[middle : middle + one], a[middle + one : middle + 2 * one]
            w2, w3 = a[middle + two : middle + two + one], a[middle + two + one : middle + two + 2 * one]
            for i in range(one):
                a0, a1, a2, a3 = w0[i], w1[i], w2[i], w3[i]
                b0, b1, b2, b3 = cp * a0 - sp * a1, cp * a1 + sp * a0, cp * a2 - sp * a3, cp * a3 + sp * a2
                w0[i], w1[i], w2[i], w3[i] = cq * b0 - sq * b2, cq * b1 - sq * b3, cq * b2 + sq * b0, cq * b3 + sq * b1


@njit(error_model="numpy", fastmath=FAST)
def vqe_turn_one(a, p, c, s):
    """RY on one qubit of one half."""
    one = 1 << p
    for high in range(0, a.size, 2 * one):
        for i in range(high, high + one):
            a0, a1 = a[i], a[i + one]
            a[i], a[i + one] = c * a0 - s * a1, c * a1 + s * a0


@njit(error_model="numpy", fastmath=FAST)
def vqe_back_two(k, b, p, q, cp, sp, cq, sq):
    """The slopes of two rotations about y from one half of ket and bra, and both taken back."""
    one, two = 1 << p, 1 << q
    gp = gq = 0.0
    if p == 0 and q == 1:
        for i in range(0, k.size, 4):
            k0, k1, k2, k3 = k[i], k[i + 1], k[i + 2], k[i + 3]
            b0, b1, b2, b3 = b[i], b[i + 1], b[i + 2], b[i + 3]
            gp += b1 * k0 - b0 * k1 + b3 * k2 - b2 * k3
            gq += b2 * k0 - b0 * k2 + b3 * k1 - b1 * k3
            t0, t1, t2, t3 = cp * k0 + sp * k1, cp * k1 - sp * k0, cp * k2 + sp * k3, cp * k3 - sp * k2
            k[i], k[i + 1], k[i + 2], k[i + 3] = cq * t0 + sq * t2, cq * t1 + sq * t3, cq * t2 - sq * t0, cq * t3 - sq * t1
            t0, t1, t2, t3 = cp * b0 + sp * b1, cp * b1 - sp * b0, cp * b2 + sp * b3, cp * b3 - sp * b2
            b[i], b[i + 1], b[i + 2], b[i + 3] = cq * t0 + sq * t2, cq * t1 + sq * t3, cq * t2 - sq * t0, cq * t3 - sq * t1
        return gp, gq
    for high in range(0, k.size, 2 * two):
        for middle in range(high, high + two, 2 * one):
            x0, x1 = k[middle : middle + one], k[middle + one : middle + 2 * one]
            x2, x3 = k[middle + two : middle + two + one], k[middle + two + one : middle + two + 2 * one]
            y0, y1 = b[middle : middle + one], b[middle + one : middle + 2 * one]
            y2, y3 = b[middle + two : middle + two + one], b[middle + two + one : middle + two + 2 * one]
            for i in range(one):
                k0, k1, k2, k3 = x0[i], x1[i], x2[i], x3[i]
                b0, b1, b2, b3 = y0[i], y1[i], y2[i], y3[i]
                gp += b1 * k0 - b0 * k1 + b3 * k2 - b2 * k3
                gq += b2 * k0 - b0 * k2 + b3 * k1 - b1 * k3
                t0, t1, t2, t3 = cp * k0 + sp * k1, cp * k1 - sp * k0, cp * k2 + sp * k3, cp * k3 - sp * k2
                x0[i], x1[i], x2[i], x3[i] = cq * t0 + sq * t2, cq * t1 + sq * t3, cq * t2 - sq * t0, cq * t3 - sq * t1
                t0, t1, t2, t3 = cp * b0 + sp * b1, cp * b1 - sp * b0, cp * b2 + sp * b3, cp * b3 - sp * b2
                y0[i], y1[i], y2[i], y3[i] = cq * t0 + sq * t2, cq * t1 + sq * t3, cq * t2 - sq * t0, cq * t3 - sq * t1
    return gp, gq


@njit(error_model="numpy", fastmath=FAST)
def vqe_back_one(k, b, p, c, s):
    """The same for one qubit."""
    one = 1 << p
    g = 0.0
    for high in range(0, k.size, 2 * one):
        for i in range(high, high + one):
            k0, k1, b0, b1 = k[i], k[i + one], b[i], b[i + one]
            g += b1 * k0 - b0 * k1
            k[i], k[i + one] = c * k0 + s * k1, c * k1 - s * k0
            b[i], b[i + one] = c * b0 + s * b1, c * b1 - s * b0
    return g


@njit(error_model="numpy", fastmath=FAST)
def vqe_passes(a, counts, first, last, turns, c, s):
    """RY on the qubits of items first … last-1; the turn of item i is at c + i and s + i."""
    for i in range(first, last - 1, 2):
        vqe_turn_two(a, counts[i], counts[i + 1], turns[c + i], turns[s + i], turns[c + i + 1], turns[s + i + 1])
    if (last - first) % 2:
        vqe_turn_one(a, counts[last - 1], turns[c + last - 1], turns[s + last - 1])


@njit(error_model="numpy", fastmath=FAST)
def vqe_back_passes(k, b, counts, first, last, begin, turns, c, s, slope):
    """The same taken back from one half of ket and bra; that of item i is added to slope i - begin."""
    for i in range(first, last - 1, 2):
        p, q = counts[i], counts[i + 1]
        gp, gq = vqe_back_two(k, b, p, q, turns[c + i], turns[s + i], turns[c + i + 1], turns[s + i + 1])
        slope[i - begin] += gp
        slope[i - begin + 1] += gq
    if (last - first) % 2:
        slope[last - 1 - begin] += vqe_back_one(k, b, counts[last - 1], turns[c + last - 1], turns[s + last - 1])


@njit(error_model="numpy", fastmath=FAST)
def vqe_low(counts, first, last):
    """Where the items begin whose qubits a block does not hold; a pair stays together."""
    while first + 1 < last and counts[first + 1] < BLOCK:
        first += 2
    return first


@njit(error_model="numpy", fastmath=FAST)
def vqe_run_y(a, counts, first, last, turns, c, s):
    """A run of RY on different qubits, ascending, on one half: low ones block by block, high ones over all."""
    size, middle = min(a.size, 1 << BLOCK), vqe_low(counts, first, last)
    for start in range(0, a.size, size):
        vqe_passes(a[start : start + size], counts, first, middle, turns, c, s)
    vqe_passes(a, counts, middle, last, turns, c, s)


@njit(error_model="numpy", fastmath=FAST)
def vqe_back_run_y(k, b, counts, first, last, turns, c, s, slope):
    """The run taken back from one half of ket and bra; slopes are added."""
    size, middle = min(k.size, 1 << BLOCK), vqe_low(counts, first, last)
    for start in range(0, k.size, size):
        vqe_back_passes(k[start : start + size], b[start : start + size], counts, first, middle, first, turns, c, s, slope)
    vqe_back_passes(k, b, counts, middle, last, first, turns, c, s, slope)
