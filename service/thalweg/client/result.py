"""What a job brought home, as a user reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from thalweg.client.artifact import Artifact
from thalweg.client.pages import result_page
from thalweg.client.service import Service
from thalweg.client.wording import measured
from thalweg.v1 import jobs_pb2, results_pb2


@dataclass(frozen=True)
class Result:
    """The result of an ended job.

    Args:
        job: the job as it ended, with `result` and `provenance` set.
    """

    job: jobs_pb2.Job
    service: Service = field(repr=False, compare=False)

    @property
    def value(self) -> float:
        """The energy at the minimum, or its mean over the draws, in `unit`."""
        return self.job.result.value

    @property
    def standard_error(self) -> float:
        return self.job.result.standard_error

    @property
    def unit(self) -> str:
        return self.job.result.unit

    @property
    def observables(self) -> Mapping[str, results_pb2.Observable]:
        """By name; each with `.value`, `.standard_error` and `.unit`."""
        return dict(self.job.result.observables)

    @property
    def cost(self) -> Mapping[str, float]:
        """What was spent: "shots", "gradients", "seconds" …"""
        return dict(self.job.result.cost)

    @property
    def artifacts(self) -> list[Artifact]:
        return [Artifact(self.job.id, about, self.service) for about in self.job.result.artifacts]

    @property
    def stops(self) -> Mapping[str, int]:
        """Why replicas stopped, as sentences, with the number of replicas each holds for."""
        return dict(self.job.result.stops)

    @property
    def outcome(self) -> str:
        return self.job.outcome

    @property
    def provenance(self) -> results_pb2.Provenance:
        return self.job.provenance

    def artifact(self, name: str) -> Artifact:
        """The artifact with this name. Raises KeyError with the names there are."""
        found = {artifact.name: artifact for artifact in self.artifacts}
        if name not in found:
            raise KeyError(f"no artifact {name!r}; there are {', '.join(sorted(found)) or 'none'}")
        return found[name]

    def __repr__(self) -> str:
        return f"<Result {measured(self.value, self.standard_error, self.unit)}, {self.outcome}>"

    def _repr_html_(self) -> str:
        return result_page(self.job)
