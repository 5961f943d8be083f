"""The variational quantum eigensolver as a problem: what a user names, checked, opened, and judged at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from thalweg_core.errors import BadInput
from thalweg_core.landscape import EXACT_VALUE, FLAT, GRADIENT, VALUE, Reading
from thalweg_core.problem import File, Observed, Traits
from thalweg_core.streams import Stream
from thalweg_vqe.ansatz import EfficientSu2
from thalweg_vqe.engines import engines
from thalweg_vqe.estimator import BYTES_PER_SHOT, Estimator
from thalweg_vqe.exact import ground_energy
from thalweg_vqe.jordan_wigner import number
from thalweg_vqe.landscape import Reference, VqeLandscape
from thalweg_vqe.molecule import Molecule
from thalweg_vqe.pauli import Observable, PauliSum, PauliTerm
from thalweg_vqe.shots import tangent_bytes
from thalweg_vqe.starts import HartreeFock, ParameterValues, Uniform
from thalweg_vqe.statevector import TOGETHER

__all__ = ["EfficientSu2", "Estimator", "HartreeFock", "Molecule", "ParameterValues", "PauliSum", "PauliTerm", "Uniform", "Vqe"]

UNIT = "Ha"

FINAL_SHOTS = 16
"""The final energy is measured with so many times the shots of a step: a quarter of its error (arbitrary)."""


@dataclass(frozen=True)
class Vqe:
    """Variational quantum eigensolver: the energy of a parametrized circuit, measured by shots.

        U(θ) = ⟨0| A(θ)† H A(θ) |0⟩

    The final energy is measured anew, with 16 times the shots of a step. Observed at the end: exact_energy (the reference),
    true_energy (noiseless, of the final angles), energy_error (their difference); of a molecule hartree_fock_energy, and
    electrons: the circuit does not keep their number, so the energy may fall below that of the right number.

    Args:
        hamiltonian: the operator H whose lowest eigenvalue is sought (Ha).
        ansatz: the parametrized circuit A.
        estimator: how the energy of a circuit is measured.
        start: where the angles start (rad); hartree_fock needs a molecule.

    Source: Peruzzo et al., Nat. Commun. 5 (2014) 4213.
    """

    hamiltonian: Molecule | PauliSum
    ansatz: EfficientSu2
    estimator: Estimator = field(default_factory=Estimator)
    start: HartreeFock | Uniform | ParameterValues = field(default_factory=HartreeFock)

    def traits(self) -> Traits:
        """What the fields tell, at the price of a look at the basis set.

        Raises:
            BadInput: what the fields say of atoms, basis, electrons, qubits, angles cannot be.
            Unavailable: this machine has not the device or the package that they need.
        """
        system = self._system()
        parameters = self.ansatz.parameters(system.qubits)
        self._check_start(parameters)
        self._check_memory(system)
        try:
            self.estimator.check_device()
        except BadInput as bad:
            raise bad.under("estimator") from None
        known = {VALUE, GRADIENT, FLAT}
        shots = self.estimator.shots
        noisy = f"with estimator.shots = {shots} is noisy; set problem.vqe.estimator.shots = 0"
        return Traits(
            knows=frozenset(known if shots else known | {EXACT_VALUE}),
            lacks={EXACT_VALUE: noisy} if shots else {},
            dimension=parameters,
            memory=system.memory + self._work(system.qubits),
            memory_per_replica=8 * 8 * parameters**2 if self.estimator.engine == "aer" else 64 * parameters,
            unit=UNIT,
        )

    def open(self, device: torch.device, dtype: torch.dtype) -> VqeLandscape:
        observable, reference = self._solve()
        program = self.ansatz.program(observable.qubits)
        exact, sampler = engines(program, observable, self.estimator)
        return VqeLandscape(program, observable, exact, sampler, self.estimator.shots, reference, device, dtype)

    def final(self, landscape: VqeLandscape, x: Tensor, rng: Stream) -> Reading:
        """The energy measured anew with 16 times the shots of a step; exact where shots = 0."""
        return landscape.measure(x, rng.named("final"), FINAL_SHOTS * landscape.shots)

    def observe(self, landscape: VqeLandscape, x: Tensor) -> dict[str, Observed]:
        """The reference energies, the noiseless energy of the angles x, and how far it is from the exact one."""
        energy, reference = landscape.expectation(landscape.observable, x), landscape.reference
        exact = torch.full_like(energy, reference.exact_energy)
        seen = {"exact_energy": exact, "true_energy": energy, "energy_error": energy - exact}
        if reference.hartree_fock_energy is not None:
            seen["hartree_fock_energy"] = torch.full_like(energy, reference.hartree_fock_energy)
        out = {name: Observed.exact(value, UNIT) for name, value in seen.items()}
        if isinstance(self.hamiltonian, Molecule):
            out["electrons"] = Observed.exact(landscape.expectation(number(landscape.observable.qubits), x))
        return out

    def files(self, landscape: VqeLandscape, start: Tensor, end: Tensor) -> Iterable[File]:
        from thalweg_vqe.circuits import openqasm

        observable = landscape.observable
        about = "Pauli words (leftmost letter on the highest qubit) and coefficients (Ha)"
        yield File("hamiltonian.json", _json(observable), "application/json", about)
        circuit = openqasm(landscape.program, landscape.program.angles(end[:1])[0].tolist())
        yield File("circuit.qasm", circuit.encode(), "text/plain", "OpenQASM 3: the circuit at the final angles of replica 0")

    def _work(self, qubits: int) -> int:
        """Bytes that the engine takes while it measures, beside the states counted with the system."""
        shots = self.estimator.shots
        if self.estimator.engine == "aer":
            return BYTES_PER_SHOT * FINAL_SHOTS * shots
        if shots == 0:
            return 0
        return tangent_bytes(qubits, len(self.ansatz.program(qubits).turned))

    def _system(self) -> _System:
        if isinstance(self.hamiltonian, PauliSum):
            terms = self.hamiltonian.observable()
            return _System(self.hamiltonian.qubits, len({word.x for word in terms.words}), 0)
        try:
            size = self.hamiltonian.size()
        except BadInput as bad:
            raise bad.under("hamiltonian.molecule") from None
        return _System(size.qubits, size.flips, size.determinants)

    def _solve(self) -> tuple[Observable, Reference]:
        if isinstance(self.hamiltonian, PauliSum):
            observable = self.hamiltonian.observable()
            return observable, Reference(ground_energy(observable), None, None)
        try:
            solved = self.hamiltonian.solve()
        except BadInput as bad:
            raise bad.under("hamiltonian.molecule") from None
        angles = self.ansatz.determinant(solved.observable.qubits, self.hamiltonian.size().determinant)
        return solved.observable, Reference(solved.exact_energy, solved.hartree_fock_energy, angles)

    def _check_start(self, parameters: int) -> None:
        if isinstance(self.start, HartreeFock) and isinstance(self.hamiltonian, PauliSum):
            raise BadInput("start.hartree_fock", "a pauli_sum has no Hartree-Fock determinant; use start.uniform or start.values")
        if isinstance(self.start, ParameterValues) and len(self.start.angles) != parameters:
            raise BadInput("start.values.angles", f"wanted {parameters} angles, one a parameter, got {len(self.start.angles)}")

    def _check_memory(self, system: _System) -> None:
        available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if system.memory > available:
            need = f"{system.qubits} qubits need about {_gib(system.memory)}, and this machine has {_gib(available)}"
            name = "pauli_sum.terms" if isinstance(self.hamiltonian, PauliSum) else "molecule"
            less = "fewer qubits" if isinstance(self.hamiltonian, PauliSum) else "a smaller basis or fewer atoms"
            raise BadInput(f"hamiltonian.{name}", f"too many qubits: {need}; use {less}")


class _System(NamedTuple):
    """What decides how much memory an operator takes."""

    qubits: int
    flips: int  # different sets of qubits flipped by its words
    determinants: int  # basis states of the molecule's sector; 0 for a Pauli sum

    @property
    def memory(self) -> int:
        """Bytes: the diagonals of the operator, states worked on together, and the vectors of the exact diagonalization."""
        amplitude = 16
        states = max(1 << self.qubits, TOGETHER)
        vectors = self.determinants or 1 << self.qubits
        return amplitude * ((self.flips << self.qubits) + 10 * states + _KRYLOV * vectors)


_KRYLOV = 20
"""Vectors that ARPACK and PySCF's Davidson keep, about."""


def _json(observable: Observable) -> bytes:
    terms = [
        {"word": word.letters(observable.qubits), "coefficient": coefficient}
        for word, coefficient in zip(observable.words, observable.coefficients, strict=True)
    ]
    return json.dumps({"qubits": observable.qubits, "unit": UNIT, "terms": terms}, indent=1).encode()


def _gib(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"
