"""Machine code in the making: loops that numba compiles, and nothing else. `thalweg_vqe.compiled` loads them, and keeps them."""
