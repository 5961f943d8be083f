"""Optimizers under shot noise, by their default settings everywhere: how many shots until chemical accuracy, and for good.

    python -m benchmarks.optimizers [--quick] [--cases …] [--methods …] [--seeds 0-9] [--jobs 2] [--out DIR]
    python -m benchmarks.optimizers --ablation [--cases …] [--methods …] [--seeds 0-9] [--jobs 2] [--out DIR]
    python -m benchmarks.optimizers --exact [--cases …] [--seeds 200-214] [--out DIR]
    python -m benchmarks.optimizers --markdown README.md docs/optimizers.md [--out DIR]

The first two write tables with the reasons why walks ended (optimizers.md, ablation.md), the numbers (.json), a figure for each
case, and every course, anew after each run: what a crash or a clock cuts off goes on with --resume. Every shot is charged, the
measurement at the end included; errors are noiseless errors of the answer. Seeds 0 to 9 are for reporting: settings are
chosen on seeds from 100 on. The last runs nothing: it puts the tables of what lies in DIR between their marks in these pages.
A race or an ablation of which runs are missing is not put, unless --cases or --methods choose; one that DIR has nothing of, and
an exact.md that is not there, leave their marks as they are. It fails when a page got no table, or a set was not put.

hit   shots at which the median of the last five looks at the error was under the bound for the first time
stay  the same, and never above again
Both are medians over seeds, with 95 % intervals by bootstrap. The textbook's forms go on beyond the others' budget, to show when
they hit; whether they stay, and their error at the end, is judged where the others end.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import exact_descents, race_tables
from benchmarks.descent_figures import draw
from benchmarks.descents import REPORTED, Course, Floors, Score, descend, floors, score
from benchmarks.harness import Effort, Row, row
from benchmarks.one_thread import cap_pools, only_one_thread
from benchmarks.races import ABLATED, ABLATIONS, CASES, FAMILIES, METHODS, budget_of

NAME, ABLATION = "optimizers", "ablation"

_KERNELS = {**METHODS, **ABLATIONS}

BASELINE = "textbook_adam"
QUICK_CASES = ("h2_uccsd", "h2_hf")
_QUICK_BUDGET = 2_000_000
_FLOOR_STARTS = range(100, 108)


def rows(effort: Effort) -> Iterator[Row]:
    """Shots to get under the bound, against the textbook's Adam at 1000 shots a circuit."""
    for name in QUICK_CASES if effort.small else CASES:
        case, most = CASES[name], _QUICK_BUDGET if effort.small else sys.maxsize
        courses = {method: descend(case, METHODS[method], REPORTED, min(budget_of(case, method), most)) for method in METHODS}
        scores = {method: score(course, case.bound, case.budget) for method, course in courses.items()}
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
    budget: int  # shots of a seed
    end: int  # of those, where all methods are compared


Runs = dict[Run, Course]
"""What there is so far."""


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    if chosen.jobs == 1:
        only_one_thread()
    else:
        cap_pools()
    if chosen.exact:
        return _exact(chosen)
    stem, methods = (ABLATION, ABLATIONS) if chosen.ablation else (NAME, METHODS)
    known = _KERNELS if chosen.markdown else methods
    if unknown := sorted(set(chosen.methods or ()) - set(known)):
        sys.stderr.write(f"--methods: wanted some of {', '.join(known)}, got {', '.join(unknown)}\n")
        return 2
    if chosen.markdown:
        return _put(chosen)
    folder, kept, failed = Folder(chosen.out, stem), Runs(), 0
    for run, course in _courses(_runs(chosen, stem), folder, chosen.jobs, chosen.resume):
        if isinstance(course, Course):
            kept[run] = course
            print(f"{run.case:12} {run.method:28} {race_tables.line(_score(run, course))}   {course.seconds:.0f} s", flush=True)
            folder.write(run, kept)
        else:
            failed += 1
            print(f"{run.case:12} {run.method:28} failed: {type(course).__name__}: {course}", flush=True)
    return 1 if failed else 0


def _exact(chosen: argparse.Namespace) -> int:
    """The limit without noise, beside the libraries that everybody knows."""
    found = []
    for line in exact_descents.tables({name: CASES[name] for name in chosen.cases or CASES}, chosen.seeds or EXACT_STARTS):
        print(exact_descents.told(line), flush=True)
        found.append(line)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "exact.md").write_text(exact_descents.markdown(found), encoding="utf-8")
    return 0


EXACT_STARTS = range(200, 215)
"""Neither those of the race nor those on which settings were chosen."""


def _put(chosen: argparse.Namespace) -> int:
    """The tables of what lies in the folder, into pages; 1 where something asked for was not put."""
    tables, complaints = _told(chosen)
    if not tables and not complaints:
        complaints.append(
            f"{chosen.out}: wanted courses of these runs or exact.md, found neither; run the benchmark with this --out"
        )
    for page in chosen.markdown if tables else ():
        if not page.is_file():
            complaints.append(f"{page}: wanted a page to put tables into, found no such file")
        elif filled := race_tables.put(tables, page):
            print(f"{page}: put {'; '.join(filled)}")
        else:
            marks = ", ".join(f"<!-- table {name} -->" for name in tables)
            complaints.append(f"{page}: wanted one of the marks {marks} with its <!-- end -->, found none; it is left as it is")
    sys.stderr.writelines(f"{sentence}\n" for sentence in complaints)
    return 1 if complaints else 0


