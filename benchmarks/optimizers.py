"""Optimizers under shot noise, by their default settings everywhere: how many shots until chemical accuracy, and for good.

    python -m benchmarks.optimizers [--quick] [--cases …] [--methods …] [--ablation] [--seeds 0-9] [--jobs 2] [--out DIR]
    python -m benchmarks.optimizers --exact [--cases …] [--seeds 0-9] [--out DIR]

The first writes a table with the reasons why walks ended (optimizers.md), the numbers (optimizers.json), a figure for each case,
and every course, anew after each run: what a crash or a clock cuts off goes on with --resume. Every shot is charged, the
measurement at the end included; errors are noiseless errors of the answer. Seeds 0 to 9 are for reporting: settings are
chosen on seeds from 100 on.

hit   shots at which the median of the last five looks at the error was under the bound for the first time
stay  the same, and never above again
Both are medians over seeds, with 95 % intervals by bootstrap.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import re
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import exact_descents
from benchmarks.descent_figures import draw
from benchmarks.descents import REPORTED, Case, Course, Figure, Floors, Score, descend, floors, score
from benchmarks.harness import Effort, Row, row
from benchmarks.one_thread import cap_pools, only_one_thread
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
    "h2_linear": Case(
        "H2, efficient_su2 with linear entanglement, random start",
        Vqe(_H2, EfficientSu2(3, "linear"), _SHOTS, Uniform(0.3)),
        30_000_000,
    ),
    "h2_linear_hf": Case(
        "H2, efficient_su2 with linear entanglement, Hartree-Fock start",
        Vqe(_H2, EfficientSu2(3, "linear"), _SHOTS, HartreeFock(0.1)),
        30_000_000,
    ),
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

_KERNELS = {**METHODS, **ABLATIONS}

FAMILIES = ("adam", "lbfgs", "natural_gradient")
"""Made to be the best of their kind under noise; all others are baselines and textbook forms."""

BASELINE = "textbook_adam"
QUICK_CASES = ("h2_uccsd", "h2_hf")
_QUICK_BUDGET = 2_000_000
_FLOOR_STARTS = range(100, 108)


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


class Run(NamedTuple):
    """One method on one case, by names."""

    case: str
    method: str
    seeds: range
    budget: int


Runs = dict[str, dict[str, Course]]
"""What there is so far: by case, then by method."""


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    if chosen.jobs == 1:
        only_one_thread()
    else:
        cap_pools()
    stem, methods = ("ablation", ABLATIONS) if chosen.ablation else (NAME, METHODS)
    if unknown := sorted(set(chosen.methods or ()) - set(methods)):
        sys.stderr.write(f"--methods: wanted some of {', '.join(methods)}, got {', '.join(unknown)}\n")
        return 2
    if chosen.exact:
        return _exact(chosen)
    runs = _runs(chosen, [method for method in methods if method in (chosen.methods or methods)])
    folder, kept, failed = Folder(chosen.out, stem), Runs(), 0
    for run, course in _courses(runs, folder, chosen.jobs, chosen.resume):
        if isinstance(course, Course):
            kept.setdefault(run.case, {})[run.method] = course
            print(
                f"{run.case:12} {run.method:28} {_line(score(course, CASES[run.case].bound))}   {course.seconds:.0f} s",
                flush=True,
            )
            folder.write(run, course, kept)
        else:
            failed += 1
            print(f"{run.case:12} {run.method:28} failed: {type(course).__name__}: {course}", flush=True)
    return 1 if failed else 0


def _exact(chosen: argparse.Namespace) -> int:
    """The limit without noise, beside the libraries that everybody knows."""
    found = []
    for line in exact_descents.tables({name: CASES[name] for name in chosen.cases or CASES}, chosen.seeds):
        print(exact_descents.told(line), flush=True)
        found.append(line)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "exact.md").write_text(exact_descents.markdown(found), encoding="utf-8")
    return 0


def _runs(chosen: argparse.Namespace, methods: Sequence[str]) -> list[Run]:
    """The dearest cases first, so that no worker is left alone with one at the end."""
    cases = list(chosen.cases or (QUICK_CASES if chosen.quick else CASES))
    budgets = {name: min(CASES[name].budget, _QUICK_BUDGET) if chosen.quick else CASES[name].budget for name in cases}
    return [Run(case, method, chosen.seeds, budgets[case]) for case in reversed(cases) for method in methods]


def _courses(runs: Sequence[Run], folder: Folder, jobs: int, resume: bool) -> Iterator[tuple[Run, Course | Exception]]:
    """Each as soon as it is there; what goes wrong in one is its own affair."""
    before = {run: found for run in runs if resume and (found := folder.read(run)) is not None}
    yield from before.items()
    missing = [run for run in runs if run not in before]
    if jobs == 1:
        for run in missing:
            yield run, _course(run)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_one_torch_thread) as pool:
        waiting = {pool.submit(_course, run): run for run in missing}
        for done in as_completed(waiting):
            yield waiting[done], done.exception() or done.result()  # type: ignore[misc]  # a worker may have been killed


def _course(run: Run) -> Course | Exception:
    try:
        return descend(CASES[run.case], _KERNELS[run.method], run.seeds, run.budget)
    except Exception as error:  # one method's defect must not take the others' hours with it
        traceback.print_exc()
        return error


def _one_torch_thread() -> None:
    import torch

    torch.set_num_threads(1)


@dataclass(frozen=True)
class Folder:
    """Where tables, figures and courses lie; everything is written anew after each run.

    Args:
        path: created where it is missing.
        stem: how the files' names begin.
    """

    path: Path
    stem: str

    def write(self, run: Run, course: Course, kept: Runs) -> None:
        """What this run adds."""
        self._file(run).parent.mkdir(parents=True, exist_ok=True)
        self._file(run).write_text(json.dumps([_identity(run), _as_lists(course)]), encoding="utf-8")
        scores = {case: {m: score(c, CASES[case].bound) for m, c in _ordered(some).items()} for case, some in kept.items()}
        scores = {case: scores[case] for case in CASES if case in scores}
        (self.path / f"{self.stem}.md").write_text(markdown(scores, kept), encoding="utf-8")
        (self.path / f"{self.stem}.json").write_text(json.dumps(_plain(scores), indent=1) + "\n", encoding="utf-8")
        figure = draw(CASES[run.case], _panels(_ordered(kept[run.case])), _floors(run.case))
        figure.savefig(self.path / f"{self.stem}-{run.case}.png", dpi=150)

    def read(self, run: Run) -> Course | None:
        """What an earlier run with the same settings left here."""
        if not self._file(run).exists():
            return None
        identity, (shots, error, *rest) = json.loads(self._file(run).read_text(encoding="utf-8"))
        if identity != _identity(run):
            return None
        return Course([np.array(spent) for spent in shots], [np.array(e) for e in error], *rest)

    def _file(self, run: Run) -> Path:
        return self.path / "courses" / f"{run.case}-{run.method.replace(', ', '-').replace(' ', '-')}.json"


def _identity(run: Run) -> list[str]:
    """What must be the same for a course to be the same; the code is not asked."""
    return [str(CASES[run.case]), str(_KERNELS[run.method]), str(list(run.seeds)), str(run.budget)]


def _as_lists(course: Course) -> list[object]:
    shots, error = ([column.tolist() for column in columns] for columns in (course.shots, course.error))
    return [shots, error, *course[2:]]


@cache
def _floors(case: str) -> Floors | None:
    try:
        return floors(CASES[case], _FLOOR_STARTS)
    except Exception:  # lines in a figure are not worth a night's courses
        traceback.print_exc()
        return None


def _ordered(courses: Mapping[str, Course]) -> dict[str, Course]:
    """As the lists above have them, in whatever order they came."""
    return {method: courses[method] for method in _KERNELS if method in courses}


def _panels(courses: Mapping[str, Course]) -> dict[str, dict[str, Course]]:
    """Methods by kind; variants by the method that they are of."""
    panels: dict[str, dict[str, Course]] = {}
    varied = any("," in method for method in courses)
    for method, course in courses.items():
        kind = "made for noise, by default" if method in FAMILIES else "baselines, and textbook forms (dashed)"
        panels.setdefault(method.split(",")[0] if varied else kind, {})[method] = course
    return panels


def markdown(scores: Mapping[str, Mapping[str, Score]], kept: Runs) -> str:
    """The table of a README, and below it why each method ended."""
    head = "| case | method | hit: shots | stay: shots | seeds that stay | error at the end, mHa |"
    lines, endings = [head, "|---|---|--:|--:|--:|--:|"], ["| case | method | seeds | why they ended |", "|---|---|--:|---|"]
    for name, some in scores.items():
        case, budget = CASES[name], _number(max(course.budget for course in kept[name].values()))
        for place, (method, scored) in enumerate(some.items()):
            about = f"{case.name}: under {1e3 * case.bound:g} mHa, by {budget} shots" if place == 0 else ""
            lines.append(f"| {about} | {method} | {_cells(scored)} |")
            for why, seeds in Counter(map(_rounded, kept[name][method].outcome)).most_common():
                endings.append(f"| {name} | {method} | {seeds} | {why} |")
    return "\n".join([*lines, "", *endings]) + "\n"


def _rounded(sentence: str) -> str:
    """Without the digits in which seeds differ, so that equal reasons can be counted."""
    return re.sub(r"\d+\.\d+(e[-+]?\d+)?|\d+e[-+]?\d+|\d{3,}|\d+(?= mHa)", "…", sentence)


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
    return value if value == low == high else f"{value} ({low} … {high})"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "never"
    return f"{value:.1e}".replace("e+0", "e") if value >= 1000 else three(value, 2)


def _plain(part: object) -> object:
    """As JSON has it: names instead of places, null for never."""
    if isinstance(part, float):
        return part if math.isfinite(part) else None
    if isinstance(part, Mapping):
        return {name: _plain(value) for name, value in part.items()}
    return _plain(part._asdict()) if hasattr(part, "_asdict") else part


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimizers", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="two small cases, two million shots a seed")
    parser.add_argument("--exact", action="store_true", help="without noise: looks, beside SciPy's L-BFGS-B and PennyLane's QNG")
    parser.add_argument("--ablation", action="store_true", help="one ingredient switched off at a time")
    parser.add_argument("--cases", nargs="+", choices=CASES, metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help=f"{', '.join(METHODS)}; or of the ablation's")
    parser.add_argument("--seeds", type=_seeds, default=REPORTED, help="first-last; 0-9 are reported, from 100 on for tuning")
    parser.add_argument("--jobs", type=int, default=1, help="methods that run at the same time, each on one thread")
    parser.add_argument("--resume", action="store_true", help="keep what an earlier run with the same settings left in DIR")
    parser.add_argument("--out", type=Path, default=Path("optimizers"), metavar="DIR", help="folder for all that is written")
    return parser


def _seeds(words: str) -> range:
    first, _, last = words.partition("-")
    return range(int(first), int(last or first) + 1)


if __name__ == "__main__":
    sys.exit(main())
