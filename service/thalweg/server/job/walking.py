"""The walk of one job, from its start or from a checkpoint: warm-up, steps, records.

Everything here follows from the spec: a walk that was cut anywhere and resumed equals an unbroken one to the bit.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from thalweg.server.job.checkpoints import Checkpoints, Saved
from thalweg.server.job.heartbeat import Heartbeat
from thalweg.server.job.progress import WALK, WARM_UP, progress
from thalweg.server.job.recorder import Draws, Here, Trace
from thalweg.server.spec.parsed_job import ParsedJob
from thalweg_core.chains import running_diagnostics
from thalweg_core.chains.running_diagnostics import Running
from thalweg_core.chains.warm_up import PANEL, WarmUp
from thalweg_core.errors import BadInput, Unaffordable
from thalweg_core.landscape import Cost, Landscape
from thalweg_core.method import Method
from thalweg_core.numbers.trees import take_rows
from thalweg_core.problem import Traits
from thalweg_core.streams import Stream
from thalweg_core.walking.growth import GROWTH, begin_growing, walk_growing
from thalweg_core.walking.outcomes import Outcome
from thalweg_core.walking.walk import Rules, position_at

_GROWN = "landscape."  # what a landscape has grown, in a checkpoint


class Walked(NamedTuple):
    """What a walk brought home."""

    landscape: Landscape
    method: Method  # as it was tuned
    start: Tensor  # (B, *E)
    here: Here
    trace: Trace
    draws: Draws | None
    extra: Cost | None  # spent by rows of the warm-up beside the replicas
    seconds: Callable[[], float]  # wall clock of all attempts, so far
    reserve: int  # shots of a replica that the measurement at the end takes
    phase: str  # in which it ended
    resumed: str  # what is to be said of how it was resumed; "" where there is nothing


class Walker:
    """One attempt's walk over an open landscape."""

    def __init__(self, parsed_job: ParsedJob, traits: Traits, checkpoints: Checkpoints, heartbeat: Heartbeat) -> None:
        self.traits, self.checkpoints, self.heartbeat = traits, checkpoints, heartbeat
        self._began = time.monotonic()
        self._earlier = 0.0  # seconds of the attempts before
        plan = parsed_job.plan
        self._device = torch.device(plan.device)
        with under(f"problem.{parsed_job.problem_name}"):
            self.landscape = parsed_job.problem.open(self._device, getattr(torch, plan.precision))
        self.parsed_job = parsed_job._replace(method=_settled(parsed_job, self.landscape))
        self._rows = max(plan.replicas, PANEL) if parsed_job.method.adaptation() else plan.replicas
        with under(f"problem.{parsed_job.problem_name}"):
            self._starts = parsed_job.problem.start(self.landscape, self._stream(self._rows).named("start"))
        self.reserve = 0 if parsed_job.draws else parsed_job.problem.final_shots(self.landscape)
        self.trace = Trace(plan.replicas, self.landscape)
        self.draws = Draws() if parsed_job.draws else None
        self.running: Running | None = None
        self.extra: Cost | None = None

    def walked(self) -> Walked:
        """The whole walk, or what is left of it."""
        warming = self._warming()
        saved, before, blocks = self.checkpoints.newest({WARM_UP: warming, WALK: self.parsed_job.method})
        if saved is not None:
            self._earlier = float(saved.words["seconds"])
        warm = saved if saved is not None and saved.phase == WARM_UP else before
        method, here = self._warmed(warming, warm)
        if method is None:
            return self._home(self.parsed_job.method, here, WARM_UP)
        if saved is not None and saved.phase == WALK:
            here = Here(saved.step, saved.position, saved.tensors["here.acceptance"])
            self._remember(saved)
            self._give_back(blocks, int(saved.words["stride"]))
        else:
            self.trace.add(here)
        return self._home(method, self._through(WALK, method, here), WALK)

    # --- phases

    def _warming(self) -> Method:
        """What walks through the warm-up."""
        method = self.parsed_job.method
        tunable = method.adaptation()
        return method if tunable is None else WarmUp(tunable)

    def _warmed(self, warm: Method, saved: Saved | None) -> tuple[Method | None, Here]:
        """The tuned method and where its walk begins; no method where the job was stopped before."""
        plan, method = self.parsed_job.plan, self.parsed_job.method
        if not plan.warmup:
            return method, self._begun(method, self._starts, WALK, self._rules())
        if saved is not None:
            here = Here(saved.step, saved.position, saved.tensors["here.acceptance"])
        else:
            here = self._begun(warm, self._starts, WARM_UP, Rules(budget=plan.budget))
        if here.step < plan.warmup:
            here = self._through(WARM_UP, warm, here)
            if (here.position.outcome == Outcome.CANCELLED).any():
                return None, here
            self._keep(WARM_UP, here)
        return self._tuned(warm, here)

    def _tuned(self, warm: Method, here: Here) -> tuple[Method, Here]:
        position, state = here.position, here.position.state
        method, state = warm.handed_over(state)
        replicas = torch.arange(self.parsed_job.plan.replicas, device=self._device)
        if self._rows > len(replicas):
            self.extra = take_rows(position.spent, torch.arange(len(replicas), self._rows, device=self._device))
            state, position = take_rows(state, replicas), position._replace(spent=take_rows(position.spent, replicas))
        return method, self._stand(method, state, position.spent, position.outcome[: len(replicas)])

    def _begun(self, method: Method, x: Tensor, phase: str, rules: Rules) -> Here:
        try:
            self.landscape, position = begin_growing(method, self.landscape, x, self._stream(len(x)).named(phase), rules)
        except Unaffordable as dear:
            raise dear.under("plan") from None
        except BadInput as bad:
            raise bad.under(f"method.{self.parsed_job.method_name}") from None
        return Here(0, position, torch.full_like(position.state.seen.value, torch.nan))

    def _stand(self, method: Method, state: Any, spent: Cost, outcome: Tensor) -> Here:
        """Step 0 of the walk, where the warm-up left it; a replica that the warm-up lost stays lost."""
        rng = self._stream(len(outcome)).named(WALK)
        position = position_at(method, self.landscape, state, rng, spent, state.seen.cost, self._rules())
        outcome = torch.where(outcome == Outcome.LOST, outcome, position.outcome)
        return Here(0, position._replace(outcome=outcome), torch.full_like(position.state.seen.value, torch.nan))

    def _through(self, phase: str, method: Method, here: Here) -> Here:
        """Every step that is left of a phase, unless somebody or the clock stops it."""
        plan = self.parsed_job.plan
        last = plan.warmup if phase == WARM_UP else plan.last_step(self.parsed_job.method.goal)
        rules = Rules(budget=plan.budget) if phase == WARM_UP else self._rules()
        rng = self._stream(len(here.position.outcome)).named(phase)
        self.heartbeat.hurry()
        steps = range(here.step + 1, last + 1)
        for landscape, frame in walk_growing(method, self.landscape, here.position, rng, steps, rules):
            self.landscape = landscape
            here = Here(frame.step, frame.position, frame.info.acceptance)
            if phase == WALK:
                self._record(here, method)
            if self.heartbeat.due():
                self._report(phase, here)
            if self.heartbeat.cancelled():
                return _stopped(here, Outcome.CANCELLED)
            if phase == WALK and plan.budget.seconds is not None and self._seconds() >= plan.budget.seconds:
                return _stopped(here, Outcome.SECONDS)
            if self.checkpoints.due(here.step):
                self._keep(phase, here)
        return here

    # --- records

    def _record(self, here: Here, method: Method) -> None:
        self.trace.add(here)
        if self.draws is not None:
            drawn = method.draw(here.position.state)
            self.draws.add(here, drawn)
            self._follow(drawn)

    def _keep(self, phase: str, here: Here) -> None:
        fresh = self.trace.take() | (self.draws.take() if self.draws is not None else {}) if phase == WALK else {}
        words = {"seconds": repr(self._seconds()), "stride": str(self.trace.stride)}
        more = {"here.acceptance": here.acceptance}
        if (circuit := self.landscape.offer(GROWTH)) is not None:
            more |= {f"{_GROWN}{name}": tensor for name, tensor in circuit.memory.items()}
        self.checkpoints.keep(phase, here.step, here.position, more, words, fresh)

    def _remember(self, saved: Saved) -> None:
        """What the landscape had grown."""
        if (circuit := self.landscape.offer(GROWTH)) is not None:
            named = ((name.removeprefix(_GROWN), t) for name, t in saved.tensors.items() if name.startswith(_GROWN))
            self.landscape = circuit.with_memory(dict(named))

    def _give_back(self, blocks: list[dict[str, Tensor]], stride: int) -> None:
        self.trace.give(blocks, stride)
        for block in blocks:
            if self.draws is not None:
                self.draws.give(block)
                for x in block.get("draws.x", ()):
                    self._follow(x)

    def _follow(self, x: Tensor) -> None:
        """The diagnostics that are shown while it runs."""
        x = x.cpu()
        self.running = running_diagnostics.update(self.running or running_diagnostics.begin(x), x)

    # --- small things

    def _home(self, method: Method, here: Here, phase: str) -> Walked:
        start = self._starts[: self.parsed_job.plan.replicas]
        self._report(phase, here)
        home = (self.landscape, method, start, here, self.trace, self.draws, self.extra, self._seconds, self.reserve, phase)
        return Walked(*home, "; ".join(self.checkpoints.remarks))

    def _report(self, phase: str, here: Here) -> None:
        self.heartbeat.report(progress(self.parsed_job, self.traits, self.landscape, phase, here, self.extra, self.running))

    def _rules(self) -> Rules:
        return Rules(self.parsed_job.plan.stop, self.parsed_job.plan.budget, self.reserve)

    def _stream(self, rows: int) -> Stream:
        return Stream.of(self.parsed_job.plan.seed, rows, self._device)

    def _seconds(self) -> float:
        return self._earlier + time.monotonic() - self._began


def _settled(parsed_job: ParsedJob, landscape: Landscape) -> Method:
    """The method with the numbers filled in that it leaves to the landscape."""
    with under(f"method.{parsed_job.method_name}"):
        return parsed_job.method.resolved(landscape)


def _stopped(here: Here, why: Outcome) -> Here:
    """The same place, with every replica that still walked stopped there."""
    position = here.position
    walking = position.outcome == Outcome.WALKING
    outcome = torch.where(walking, int(why), position.outcome)
    stopped_at = torch.where(walking, here.step, position.stopped_at)
    return here._replace(position=position._replace(outcome=outcome, stopped_at=stopped_at))


@contextlib.contextmanager
def under(path: str) -> Iterator[None]:
    """Complaints from inside, seen from the top of the spec."""
    try:
        yield
    except BadInput as bad:
        raise bad.under(path) from None
