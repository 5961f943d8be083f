"""What the benchmark of the optimizers races: problems, methods by default, and those made for noise less one ingredient."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.descents import Case
from thalweg_core.descent.adam.adam import Adam
from thalweg_core.descent.adam.textbook_adam import TextbookAdam
from thalweg_core.descent.gradient_descent import GradientDescent
from thalweg_core.descent.lbfgs.lbfgs import Lbfgs
from thalweg_core.descent.lbfgs.textbook_lbfgs import TextbookLbfgs
from thalweg_core.descent.natural_gradient.natural_gradient import NaturalGradient
from thalweg_core.descent.natural_gradient.textbook_natural_gradient import TextbookNaturalGradient
from thalweg_core.descent.shot_frugal.gcans import Gcans
from thalweg_core.descent.shot_frugal.icans import Icans
from thalweg_core.descent.shot_frugal.rosalin import Rosalin
from thalweg_core.descent.smo.smo import Smo
from thalweg_core.descent.spsa.qn_spsa import QnSpsa
from thalweg_core.descent.spsa.spsa import Spsa
from thalweg_core.method import Method
from thalweg_vqe.ansatze.excitations import Uccsd
from thalweg_vqe.ansatze.hamiltonian_variational import HamiltonianVariational
from thalweg_vqe.ansatze.layers import EfficientSu2
from thalweg_vqe.engines.estimator import Estimator
from thalweg_vqe.hamiltonians.molecule import Molecule
from thalweg_vqe.hamiltonians.spin_chains import TransverseFieldIsing
from thalweg_vqe.problem import Vqe
from thalweg_vqe.starts import HartreeFock, Uniform

_H2 = Molecule("H 0 0 0; H 0 0 0.735")
_H4 = Molecule("H 0 0 0; H 0 0 1; H 0 0 2; H 0 0 3")
_SHOTS = Estimator(shots=1000)  # a circuit; of methods that do not choose theirs, and a sixteenth of those at the end

_RANDOM, _NEAR = Uniform(0.3), HartreeFock(0.1)
_REVERSE, _LINEAR = EfficientSu2(3, "reverse_linear"), EfficientSu2(3, "linear")

CASES: Mapping[str, Case] = {
    "h2_linear": Case("H2, efficient_su2 (linear), random start", Vqe(_H2, _LINEAR, _SHOTS, _RANDOM), 30_000_000, 300_000_000),
    "h2_linear_hf": Case(
        "H2, efficient_su2 (linear), Hartree-Fock start", Vqe(_H2, _LINEAR, _SHOTS, _NEAR), 30_000_000, 300_000_000
    ),
    "h2_random": Case(
        "H2, efficient_su2 (reverse_linear), random start", Vqe(_H2, _REVERSE, _SHOTS, _RANDOM), 30_000_000, 300_000_000
    ),
    "h2_hf": Case(
        "H2, efficient_su2 (reverse_linear), Hartree-Fock start", Vqe(_H2, _REVERSE, _SHOTS, _NEAR), 30_000_000, 300_000_000
    ),
    "h2_uccsd": Case("H2, UCCSD, random start", Vqe(_H2, Uccsd(), _SHOTS, _RANDOM), 1_000_000, 10_000_000),
    "h4_random": Case("H4 chain, UCCSD, random start", Vqe(_H4, Uccsd(), _SHOTS, _RANDOM), 30_000_000, 300_000_000),
    "h4_hf": Case("H4 chain, UCCSD, Hartree-Fock start", Vqe(_H4, Uccsd(), _SHOTS, HartreeFock(0.0)), 30_000_000, 300_000_000),
    "ising_hva": Case(
        "Ising chain of 6, variational (6 layers), random start",
        Vqe(TransverseFieldIsing(6), HamiltonianVariational(6), _SHOTS, _RANDOM),
        100_000_000,
        bound=10e-3,
    ),
}

ABLATED: Mapping[str, int] = {"h2_linear": 10_000_000, "h2_random": 10_000_000, "h2_uccsd": 1_000_000, "h4_random": 20_000_000}
"""Where ingredients are switched off, and the shots of a seed that show what each is worth."""

TEXTBOOK = "textbook_"
"""How the names of the textbook's forms begin. They are so slow that when they hit shows with more shots than others take."""

METHODS: Mapping[str, Method] = {
    "adam": Adam(),
    "textbook_adam": TextbookAdam(),
    "lbfgs": Lbfgs(),
    "textbook_lbfgs": TextbookLbfgs(),
    "natural_gradient": NaturalGradient(),
    "textbook_natural_gradient": TextbookNaturalGradient(),
    "spsa": Spsa(),
    "qn_spsa": QnSpsa(),
    "gradient_descent": GradientDescent(),
    "icans": Icans(),
    "gcans": Gcans(),
    "rosalin": Rosalin(),
    "smo": Smo(),
}
"""By default settings: nothing here knows the case."""

ABLATIONS: Mapping[str, Method] = {
    "adam": Adam(),
    "adam, no pilot": Adam(pilot=False),
    "adam, no growth": Adam(growth=0),
    "adam, no shrinking": Adam(shrinking=0),
    "adam, no averaging": Adam(averaging=0),
    "adam, equal shots": Adam(allocation="equal"),
    "adam, no cap": Adam(max_step=0),
    "adam, no tempering": Adam(tempering=0),
    "lbfgs": Lbfgs(),
    "lbfgs, no pilot": Lbfgs(pilot=False),
    "lbfgs, no growth": Lbfgs(growth=0),
    "lbfgs, no averaging": Lbfgs(averaging=0),
    "lbfgs, no filter": Lbfgs(filtering=False),
    "lbfgs, no free curvature": Lbfgs(curvature=False),
    "lbfgs, no pairs": Lbfgs(memory=0),
    "lbfgs, every rising pair": Lbfgs(pair_test=0),
    "lbfgs, equal shots": Lbfgs(allocation="equal"),
    "lbfgs, no cap": Lbfgs(max_step=0),
    "natural_gradient": NaturalGradient(),
    "natural_gradient, no pilot": NaturalGradient(pilot=False),
    "natural_gradient, no growth": NaturalGradient(growth=0),
    "natural_gradient, no averaging": NaturalGradient(averaging=0),
    "natural_gradient, no filter": NaturalGradient(filtering=False),
    "natural_gradient, no free curvature": NaturalGradient(curvature=False),
    "natural_gradient, no noise damping": NaturalGradient(noise_damping=0),
    "natural_gradient, noise damping without limit": NaturalGradient(noise_step=0),
    "natural_gradient, diagonal metric": NaturalGradient(metric="diagonal"),
    "natural_gradient, blocks of the metric": NaturalGradient(metric="block_diagonal"),
    "natural_gradient, whole metric": NaturalGradient(metric="full"),
    "natural_gradient, equal shots": NaturalGradient(allocation="equal"),
    "natural_gradient, no caps": NaturalGradient(max_distance=0, max_step=0),
}
"""One ingredient switched off at a time."""

FAMILIES = ("adam", "lbfgs", "natural_gradient")
"""Made to be the best of their kind under noise; all others are baselines and textbook forms."""


def budget_of(case: Case, method: str) -> int:
    """Shots of a seed."""
    return case.longer or case.budget if method.startswith(TEXTBOOK) else case.budget
