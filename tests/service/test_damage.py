"""Damaged checkpoints: the job ends with the bits of an undisturbed run all the same, and its outcome says what happened."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import pytest
import safetensors.torch
import torch

from thalweg.server.job import checkpoints
from thalweg.server.job.checkpoints import ALL_DAMAGED, DAMAGED
from thalweg.server.job.recorder import Trace
from thalweg.server.job.results import Ending
from thalweg.server.store import attempts
from thalweg.server.store.attempts import Attempt
from thalweg.server.store.store import Store
from thalweg.server.store.sweep import discard
from thalweg.v1 import jobs_pb2
from thalweg_core.walking import checkpoint
from thalweg_core.walking.checkpoint import Damaged

from .test_worker import GAUSSIAN, Crash, Flat, Fuse, again, claimed, files, here, timeless, unbroken, walk

SPEC = {
    "problem": GAUSSIAN,
    "method": {"hmc": {"leapfrog_steps": 3}},
    "plan": {"warmup": 12, "steps": 20, "replicas": 3, "seed": 11, "checkpoint_every": 3},
}
CRASH_AT = 12 + 16  # steps, between the last two checkpoints


class Broken(NamedTuple):
    """A job whose worker has died, and how it would have ended."""

    folder: Path
    job: str
    ending: Ending
    arrays: dict[str, bytes]

    def copy(self, where: Path) -> Attempt:
        """Its next attempt, on a copy of everything."""
        shutil.copytree(self.folder, where)
        store = Store(where)
        attempts.lose(store, store.job(self.job), "crashed").result()
        return again(store, store.job(self.job))


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Broken:
    store = Store(tmp_path_factory.mktemp("whole"))
    ending, arrays = unbroken(store, SPEC)
    store.close()
    folder = tmp_path_factory.mktemp("broken")
    store = Store(folder)
    attempt = claimed(store, SPEC)
    with pytest.raises(Crash):
        walk(attempt, Fuse(attempt, CRASH_AT))
    store.close()
    return Broken(folder, attempt.job, ending, arrays)


def needed(attempt: Attempt) -> dict[str, Path]:
    """The files that the next attempt needs, by what they are."""
    rows = attempt.store.checkpoints(attempt.job)
    folder = attempt.store.job_folder(attempt.job)
    warm = [row for row in rows if row.phase == "warm-up"]
    segments = [row.segment for row in rows if row.segment is not None]
    assert len(segments) >= 4
    names = {"newest": rows[-1].path, "warm-up": warm[-1].path, "first rows": segments[0], "last rows": segments[-1]}
    return {name: folder / path for name, path in names.items()}


def events(attempt: Attempt) -> list[str]:
    lines = (jobs_pb2.JobEvent.FromString(event.body).log_line for event in attempt.store.events(attempt.job, 0))
    return [line.text for line in lines if line.level == "warning"]


def finish(attempt: Attempt, broken: Broken, clause: str | None) -> None:
    """Walk to the end, and hold it to the bits of the undisturbed run."""
    ending, artifact_writer = walk(attempt, Fuse(attempt))
    assert files(attempt, artifact_writer) == broken.arrays
    assert timeless(ending.result) == timeless(broken.ending.result)
    assert ending.outcome == broken.ending.outcome + (f"; {clause}" if clause else "")
    assert bool(clause) == any("cannot be used" in text for text in events(attempt))
    attempt.store.close()


def content(path: Path) -> Any:
    tensors, words = checkpoint.read(path)
    return words, {name: (t.dtype, t.shape, t.numpy().tobytes()) for name, t in tensors.items()}


def flip_a_bit(path: Path, draw: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)


def change_a_byte_of_the_data(path: Path, draw: random.Random) -> None:
    data = bytearray(path.read_bytes())
    head = 8 + int.from_bytes(data[:8], "little")
    place = draw.randrange(head, len(data))
    data[place] = (data[place] + draw.randrange(1, 256)) % 256
    path.write_bytes(data)


def truncate(path: Path, draw: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: draw.randrange(len(data))])


def empty(path: Path, draw: random.Random) -> None:
    path.write_bytes(b"")


def remove(path: Path, draw: random.Random) -> None:
    path.unlink()


def fill_with_noise(path: Path, draw: random.Random) -> None:
    path.write_bytes(draw.randbytes(path.stat().st_size))


def put_another_file_there(path: Path, draw: random.Random) -> None:
    others = sorted(other for other in path.parent.iterdir() if other != path)
    shutil.copy(draw.choice(others), path)


def lose_the_words(path: Path, draw: random.Random) -> None:
    tensors, _ = checkpoint.read(path)
    safetensors.torch.save_file(tensors, path)


def lose_the_checksum(path: Path, draw: random.Random) -> None:
    tensors, words = checkpoint.read(path)
    safetensors.torch.save_file(tensors, path, words)


def claim_another_job(path: Path, draw: random.Random) -> None:
    tensors, words = checkpoint.read(path)
    checkpoint.write(path, tensors, words | {"job": "another"})


def write_another_format(path: Path, draw: random.Random) -> None:
    tensors, words = checkpoint.read(path)
    checkpoint.write(path, tensors, words | {"format": "1"})


DAMAGES: dict[Callable[[Path, random.Random], None], int] = {  # and how often, for each file
    flip_a_bit: 3,
    change_a_byte_of_the_data: 2,
    truncate: 1,
    empty: 1,
    remove: 1,
    fill_with_noise: 1,
    put_another_file_there: 2,
    lose_the_words: 1,
    lose_the_checksum: 1,
    claim_another_job: 1,
    write_another_format: 1,
}
CASES = [pytest.param(damage, n, id=f"{damage.__name__}-{n}") for damage, often in DAMAGES.items() for n in range(often)]
CLAUSES = {"newest": DAMAGED, "warm-up": DAMAGED, "first rows": DAMAGED, "last rows": DAMAGED}


@pytest.mark.parametrize("kind", CLAUSES)
@pytest.mark.parametrize(("damage", "number"), CASES)
def test_damage_to_any_file_changes_no_number_and_is_told(
    broken: Broken, tmp_path: Path, kind: str, damage: Callable[[Path, random.Random], None], number: int
) -> None:
    attempt = broken.copy(tmp_path / "data")
    path = needed(attempt)[kind]
    before = content(path)
    damage(path, random.Random(f"{kind} {damage.__name__} {number}"))
    try:
        harmless = content(path) == before  # a bit of the padding of the header
    except (OSError, Damaged):
        harmless = False
    finish(attempt, broken, None if harmless else CLAUSES[kind])


def test_two_files_that_have_changed_places_are_both_refused(broken: Broken, tmp_path: Path) -> None:
    attempt = broken.copy(tmp_path / "data")
    rows = [row for row in attempt.store.checkpoints(attempt.job) if row.segment is not None]
    one, other = (attempt.store.job_folder(attempt.job) / str(row.segment) for row in (rows[1], rows[-1]))
    one.rename(tmp_path / "aside")
    other.rename(one)
    (tmp_path / "aside").rename(other)
    finish(attempt, broken, DAMAGED)


def test_a_job_whose_every_checkpoint_is_damaged_starts_again_and_says_so(broken: Broken, tmp_path: Path) -> None:
    attempt = broken.copy(tmp_path / "data")
    for path in (attempt.store.job_folder(attempt.job) / "checkpoints").iterdir():
        change_a_byte_of_the_data(path, random.Random(1))
    finish(attempt, broken, ALL_DAMAGED)


def test_checkpoints_of_the_names_before_are_read(broken: Broken, tmp_path: Path) -> None:
    attempt = broken.copy(tmp_path / "data")
    renamed = 0
    for path in (attempt.store.job_folder(attempt.job) / "checkpoints").iterdir():
        tensors, words = checkpoint.read(path, torch.device("cpu"))
        before = {name.replace(".memory.largest_cost.", ".memory.dearest."): tensor for name, tensor in tensors.items()}
        renamed += before.keys() != tensors.keys()
        checkpoint.write(path, before, words)
    assert renamed > 1
    finish(attempt, broken, None)


def test_an_undamaged_job_has_nothing_to_tell(broken: Broken, tmp_path: Path) -> None:
    finish(broken.copy(tmp_path / "data"), broken, None)


@pytest.mark.parametrize("lives", [1, 10])
def test_what_happened_is_told_at_the_end_though_a_later_attempt_was_not_troubled(
    broken: Broken, tmp_path: Path, lives: int
) -> None:
    """A worker that dies before its first own checkpoint, and one that dies after."""
    attempt = broken.copy(tmp_path / "data")
    needed(attempt)["first rows"].write_bytes(b"")
    kept = len(attempt.store.checkpoints(attempt.job))
    with pytest.raises(Crash):
        walk(attempt, Fuse(attempt, lives))
    assert any(row.attempt == 2 for row in attempt.store.checkpoints(attempt.job)) is (lives > 3)
    assert (len(attempt.store.checkpoints(attempt.job)) < kept) is (lives > 3)
    attempts.lose(attempt.store, attempt.store.job(attempt.job), "crashed").result()
    finish(again(attempt.store, attempt.store.job(attempt.job)), broken, DAMAGED)


@pytest.mark.parametrize(
    ("version", "revision", "told"),
    [("0.0.1", "", "0.0.1"), (checkpoints.__version__, "abc", f"{checkpoints.__version__} abc")],
)
def test_a_resume_under_another_version_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch, version: str, revision: str, told: str
) -> None:
    attempt = claimed(store, SPEC)
    with monkeypatch.context() as past:
        past.setattr(checkpoints, "__version__", version)
        past.setattr(checkpoints, "revision", lambda: revision)
        with pytest.raises(Crash):
            walk(attempt, Fuse(attempt, CRASH_AT))
    attempts.lose(store, store.job(attempt.job), "crashed").result()
    attempt = again(store, store.job(attempt.job))
    ending, _ = walk(attempt, Fuse(attempt))
    assert ending.outcome.endswith(f"; resumed from a checkpoint of version {told}")


def test_a_resumed_job_keeps_no_more_positions_than_an_unbroken_one(broken: Broken, tmp_path: Path) -> None:
    attempt = broken.copy(tmp_path / "data")
    walk(attempt, Fuse(attempt))
    names = [path.name for path in (attempt.store.job_folder(attempt.job) / "checkpoints").iterdir()]
    assert sum("-walk-" in name and ".rows." not in name for name in names) == 2
    attempt.store.close()


# --- work


def calls(work: Callable[[], object]) -> int:
    """How many functions, of Python or C, some work calls."""
    count = 0

    def counted(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def given_back(blocks: int) -> int:
    """Calls that it takes to put so many blocks back and to walk on for as many steps."""
    table = [{"trace.step": torch.tensor([n]), "trace.rows": torch.zeros(1, 8, 1)} for n in range(blocks)]
    walked = [here(step) for step in range(blocks, 2 * blocks)]
    trace = Trace(1, Flat())  # type: ignore[arg-type]

    def resume() -> None:
        trace.give(table, 1)
        for step in walked:
            trace.add(step)

    return calls(resume)


def test_the_work_of_a_resume_grows_as_the_number_of_checkpoints() -> None:
    few, many = given_back(200), given_back(800)
    assert many < 6 * few  # 4, and 16 where every block is touched for each of them


def test_a_resume_reads_no_file_twice(broken: Broken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = broken.copy(tmp_path / "data")
    needed(attempt)["last rows"].write_bytes(b"")
    read, names = checkpoint.read, []

    def noted(path: Path, *arguments: Any) -> Any:
        names.append(path.name)
        return read(path, *arguments)

    monkeypatch.setattr(checkpoint, "read", noted)
    finish(attempt, broken, DAMAGED)
    assert len(names) == len(set(names)) > 4


# --- the end of a job


def test_the_checkpoints_of_an_ended_job_can_be_discarded(broken: Broken, tmp_path: Path) -> None:
    attempt = broken.copy(tmp_path / "data")
    folder = attempt.store.job_folder(attempt.job)
    (folder / "attempt-1.log").write_text("a log")
    assert any((folder / "checkpoints").iterdir())
    (folder / "work-17").mkdir()
    (folder / "artifacts-017").mkdir()
    discard(attempt.store, attempt.job)
    assert [path.name for path in folder.iterdir()] == ["attempt-1.log"]
    discard(attempt.store, attempt.job)
    discard(attempt.store, "nowhere")
    attempt.store.close()


def test_to_discard_checkpoints_while_another_attempt_works_there_never_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    folder = store.job_folder("job") / "checkpoints"
    folder.mkdir(parents=True)
    for number in range(5):
        (folder / f"{number}").write_bytes(b"x")
    unlink, rmdir = os.unlink, os.rmdir

    def raced_unlink(path: Any, **more: Any) -> None:
        unlink(path, **more)
        if str(path).endswith("3"):
            unlink(path, **more)  # somebody else was quicker: FileNotFoundError

    def raced_rmdir(path: Any, **more: Any) -> None:
        (folder / "late").write_bytes(b"x")  # a file that was written meanwhile
        rmdir(path, **more)

    monkeypatch.setattr("os.unlink", raced_unlink)
    monkeypatch.setattr("os.rmdir", raced_rmdir)
    discard(store, "job")
    assert [path.name for path in folder.iterdir()] == ["late"]
    store.close()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The rows of these jobs are few."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