def _told(chosen: argparse.Namespace) -> tuple[dict[str, str], list[str]]:
    """Tables by the names of their marks; why some that were begun are not among them."""
    tables, complaints = dict[str, str](), list[str]()
    for stem in (NAME, ABLATION):
        folder, runs = Folder(chosen.out, stem), _runs(chosen, stem)
        kept = {run: course for run in runs if (course := folder.read(run)) is not None}
        found = f"{stem}: {len(kept)} of {len(runs)} runs found in {chosen.out}"
        print(found)
        if kept and len(kept) < len(runs) and not (chosen.cases or chosen.methods):
            complaints.append(f"{found}; its tables are not put: go on with --resume, or choose with --cases or --methods")
        elif kept:
            scores = _scores(kept)
            tables |= {f"{stem}, summary": race_tables.summary(scores, CASES), stem: race_tables.by_case(scores, CASES)}
    exact = chosen.out / "exact.md"
    if exact.exists():
        tables["exact"] = exact.read_text(encoding="utf-8")
    return tables, complaints


def _runs(chosen: argparse.Namespace, stem: str) -> list[Run]:
    """The dearest cases first, so that no worker is left alone with one at the end."""
    methods = ABLATIONS if stem == ABLATION else METHODS
    cases = chosen.cases or (QUICK_CASES if chosen.quick else list(ABLATED if stem == ABLATION else CASES))
    return [
        _run(stem, name, method, chosen.seeds or REPORTED, _QUICK_BUDGET if chosen.quick else sys.maxsize)
        for name in reversed(cases)
        for method in methods
        if method in (chosen.methods or methods)
    ]


def _run(stem: str, name: str, method: str, seeds: range, most: int) -> Run:
    case = CASES[name]
    end = ABLATED.get(name, case.budget) if stem == ABLATION else case.budget
    budget = end if stem == ABLATION else budget_of(case, method)
    return Run(name, method, seeds, min(budget, most), min(end, most))


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

    def write(self, run: Run, kept: Runs) -> None:
        """What this run adds."""
        self._file(run).parent.mkdir(parents=True, exist_ok=True)
        self._file(run).write_text(json.dumps([_identity(run), _as_lists(kept[run])]), encoding="utf-8")
        scores = _scores(kept)
        parts = (race_tables.summary(scores, CASES), race_tables.by_case(scores, CASES), race_tables.endings(_ordered(kept)))
        (self.path / f"{self.stem}.md").write_text("\n".join(parts), encoding="utf-8")
        (self.path / f"{self.stem}.json").write_text(json.dumps(_plain(scores), indent=1) + "\n", encoding="utf-8")
        figure = draw(CASES[run.case], _panels(_ordered(kept)[run.case]), _floors(run.case), run.end)
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
        name = f"{self.stem}-{run.case}-{run.method.replace(', ', '-').replace(' ', '-')}"
        return self.path / "courses" / f"{name}.json"


def _identity(run: Run) -> list[str]:
    """What must be the same for a course to be the same; the code is not asked."""
    return [str(CASES[run.case].problem), str(_KERNELS[run.method]), str(list(run.seeds)), str(run.budget)]


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


def _score(run: Run, course: Course) -> Score:
    return score(course, CASES[run.case].bound, run.end)


def _scores(kept: Runs) -> dict[str, dict[str, Score]]:
    """By case, then by method, in the order of the lists, in whatever order they came."""
    of = {(run.case, run.method): _score(run, course) for run, course in kept.items()}
    return {case: {method: of[case, method] for method in some} for case, some in _ordered(kept).items()}


def _ordered(kept: Runs) -> dict[str, dict[str, Course]]:
    """Courses likewise."""
    of = {(run.case, run.method): course for run, course in kept.items()}
    return {
        case: {method: of[case, method] for method in _KERNELS if (case, method) in of}
        for case in CASES
        if any(run.case == case for run in kept)
    }


def _panels(courses: Mapping[str, Course]) -> dict[str, dict[str, Course]]:
    """Methods by kind; variants by the method that they are of."""
    panels: dict[str, dict[str, Course]] = {}
    varied = any("," in method for method in courses)
    for method, course in courses.items():
        kind = "made for noise, by default" if method in FAMILIES else "baselines, and textbook forms (dashed)"
        panels.setdefault(method.split(",")[0] if varied else kind, {})[method] = course
    return panels


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
    parser.add_argument("--seeds", type=_seeds, help="first-last; 0-9 are reported, from 100 on for tuning")
    parser.add_argument("--jobs", type=_jobs, default=1, help="methods that run at the same time, each on one thread")
    parser.add_argument("--resume", action="store_true", help="keep what an earlier run with the same settings left in DIR")
    parser.add_argument("--markdown", nargs="+", type=Path, metavar="PAGE", help="put the tables of DIR into these; run nothing")
    parser.add_argument("--out", type=Path, default=Path("optimizers"), metavar="DIR", help="folder for all that is written")
    return parser


def _seeds(words: str) -> range:
    """ "3" or "0-9", both ends included."""
    ends = re.fullmatch(r"([0-9]+)(?:-([0-9]+))?", words)
    if ends is None or int(ends[2] or ends[1]) < int(ends[1]):
        raise argparse.ArgumentTypeError(f"wanted one seed or first-last, from 0 on and rising, as in 0-9, got {words!r}")
    return range(int(ends[1]), int(ends[2] or ends[1]) + 1)


def _jobs(words: str) -> int:
    if not re.fullmatch(r"0*[1-9][0-9]*", words):
        raise argparse.ArgumentTypeError(f"wanted a whole number from 1 on, got {words!r}")
    return int(words)


if __name__ == "__main__":
    sys.exit(main())
