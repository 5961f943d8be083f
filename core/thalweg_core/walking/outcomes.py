"""Why a replica's walk has ended, and the sentence that says so."""

from __future__ import annotations

from enum import IntEnum


class Outcome(IntEnum):
    """Why a replica stopped. `sentence` is what the user reads."""

    WALKING = 0
    STEPS = 1
    TORQUE = 2
    GRADIENT = 3
    VALUE = 4
    PLATEAU = 5
    SHOTS = 6
    GRADIENTS = 7
    SECONDS = 8
    LOST = 9
    CANCELLED = 10
    NOISE = 11
    METHOD = 12

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    Outcome.WALKING: "still walking",
    Outcome.STEPS: "all steps of the plan were done",
    Outcome.TORQUE: "the largest torque fell under plan.stop.max_torque",
    Outcome.GRADIENT: "the norm of the gradient fell under plan.stop.gradient_norm",
    Outcome.VALUE: "the energy that was seen reached plan.stop.value, by more than its standard error explains",
    Outcome.PLATEAU: "no decrease stood out of rounding for plan.stop.plateau steps",
    Outcome.SHOTS: "the next step and the measurement at the end would exceed plan.budget.shots",
    Outcome.GRADIENTS: "the next step would exceed plan.budget.gradients",
    Outcome.SECONDS: "plan.budget.seconds of wall clock had passed",
    Outcome.LOST: "the energy stopped being a number; try a smaller step",
    Outcome.CANCELLED: "cancelled on request",
    Outcome.NOISE: "no decrease stood out of the noise for plan.stop.plateau steps, which does not show that there is none",
    Outcome.METHOD: "the method stopped by itself",
}

CONVERGED = frozenset({Outcome.TORQUE, Outcome.GRADIENT, Outcome.VALUE, Outcome.PLATEAU})
"""Outcomes that a test has shown: exact numbers, or estimates beyond their errors. Noise is none of them."""
