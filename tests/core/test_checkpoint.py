"""Checkpoints: whole or absent, bit for bit, and never a program."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import safetensors.torch
import torch
from torch import Tensor

from thalweg_core.landscape import Cost, Evaluation
from thalweg_core.walking import checkpoint
from thalweg_core.walking.checkpoint import Damaged


class Inner(NamedTuple):
    seen: Evaluation
    extra: Tensor | None


class Outer(NamedTuple):
    state: Any
    spent: Cost
    maybe: Inner | None


def bits(t: Tensor) -> bytes:
    return t.contiguous().numpy().tobytes()


def test_every_bit_comes_back_whatever_the_type_or_the_order_in_memory(tmp_path: Path) -> None:
    tensors = {
        "odd": torch.tensor([0.1, -0.0, float("nan"), float("-inf"), 5e-324], dtype=torch.float64),
        "single": torch.tensor([1 / 3], dtype=torch.float32),
        "big": torch.tensor([2**62 + 1, -1]),
        "flags": torch.tensor([True, False]),
        "none": torch.zeros(3, 0, dtype=torch.float64),
        "turned": torch.arange(6.0).reshape(2, 3).T,
        "point": torch.tensor(2.5),
    }
    tensors["alias"] = tensors["odd"][1:]  # shares its memory with another
    checkpoint.write(tmp_path / "c", tensors, {"step": "12", "name": "é"})
    read, words = checkpoint.read(tmp_path / "c")
    assert words == {"step": "12", "name": "é"} and read.keys() == tensors.keys()
    for name, t in tensors.items():
        assert (read[name].dtype, read[name].shape, bits(read[name])) == (t.dtype, t.shape, bits(t))


def test_a_tree_comes_back_with_its_types_and_its_gaps() -> None:
    seen = Evaluation.exact(torch.ones(2), torch.zeros(2, 3))
    tree = Outer(Inner(seen, None), Cost.of(torch.zeros(2, 1), shots=3), None)
    flat = checkpoint.flatten(tree)
    assert "state.seen.cost.shots" in flat and not any("extra" in name or "maybe" in name for name in flat)
    back = checkpoint.unflatten(Outer, flat, like={"state": Inner})
    assert isinstance(back.state, Inner) and isinstance(back.state.seen.cost, Cost)
    assert back.state.extra is None and back.maybe is None and torch.equal(back.spent.shots, tree.spent.shots)
    full = Outer(tree.state, tree.spent, Inner(seen, torch.arange(2)))
    again = checkpoint.unflatten(Outer, checkpoint.flatten(full), like={"state": Inner})
    assert isinstance(again.maybe, Inner) and torch.equal(again.maybe.extra, torch.arange(2))  # type: ignore[arg-type]


def test_a_tree_below_a_prefix_is_found_there() -> None:
    cost = Cost.of(torch.zeros(2, 1), gradients=4)
    flat = checkpoint.flatten(cost, "a.b") | {"other": torch.zeros(1)}
    assert torch.equal(checkpoint.unflatten(Cost, flat, prefix="a.b").gradients, cost.gradients)


def test_a_write_that_dies_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "c"
    checkpoint.write(place, {"x": torch.ones(3)}, {"step": "1"})

    def die(descriptor: int) -> None:
        raise OSError("the power failed")

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(OSError, match="power"):
        checkpoint.write(place, {"x": torch.zeros(3)}, {"step": "2"})
    read, words = checkpoint.read(place)
    assert words == {"step": "1"} and read["x"].tolist() == [1, 1, 1]
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize("kept", [0, 5, 40, -8])
def test_a_torn_file_is_refused(tmp_path: Path, kept: int) -> None:
    place = tmp_path / "c"
    checkpoint.write(place, {"x": torch.arange(100.0)}, {})
    place.write_bytes(place.read_bytes()[:kept])
    with pytest.raises(Damaged):
        checkpoint.read(place)


def test_a_file_in_which_any_one_bit_is_changed_is_refused_or_says_the_same(tmp_path: Path) -> None:
    place = tmp_path / "c"
    tensors = {"x": torch.arange(3.0), "flag": torch.tensor([True])}
    checkpoint.write(place, tensors, {"step": "12", "name": "walk"})
    whole = place.read_bytes()
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        place.write_bytes(changed)
        try:
            read, words = checkpoint.read(place)
        except Damaged:
            continue
        assert words == {"step": "12", "name": "walk"}
        assert {name: bits(t) for name, t in read.items()} == {name: bits(t) for name, t in tensors.items()}


def test_a_file_without_a_checksum_is_refused(tmp_path: Path) -> None:
    safetensors.torch.save_file({"x": torch.ones(2)}, tmp_path / "c", {"step": "12"})
    with pytest.raises(Damaged, match="no checksum"):
        checkpoint.read(tmp_path / "c")


def test_other_programs_can_read_a_file(tmp_path: Path) -> None:
    tensors = {"flag": torch.tensor([True]), "x": torch.arange(6.0).reshape(2, 3).T, "n": torch.arange(2)}
    checkpoint.write(tmp_path / "c", tensors, {})
    read = safetensors.torch.load_file(tmp_path / "c")
    assert read.keys() == tensors.keys() and all(torch.equal(read[name], tensors[name]) for name in tensors)


def test_a_large_tensor_is_written_from_where_it_is(tmp_path: Path) -> None:
    x, told = torch.arange(4.0), {}
    pieces = checkpoint._bytes(x)
    x[0] = 7.0
    told["x"] = bytes(pieces)
    assert told["x"] == bits(x)  # the same memory, not a copy


def test_a_tree_that_lacks_what_it_must_have_is_refused(tmp_path: Path) -> None:
    flat = checkpoint.flatten(Cost.of(torch.zeros(2, 1), gradients=4))
    del flat["shots"]
    with pytest.raises(LookupError, match="shots"):
        checkpoint.unflatten(Cost, flat)
