"""What of a search goes together: Hamiltonian, circuit, start, lower states and shots, said before anything is computed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from thalweg_core.errors import BadInput
from thalweg_core.landscape import (
    COMPONENTS,
    EXACT_VALUE,
    FLAT,
    GRADIENT,
    HARMONICS,
    LIPSCHITZ,
    METRIC,
    STATES,
    VALUE,
    Capability,
)
from thalweg_vqe.ansatze.adapt import Adapt
from thalweg_vqe.ansatze.excitation_preserving import ExcitationPreserving
from thalweg_vqe.ansatze.excitations import KUpCcgsd, Uccsd
from thalweg_vqe.ansatze.hamiltonian_variational import HamiltonianVariational
from thalweg_vqe.ansatze.layers import Ansatz
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.hamiltonians.fcidump import Fcidump
from thalweg_vqe.hamiltonians.hamiltonian import Hamiltonian, Register
from thalweg_vqe.hamiltonians.hubbard import FermiHubbard
from thalweg_vqe.hamiltonians.molecule import Molecule
from thalweg_vqe.hamiltonians.spin_chains import HeisenbergXxz
from thalweg_vqe.landscapes.deflation import Deflation
from thalweg_vqe.pauli.harmonics import spectra
from thalweg_vqe.pauli.program import Program
from thalweg_vqe.starts import HartreeFock, JobEnd, ParameterValues, Uniform, Zeros

KNOWN = frozenset({VALUE, EXACT_VALUE, GRADIENT, COMPONENTS, FLAT, METRIC, STATES, HARMONICS, LIPSCHITZ})
"""What some circuits can be asked."""

Start = HartreeFock | Zeros | Uniform | ParameterValues | JobEnd

_START = {HartreeFock: "hartree_fock", Uniform: "uniform", ParameterValues: "values", JobEnd: "job"}


def keeps_sector(hamiltonian: Hamiltonian, ansatz: Ansatz | Adapt) -> bool:
    """Whether the circuit stays in the sector of the Hamiltonian's ground state."""
    if isinstance(ansatz, HamiltonianVariational):  # its parts are words of a molecule one by one
        return isinstance(hamiltonian, FermiHubbard | HeisenbergXxz)
    numbered = isinstance(hamiltonian, Molecule | Fcidump | FermiHubbard | HeisenbergXxz)
    grown = isinstance(ansatz, Adapt) and ansatz.pool != "qubit"
    return numbered and (grown or isinstance(ansatz, Uccsd | KUpCcgsd | ExcitationPreserving))


def lacking(
    estimator: Estimator, ansatz: Ansatz | Adapt, program: Program, register: Register, short: bool = True
) -> dict[Capability[Any], str]:
    """For what of KNOWN the landscape cannot be asked, why, and what would change that; frequencies only if that is short."""
    lacks: dict[Capability[Any], str] = {}
    shots, ideal = estimator.shots, estimator.noise is None
    if shots:
        lacks[EXACT_VALUE] = f"with estimator.shots = {shots} is noisy; set problem.vqe.estimator.shots = 0"
    else:
        lacks[COMPONENTS] = "with estimator.shots = 0 is exact, and takes no samples; set problem.vqe.estimator.shots"
    if not short:
        return lacks
    found = ansatz.spectra(register, ideal) if isinstance(ansatz, Adapt) else spectra(program, None, ideal)
    if not all(spectrum.number for spectrum in found):
        lacks[HARMONICS] = "has a parameter that turns by frequencies without a common divisor; take another ansatz"
    return lacks


def check_deflation(deflation: Sequence[Deflation], ansatz: Ansatz | Adapt, program: Program) -> None:
    """Raises BadInput unless the lower states are states of this circuit, each another one."""
    if deflation and isinstance(ansatz, Adapt):
        other = "an adaptive circuit is another one in every search, so no angles of it tell a lower state"
        raise BadInput("deflation", f"{other}; use a fixed ansatz, such as uccsd")
    seen: set[tuple[float, ...]] = set()
    for number, one in enumerate(deflation):
        try:
            one.check(program.parameters)
        except BadInput as bad:
            raise bad.under(f"deflation[{number}]") from None
        if one.angles in seen:
            again = "the same lower state stands above, and each is counted as a level of its own"
            raise BadInput(f"deflation[{number}]", f"{again}; leave it out, or raise the weight of the first")
        seen.add(one.angles)


def check_start(start: Start, ansatz: Ansatz | Adapt, program: Program, register: Register) -> None:
    """Raises BadInput unless the circuit can start there."""
    if isinstance(ansatz, Adapt) and not isinstance(start, Zeros) and start != HartreeFock(0.0):
        zero = "an adaptive circuit takes its operators at angle 0; use start.zeros"
        raise BadInput(f"start.{_START[type(start)]}", f"{zero} or start.hartree_fock = 0")
    others = "use start.uniform, start.zeros or start.values"
    if isinstance(start, HartreeFock):
        default = "the default start is the Hartree-Fock determinant, and " if start == HartreeFock() else ""
        if not register.hamiltonian.mean_field:
            none = f"{default}a {snake(register.hamiltonian)} has no Hartree-Fock determinant"
            raise BadInput("start.hartree_fock", f"{none}; {others}")
        if ansatz.hartree_fock(register) is None:
            unknown = f"{default}no angles of {snake(ansatz)} are known that prepare the Hartree-Fock determinant"
            raise BadInput("start.hartree_fock", f"{unknown}; {others}")
    if isinstance(start, JobEnd):
        raise BadInput("start.job", "only a service knows how its jobs ended; use start.values")
    if isinstance(start, ParameterValues) and (given := len(start.angles)) != (wanted := program.parameters):
        if start.job:
            raise BadInput("start.job.id", f"job {start.job} ended with {given} angles, and this circuit has {wanted}")
        raise BadInput("start.values.angles", f"wanted {wanted} angles, one a parameter, got {given}")


def snake(chosen: object) -> str:
    """How a specification names the class of what was chosen: "pauli_sum"."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(chosen).__name__).lower()
