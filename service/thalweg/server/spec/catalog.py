"""The only switchboard from names to classes: one line per problem, one per method. A class is imported when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Entry:
    """A name in a spec.

    Args:
        where: "module:Class". The class has the name and the fields of its proto message.
        examples: smallest specs of it in protobuf's text format, from which `describe` tells what it knows and what fits it.
    """

    where: str
    examples: tuple[str, ...] = ("",)


_TWO_QUBITS = "hamiltonian { pauli_sum { terms { word: 'ZZ' coefficient: 1 } } } ansatz { efficient_su2 { reps: 1 } } "
_GRID = "grid { cells: [8, 8, 1] cell_size: [1e-9, 1e-9, 1e-9] } "
_FILM = _GRID + "material { saturation_magnetization: 5e5 exchange_stiffness: 1e-11 } "
_ALONG_Z = "start { uniform { direction: [0, 0, 1] } }"

PROBLEMS: Mapping[str, Entry] = {
    "vqe": Entry(
        "thalweg_vqe.problem:Vqe",
        (
            _TWO_QUBITS + "start { uniform: 1 }",
            _TWO_QUBITS + "estimator { shots: 0 } start { uniform: 1 }",
        ),
    ),
    "magnet": Entry("thalweg_physics.magnet.problem:Magnet", (_FILM + _ALONG_Z,)),
    "density.gaussian": Entry("thalweg_physics.densities.gaussian:Gaussian", ("scales: [1, 2]",)),
    "density.double_well": Entry("thalweg_physics.densities.double_well:DoubleWell"),
    "density.logistic_regression": Entry(
        "thalweg_physics.densities.logistic.logistic_regression:LogisticRegression", ("dataset: 'breast_cancer'",)
    ),
}

METHODS: Mapping[str, Entry] = {
    "gradient_descent": Entry("thalweg_core.descent.gradient_descent:GradientDescent"),
    "adam": Entry("thalweg_core.descent.adam.adam:Adam"),
    "textbook_adam": Entry("thalweg_core.descent.adam.textbook_adam:TextbookAdam"),
    "lbfgs": Entry("thalweg_core.descent.lbfgs.lbfgs:Lbfgs"),
    "textbook_lbfgs": Entry("thalweg_core.descent.lbfgs.textbook_lbfgs:TextbookLbfgs"),
    "natural_gradient": Entry("thalweg_core.descent.natural_gradient.natural_gradient:NaturalGradient"),
    "textbook_natural_gradient": Entry("thalweg_core.descent.natural_gradient.textbook_natural_gradient:TextbookNaturalGradient"),
    "spsa": Entry("thalweg_core.descent.spsa.spsa:Spsa"),
    "qn_spsa": Entry("thalweg_core.descent.spsa.qn_spsa:QnSpsa"),
    "smo": Entry("thalweg_core.descent.smo.smo:Smo"),
    "icans": Entry("thalweg_core.descent.shot_frugal.icans:Icans"),
    "gcans": Entry("thalweg_core.descent.shot_frugal.gcans:Gcans"),
    "rosalin": Entry("thalweg_core.descent.shot_frugal.rosalin:Rosalin"),
    "llg": Entry("thalweg_physics.magnet.dynamics.llg:Llg"),
    "ula": Entry("thalweg_core.sampling.ula:Ula"),
    "mala": Entry("thalweg_core.sampling.mala:Mala"),
    "hmc": Entry("thalweg_core.sampling.hmc:Hmc"),
}


@cache
def load(where: str) -> type:
    """The class at "module:Class"."""
    module, _, name = where.partition(":")
    found: type = getattr(importlib.import_module(module), name)
    return found
