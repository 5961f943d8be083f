"""One thread for everything: both of a pair get one core, and the table can say so."""

from __future__ import annotations

import os

CAPS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "QISKIT_NUM_PROCS",
    "RAYON_NUM_THREADS",
)
"""What the pools of threads are told their size by."""


def cap_pools() -> None:
    """Cap every pool, for this process and those it starts. Call it before numpy, torch or Qiskit load."""
    for name in CAPS:
        os.environ[name] = "1"
    os.environ["QISKIT_PARALLEL"] = "FALSE"


def only_one_thread() -> None:
    """Cap every pool, and keep the process on one core, which caps XLA's too. Call it before numpy, torch or Qiskit load."""
    cap_pools()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
