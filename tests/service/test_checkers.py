"""Whatever happens to the process that checks a specification, its sender gets a sentence, and the next one is checked."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from thalweg import processes, specs
from thalweg.server.api import checker_process, checkers
from thalweg.server.api.checker_process import Process
from thalweg.server.api.checkers import PLACE, Checked, Checkers
from thalweg.server.api.frames import framed
from thalweg.server.errors import Draining, MachineTrouble
from thalweg.server.store.store import Store
from thalweg_core.errors import BadInput

TOO_LONG = "to check it takes too long; wanted a smaller problem, or fewer of whatever it has many of"
TOO_LARGE = "to check it takes more than 0.25 GiB of memory; wanted a smaller problem"
DEAD = "what checks it has died of it; wanted a smaller problem"
STANDS_STILL = "^the specification cannot be checked now: what checks it stands still; submit again in a moment$"

SMALL = [sys.executable, "-P", str(Path(__file__).with_name("small_checker.py"))]
CHILD = "the child of a check"
GOOD = {"problem": {"density": {"double_well": {}}}, "method": {"adam": {}}, "plan": {"steps": 1}}

Check = Callable[..., Checked]


def spec(name: str = "") -> bytes:
    return specs.load(GOOD | {"name": name}).SerializeToString()


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkers]:
    Store(folder := tmp_path_factory.mktemp("checkers")).close()
    asked = Checkers(folder, SMALL)
    yield asked
    asked.close()


@pytest.fixture(scope="module")
def check(loop: asyncio.Runner, asked: Checkers) -> Check:
    """Check a specification of some name, as a caller who waits so many seconds."""

    def check(name: str = "", seconds: float = 60) -> Checked:
        return loop.run(asyncio.wait_for(asked.admit(spec(name)), seconds))

    return check


@pytest.fixture(autouse=True)
def ready(loop: asyncio.Runner, asked: Checkers, check: Check) -> None:
    """The processes are there and have answered, so that no test waits for what is loaded."""
    for flag in ("done", CHILD):
        (asked._folder / flag).unlink(missing_ok=True)
    check()
    loop.run(until(lambda: len(asked._idle) >= checkers._FEWEST))


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Callable[..., Checkers]]:
    """Those of one test; none of their processes runs yet."""
    made: list[Checkers] = []
    Store(tmp_path).close()

    def make(command: list[str] = SMALL) -> Checkers:
        made.append(Checkers(tmp_path, command))
        return made[-1]

    yield make
    for each in made:
        each.close()


async def until(true: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


def refused(check: Check, name: str) -> str:
    with pytest.raises(BadInput) as bad:
        check(name)
    assert bad.value.field == "problem"
    return bad.value.sentence


def pids(asked: Checkers) -> set[int]:
    return {process.pid for process in asked._processes}


def signalled(asked: Checkers, number: signal.Signals) -> set[int]:
    """The processes, all of which got this signal and have obeyed it."""
    for pid in (every := pids(asked)):
        os.kill(pid, number)
        while processes.mark(pid) is not None and not processes.stopped(pid):
            time.sleep(0.01)
    return every


# --- what a specification does


@pytest.mark.slow
def test_a_check_that_takes_too_much_processor_time_is_refused_and_the_next_one_works(check: Check) -> None:
    assert refused(check, "computes") == TOO_LONG
    assert check().kind == "density.double_well"


@pytest.mark.parametrize("name", ["takes memory at once", "takes memory bit by bit"])
def test_a_check_that_takes_too_much_memory_is_refused_and_its_process_goes_on(check: Check, asked: Checkers, name: str) -> None:
    before = pids(asked)
    assert refused(check, name) == TOO_LARGE
    assert check().kind == "density.double_well"
    assert pids(asked) == before


def test_a_check_that_ends_its_process_is_refused_and_the_next_one_works(check: Check) -> None:
    assert refused(check, "ends its process") == DEAD
    assert check().kind == "density.double_well"


def test_an_error_of_ours_in_a_check_is_not_blamed_on_the_specification(check: Check) -> None:
    with pytest.raises(RuntimeError, match="the check met KeyError"):
        check("breaks")
    assert check().kind == "density.double_well"


# --- callers who go


@pytest.mark.slow
def test_a_check_that_nobody_waits_for_is_stopped_with_what_it_started(
    check: Check, asked: Checkers, loop: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkers, "_ABANDONED", 0.5)
    before = pids(asked)
    with pytest.raises(TimeoutError):
        check("waits for a child", seconds=5)
    child = int((asked._folder / CHILD).read_text())
    assert processes.mark(child) is not None
    loop.run(until(lambda: processes.mark(child) is None))
    assert check().kind == "density.double_well"
    assert len(before - pids(asked)) == 1


@pytest.mark.slow
def test_a_caller_who_goes_takes_no_place_for_slow_questions_along(
    check: Check, asked: Checkers, loop: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkers, "_SLOW", 0.2)
    monkeypatch.setattr(checker_process, "_LOOK", 0.1)
    places = asked._slow._value
    for _ in range(places):
        with pytest.raises(TimeoutError):
            check("takes a moment", seconds=0.15)
    loop.run(asyncio.sleep(checkers._ABANDONED + 0.5))
    assert asked._slow._value == places


@pytest.mark.slow
def test_a_check_whose_caller_has_gone_and_that_ends_soon_keeps_its_process(check: Check, asked: Checkers) -> None:
    before = pids(asked)
    for _ in range(checkers._FEWEST):
        with pytest.raises(TimeoutError):
            check("takes a moment", seconds=0.1)
    assert check().kind == "density.double_well"
    assert pids(asked) >= before


# --- processes that die


def test_processes_that_were_killed_from_outside_are_replaced(check: Check, asked: Checkers) -> None:
    before = signalled(asked, signal.SIGKILL)
    assert check().kind == "density.double_well"
    assert not pids(asked) & before


@pytest.mark.slow
def test_a_check_that_is_killed_from_outside_is_done_again(check: Check, loop: asyncio.Runner, asked: Checkers) -> None:
    before = pids(asked)

    async def kill() -> None:
        await asyncio.sleep(0.1)
        for pid in before:
            os.kill(pid, signal.SIGKILL)

    killing = loop.get_loop().create_task(kill())
    assert check("takes a moment").kind == "density.double_well"
    loop.get_loop().run_until_complete(killing)
    assert check().kind == "density.double_well"
    assert not pids(asked) & before


def test_a_check_whose_processes_are_killed_twice_is_blamed_on_nobody(check: Check) -> None:
    with pytest.raises(MachineTrouble, match="what checks it was killed"):
        check("is killed")


@pytest.mark.slow
def test_what_checks_ends_with_the_service_whatever_it_is_doing(loop: asyncio.Runner, tmp_path: Path) -> None:
    Store(tmp_path).close()

    async def orphaned() -> tuple[Process, int]:
        process = Process(SMALL, tmp_path, tmp_path / PLACE)
        await process.load()
        process._writer.write(framed(b"admit", spec("waits for a child")))
        await until((tmp_path / CHILD).exists)
        await until((tmp_path / CHILD).read_text)
        process._writer.transport.abort()  # as the system does it for a process that has ended
        return process, int((tmp_path / CHILD).read_text())

    process, child = loop.run(orphaned())
    loop.run(until(lambda: processes.mark(process.pid) is None and processes.mark(child) is None, 10))


# --- processes that stand still


def test_frozen_processes_are_replaced_and_a_good_specification_is_admitted(check: Check, asked: Checkers) -> None:
    before = signalled(asked, signal.SIGSTOP)
    assert check(seconds=50).kind == "density.double_well"
    assert not pids(asked) & before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["freezes once", "waits once"])
def test_a_specification_whose_process_stands_still_is_checked_by_another(check: Check, name: str) -> None:
    assert check(name, seconds=50).kind == "density.double_well"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["freezes", "waits"])
def test_a_specification_is_not_blamed_for_processes_that_stand_still(
    check: Check, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checker_process, "_IDLE_LOOKS", 2)
    with pytest.raises(MachineTrouble, match=STANDS_STILL):
        check(name)
    assert check().kind == "density.double_well"


@pytest.mark.slow
def test_a_process_whose_child_computes_does_not_stand_still(
    check: Check, asked: Checkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checker_process, "_LOOK", 0.5)
    monkeypatch.setattr(checker_process, "_IDLE_LOOKS", 4)
    before = pids(asked)
    assert check("lets a child compute").kind == "density.double_well"
    assert pids(asked) >= before


def test_a_check_that_a_busy_machine_cannot_end_in_time_is_blamed_on_nobody(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkers, "_WITHIN", 0.5)
    with pytest.raises(MachineTrouble, match="could not be checked in time: this machine is busy"):
        check("takes a while")


@pytest.mark.slow
def test_a_process_that_is_frozen_while_it_loads_is_replaced(own: Callable[..., Checkers], tmp_path: Path) -> None:
    flag = repr(str(tmp_path / "frozen"))
    once = f"if not os.path.exists({flag}): open({flag}, 'x'); os.kill(os.getpid(), signal.SIGSTOP)"
    asked = own([sys.executable, "-c", f"import os, signal, sys\n{once}\nos.execv(sys.executable, {SMALL!r} + sys.argv[1:])"])

    async def admitted() -> Checked:
        with contextlib.suppress(MachineTrouble):
            await asked.admit(spec())
        return await asked.admit(spec())

    assert asyncio.run(admitted()).kind == "density.double_well"


@pytest.mark.slow
def test_a_question_longer_than_a_socket_holds_does_not_wait_for_a_process_that_does_not_read(
    own: Callable[..., Checkers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checker_process, "_IDLE_LOOKS", 2)
    words = (
        "import socket, struct, time; s = socket.socket(fileno=0); s.sendall(struct.pack('!Q', 5) + b'ready'); time.sleep(3600)"
    )
    asked = own([sys.executable, "-c", words])
    with pytest.raises(MachineTrouble, match=STANDS_STILL):
        asyncio.run(asyncio.wait_for(asked.admit(bytes(2**23)), 50))


# --- the machine


def test_the_folder_to_work_in_is_made_again(check: Check, asked: Checkers) -> None:
    shutil.rmtree(asked._folder / PLACE)
    assert check().kind == "density.double_well"
    assert (asked._folder / PLACE).is_dir()
    shutil.rmtree(asked._folder / PLACE)
    signalled(asked, signal.SIGKILL)
    assert check().kind == "density.double_well"


def test_a_process_that_dies_while_it_loads_is_blamed_on_nobody(own: Callable[..., Checkers]) -> None:
    words = "^no specification can be checked now: a process that checks specifications ended with status 7 while it loaded"
    asked = own([sys.executable, "-c", "raise SystemExit(7)"])
    with pytest.raises(MachineTrouble, match=words):
        asyncio.run(asked.admit(spec()))


def test_a_specification_is_checked_where_no_thread_can_be_started(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: object) -> NoReturn:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    for _ in range(checkers._MOST + 1):
        assert check().kind == "density.double_well"


def test_where_no_process_can_be_started_nobody_is_to_blame_and_the_service_says_that_it_is_not_well(
    own: Callable[..., Checkers], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*args: object, **options: object) -> NoReturn:
        raise OSError(24, "Too many open files")

    async def started_later() -> None:
        asked = own()
        with monkeypatch.context() as full:
            full.setattr(subprocess, "Popen", start)
            for _ in range(checkers._FAILED_STARTS):
                assert asked.trouble() == ""
                with pytest.raises(MachineTrouble, match=r"^no specification can be checked now: .*Too many open files$"):
                    await asked.admit(spec())
            assert asked.trouble() == "specifications cannot be checked: [Errno 24] Too many open files"
        await asked.admit(spec())
        assert asked.trouble() == ""

    asyncio.run(started_later())


@pytest.mark.slow
def test_processes_are_started_again_without_being_asked_once_the_machine_is_well(
    own: Callable[..., Checkers], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*args: object, **options: object) -> NoReturn:
        raise OSError(12, "Cannot allocate memory")

    async def recovered() -> None:
        asked = own()
        with monkeypatch.context() as full:
            full.setattr(subprocess, "Popen", start)
            with pytest.raises(MachineTrouble):
                await asked.admit(spec())
        await until(lambda: len(asked._idle) == checkers._FEWEST)

    asyncio.run(recovered())


def test_a_service_that_ends_checks_nothing_more(own: Callable[..., Checkers]) -> None:
    async def ended() -> None:
        asked = own()
        await asked.admit(spec())
        checking = asyncio.ensure_future(asked.admit(spec("waits")))
        await asyncio.sleep(0.2)
        left = pids(asked)
        asked.close()
        with pytest.raises(Draining):
            await checking
        with pytest.raises(Draining):
            await asked.admit(spec())
        assert all(processes.mark(pid) is None for pid in left)

    asyncio.run(ended())


# --- many questions


@pytest.mark.slow
def test_a_question_does_not_wait_for_ever_for_a_free_process(
    own: Callable[..., Checkers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkers, "_MOST", 2)
    monkeypatch.setattr(checkers, "_FREE_WITHIN", 1)
    words = "^2 other specifications are being checked; submit again in a moment$"

    async def crowded() -> None:
        asked = own()
        await asked.admit(spec())
        await until(lambda: len(asked._idle) == 2)
        many = [asyncio.ensure_future(asked.admit(spec("takes a while"))) for _ in range(2)]
        await asyncio.sleep(0.1)
        with pytest.raises(MachineTrouble, match=words):
            await asked.admit(spec())
        for checked in await asyncio.gather(*many):
            assert checked.kind == "density.double_well"

    asyncio.run(crowded())


@pytest.mark.slow
def test_a_small_specification_is_checked_beside_many_that_take_long(check: Check, loop: asyncio.Runner, asked: Checkers) -> None:
    async def crowded() -> int:
        many = [asyncio.ensure_future(asked.admit(spec("takes a while"))) for _ in range(6)]
        await asyncio.sleep(0.1)
        await asked.admit(spec())
        ended = sum(each.done() for each in many)
        for checked in await asyncio.gather(*many, return_exceptions=True):
            assert isinstance(checked, Checked | MachineTrouble)
        return ended

    assert loop.run(crowded()) <= checkers._MOST
    assert check().kind == "density.double_well"
