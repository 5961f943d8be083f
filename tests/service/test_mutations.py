"""No specification and no message, whatever is wrong in it, makes the service fail or hang: it is refused by a sentence, or done."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from tests.service import mutations
from tests.service.mutations import Mutant
from thalweg.server import pages
from thalweg.server.store import Filter
from thalweg.v1 import jobs_pb2

T = TypeVar("T")
R = TypeVar("R")

_CALLERS = 6
_SECONDS = 60.0  # for one answer: only a service that hangs takes as long
_REFUSED = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.RESOURCE_EXHAUSTED}
_FOUND_NOTHING = {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.OUT_OF_RANGE}
_PYTHON = re.compile(r"Traceback|<class|object at 0x|\w+Error\b|numpy|torch\.")


class Answer(NamedTuple):
    code: grpc.StatusCode
    sentence: str
    field: str | None  # of the violation; None where there is none


def test_every_field_of_the_wire_is_mutated() -> None:
    assert mutations.unreached() == []


def test_there_are_thousands_of_mutants_and_no_two_are_called_alike() -> None:
    names = [mutant.name for base in mutations.bases() for mutant in mutations.mutants(base)]
    assert len(names) >= 3000
    assert len(set(names)) > 0.95 * len(names)


def test_every_specification_that_is_mutated_is_a_valid_one(service: Any) -> None:
    specs = [base.spec for base in mutations.bases().values() if base.valid]
    answers = _all(lambda spec: _checked(service, spec), specs)
    assert [a for a in answers if a.code is not grpc.StatusCode.OK] == []


@pytest.mark.parametrize("base", list(mutations.bases()))
def test_no_mutated_specification_is_more_than_a_sentence(service: Any, base: str) -> None:
    mutants = mutations.mutants(base)
    answers = _all(lambda mutant: _checked(service, mutant.spec), mutants)
    assert [said for mutant, answer in zip(mutants, answers, strict=True) for said in _wrong(mutant, answer)] == []


def _all(call: Callable[[T], R], things: list[T]) -> list[R]:
    with ThreadPoolExecutor(_CALLERS) as pool:
        return list(pool.map(call, things))


def _checked(service: Any, spec: jobs_pb2.JobSpec) -> Answer:
    request = jobs_pb2.SubmitJobRequest(spec=spec, validate_only=True)
    return _answer(lambda: service.jobs.SubmitJob(request, timeout=_SECONDS))


def _answer(call: Callable[[], Any]) -> Answer:
    try:
        call()
    except grpc.RpcError as error:
        return Answer(error.code(), error.details() or "", _field(error))  # type: ignore[attr-defined]
    return Answer(grpc.StatusCode.OK, "", None)


def _field(error: grpc.RpcError) -> str | None:
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        violations = error_details_pb2.BadRequest()
        if detail.Unpack(violations):
            return violations.field_violations[0].field
    return None


def _wrong(mutant: Mutant, answer: Answer) -> Iterator[str]:
    """What is wrong with an answer, each in a line."""
    if answer.code is grpc.StatusCode.OK:
        return
    told = f"{mutant.name}: {answer.code.name} {answer.sentence}"
    if answer.code not in _REFUSED:
        yield told
    elif not _is_one_sentence(answer.sentence):
        yield f"no sentence: {told}"
    elif answer.code is grpc.StatusCode.INVALID_ARGUMENT and answer.field is None:
        yield f"no field: {told}"
    elif answer.field and not _exists(mutant.spec, answer.field):
        yield f'no field "{answer.field}": {told}'


def _is_one_sentence(sentence: str) -> bool:
    return 0 < len(sentence) < 1000 and sentence.isprintable() and not _PYTHON.search(sentence)


def _exists(message: Any, path: str) -> bool:
    """Whether a user could have written this path: below the members that a spec chose, and below the length of its lists.

    What start.job asked for stands in start.values.
    """
    descriptor = message.DESCRIPTOR
    if message.problem.vqe.start.values.HasField("job"):
        path = path.replace("start.job.id", "start.values.job")
    for step in re.findall(r"[^.\[\]]+", path):
        if step.isdigit():
            if not (hasattr(message, "__len__") and int(step) < len(message)):
                return False
            message = message[int(step)]
            descriptor = getattr(message, "DESCRIPTOR", None)
            continue
        field = descriptor.fields_by_name.get(step) if descriptor is not None else None
        if field is None:
            return False
        oneof = field.containing_oneof
        if oneof is not None and len(oneof.fields) > 1 and message.WhichOneof(oneof.name) not in (step, None):
            return False
        message, descriptor = getattr(message, step), field.message_type
    return True


# --- jobs that begin

_JOBS, _PER_BASE, _STEPS = 60, 2, 3


def test_mutants_that_are_accepted_also_run(service: Any) -> None:
    """None meets an error of ours; that the field's numbers lead nowhere is no error."""
    ids = _all(lambda mutant: _started(service, mutant), _accepted(service))
    rows = [(mutant, service.ended(job, 300)) for mutant, job in ids]
    assert len(rows) == _JOBS
    assert [f"{mutant.name}: {row.outcome}" for mutant, row in rows if "the worker met" in row.outcome] == []


def _accepted(service: Any) -> list[Mutant]:
    """Some of each base, cut to a few steps."""
    draw, candidates = random.Random(1), []
    for name in mutations.bases():
        small = [_short(mutant) for mutant in mutations.mutants(name) if mutant.small]
        candidates += list(enumerate(draw.sample(small, min(_PER_BASE * 4, len(small)))))
    ordered = [mutant for _, mutant in sorted(candidates, key=lambda numbered: numbered[0])]
    answers = _all(lambda mutant: _checked(service, mutant.spec), ordered)
    fine = [mutant for mutant, answer in zip(ordered, answers, strict=True) if answer.code is grpc.StatusCode.OK]
    return fine[:_JOBS]


def _short(mutant: Mutant) -> Mutant:
    plan = mutant.spec.plan
    samples = mutant.spec.method.WhichOneof("kind") in ("ula", "mala", "hmc")
    plan.steps = _STEPS + 1 if samples else _STEPS
    return mutant


def _started(service: Any, mutant: Mutant) -> tuple[Mutant, str]:
    request = jobs_pb2.SubmitJobRequest(spec=mutant.spec)
    return mutant, service.jobs.SubmitJob(request, timeout=_SECONDS).job.id
