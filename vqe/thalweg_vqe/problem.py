"""The variational quantum eigensolver as a problem: what a user names, checked, opened, and judged at the end."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch
from torch import Tensor

from thalweg_core.errors import BadInput
from thalweg_core.landscape import METRIC, EnergyEstimate
from thalweg_core.problem import File, Observed, Problem, Traits
from thalweg_core.streams import Stream
from thalweg_vqe.ansatze.adapt import Adapt
from thalweg_vqe.ansatze.excitation_preserving import ExcitationPreserving
from thalweg_vqe.ansatze.excitations import KUpCcgsd, Uccsd
from thalweg_vqe.ansatze.hamiltonian_variational import HamiltonianVariational
from thalweg_vqe.ansatze.layers import EfficientSu2, RealAmplitudes, program_of
from thalweg_vqe.ansatze.outline import Outline, outlined
from thalweg_vqe.ansatze.user.open_qasm import OpenQasm
from thalweg_vqe.ansatze.user.qpy import Qpy
from thalweg_vqe.compatibility import KNOWN, Start, check_deflation, check_start, keeps_sector, lacking, snake
from thalweg_vqe.engines.aer.backend_properties import BackendProperties
from thalweg_vqe.engines.aer.noise import Noise
from thalweg_vqe.engines.blank import BlankEngine, BlankSampler
from thalweg_vqe.engines.choosing import engines
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.hamiltonians.fcidump import Fcidump
from thalweg_vqe.hamiltonians.hamiltonian import Refused, Register, Solved, System
from thalweg_vqe.hamiltonians.hubbard import FermiHubbard
from thalweg_vqe.hamiltonians.molecule import Molecule
from thalweg_vqe.hamiltonians.orbitals import ActiveSpace
from thalweg_vqe.hamiltonians.pauli_sum import PauliSum, PauliTerm
from thalweg_vqe.hamiltonians.spin_chains import HeisenbergXxz, TransverseFieldIsing
from thalweg_vqe.landscapes.circuit import DryRunVqeLandscape, Reference, VqeLandscape
from thalweg_vqe.landscapes.deflation import Deflation, deflated
from thalweg_vqe.landscapes.growing import AdaptiveLandscape, adaptive
from thalweg_vqe.measurement.pool_slopes import quick
from thalweg_vqe.memory import Circuit, metric, needed
from thalweg_vqe.pauli.grouping import groups, sizes
from thalweg_vqe.pauli.program import Program
from thalweg_vqe.pauli.words import ROUND_OFF, Observable
from thalweg_vqe.starts import HartreeFock, JobEnd, ParameterValues, Uniform, Zeros

__all__ = [
    "ActiveSpace",
    "Adapt",
    "BackendProperties",
    "Deflation",
    "EfficientSu2",
    "Estimator",
    "ExcitationPreserving",
    "Fcidump",
    "FermiHubbard",
    "HamiltonianVariational",
    "HartreeFock",
    "HeisenbergXxz",
    "JobEnd",
    "KUpCcgsd",
    "Molecule",
    "Noise",
    "OpenQasm",
    "ParameterValues",
    "PauliSum",
    "PauliTerm",
    "Qpy",
    "RealAmplitudes",
    "TransverseFieldIsing",
    "Uccsd",
    "Uniform",
    "Vqe",
    "Zeros",
]

MOST_QUBITS = 60
"""A basis state is a number of 64 bits, and no machine holds 2^50 of them."""

MOST_CROWDED = 50
"""Where shots are not divided equally the largest group takes so many times the average (49 of LiH's 59 groups on 10 qubits)."""

NEWS = {"news": True}
"""Marks a line of the log that is no reason to worry."""

_log = logging.getLogger("thalweg.vqe")

FINAL_SHOTS = 16
"""The final energy is measured with so many times estimator.shots: a quarter of their error (arbitrary)."""


CHECKED_QUBITS, CHECKED_INTEGRALS, CHECKED_WORDS = 12, 2**20, 2000
"""Molecules, their integrals in bytes, and words up to which a check finds the groups (arbitrary: about a second)."""

T = TypeVar("T")

CircuitLandscape = VqeLandscape | AdaptiveLandscape


@dataclass(frozen=True)
class Vqe(Problem[CircuitLandscape]):
    """Variational quantum eigensolver: the energy of a parametrized circuit, measured by shots.

        U(θ) = ⟨0| A(θ)† H A(θ) |0⟩

    The final energy is measured anew, with 16 times estimator.shots. Observed at the end: exact_energy (the reference),
    true_energy (noiseless, of the final angles), energy_error (their difference); hartree_fock_energy where there is one;
    of electrons their number: a circuit that does not keep it may fall below the energy of the right one.

    With a deflation U has a penalty for each lower state, see there. The final energy is then ⟨H⟩ alone, exact_energy that of
    the level sought, and overlap_0, overlap_1, … are the noiseless overlaps with the lower states.

    Args:
        hamiltonian: the operator H whose lowest eigenvalue is sought, in Ha or, for models, in the unit of their constants.
        ansatz: the parametrized circuit A.
        estimator: how the energy of a circuit is measured.
        start: where the angles start (rad); hartree_fock needs a molecule or an fcidump.
        deflation: lower states to be kept away from: with the lowest k of them the next one is sought (VQD).

    Source: Peruzzo et al., Nat. Commun. 5 (2014) 4213.
    """

    hamiltonian: Molecule | Fcidump | PauliSum | TransverseFieldIsing | HeisenbergXxz | FermiHubbard
    ansatz: (
        EfficientSu2 | RealAmplitudes | Uccsd | KUpCcgsd | HamiltonianVariational | ExcitationPreserving | OpenQasm | Qpy | Adapt
    )
    estimator: Estimator = field(default_factory=Estimator)
    start: Start = field(default_factory=HartreeFock)
    deflation: tuple[Deflation, ...] = ()

    def traits(self) -> Traits:
        """What the fields tell, exactly: with the mean field where only that tells how many qubits or angles there are.

        Raises:
            BadInput: what the fields say of atoms, basis, electrons, qubits, angles cannot be.
            Unavailable: this machine has not the device or the package that they need.
        """
        system = self._checked_system()
        register = Register(system.qubits, self.hamiltonian)
        program = self._program(register)
        turned = self.ansatz.most_turned(register) if isinstance(self.ansatz, Adapt) else len(program.turned)
        return self._traits(system, register, Outline(program, program.parameters, turned))

    def quick_traits(self) -> Traits:
        """The traits at most, and without a mean field, an operator or frequencies that would take more than about a second."""
        hamiltonian = self._asked(lambda: self.hamiltonian.most())
        sure, most = hamiltonian is self.hamiltonian, replace(self, hamiltonian=hamiltonian)
        system = most._checked_system()
        register = Register(system.qubits, hamiltonian)
        outline = most._outline(system, register, sure)
        return most._traits(system if sure else system._replace(stored=True), register, outline, sure)

    def _traits(self, system: System, register: Register, outline: Outline, sure: bool = True) -> Traits:
        """Of a circuit that may be known in outline only; sure: whether there are not fewer qubits."""
        program, parameters, turned = outline[:3]
        self._check_start(register, outline, sure)
        try:
            self.estimator.check_device()
            if sure:
                self.estimator.check_qubits(register.qubits)
        except BadInput as bad:
            raise bad.under("estimator") from None
        if sure and outline.whole:
            check_deflation(self.deflation, self.ansatz, program)
        lacks = lacking(self.estimator, self.ansatz, program, register, outline.short)
        shots, circuit = self.estimator.shots, Circuit.of(program, turned, keeps_sector(self.hamiltonian, self.ansatz))
        if not outline.whole:
            circuit = circuit._replace(runs=turned)
        return Traits(
            knows=KNOWN.difference(lacks),
            lacks=lacks,
            dimension=parameters,
            memory=self._memory(system, circuit),
            memory_per_replica=8 * 8 * turned**2 if self.estimator.engine == "aer" else 256 * turned,
            memory_of={} if shots else {METRIC: metric(system, circuit, parameters)},
            unit=self.hamiltonian.unit,
            grows=isinstance(self.ansatz, Adapt),
        )

    def open(self, device: torch.device, dtype: torch.dtype) -> CircuitLandscape:
        solved = self._solve()
        if math.isnan(solved.exact_energy):
            _log.warning("to find the exact energy would take too long: the result does not have it", extra=NEWS)
        register = Register(solved.observable.qubits, self.hamiltonian)
        angles = self.ansatz.hartree_fock(register) if self.hamiltonian.mean_field else None
        reference = Reference(solved.exact_energy, solved.hartree_fock_energy, angles, solved.number, self.hamiltonian.unit)

        def of(program: Program) -> VqeLandscape:
            estimator, observable = self.estimator, solved.observable
            exact, sampler = engines(program, observable, estimator)
            places = (estimator.shots, reference, device, dtype)
            return VqeLandscape(program, observable, exact, sampler, *places, estimator=estimator)

        if isinstance(self.ansatz, Adapt):
            return adaptive(self.ansatz, register, self.estimator, of, self._dry_landscape(solved.observable, device, dtype))
        return deflated(of(self._program(register)), self.deflation, solved.electrons, self.estimator)

    def dry_run(self) -> CircuitLandscape | None:
        """Where the groups of its words are found in about a second; else only opening it tells what evaluations cost."""
        if not self._asked(self.hamiltonian.quick):
            return None
        system, cheap = self._checked_system(), not self.hamiltonian.mean_field
        if not cheap and (system.qubits > CHECKED_QUBITS or system.extra > CHECKED_INTEGRALS):
            return None
        try:
            observable = self.hamiltonian.observable()
            self._check_varies(observable)
        except BadInput as bad:
            raise self._under(bad) from None
        if len(observable.words) > CHECKED_WORDS:
            return None
        register = Register(system.qubits, self.hamiltonian)
        if not self._outline(system, register, sure=True).short:
            return None
        of = self._dry_landscape(observable, torch.device("cpu"), torch.float64)
        if isinstance(self.ansatz, Adapt):
            soon = not self.estimator.shots or quick(observable, self.ansatz.from_pool(register))
            return adaptive(self.ansatz, register, self.estimator, of, of) if soon else None
        landscape = of(self._program(register))
        if not self.deflation:
            return landscape
        weights = torch.cat([landscape.sampler.weights, torch.ones(len(self.deflation), dtype=torch.float64)])
        return replace(landscape, sampler=BlankSampler(weights), without_penalty=landscape)

    def _dry_landscape(
        self, observable: Observable, device: torch.device, dtype: torch.dtype
    ) -> Callable[[Program], VqeLandscape]:
        """What makes the dry run of a circuit's landscape."""
        sampler = BlankSampler(sizes(groups(observable, self.estimator.grouping)))
        places = (self.estimator.shots, Reference(math.nan, None, None), device, dtype)
        return lambda program: DryRunVqeLandscape(program, observable, BlankEngine(), sampler, *places, estimator=self.estimator)

    def final(self, landscape: CircuitLandscape, x: Tensor, rng: Stream) -> EnergyEstimate:
        """The energy ⟨H⟩ measured anew with 16 times estimator.shots; exact where shots = 0."""
        landscape = landscape.without_penalty or landscape
        return landscape.measure(x, rng.named("final"), FINAL_SHOTS * landscape.samples)

    def final_shots(self, landscape: CircuitLandscape) -> int:
        """16 times estimator.shots, in every group."""
        landscape = landscape.without_penalty or landscape
        return FINAL_SHOTS * landscape.shots * landscape.groups

    def observe(self, landscape: CircuitLandscape, x: Tensor) -> dict[str, Observed]:
        """The reference energies, the noiseless energy of the angles x, and how far it is from the exact one."""
        energy, reference = landscape.expectation(landscape.observable, x), landscape.reference
        exact = torch.full_like(energy, reference.exact_energy)
        seen = {"exact_energy": exact, "true_energy": energy, "energy_error": energy - exact}
        if math.isnan(reference.exact_energy):
            seen = {"true_energy": energy}
        if reference.hartree_fock_energy is not None:
            seen["hartree_fock_energy"] = torch.full_like(energy, reference.hartree_fock_energy)
        out = {name: Observed.exact(value, self.hamiltonian.unit) for name, value in seen.items()}
        if reference.number is not None:
            out["electrons"] = Observed.exact(landscape.expectation(reference.number, x))
        overlaps = landscape.overlaps_at(x)
        return out | {f"overlap_{number}": Observed.exact(overlap) for number, overlap in enumerate(overlaps)}

    def files(self, landscape: CircuitLandscape, start: Tensor, end: Tensor) -> Iterable[File]:
        from thalweg_vqe.engines.aer.qiskit_circuits import openqasm

        observable = landscape.observable
        unit = self.hamiltonian.unit
        about = f"Pauli words (leftmost letter on the highest qubit) and coefficients{f' ({unit})' if unit else ''}"
        yield File("hamiltonian.json", _json(observable, unit), "application/json", about)
        circuit = openqasm(landscape.program, landscape.program.angles(end[:1])[0].tolist())
        yield File("circuit.qasm", circuit.encode(), "text/plain", "OpenQASM 3: the circuit at the final angles of replica 0")
        if history := landscape.history(end):
            about = "what each replica took, in order: operators, angles (rad), the pool's gradients before each"
            content = json.dumps({"unit": unit, "replicas": history}, indent=1)
            yield File("adapt.json", content.encode(), "application/json", about)

    def _asked(self, question: Callable[[], T]) -> T:
        """A Hamiltonian's answer, its complaints with their place."""
        try:
            return question()
        except BadInput as bad:
            raise self._under(bad) from None

    def _under(self, bad: BadInput) -> BadInput:
        """What a Hamiltonian complains of, with its place."""
        return bad.under(f"hamiltonian.{snake(self.hamiltonian)}")

    def _checked_system(self) -> System:
        try:
            system = self.hamiltonian.system()
            if system.qubits > MOST_QUBITS:
                few = f"wanted at most {MOST_QUBITS}, got {system.qubits}"
                raise BadInput(system.field, f"too many qubits: {few}; use {system.less}")
            no_gates = Circuit(0, 0, keeps_sector(self.hamiltonian, self.ansatz))
            least, available = self._memory(system, no_gates), _physical_memory()
            if least > available:
                need = f"{system.qubits} qubits need about {_gib(least)}, and this machine has {_gib(available)}"
                raise BadInput(system.field, f"too many qubits: {need}; use {system.less}")
            if not self.hamiltonian.mean_field:  # else only opening it tells
                self._check_varies(self.hamiltonian.observable())
        except BadInput as bad:
            raise self._under(bad) from None
        return system

    def _solve(self) -> Solved:
        try:
            solved = self.hamiltonian.solve()
            self._check_varies(solved.observable)
        except BadInput as bad:
            raise self._under(bad) from None
        return solved

    def _check_varies(self, observable: Observable) -> None:
        """Raises BadInput for an operator that every state has the same energy of."""
        if not observable.varies:
            energy = f"every state has the energy {observable.constant:g} {self.hamiltonian.unit}".rstrip()
            wanted = f"wanted a coefficient larger than {ROUND_OFF:g} of a word that is not the identity"
            raise BadInput("", f"{energy}, and there is nothing to minimize; {wanted}")

    def _check_start(self, register: Register, outline: Outline, sure: bool) -> None:
        """As far as the circuit is known: how many angles it has, and whether it starts from the determinant."""
        unknown: tuple[type, ...] = (ParameterValues,) if not (sure and outline.whole) else ()
        if not outline.whole:
            unknown += (HartreeFock,)
        if not isinstance(self.start, unknown):
            check_start(self.start, self.ansatz, outline.program, register)

    def _program(self, register: Register) -> Program:
        return self._built(lambda: program_of(self.ansatz, register))

    def _outline(self, system: System, register: Register, sure: bool) -> Outline:
        return self._built(lambda: outlined(self.ansatz, register, system, sure))

    def _built(self, build: Callable[[], T]) -> T:
        """What is built of the ansatz, its complaints with their places."""
        try:
            return build()
        except Refused as bad:
            raise self._under(BadInput(bad.field, bad.sentence)) from None
        except BadInput as bad:
            raise bad.under(f"ansatz.{snake(self.ansatz)}") from None

    def _memory(self, system: System, circuit: Circuit) -> int:
        crowded = 1 if self.estimator.allocation == "equal" else MOST_CROWDED
        return needed(system, circuit, self.estimator.engine, FINAL_SHOTS * self.estimator.shots * crowded)


def _json(observable: Observable, unit: str) -> bytes:
    terms = [
        {"word": word.letters(observable.qubits), "coefficient": coefficient}
        for word, coefficient in zip(observable.words, observable.coefficients, strict=True)
    ]
    return json.dumps({"qubits": observable.qubits, "unit": unit, "terms": terms}, indent=1).encode()


def _physical_memory() -> int:
    """Bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _gib(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"
