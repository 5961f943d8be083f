"""What the kernels agree on: the kinds of runs, the size of a block, and which liberties with sums they may take."""

from __future__ import annotations

RUN_Y, DIAGONAL, MAP, WORD = 0, 1, 2, 3
"""Kinds of runs: rotations about y on different qubits, diagonal ones, CX gates, any single word."""

BLOCK = 12
"""Qubits of a block that passes over low qubits stay in: 2¹² numbers, 32 KiB."""

FAST = {"reassoc", "contract", "nsz", "arcp"}
"""Fast arithmetic but for NaN and infinity, which mean what they mean everywhere."""
