"""A rotation about any Pauli word, forwards and backwards: it turns pairs of basis states, or the phase of each."""

from __future__ import annotations

from numba import njit

from thalweg_vqe.engines.compiled.kernels.agreed import FAST


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
