"""Energy and gradient among the states that a circuit reaches, compiled: every run is a list of pairs and of their angles.

ψ_i ← cos α ψ_i + sin α (Kψ)_i,   K real: (ψ_j, -ψ_i), imaginary: -i (ψ_j, ψ_i), a phase: -i ψ_i
∂U/∂α = 2 Re ⟨λ|K|ψ⟩,   λ = H ψ at the end, both taken back run by run
"""

from __future__ import annotations

import math

from numba import njit

from thalweg_vqe.engines.compiled.kernels.agreed import FAST

REAL, IMAGINARY, PHASE = 0, 1, 2


@njit(error_model="numpy", fastmath=FAST)
def vqe_subspace_turn(kind, re, im, ones, others, first, last, c, s, whole):
    """A class of pairs turned; the imaginary half is left alone where the states are real."""
    if kind == REAL:
        for p in range(first, last):
            i, j = ones[p], others[p]
            a, b = re[i], re[j]
            re[i], re[j] = c * a + s * b, c * b - s * a
            if whole:
                a, b = im[i], im[j]
                im[i], im[j] = c * a + s * b, c * b - s * a
    elif kind == IMAGINARY:
        for p in range(first, last):
            i, j = ones[p], others[p]
            ri, ii, rj, ij = re[i], im[i], re[j], im[j]
            re[i], im[i] = c * ri + s * ij, c * ii - s * rj
            re[j], im[j] = c * rj + s * ii, c * ij - s * ri
    else:
        for p in range(first, last):
            i = ones[p]
            a, b = re[i], im[i]
            re[i], im[i] = c * a + s * b, c * b - s * a


@njit(error_model="numpy", fastmath=FAST)
def vqe_subspace_slope(kind, kr, ki, br, bi, ones, others, first, last, whole):
    """Re ⟨λ|K|ψ⟩ of a class."""
    total = 0.0
    if kind == REAL:
        for p in range(first, last):
            i, j = ones[p], others[p]
            total += br[i] * kr[j] - br[j] * kr[i]
            if whole:
                total += bi[i] * ki[j] - bi[j] * ki[i]
    elif kind == IMAGINARY:
        for p in range(first, last):
            i, j = ones[p], others[p]
            total += br[i] * ki[j] - bi[i] * kr[j] + br[j] * ki[i] - bi[j] * kr[i]
    else:
        for p in range(first, last):
            i = ones[p]
            total += br[i] * ki[i] - bi[i] * kr[i]
    return total


@njit(error_model="numpy", fastmath=FAST)
def vqe_subspace_product(kr, ki, br, bi, firsts, columns, real, imaginary, whole):
    """λ = H ψ; the energy."""
    energy = 0.0
    for row in range(firsts.size - 1):
        x = y = 0.0
        for k in range(firsts[row], firsts[row + 1]):
            x += real[k] * kr[columns[k]]
            if whole:
                y += real[k] * ki[columns[k]]
        if imaginary.size:
            for k in range(firsts[row], firsts[row + 1]):
                x -= imaginary[k] * ki[columns[k]]
                y += imaginary[k] * kr[columns[k]]
        br[row] = x
        energy += x * kr[row]
        if whole:
            bi[row] = y
            energy += y * ki[row]
    return energy


