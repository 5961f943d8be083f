"""Energy and gradient over all basis states, compiled: the adjoint way on real and imaginary halves.

Rotations about y come as runs and go two qubits at a pass, diagonal ones as one product of two half tables, CX gates as one
linear map of the basis. What is read backwards gives the slopes in the same pass that takes it back:

    ∂U/∂φ_j = Re ⟨λ| -iP_j |ψ⟩,   λ = H ψ at the end of the circuit

Large states are worked on in two parts, one after the other or by two threads: a part has its own half of the numbers and its
own sums, so that no bit depends on who does it.
"""

from __future__ import annotations

import math

from numba import njit

from thalweg_vqe.compiled.team import vqe_gate

RUN_Y, DIAGONAL, MAP, WORD = 0, 1, 2, 3
BLOCK = 12
"""Qubits of a block that passes over low qubits stay in: 2¹² numbers, 32 KiB."""

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
def vqe_fill(a, first, last, value):
    """The same number everywhere."""
    for i in range(first, last):
        a[i] = value


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
def vqe_back_word(kr, ki, br, bi, x, z, ys, c, s):
    """Re ⟨λ| -iP |ψ⟩, and the rotation taken back from ket and bra."""
    total = 0.0
    if x == 0:
        for i in range(kr.size):
            sign = 1.0 - 2.0 * vqe_odd(i & z)
            t, a, b, u, v = -s * sign, kr[i], ki[i], br[i], bi[i]
            total += sign * (u * b - v * a)
            kr[i], ki[i] = c * a + t * b, c * b - t * a
            br[i], bi[i] = c * u + t * v, c * v - t * u
        return total
    real, plus = ys % 2 == 1, -1.0 if ys % 4 in (1, 2) else 1.0
    top = 1
    while top <= x >> 1:
        top <<= 1
    for high in range(0, kr.size, 2 * top):
        for i in range(high, high + top):
            j = i ^ x
            sign = plus * (1.0 - 2.0 * vqe_odd(i & z))
            t = -s * sign
            ri, ii, rj, ij = kr[i], ki[i], kr[j], ki[j]
            ui, vi, uj, vj = br[i], bi[i], br[j], bi[j]
            if real:
                total += sign * (ui * rj + vi * ij - uj * ri - vj * ii)
                kr[i], ki[i] = c * ri + t * rj, c * ii + t * ij
                kr[j], ki[j] = c * rj - t * ri, c * ij - t * ii
                br[i], bi[i] = c * ui + t * uj, c * vi + t * vj
                br[j], bi[j] = c * uj - t * ui, c * vj - t * vi
            else:
                total += sign * (ui * ij - vi * rj + uj * ii - vj * ri)
                kr[i], ki[i] = c * ri + t * ij, c * ii - t * rj
                kr[j], ki[j] = c * rj + t * ii, c * ij - t * ri
                br[i], bi[i] = c * ui + t * vj, c * vi - t * uj
                br[j], bi[j] = c * uj + t * vi, c * vj - t * ui
    return total


@njit(error_model="numpy", fastmath=FAST)
def vqe_hamiltonian(kr, ki, br, bi, first, last, flips, constants, rows, real, imaginary):
    """bra = H ket at basis states first … last-1, with H = Σ_x X^x D_x, block by block; their share of the energy."""
    size = min(last - first, 1 << BLOCK)
    energy = 0.0
    for start in range(first, last, size):
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


@njit(error_model="numpy", fastmath=FAST)
def vqe_turns(theta, kinds, firsts, turn_firsts, low_sizes, many, parameters, scales, offsets, xs, zs, begin, end, turns):
    """Cosines and sines of all half angles of one replica; of a diagonal run its two half tables."""
    for op in range(begin, end):
        first, last, at, few = firsts[op], firsts[op + 1], turn_firsts[op], low_sizes[op]
        diagonal = kinds[op] == DIAGONAL
        if diagonal:
            vqe_fill(turns, at, at + 2 * (few + many), 0.0)
        for item in range(first, last):
            half = offsets[item]
            if parameters[item] >= 0:
                half += scales[item] * theta[parameters[item]]
            if not diagonal:
                turns[at + item - first], turns[at + item - first + last - first] = math.cos(half), math.sin(half)
            elif xs[item] < 0:
                turns[at + 2 * few + zs[item]] += half
            else:
                turns[at + xs[item]] += half
        if diagonal:
            vqe_exponentials(turns[at : at + 2 * few].reshape(2, few))
            vqe_exponentials(turns[at + 2 * few : at + 2 * (few + many)].reshape(2, many))


@njit(error_model="numpy", fastmath=FAST)
def vqe_slopes(diagonal, parts, few, sums, high_sums, parameters, scales, xs, zs, first, last, out):
    """The sums of all parts made into slopes along the parameters, which are added."""
    total = sums[0]
    for part in range(1, parts):
        for i in range(few):
            total[i] += sums[part, i]
    if diagonal:
        vqe_walsh(total[:few])
        vqe_walsh(high_sums)
    for item in range(first, last):
        if parameters[item] < 0:
            continue
        if not diagonal:
            slope = total[item - first]
        elif xs[item] < 0:
            slope = high_sums[zs[item]]
        else:
            slope = total[xs[item]]
        out[parameters[item]] += 2 * scales[item] * slope


