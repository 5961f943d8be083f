"""Optimizers under shot noise, by their default settings everywhere: how many shots until chemical accuracy, and for good.

    python -m benchmarks.optimizers [--quick] [--cases …] [--methods …] [--ablation] [--seeds 0-9] [--out DIR]

writes a table (optimizers.md), the numbers (optimizers.json) and a figure for each case. Every shot is charged, the
measurement at the end included; errors are noiseless errors of the answer. Seeds 0 to 9 are for reporting: settings are chosen
on seeds 100 to 105.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.descent_figures import draw
from benchmarks.descents import REPORTED, Case, Course, Figure, Score, descend, score
from benchmarks.harness import Effort, Row, row
from benchmarks.one_thread import only_one_thread
from benchmarks.tables import three
from thalweg_core.descent.adam import Adam
from thalweg_core.descent.gcans import Gcans
from thalweg_core.descent.gradient_descent import GradientDescent
from thalweg_core.descent.icans import Icans
from thalweg_core.descent.lbfgs import Lbfgs
from thalweg_core.descent.natural_gradient import NaturalGradient
from thalweg_core.descent.qn_spsa import QnSpsa
from thalweg_core.descent.rosalin import Rosalin
from thalweg_core.descent.smo import Smo
from thalweg_core.descent.spsa import Spsa
from thalweg_core.descent.textbook_adam import TextbookAdam
from thalweg_core.descent.textbook_lbfgs import TextbookLbfgs
from thalweg_core.descent.textbook_natural_gradient import TextbookNaturalGradient
from thalweg_core.kernel import Kernel
from thalweg_vqe.ansatz import EfficientSu2
from thalweg_vqe.estimator import Estimator
from thalweg_vqe.excitations import Uccsd
from thalweg_vqe.hamiltonian_variational import HamiltonianVariational
from thalweg_vqe.molecule import Molecule
from thalweg_vqe.problem import Vqe
from thalweg_vqe.spin_chains import TransverseFieldIsing
from thalweg_vqe.starts import HartreeFock, Uniform

NAME = "optimizers"

_H2 = Molecule("H 0 0 0; H 0 0 0.735")
_H4 = Molecule("H 0 0 0; H 0 0 1; H 0 0 2; H 0 0 3")
_SHOTS = Estimator(shots=1000)  # a circuit; of methods that do not choose theirs, and a sixteenth of those at the end

CASES: Mapping[str, Case] = {
    "h2_random": Case("H2, efficient_su2, random start", Vqe(_H2, EfficientSu2(3), _SHOTS, Uniform(0.3)), 30_000_000),
    "h2_hf": Case("H2, efficient_su2, Hartree-Fock start", Vqe(_H2, EfficientSu2(3), _SHOTS, HartreeFock(0.1)), 30_000_000),
    "h2_uccsd": Case("H2, UCCSD, random start", Vqe(_H2, Uccsd(), _SHOTS, Uniform(0.3)), 1_000_000),
    "h4_random": Case("H4 chain, UCCSD, random start", Vqe(_H4, Uccsd(), _SHOTS, Uniform(0.3)), 30_000_000),
    "h4_hf": Case("H4 chain, UCCSD, Hartree-Fock start", Vqe(_H4, Uccsd(), _SHOTS, HartreeFock(0.0)), 30_000_000),
    "ising_hva": Case(
        "Ising chain of 6, variational (6 layers), random start",
        Vqe(TransverseFieldIsing(6), HamiltonianVariational(6), _SHOTS, Uniform(0.3)),
        100_000_000,
        bound=10e-3,
    ),
}

METHODS: Mapping[str, Kernel] = {
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

ABLATIONS: Mapping[str, Kernel] = {
    "adam": Adam(),
    "adam, no pilot": Adam(pilot=False),
    "adam, no growth": Adam(growth=0),
    "adam, no shrinking": Adam(shrinking=0),
    "adam, no averaging": Adam(averaging=0),
    "adam, equal shots": Adam(allocation="equal"),
    "adam, no cap": Adam(max_step=0),
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
}
"""One ingredient switched off at a time."""

BASELINE = "textbook_adam"
QUICK_CASES = ("h2_uccsd", "h2_hf")
_QUICK_BUDGET = 2_000_000


def rows(effort: Effort) -> Iterator[Row]:
    """Shots to get under the bound, against the textbook's Adam at 1000 shots a circuit."""
    for name in QUICK_CASES if effort.small else CASES:
        case = CASES[name]
        budget = min(case.budget, _QUICK_BUDGET) if effort.small else case.budget
        scores = {method: score(descend(case, kernel, REPORTED, budget), case.bound) for method, kernel in METHODS.items()}
        theirs = scores[BASELINE]
        for method, ours in scores.items():
            if method != BASELINE:
                peer = f"{BASELINE}, 1000 shots a circuit"
                yield row(
                    NAME, case.name, f"{method}: shots to get under", "shots", ours.hit.value, peer, theirs.hit.value, False
                )
                yield row(NAME, case.name, f"{method}: error at the end", "Ha", ours.final.value, peer, theirs.final.value, False)


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    only_one_thread()
    chosen.out.mkdir(parents=True, exist_ok=True)
    methods = ABLATIONS if chosen.ablation else METHODS
    methods = {name: methods[name] for name in chosen.methods or methods}
    cases = {name: CASES[name] for name in chosen.cases or (QUICK_CASES if chosen.quick else CASES)}
    kept: dict[str, dict[str, Score]] = {}
    for name, case in cases.items():
        budget = min(case.budget, _QUICK_BUDGET) if chosen.quick else case.budget
        courses: dict[str, Course] = {}
        for method, kernel in methods.items():
            began = time.perf_counter()
            courses[method] = descend(case, kernel, chosen.seeds, budget)
            scored = score(courses[method], case.bound)
            kept.setdefault(name, {})[method] = scored
            print(f"{name:12} {method:24} {_line(scored)}   {time.perf_counter() - began:.0f} s", flush=True)
        draw(case, courses, chosen.out / f"{'ablation' if chosen.ablation else NAME}-{name}.png")
    stem = "ablation" if chosen.ablation else NAME
    (chosen.out / f"{stem}.md").write_text(markdown(kept), encoding="utf-8")
    (chosen.out / f"{stem}.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return 0


def markdown(kept: Mapping[str, Mapping[str, Score]]) -> str:
    """The table of a README."""
    head = "| case | method | hit: shots | stay: shots | seeds that stay | error at the end, mHa |"
    lines = [head, "|---|---|--:|--:|--:|--:|"]
    for name, scores in kept.items():
        for place, (method, scored) in enumerate(scores.items()):
            lines.append(f"| {CASES[name].name if place == 0 else ''} | {method} | {_cells(scored)} |")
    return "\n".join(lines) + "\n"


def _cells(scored: Score) -> str:
    return " | ".join(
        (_interval(scored.hit), _interval(scored.stay), f"{scored.stayed} of {scored.seeds}", _interval(scored.final, 1e3))
    )


def _line(scored: Score) -> str:
    hit, stay, end = _interval(scored.hit), _interval(scored.stay), _interval(scored.final, 1e3)
    return f"hit {hit}  stay {stay}  {scored.stayed}/{scored.seeds}  end {end} mHa"


def _interval(figure: Figure, scale: float = 1.0) -> str:
    """A median with its 95 % interval: "9.1e5 (7.0e5 … 1.2e6)"."""
    value, low, high = (_number(scale * part) for part in figure)
    return f"{value} ({low} … {high})"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "never"
    return f"{value:.1e}".replace("e+0", "e") if value >= 1000 else three(value, 2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimizers", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="two small cases, two million shots a seed")
    parser.add_argument("--ablation", action="store_true", help="one ingredient switched off at a time")
    parser.add_argument("--cases", nargs="+", choices=CASES, metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--methods", nargs="+", choices=[*METHODS, *ABLATIONS], metavar="METHOD", help=", ".join(METHODS))
    parser.add_argument("--seeds", type=_seeds, default=REPORTED, help="first-last; 0-9 are reported, 100-105 are for tuning")
    parser.add_argument("--out", type=Path, default=Path("optimizers"), help="folder for table, numbers and figures")
    return parser


def _seeds(words: str) -> range:
    first, _, last = words.partition("-")
    return range(int(first), int(last or first) + 1)


if __name__ == "__main__":
    sys.exit(main())
