"""How the energy of a circuit is measured."""

from __future__ import annotations

from dataclasses import dataclass

from thalweg_core.errors import BadInput, Unavailable
from thalweg_vqe.engines.aer.noise import Noise
from thalweg_vqe.pauli.grouping import GROUPINGS

ENGINES = ("statevector", "aer")
DEVICES = ("cpu", "gpu")
ALLOCATIONS = ("equal", "measured", "random")
MOST_SHOTS = 10**6
"""Per circuit (arbitrary: about a second of a core for each circuit on Aer)."""

BYTES_PER_SHOT = 120
"""What Aer holds while it samples a circuit (measured, 4 and 12 qubits)."""


@dataclass(frozen=True)
class Estimator:
    """Shots on a simulated device, or the exact expectation values.

    Args:
        shots: per measured circuit in an evaluation of a method that does not choose their number itself, and a sixteenth of
            those of the measurement at the end; 0 means exact expectation values.
        engine: what measures: "statevector" draws the outcomes of every circuit from its exact distribution, "aer" runs
            every circuit on Qiskit Aer.
        device: where they run: "cpu" or "gpu".
        grouping: which Pauli words one circuit measures: "qubit_wise", those with equal letters on every qubit; "commuting",
            all that commute, in fewer but deeper circuits.
        allocation: how shots are divided over these groups: "equal", the same for each; "measured", by the spread that a first
            fifth of them shows; "random", every shot drawing its group. In all three an evaluation takes `shots` a circuit on
            average.
        noise: imperfect gates and readout, on engine = "aer"; none by default. Noiseless energies of the result stay noiseless.
        readout_mitigation: undo the readout's flips, whose probabilities are taken as known: unbiased, with larger error bars.
    """

    shots: int = 1000
    engine: str = "statevector"
    device: str = "cpu"
    grouping: str = "qubit_wise"
    noise: Noise | None = None
    readout_mitigation: bool = False
    allocation: str = "equal"

    def __post_init__(self) -> None:
        if self.shots == 1 or not 0 <= self.shots <= MOST_SHOTS:
            raise BadInput("shots", f"wanted 2 to {MOST_SHOTS} shots, or 0 for exact expectation values, got {self.shots}")
        for field, known in (("engine", ENGINES), ("device", DEVICES), ("grouping", GROUPINGS), ("allocation", ALLOCATIONS)):
            if (got := getattr(self, field)) not in known:
                raise BadInput(field, f'wanted {" or ".join(repr(name) for name in known)}, got "{got}"'.replace("'", '"'))

        if self.noise is not None and self.engine != "aer":
            raise BadInput("noise", f'engine = "{self.engine}" simulates an ideal device; use engine = "aer"')
        if self.noise is not None and self.shots == 0:
            raise BadInput("noise", "exact expectation values have no noise; use shots of 2 or more")
        if self.readout_mitigation and self.noise is None:
            raise BadInput("readout_mitigation", "there is no readout error to undo; give noise.false_one and noise.false_zero")

    def check_qubits(self, qubits: int) -> None:
        """Raises BadInput where the noise is that of a device which does not hold so many qubits."""
        if self.noise is not None:
            try:
                self.noise.calibration(qubits)
            except BadInput as bad:
                raise bad.under("noise") from None

    def check_device(self) -> None:
        """Ask the engine whether it has the device.

        Raises:
            Unavailable: it has not, with what would bring it.
        """
        if self.device == "cpu":
            return  # every engine has one: no need to load it
        if self.engine == "statevector":
            import torch

            if not torch.cuda.is_available():
                here = f"torch {torch.__version__} sees no GPU here; on a machine with an NVIDIA GPU install torch for its CUDA"
                raise Unavailable("device", f'{here}, or use device = "cpu"')
            return
        from thalweg_vqe.engines.aer.sampler import devices, version

        if self.device.upper() not in devices():
            package = f"qiskit-aer-gpu=={version}"
            raise Unavailable(
                "device",
                f"Qiskit Aer sees no GPU here; on a machine with an NVIDIA GPU install {package} in place of"
                f' qiskit-aer {version} (never both), or use device = "cpu"',
            )
