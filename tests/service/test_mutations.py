"""No specification and no message, whatever is wrong in it, makes the service fail or hang: it is refused or done."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import grpc
import pytest
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tests.service import mutations
from tests.service.mutations import Mutant

from thalweg.server.api import pages
from thalweg.server.executor import worker
from thalweg.server.store import attempts
from thalweg.server.store.records import NewJob
from thalweg.server.store.store import Filter, Store
from thalweg.v1 import jobs_pb2

T = TypeVar("T")
R = TypeVar("R")

_CALLERS = 6
_SECONDS = 60.0  # for one answer: only a service that hangs takes as long
_REFUSED = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.RESOURCE_EXHAUSTED}
_FOUND_NOTHING = {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.OUT_OF_RANGE}
_OF_A_CHECKER = re.compile("to check it takes|what checks it")
_NO_SENTENCE = re.compile(r"Traceback|Stream removed|<class|object at 0x|\w+Error\b|numpy|torch\.")


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
    wrong = [said for mutant, answer in zip(mutants, answers, strict=True) for said in _wrong(mutant, answer)]
    assert wrong == [], "\n".join(wrong)


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
    try:
        status = rpc_status.from_call(error)
    except ValueError:  # gRPC put a status of its own in place of the service's
        return None
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
    elif _OF_A_CHECKER.search(answer.sentence):
        yield f"its check did not end by itself: {told}"
    elif answer.code is grpc.StatusCode.INVALID_ARGUMENT and answer.field is None:
        yield f"no field: {told}"
    elif answer.field and not _exists(mutant.spec, answer.field):
        yield f'no field "{answer.field}": {told}'


def _is_one_sentence(sentence: str) -> bool:
    return 0 < len(sentence) < 1000 and sentence.isprintable() and not _NO_SENTENCE.search(sentence)


def _exists(message: Any, path: str) -> bool:
    """Whether a user could have written this path: below the members that a spec chose, and below the length of its lists.

    What start.job asked for stands in start.values.
    """
    if label := re.fullmatch(r'labels\["(.+?)…?"\]', path):
        return any(repr(key)[1:-1].startswith(label[1]) for key in message.labels)
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


# --- jobs that walk

_JOBS, _STEPS = 80, 3


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numbers of a mutant may overflow on the way; a worker prints that
def test_accepted_mutants_also_walk(service: Any, store: Store) -> None:
    """None meets an error of ours; that its numbers lead nowhere is none."""
    walking = _accepted(service)
    assert len(walking) == _JOBS
    ends = [(mutant, _walked(store, mutant)) for mutant in walking]
    wrong = [f"{m.name}: {out}" for m, out in ends if "the worker met" in out or not _is_one_sentence(out)]
    assert wrong == [], "\n".join(wrong)


def _accepted(service: Any) -> list[Mutant]:
    """First one of each base, then another of each, until there are enough; all of few steps."""
    draw, candidates = random.Random(1), []
    for name, base in mutations.bases().items():
        small = [] if base.dear else [mutant for mutant in mutations.mutants(name) if mutant.small]
        candidates += list(enumerate(draw.sample(small, min(8, len(small)))))
    ordered = [_short(mutant) for _, mutant in sorted(candidates, key=lambda numbered: numbered[0])]
    answers = _all(lambda mutant: _checked(service, mutant.spec), ordered)
    fine = [mutant for mutant, answer in zip(ordered, answers, strict=True) if answer.code is grpc.StatusCode.OK]
    return fine[:_JOBS]


def _short(mutant: Mutant) -> Mutant:
    samples = mutant.spec.method.WhichOneof("kind") in ("ula", "mala", "hmc")
    mutant.spec.plan.steps = _STEPS + 1 if samples else _STEPS
    return mutant


def _walked(store: Store, mutant: Mutant) -> str:
    """The outcome of a worker in this process, which has imported everything already."""
    job = store.submit(NewJob("", mutant.spec.SerializeToString(), "")).result()
    assert attempts.claim(store, job).result() is not None
    assert worker.main(store.folder, job.id, 1) == 0
    return store.job(job.id).outcome


# --- messages

_RPCS = [(service, rpc) for service in jobs_pb2.DESCRIPTOR.services_by_name.values() for rpc in service.methods]
_NO_MESSAGES: dict[str, bytes] = {
    "a tag without a value": b"\x0a",
    "a length beyond the end": b"\x0a\xff\xff\xff\xff\x0f" + b"x" * 20,
    "a varint without an end": b"\x08" + b"\xff" * 20,
    "field 0": b"\x02\x01x",
    "text that is no UTF-8": b"\x0a\x04\xff\xfe\x00\x80\x12\x02\xc3\x28",
    "a number where text should be": b"\x08\x01\x10\x01\x18\x01",
    "text where a number should be": b"\x1a\x03abc\x0a\x03abc\x12\x03abc",
    "groups in groups": b"\x0b" * 10_000,
    "closed groups in groups": b"\x0b" * 1000 + b"\x0c" * 1000,
    "the end of a group": b"\x0c",
    "fields of the future": b"\xfa\x7f\x05hello" * 100,
    "5 MiB": b"\x0a\x80\x80\xc0\x02" + b"x" * 5 * 2**20,
}
_IDS = {
    "10 kB": "0123456789" * 1000,
    "1 MiB": "x" * 2**20,
    "10 kB of two bytes each": "é" * 5000,
    "40 kB of four bytes each": "\N{PILE OF POO}" * 10_000,
    "zeros": "\x00" * 100,
    "the end of a header": "%0d%0a\r\n",
}
_LARGEST_MESSAGE = 4 * 2**20  # gRPC's own limit


@pytest.fixture(scope="module")
def ended(service: Any) -> str:
    """The id of a job that has ended with a result."""
    job = service.submit({"problem": {"density": {"double_well": {}}}, "method": {"adam": {}}, "plan": {"steps": 1}})
    service.ended(job.id)
    return str(job.id)


@pytest.mark.parametrize(("server", "rpc"), _RPCS, ids=[rpc.name for _, rpc in _RPCS])
def test_no_message_makes_an_rpc_fail_or_hang(service: Any, ended: str, server: Any, rpc: Any) -> None:
    call = _call(service, server, rpc)
    messages = list(_messages(rpc, ended))
    answers = _all(lambda named: _answer(lambda: _drained(call(named[1], timeout=_SECONDS))), messages)
    allowed = _REFUSED | _FOUND_NOTHING | {grpc.StatusCode.OK}
    wrong = [
        f"{name}: {answer.code.name} {answer.sentence[:200]}"
        for (name, _), answer in zip(messages, answers, strict=True)
        if answer.code not in allowed or (answer.code is not grpc.StatusCode.OK and not _is_one_sentence(answer.sentence))
    ]
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize(("server", "rpc"), _RPCS, ids=[rpc.name for _, rpc in _RPCS])
def test_bytes_that_are_no_message_are_an_invalid_argument_and_said_to_be_none(service: Any, server: Any, rpc: Any) -> None:
    sent = [data for _, data in _messages(rpc, "") if not _is_message(rpc, data) and len(data) < _LARGEST_MESSAGE]
    assert len(sent) > 10
    answers = _all(lambda data: _answer(lambda: _drained(_call(service, server, rpc)(data, timeout=_SECONDS))), sent)
    assert set(answers) == {Answer(grpc.StatusCode.INVALID_ARGUMENT, "the bytes of the request are no message of this call", "")}


def _call(service: Any, server: Any, rpc: Any) -> Callable[..., Any]:
    """An RPC with bytes in place of its messages."""
    asked = service.channel.unary_stream if rpc.server_streaming else service.channel.unary_unary
    call: Callable[..., Any] = asked(f"/{server.full_name}/{rpc.name}")
    return call


def _is_message(rpc: Any, data: bytes) -> bool:
    try:
        rpc.input_type._concrete_class.FromString(data)
    except DecodeError:
        return False
    return True


def _drained(answer: Any) -> None:
    if not isinstance(answer, bytes):
        for _ in answer:
            pass


def _messages(rpc: Any, ended: str) -> Iterator[tuple[str, bytes]]:
    """Requests as they go over the wire, by what is wrong with them. None of them is a job that would be kept, or a job's end."""
    kind = rpc.input_type._concrete_class
    names = [field.name for field in rpc.input_type.fields]
    yield from _NO_MESSAGES.items()
    draw = random.Random(rpc.name)
    for length in (1, 2, 3, 5, 10, 30, 100, 300, 1000, 100_000):
        yield f"{length} random bytes", draw.randbytes(length)
    wholes = [kind(), *([kind(id=ended)] if "id" in names and rpc.name != "DeleteJob" else [])]
    for whole in wholes:
        sent = whole.SerializeToString()
        yield "a request as it is", sent
        yield from ((f"its first {n} bytes", sent[:n]) for n in range(1, len(sent)))
        for mutation in mutations.mutations(whole):
            changed = kind.FromString(sent)
            mutation.apply(mutations.at(changed, mutation.path[:-1]))
            yield str(mutation), changed.SerializeToString()
    for name in {"id", "name", "page_token", "request_id"} & set(names):
        for said, text in (_IDS | {"a line": f"{ended}\n", "a path": f"../{ended}"}).items():
            yield f"{name}: {said}", kind(**{name: text}).SerializeToString()
            if name != "id" and "id" in names:
                yield f"{name} of a job: {said}", kind(id=ended, **{name: text}).SerializeToString()
    if "page_token" in names:
        for number in (0, 1, 2**63 - 1, 2**63, 2**64 - 1):
            yield f"the page below {number}", kind(page_token=pages.token(Filter(), number)).SerializeToString()
