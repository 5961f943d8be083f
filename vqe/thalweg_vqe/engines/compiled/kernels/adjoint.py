"""Energy and gradient over all basis states, compiled: the adjoint way on real and imaginary halves.

Rotations about y come as runs, diagonal ones as one product of two half tables, CX gates as one linear map of the basis. What
is read backwards gives the slopes in the same pass that takes it back:

    ∂U/∂φ_j = Re ⟨λ| -iP_j |ψ⟩,   λ = H ψ at the end of the circuit

Large states are worked on in two parts, one after the other or by two threads: a part has its own half of the numbers and its
own sums, so that no bit depends on who does it.
"""

from __future__ import annotations

import math

from numba import njit

from thalweg_vqe.engines.compiled.kernels.agreed import DIAGONAL, FAST, MAP, RUN_Y, WORD
from thalweg_vqe.engines.compiled.kernels.operator import vqe_hamiltonian
from thalweg_vqe.engines.compiled.kernels.phases import vqe_back_diagonal, vqe_diagonal, vqe_exponentials, vqe_walsh
from thalweg_vqe.engines.compiled.kernels.rotations import vqe_back_run_y, vqe_run_y
from thalweg_vqe.engines.compiled.kernels.team import vqe_gate
from thalweg_vqe.engines.compiled.kernels.words import vqe_back_word, vqe_word


@njit(error_model="numpy", fastmath=FAST)
def vqe_fill(a, first, last, value):
    """The same number everywhere."""
    for i in range(first, last):
        a[i] = value


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


@njit(error_model="numpy")
def vqe_map(source, target, low, high):
    """target(b) = source(low(b) xor high(b))."""
    for h in range(high.size):
        top = high[h]
        out = target[h * low.size : (h + 1) * low.size]
        for i in range(low.size):
            out[i] = source[low[i] ^ top]


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
