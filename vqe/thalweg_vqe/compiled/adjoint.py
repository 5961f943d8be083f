"""Energy and gradient in one compiled call, for every replica in turn: the adjoint way on real and imaginary halves.

Rotations about y come as runs and go two qubits at a pass, diagonal ones as one product of two half tables, CX gates as one
linear map of the basis. What is read backwards gives the slopes in the same pass that takes it back:

    ∂U/∂φ_j = Re ⟨λ| -iP_j |ψ⟩,   λ = H ψ at the end of the circuit
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

RUN_Y, DIAGONAL, MAP, WORD = 0, 1, 2, 3
BLOCK = 12
"""Qubits of a block that passes over low qubits stay in: 2¹² amplitudes, 64 KiB."""

FAST = {"reassoc", "contract", "nsz", "arcp"}


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
def vqe_run_y(re, im, qubits, c, s):
    """A run of RY on different qubits, ascending: low ones block by block, high ones over all."""
    size = min(re.size, 1 << BLOCK)
    low = 0
    while low + 1 < qubits.size and qubits[low + 1] < BLOCK:
        low += 2
    for half in (re, im):
        for start in range(0, re.size, size):
            block = half[start : start + size]
            for i in range(0, low, 2):
                vqe_turn_two(block, qubits[i], qubits[i + 1], c[i], s[i], c[i + 1], s[i + 1])
        for i in range(low, qubits.size - 1, 2):
            vqe_turn_two(half, qubits[i], qubits[i + 1], c[i], s[i], c[i + 1], s[i + 1])
        if qubits.size % 2:
            vqe_turn_one(half, qubits[-1], c[-1], s[-1])


@njit(error_model="numpy", fastmath=FAST)
def vqe_back_run_y(kr, ki, br, bi, qubits, c, s, slope):
    """The run taken back from ket and bra; slopes are added."""
    size = min(kr.size, 1 << BLOCK)
    low = 0
    while low + 1 < qubits.size and qubits[low + 1] < BLOCK:
        low += 2
    for k, b in ((kr, br), (ki, bi)):
        for start in range(0, kr.size, size):
            x, y = k[start : start + size], b[start : start + size]
            for i in range(0, low, 2):
                gp, gq = vqe_back_two(x, y, qubits[i], qubits[i + 1], c[i], s[i], c[i + 1], s[i + 1])
                slope[i] += gp
                slope[i + 1] += gq
        for i in range(low, qubits.size - 1, 2):
            gp, gq = vqe_back_two(k, b, qubits[i], qubits[i + 1], c[i], s[i], c[i + 1], s[i + 1])
            slope[i] += gp
            slope[i + 1] += gq
        if qubits.size % 2:
            slope[-1] += vqe_back_one(k, b, qubits[-1], c[-1], s[-1])


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
    for table in (low, high):
        vqe_walsh(table[0])
        for i in range(table.shape[1]):
            half = table[0, i]
            table[0, i], table[1, i] = math.cos(half), -math.sin(half)


@njit(error_model="numpy", fastmath=FAST)
def vqe_diagonal(re, im, low, high):
    """The product with the phases of the two tables."""
    width = low.shape[1]
    lr, li = low[0], low[1]
    for h in range(high.shape[1]):
        hr, hi = high[0, h], high[1, h]
        x, y = re[h * width : (h + 1) * width], im[h * width : (h + 1) * width]
        for i in range(width):
            er, ei = lr[i] * hr - li[i] * hi, lr[i] * hi + li[i] * hr
            x[i], y[i] = er * x[i] - ei * y[i], er * y[i] + ei * x[i]


@njit(error_model="numpy", fastmath=FAST)
def vqe_back_diagonal(kr, ki, br, bi, low, high, wlow, whigh):
    """The phases taken back; Im(bra* ket) summed over high bits and over low bits."""
    width = low.shape[1]
    lr, li = low[0], low[1]
    wlow[:] = 0.0
    for h in range(high.shape[1]):
        hr, hi = high[0, h], high[1, h]
        a, b = kr[h * width : (h + 1) * width], ki[h * width : (h + 1) * width]
        x, y = br[h * width : (h + 1) * width], bi[h * width : (h + 1) * width]
        total = 0.0
        for i in range(width):
            er, ei = lr[i] * hr - li[i] * hi, -(lr[i] * hi + li[i] * hr)
            w = x[i] * b[i] - y[i] * a[i]
            wlow[i] += w
            total += w
            a[i], b[i] = er * a[i] - ei * b[i], er * b[i] + ei * a[i]
            x[i], y[i] = er * x[i] - ei * y[i], er * y[i] + ei * x[i]
        whigh[h] = total
    vqe_walsh(wlow)
    vqe_walsh(whigh)


@njit(error_model="numpy")
def vqe_map(source, target, low, high):
    """target(b) = source(low(b) xor high(b))."""
    for h in range(high.size):
        top = high[h]
        out = target[h * low.size : (h + 1) * low.size]
        for i in range(low.size):
            out[i] = source[low[i] ^ top]


@njit(error_model="numpy")
def vqe_odd(word):
    """Whether so many bits are set: 0 or 1."""
    for shift in (16, 8, 4, 2, 1):
        word ^= word >> shift
    return word & 1


@njit(error_model="numpy", fastmath=FAST)
def vqe_word(re, im, x, z, ys, c, s):
    """c ψ + s (-iP) ψ for any word P, where (-iPψ)(b) = (-i)^(ys+1) (-1)^|z∧b| ψ(b xor x)."""
    if x == 0:
        for i in range(re.size):
            t = s * (1.0 - 2.0 * vqe_odd(i & z))
            re[i], im[i] = c * re[i] + t * im[i], c * im[i] - t * re[i]
        return
    real, sign = ys % 2 == 1, -1.0 if ys % 4 in (1, 2) else 1.0  # (-i)^(ys+1): -1 for 1, i for 2, 1 for 3, -i for 0
    top = 1
    while top <= x >> 1:
        top <<= 1
    for high in range(0, re.size, 2 * top):
        for i in range(high, high + top):
            j = i ^ x
            t = s * sign * (1.0 - 2.0 * vqe_odd(i & z))
            ri, ii, rj, ij = re[i], im[i], re[j], im[j]
            if real:
                re[i], im[i] = c * ri + t * rj, c * ii + t * ij
                re[j], im[j] = c * rj - t * ri, c * ij - t * ii
            else:
                re[i], im[i] = c * ri + t * ij, c * ii - t * rj
                re[j], im[j] = c * rj + t * ii, c * ij - t * ri


@njit(error_model="numpy", fastmath=FAST)
def vqe_word_slope(kr, ki, br, bi, x, z, ys):
    """Re ⟨λ| -iP |ψ⟩."""
    total = 0.0
    real, sign = ys % 2 == 1, -1.0 if ys % 4 in (1, 2) else 1.0
    for i in range(kr.size):
        j = i ^ x
        t = sign * (1.0 - 2.0 * vqe_odd(i & z))
        if real:
            total += t * (br[i] * kr[j] + bi[i] * ki[j])
        else:
            total += t * (br[i] * ki[j] - bi[i] * kr[j])
    return total


@njit(error_model="numpy", fastmath=FAST)
def vqe_hamiltonian(kr, ki, br, bi, flips, constants, rows, real, imaginary):
    """bra = H ket with H = Σ_x X^x D_x, block by block; the energy. rows[x] < 0 where D_x is the constant."""
    size = min(kr.size, 1 << BLOCK)
    energy = 0.0
    for start in range(0, kr.size, size):
        x, y = br[start : start + size], bi[start : start + size]
        x[:] = 0.0
        y[:] = 0.0
        for term in range(flips.size):
            inside, outside = flips[term] & (size - 1), start ^ (flips[term] & ~(size - 1))
            u, v = kr[outside : outside + size], ki[outside : outside + size]
            row = rows[term]
            if row < 0 and (inside == 0 or inside & 7 == 0):
                c, run = constants[term], inside & -inside if inside else size
                for base in range(0, size, run):
                    other = base ^ inside
                    for i in range(run):
                        x[base + i] += c * u[other + i]
                        y[base + i] += c * v[other + i]
            elif row < 0:
                c = constants[term]
                for i in range(size):
                    x[i] += c * u[i ^ inside]
                    y[i] += c * v[i ^ inside]
            else:
                d, e = real[row, outside : outside + size], imaginary[row % imaginary.shape[0]]
                if inside == 0:
                    for i in range(size):
                        x[i] += d[i] * u[i]
                        y[i] += d[i] * v[i]
                else:
                    for i in range(size):
                        j = i ^ inside
                        x[i] += d[j] * u[j]
                        y[i] += d[j] * v[j]
                if imaginary.shape[0] > 1:
                    for i in range(size):
                        j = i ^ inside
                        x[i] -= e[outside + j] * v[j]
                        y[i] += e[outside + j] * u[j]
        a, b = kr[start : start + size], ki[start : start + size]
        for i in range(size):
            energy += x[i] * a[i] + y[i] * b[i]
    return energy


@njit(error_model="numpy", cache=True, fastmath=FAST)
def vqe_adjoint(
    angles, values, slopes, differentiate, start, split,
    kinds, firsts, numbers, xs, zs, counts, maps_low, maps_high,
    flips, constants, rows, real, imaginary, work, scratch,
):  # fmt: skip
    """All replicas: angles (B, T) -> values (B,), slopes (B, T)."""
    states = work.shape[1]
    low = scratch[: 2 << split].reshape(2, 1 << split)
    high = scratch[2 << split : (2 << split) + 2 * (states >> split)].reshape(2, states >> split)
    wlow, whigh = np.empty(1 << split), np.empty(states >> split)
    c, s, slope = np.empty(64), np.empty(64), np.empty(64)
    for replica in range(angles.shape[0]):
        phi, out = angles[replica], slopes[replica]
        kr, ki, br, bi, sr, si, tr, ti = work[0], work[1], work[2], work[3], work[4], work[5], work[6], work[7]
        kr[:] = 0.0
        ki[:] = 0.0
        kr[start] = 1.0
        for op in range(kinds.size):
            first, last = firsts[op], firsts[op + 1]
            kind, length = kinds[op], last - first
            if kind == RUN_Y:
                for i in range(length):
                    c[i], s[i] = math.cos(phi[numbers[first + i]] / 2), math.sin(phi[numbers[first + i]] / 2)
                vqe_run_y(kr, ki, counts[first:last], c[:length], s[:length])
            elif kind == DIAGONAL:
                vqe_phase_tables(zs[first:last], phi[numbers[first:last]], split, low, high)
                vqe_diagonal(kr, ki, low, high)
            elif kind == MAP:
                vqe_map(kr, sr, maps_low[numbers[first], 0], maps_high[numbers[first], 0])
                vqe_map(ki, si, maps_low[numbers[first], 0], maps_high[numbers[first], 0])
                kr, sr, ki, si = sr, kr, si, ki
            else:
                half = phi[numbers[first]] / 2
                vqe_word(kr, ki, xs[first], zs[first], counts[first], math.cos(half), math.sin(half))
        values[replica] = vqe_hamiltonian(kr, ki, br, bi, flips, constants, rows, real, imaginary)
        if not differentiate:
            continue
        for op in range(kinds.size - 1, -1, -1):
            first, last = firsts[op], firsts[op + 1]
            kind, length = kinds[op], last - first
            if kind == RUN_Y:
                for i in range(length):
                    c[i], s[i] = math.cos(phi[numbers[first + i]] / 2), math.sin(phi[numbers[first + i]] / 2)
                slope[:length] = 0.0
                vqe_back_run_y(kr, ki, br, bi, counts[first:last], c[:length], s[:length], slope[:length])
                for i in range(length):
                    out[numbers[first + i]] = slope[i]
            elif kind == DIAGONAL:
                vqe_phase_tables(zs[first:last], phi[numbers[first:last]], split, low, high)
                vqe_back_diagonal(kr, ki, br, bi, low, high, wlow, whigh)
                for i in range(first, last):
                    out[numbers[i]] = whigh[zs[i] >> split] if zs[i] >> split else wlow[zs[i]]
            elif kind == MAP:
                ml, mh = maps_low[numbers[first], 1], maps_high[numbers[first], 1]
                vqe_map(kr, sr, ml, mh)
                vqe_map(ki, si, ml, mh)
                vqe_map(br, tr, ml, mh)
                vqe_map(bi, ti, ml, mh)
                kr, sr, ki, si = sr, kr, si, ki
                br, tr, bi, ti = tr, br, ti, bi
            else:
                half = phi[numbers[first]] / 2
                x, z, ys = xs[first], zs[first], counts[first]
                out[numbers[first]] = vqe_word_slope(kr, ki, br, bi, x, z, ys)
                vqe_word(kr, ki, x, z, ys, math.cos(half), -math.sin(half))
                vqe_word(br, bi, x, z, ys, math.cos(half), -math.sin(half))
