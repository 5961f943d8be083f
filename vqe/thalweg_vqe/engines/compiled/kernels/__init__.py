"""Machine code in the making: loops that numba compiles, and nothing else. The package above loads them, and keeps them."""
