"""Whatever a specification does to the process that checks it, its sender gets a sentence, and the next one is checked."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import NoReturn
from unittest import mock

import pytest
import torch

from thalweg import specs
from thalweg.server.api import checker, checkers
from thalweg.server.api.admission import Admission, admit
from thalweg.server.api.checkers import PLACE, Checked, Checkers
from thalweg.server.errors import MachineTrouble
from thalweg.v1 import jobs_pb2
from thalweg_core.errors import BadInput

SECONDS, MEMORY = 2, 2**28
TOO_LONG = "to check it takes too long; wanted a smaller problem, or fewer of whatever it has many of"
TOO_LARGE = "to check it takes more than 0.25 GiB of memory; wanted a smaller problem"
DEAD = "what checks it has died of it; wanted a smaller problem"

Check = Callable[..., Checked]
GOOD = {"problem": {"density": {"double_well": {}}}, "method": {"adam": {}}, "plan": {"steps": 1}}


def serve_with_small_limits(pipe: Connection, folder: Path, place: Path) -> None:
    """In the process of a checker: what a specification's name says happens while it is checked."""
    checker.SECONDS, checker.MEMORY, checker.admit = SECONDS, MEMORY, _admit  # type: ignore[misc, assignment]
    checker.serve(pipe, folder, place)


def _admit(spec: jobs_pb2.JobSpec, folder: Path | None = None) -> Admission:
    if spec.name in HAPPENINGS:
        HAPPENINGS[spec.name]()
    return admit(spec, folder)


def _compute() -> None:
    while True:
        pass


def _take_memory_at_once() -> None:
    torch.zeros(2**30, dtype=torch.uint8)


def _take_memory_bit_by_bit() -> None:
    taken = []
    while True:
        taken.append(bytes(2**20))


HAPPENINGS: dict[str, Callable[[], object]] = {
    "computes": _compute,
    "takes a moment": lambda: time.sleep(0.3),
    "waits": lambda: time.sleep(3600),
    "takes memory at once": _take_memory_at_once,
    "takes memory bit by bit": _take_memory_bit_by_bit,
    "breaks": lambda: {}["a bolt"],
    "ends its process": lambda: os._exit(3),
}


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def check(loop: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Check]:
    """Check a specification of some name, as a caller who waits so many seconds."""
    folder = tmp_path_factory.mktemp("checkers")
    (folder / PLACE).mkdir()
    with mock.patch.dict(os.environ):
        asked = Checkers(folder, serve_with_small_limits)

    def check(name: str = "", seconds: float = 60) -> Checked:
        spec = specs.load(GOOD | {"name": name}).SerializeToString()
        return loop.run(asyncio.wait_for(asked.admit(spec), seconds))

    yield check
    asked.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Checkers]:
    """Those of one test, with the limits of a service; none of their processes runs yet."""
    (tmp_path / PLACE).mkdir()
    before = multiprocessing.active_children()
    with mock.patch.dict(os.environ):
        asked = Checkers(tmp_path)
    yield asked
    for child in multiprocessing.active_children():
        if child not in before:
            child.kill()
            child.join()


@pytest.fixture(autouse=True)
def ready(check: Check) -> None:
    """Every process is there and has answered, so that no test waits for what is loaded."""
    for _ in range(checkers._NUMBER):
        check()


def refused(check: Check, name: str) -> str:
    with pytest.raises(BadInput) as bad:
        check(name)
    assert bad.value.field == "problem"
    return bad.value.sentence


def processes() -> set[int]:
    return {child.pid for child in multiprocessing.active_children() if child.pid is not None}


def all_answer(check: Check) -> None:
    for _ in range(checkers._NUMBER):
        assert check().kind == "density.double_well"
    assert len(processes()) == checkers._NUMBER


def test_a_check_that_takes_too_much_processor_time_is_refused_and_the_next_one_works(check: Check) -> None:
    assert refused(check, "computes") == TOO_LONG
    all_answer(check)


@pytest.mark.parametrize("name", ["takes memory at once", "takes memory bit by bit"])
def test_a_check_that_takes_too_much_memory_is_refused_and_its_process_goes_on(check: Check, name: str) -> None:
    before = processes()
    assert refused(check, name) == TOO_LARGE
    all_answer(check)
    assert processes() == before


def test_a_check_that_hangs_is_refused_and_the_next_one_works(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patience:
        patience.setattr(checkers, "_WITHIN", 0.5)
        assert refused(check, "waits") == TOO_LONG
    all_answer(check)


def test_a_check_that_ends_its_process_is_refused_and_the_next_one_works(check: Check) -> None:
    assert refused(check, "ends its process") == DEAD
    all_answer(check)


def test_an_error_of_ours_in_a_check_is_not_blamed_on_the_specification(check: Check) -> None:
    with pytest.raises(RuntimeError, match="the check met KeyError"):
        check("breaks")
    all_answer(check)


def test_a_check_that_nobody_waits_for_is_stopped_and_others_get_their_turn(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkers, "_ABANDONED", 0.5)
    before = processes()
    for _ in range(checkers._NUMBER):
        with pytest.raises(TimeoutError):
            check("waits", seconds=0.1)
    all_answer(check)
    assert not processes() & before


def test_a_check_whose_caller_has_gone_and_that_ends_soon_keeps_its_process(check: Check) -> None:
    before = processes()
    for _ in range(checkers._NUMBER):
        with pytest.raises(TimeoutError):
            check("takes a moment", seconds=0.1)
    all_answer(check)
    assert processes() == before


def test_processes_that_were_killed_from_outside_are_replaced(check: Check) -> None:
    before = processes()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    for child in multiprocessing.active_children():
        child.join()
    all_answer(check)
    assert not processes() & before


def test_a_check_that_is_killed_from_outside_is_done_again(check: Check, loop: asyncio.Runner) -> None:
    before = processes()

    async def kill() -> None:
        await asyncio.sleep(0.1)
        for pid in before:
            os.kill(pid, signal.SIGKILL)

    killing = loop.get_loop().create_task(kill())
    assert check("takes a moment").kind == "density.double_well"
    loop.get_loop().run_until_complete(killing)
    all_answer(check)
    assert not processes() & before


def test_a_process_that_was_told_to_end_is_asked_nothing_more(own: Checkers, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = specs.load(GOOD).SerializeToString()

    async def replaced() -> None:
        await own.admit(spec)
        with monkeypatch.context() as slow:
            slow.setattr(ForkServerProcess, "kill", lambda self: None)  # it takes a while to die
            own.close()
        before = processes()
        for _ in range(checkers._NUMBER):
            await own.admit(spec)
        assert len(processes() - before) == checkers._NUMBER

    asyncio.run(replaced())


def test_where_no_process_can_be_started_nobody_is_to_blame(own: Checkers, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = specs.load(GOOD).SerializeToString()

    def start(self: object) -> NoReturn:
        raise OSError(24, "Too many open files")

    async def started_later() -> None:
        with monkeypatch.context() as full:
            full.setattr(ForkServerProcess, "start", start)
            for _ in range(checkers._NUMBER + 1):
                with pytest.raises(MachineTrouble, match=r"^no specification can be checked now: .*Too many open files$"):
                    await own.admit(spec)
            own.close()
        for _ in range(checkers._NUMBER):
            await own.admit(spec)

    asyncio.run(started_later())
