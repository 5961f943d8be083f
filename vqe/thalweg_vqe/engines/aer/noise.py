"""Noise of a simulated device: by parameters, or by the calibration of a real one."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from thalweg_core.errors import BadInput
from thalweg_vqe.engines.aer.backend_properties import BackendProperties, Calibration
from thalweg_vqe.pauli.grouping import Readings


@dataclass(frozen=True)
class Noise:
    """Imperfect gates and readout, by parameters or by the calibration of a device.

    By parameters circuits are run in RZ, SX, X and CX on any pair of qubits; RZ is a change of frame, and perfect. After SX, X or
    CX each: depolarization  ρ -> (1 - λ) ρ + λ 1/2ⁿ  of its qubits, then relaxation of each of them for the time of the gate.
    Readout flips each bit by itself.

    By a calibration circuits are translated to the device's own gates and routed along its couplings. A gate is followed by
    relaxation of its qubits by their T1 and T2 (cut at 2 T1) and by as much depolarization as makes its average error the
    calibrated one: Aer's own model of a device. RZ is perfect here too, and qubits that wait rest without noise.

    Args:
        one_qubit_error: λ of SX and X.
        two_qubit_error: λ of CX.
        t1: time after which 1/e of the excitations are left (s); no relaxation by default.
        t2: time after which 1/e of the coherence is left (s), at most 2 t1; 2 t1 by default.
        one_qubit_time: of SX and X (s).
        two_qubit_time: of CX (s).
        false_one: probability to read 1 where the bit is 0.
        false_zero: probability to read 0 where the bit is 1.
        backend_properties: the calibration of a device, in place of all numbers above.
        qubits: its physical qubits that are used, for qubit 0, 1, … of the Hamiltonian; the first ones by default.

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
    backend_properties: BackendProperties | None = None
    qubits: tuple[int, ...] = ()

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
        self._check_one_kind()

    def _check_one_kind(self) -> None:
        numbers = [field for field in dataclasses.fields(self) if field.name not in ("backend_properties", "qubits")]
        given = [field.name for field in numbers if getattr(self, field.name) != field.default]
        if self.backend_properties is not None and given:
            raise BadInput(given[0], "the calibration in backend_properties says it already; wanted only one of them")
        if self.backend_properties is None and self.qubits:
            raise BadInput("qubits", "chooses among the qubits of backend_properties, and none are given")

    def calibration(self, qubits: int) -> Calibration | None:
        """What is known of the device's qubits that so many qubits of a circuit use; None for noise by parameters.

        Raises:
            BadInput: the device has too few, or the choice cannot be.
        """
        device = self.backend_properties
        if device is None:
            return None
        chosen = self.qubits or tuple(range(qubits))
        if qubits > device.count:
            raise BadInput("backend_properties.text", f"the device has {device.count} qubits, the Hamiltonian {qubits}")
        if len(chosen) != qubits:
            raise BadInput("qubits", f"wanted {qubits} physical qubits, one for each qubit of the Hamiltonian, got {len(chosen)}")
        for place, physical in enumerate(chosen):
            if physical >= device.count or physical in chosen[:place]:
                wanted = f"wanted different qubits of the device, 0 to {device.count - 1}"
                raise BadInput(f"qubits[{place}]", f"{wanted}, got {physical}{' again' if physical < device.count else ''}")
        try:
            return device.chosen(chosen)
        except BadInput as bad:
            raise bad.under("backend_properties") from None

    def readings(self, qubits: int) -> Readings:
        """What the bits 0 and 1 of each qubit say of Z once their flips are undone."""
        known = self.calibration(qubits)
        if known is None:
            return (unbiased(self.false_one, self.false_zero),) * qubits
        return tuple(unbiased(qubit.false_one, qubit.false_zero) for qubit in known.qubits)


def unbiased(false_one: float, false_zero: float) -> tuple[float, float]:
    """What the bits 0 and 1 say of Z, whatever the state, when these are the probabilities of their flips.

    (1 - a) z_0 + a z_1 = 1,   b z_0 + (1 - b) z_1 = -1,   a = false_one, b = false_zero
    """
    a, b = false_one, false_zero
    return (1 + a - b) / (1 - a - b), -(1 - a + b) / (1 - a - b)
