"""Constants of nature. Source: CODATA 2022."""

MU0 = 1.25663706127e-6
"""Vacuum permeability μ0, in T m / A."""

GYROMAGNETIC_RATIO = 1.76085962784e11
"""Of the electron, |γ|, in rad / (s T)."""
