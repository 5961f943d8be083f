"""The two numbers that a test may want other than we chose them."""

from __future__ import annotations

import os

LEASE = "THALWEG_LEASE_SECONDS"
GRACE = "THALWEG_CANCEL_GRACE_SECONDS"


def lease_seconds() -> float:
    """How long a worker may be silent before its job is taken from it. Long: native code may keep Python's lock for seconds,
    and a worker that has died is seen at once, without any lease."""
    return float(os.environ.get(LEASE, "30"))


def grace_seconds() -> float:
    """How long a worker may take to stop by itself once it was asked to."""
    return float(os.environ.get(GRACE, "20"))