@njit(error_model="numpy", fastmath=FAST, cache=True, nogil=True)
def vqe_subspace(
    theta, values, slopes, differentiate, whole, begin, end, start, work, turns,
    kinds, class_firsts, offsets, term_firsts, parameters, coefficients, pair_firsts, ones, others,
    firsts, columns, real, imaginary,
):  # fmt: skip
    """All replicas: θ (B, P) -> values (B,), slopes (B, P), from `start` (2, M) by the runs begin … end-1.

    `work` (4, M) and `turns` (2, classes) are overwritten; the last state stays in the first two rows of `work`.
    """
    kr, ki, br, bi = work[0], work[1], work[2], work[3]
    cosines, sines = turns[0], turns[1]
    for replica in range(theta.shape[0]):
        x, out = theta[replica], slopes[replica]
        for c in range(class_firsts[begin], class_firsts[end]):
            angle = offsets[c]
            for t in range(term_firsts[c], term_firsts[c + 1]):
                angle += coefficients[t] * x[parameters[t]]
            cosines[c], sines[c] = math.cos(angle), math.sin(angle)
        kr[:] = start[0]
        ki[:] = start[1]
        for run in range(begin, end):
            for c in range(class_firsts[run], class_firsts[run + 1]):
                a, b = pair_firsts[c], pair_firsts[c + 1]
                vqe_subspace_turn(kinds[run], kr, ki, ones, others, a, b, cosines[c], sines[c], whole)
        values[replica] = vqe_subspace_product(kr, ki, br, bi, firsts, columns, real, imaginary, whole)
        if not differentiate:
            continue
        out[:] = 0.0
        for run in range(end - 1, begin - 1, -1):
            for c in range(class_firsts[run], class_firsts[run + 1]):
                a, b = pair_firsts[c], pair_firsts[c + 1]
                if term_firsts[c] < term_firsts[c + 1]:
                    slope = 2 * vqe_subspace_slope(kinds[run], kr, ki, br, bi, ones, others, a, b, whole)
                    for t in range(term_firsts[c], term_firsts[c + 1]):
                        out[parameters[t]] += coefficients[t] * slope
                vqe_subspace_turn(kinds[run], kr, ki, ones, others, a, b, cosines[c], -sines[c], whole)
                vqe_subspace_turn(kinds[run], br, bi, ones, others, a, b, cosines[c], -sines[c], whole)


@njit(error_model="numpy", fastmath=FAST)
def vqe_subspace_spawn(kind, re, im, to_re, to_im, ones, others, first, last, weight):
    """weight K ψ of a class is added."""
    for p in range(first, last):
        i, j = ones[p], others[p]
        if kind == REAL:
            to_re[i] += weight * re[j]
            to_im[i] += weight * im[j]
            to_re[j] -= weight * re[i]
            to_im[j] -= weight * im[i]
        else:
            to_re[i] += weight * im[j]
            to_im[i] -= weight * re[j]
            if kind == IMAGINARY:
                to_re[j] += weight * im[i]
                to_im[j] -= weight * re[i]


@njit(error_model="numpy", fastmath=FAST, cache=True, nogil=True)
def vqe_subspace_rows(
    theta, whole, begin, end, rows, alive,
    kinds, class_firsts, offsets, term_firsts, parameters, coefficients, pair_firsts, ones, others,
):  # fmt: skip
    """ψ and every ∂ψ/∂θ_k at one point: rows (1 + P, 2, M), of which the first is the state that the runs begin with.

    alive (P,) bool: which derivatives are not zero yet, none at first.
    """
    for run in range(begin, end):
        kind = kinds[run]
        for c in range(class_firsts[run], class_firsts[run + 1]):
            a, b, angle = pair_firsts[c], pair_firsts[c + 1], offsets[c]
            for t in range(term_firsts[c], term_firsts[c + 1]):
                angle += coefficients[t] * theta[parameters[t]]
            cosine, sine = math.cos(angle), math.sin(angle)
            vqe_subspace_turn(kind, rows[0, 0], rows[0, 1], ones, others, a, b, cosine, sine, whole)
            for k in range(alive.size):
                if alive[k]:
                    vqe_subspace_turn(kind, rows[1 + k, 0], rows[1 + k, 1], ones, others, a, b, cosine, sine, whole)
            for t in range(term_firsts[c], term_firsts[c + 1]):
                k = parameters[t]
                alive[k] = True
                to = rows[1 + k]
                vqe_subspace_spawn(kind, rows[0, 0], rows[0, 1], to[0], to[1], ones, others, a, b, coefficients[t])