@njit(error_model="numpy", cache=True, nogil=True, fastmath=FAST)
def vqe_adjoint(
    theta, values, slopes, differentiate, begin, end, initial, member, members,
    start, kinds, firsts, numbers, turn_firsts, low_sizes, parameters, scales, offsets, xs, zs, counts, lows, highs, all_classes,
    flips, constants, rows, real, imaginary,
    work, roles_of, turns_of, all_sums, all_high_sums, energies, at_gate,
):  # fmt: skip
    """All replicas: θ (B, P) -> values (B,), slopes (B, P), by the runs begin … end-1, as one member of a team of 1 or 2.

    The arrays of the last line are overwritten; the last ket stays in rows roles_of[member, 0] and [member, 1] of `work`.
    """
    roles, turns, parts, many = roles_of[member], turns_of[member], energies.size, all_classes.shape[1]
    first_part, last_part = (member, member + 1) if members > 1 else (0, parts)
    states = work.shape[1]
    share, high_share, gate = states // parts, many // parts, 0
    for replica in range(theta.shape[0]):
        out = slopes[replica]
        vqe_turns(
            theta[replica], kinds, firsts, turn_firsts, low_sizes, many, parameters, scales, offsets, xs, zs, begin, end, turns
        )
        for k in range(6):
            roles[k] = k
        for part in range(first_part, last_part):
            for half in range(part, 2, parts):
                if initial.shape[1]:
                    for i in range(states):
                        work[half, i] = initial[half, i]
                else:
                    vqe_fill(work[half], 0, states, 0.0)
                    if half == 0:
                        work[half, start] = 1.0
        for op in range(begin, end):
            first, last, at, kind = firsts[op], firsts[op + 1], turn_firsts[op], kinds[op]
            c, s, number = at - first, at - first + last - first, numbers[op]
            gate = vqe_gate(at_gate, member, members, gate)
            for part in range(first_part, last_part):
                if kind == DIAGONAL:
                    a, b = part * high_share, (part + 1) * high_share
                    vqe_diagonal(work[roles[0]], work[roles[1]], turns, at, low_sizes[op], many, all_classes[number], a, b)
                    continue
                for half in range(part, 2, parts):
                    if kind == RUN_Y:
                        vqe_run_y(work[roles[half]], counts, first, last, turns, c, s)
                    elif kind == MAP:
                        vqe_map(work[roles[half]], work[roles[4 + half]], lows[number, 0], highs[number, 0])
            if kind == WORD and first_part == 0:
                vqe_word(work[roles[0]], work[roles[1]], xs[first], zs[first], counts[first], turns[at], turns[at + 1])
            if kind == MAP:
                for half in range(2):
                    roles[half], roles[4 + half] = roles[4 + half], roles[half]
        gate = vqe_gate(at_gate, member, members, gate)
        for part in range(first_part, last_part):
            energies[part] = vqe_hamiltonian(
                work[roles[0]], work[roles[1]], work[roles[2]], work[roles[3]], part * share, (part + 1) * share,
                flips, constants, rows, real, imaginary,
            )  # fmt: skip
        gate = vqe_gate(at_gate, member, members, gate)
        if member == 0:
            energy = 0.0
            for part in range(parts):
                energy += energies[part]
            values[replica] = energy
        if not differentiate:
            continue
        if member == 0:
            vqe_fill(out, 0, out.size, 0.0)
        for op in range(end - 1, begin - 1, -1):
            first, last, at, kind = firsts[op], firsts[op + 1], turn_firsts[op], kinds[op]
            c, s, number = at - first, at - first + last - first, numbers[op]
            few = low_sizes[op] if kind == DIAGONAL else last - first
            sums, high_sums = all_sums[op % 2], all_high_sums[op % 2]
            for part in range(first_part, last_part):
                vqe_fill(sums[part], 0, few, 0.0)
                if kind == DIAGONAL:
                    a, b = part * high_share, (part + 1) * high_share
                    vqe_back_diagonal(
                        work[roles[0]], work[roles[1]], work[roles[2]], work[roles[3]],
                        turns, at, few, many, all_classes[number], a, b, sums[part], high_sums,
                    )  # fmt: skip
                    continue
                for half in range(part, 2, parts):
                    ket, bra = work[roles[half]], work[roles[2 + half]]
                    if kind == RUN_Y:
                        vqe_back_run_y(ket, bra, counts, first, last, turns, c, s, sums[part])
                    elif kind == MAP:
                        vqe_map(ket, work[roles[4 + half]], lows[number, 1], highs[number, 1])
                        vqe_map(bra, ket, lows[number, 1], highs[number, 1])
            if kind == WORD and first_part == 0:
                sums[0, 0] = vqe_back_word(
                    work[roles[0]], work[roles[1]], work[roles[2]], work[roles[3]],
                    xs[first], zs[first], counts[first], turns[at], turns[at + 1],
                )  # fmt: skip
            if kind == MAP:
                for half in range(2):
                    ket_row, bra_row, spare = roles[half], roles[2 + half], roles[4 + half]
                    roles[half], roles[2 + half], roles[4 + half] = spare, ket_row, bra_row
            gate = vqe_gate(at_gate, member, members, gate)
            if member == 0 and kind != MAP:
                vqe_slopes(kind == DIAGONAL, parts, few, sums, high_sums, parameters, scales, xs, zs, first, last, out)
