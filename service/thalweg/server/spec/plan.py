"""How far a job walks."""

from __future__ import annotations

from dataclasses import dataclass, field

from thalweg_core.errors import BadInput
from thalweg_core.method import Goal
from thalweg_core.ranges import one_of
from thalweg_core.walking.account import Budget
from thalweg_core.walking.stopping import Stop

DEVICES = ("cpu", "cuda")
PRECISIONS = ("float64", "float32")

_DRAWS = 1000
_STEPS_WITHOUT_RULE = 200
_STEPS_WITH_RULE = 1_000_000  # a rule ends the walk; this only keeps a rule that never fires from running for ever
_LARGEST_WORD = 2**32  # the step and the replica are 32-bit words of the random numbers' counter


@dataclass(frozen=True)
class Plan:
    """How far to walk, in how many replicas, and where.

    Args:
        steps: steps after warm-up, for a sampler draws per chain. Left out: 1000 draws; for an optimizer 200 steps, or as
            many as its stop rules and its budget allow.
        replicas: independent runs (optimizer) or chains (sampler), computed as one batch.
        seed: seed of every random number of the job.
        warmup: steps of adaptation before the first draw; samplers only.
        stop: rules that end a replica's walk early.
        budget: what may be spent.
        cpus: processor threads of the worker.
        device: where torch computes: "cpu" or "cuda".
        precision: "float64" or "float32".
        checkpoint_every: steps between checkpoints; left out, about one every two seconds.
    """

    steps: int | None = None
    replicas: int = 1
    seed: int = 0
    warmup: int = 0
    stop: Stop = field(default_factory=Stop)
    budget: Budget = field(default_factory=Budget)
    cpus: int = 1
    device: str = "cpu"
    precision: str = "float64"
    checkpoint_every: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("replicas", 1), ("warmup", 0), ("cpus", 1), ("checkpoint_every", 1)):
            count = getattr(self, name)
            if count is not None and not least <= count < _LARGEST_WORD:
                raise BadInput(name, f"wanted a whole number from {least} to {_LARGEST_WORD - 1}, got {count}")
        one_of("device", self.device, DEVICES)
        one_of("precision", self.precision, PRECISIONS)

    @property
    def has_rule(self) -> bool:
        """Whether anything but the number of steps may end the walk."""
        return self.stop != Stop() or self.budget != Budget()

    def last_step(self, goal: Goal) -> int:
        """The number of steps, with its default."""
        if self.steps is not None:
            return self.steps
        if goal is Goal.DRAWS:
            return _DRAWS
        return _STEPS_WITH_RULE if self.has_rule else _STEPS_WITHOUT_RULE

    def asked_for(self, goal: Goal) -> int:
        """The number of steps that somebody counts on; 0 where only a rule ends the walk."""
        return self.last_step(goal) if self.steps is not None or goal is Goal.DRAWS or not self.has_rule else 0
