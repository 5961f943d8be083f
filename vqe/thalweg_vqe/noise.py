"""Noise of a simulated device, by parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass

from thalweg_core.errors import BadInput


@dataclass(frozen=True)
class Noise:
    """Imperfect gates and readout. Circuits are run in RZ, SX, X and CX; RZ is a change of frame, and perfect.

    After SX, X or CX each: depolarization  ρ -> (1 - λ) ρ + λ 1/2ⁿ  of its qubits, then relaxation of each of them for the time
    of the gate. Readout flips each bit by itself.

    Args:
        one_qubit_error: λ of SX and X.
        two_qubit_error: λ of CX.
        t1: time after which 1/e of the excitations are left (s); no relaxation by default.
        t2: time after which 1/e of the coherence is left (s), at most 2 t1; 2 t1 by default.
        one_qubit_time: of SX and X (s).
        two_qubit_time: of CX (s).
        false_one: probability to read 1 where the bit is 0.
        false_zero: probability to read 0 where the bit is 1.

    Source: Georgopoulos, Emary & Zuliani, Phys. Rev. A 104 (2021) 062432.
    """

    one_qubit_error: float = 0.0
    two_qubit_error: float = 0.0
    t1: float | None = None
    t2: float | None = None
    one_qubit_time: float = 5e-8
    two_qubit_time: float = 3e-7
    false_one: float = 0.0
    false_zero: float = 0.0

    def __post_init__(self) -> None:
        for field in ("one_qubit_error", "two_qubit_error", "false_one", "false_zero"):
            if not 0 <= (got := getattr(self, field)) <= 1:
                raise BadInput(field, f"wanted a probability, 0 to 1, got {got}")
        for field in ("t1", "t2", "one_qubit_time", "two_qubit_time"):
            if (time := getattr(self, field)) is not None and not (time > 0 and math.isfinite(time)):
                raise BadInput(field, f"wanted a time above 0 (s), got {time}")
        if self.t1 is None and self.t2 is not None:
            raise BadInput("t1", "is wanted beside t2")
        if self.t1 is not None and self.t2 is not None and self.t2 > 2 * self.t1:
            raise BadInput("t2", f"wanted at most 2 t1 = {2 * self.t1:g} s, got {self.t2:g}")
        if self.false_one + self.false_zero >= 1:
            raise BadInput("false_zero", f"wanted false_one + false_zero below 1, got {self.false_one + self.false_zero:g}")

    @property
    def readings(self) -> tuple[float, float]:
        """What the bits 0 and 1 say of Z once their flips are undone: unbiased, whatever the state.

        (1 - a) z_0 + a z_1 = 1,   b z_0 + (1 - b) z_1 = -1,   a = false_one, b = false_zero
        """
        a, b = self.false_one, self.false_zero
        return (1 + a - b) / (1 - a - b), -(1 - a + b) / (1 - a - b)
