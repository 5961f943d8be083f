"""An operator on a state, H = Σ_x X^x D_x, block by block."""

from __future__ import annotations

from numba import njit

from thalweg_vqe.engines.compiled.kernels.agreed import BLOCK, FAST


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
