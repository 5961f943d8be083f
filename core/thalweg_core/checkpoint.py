"""Tensors to a file and back, bit for bit, without running anyone's code: safetensors, written aside and then renamed."""

from __future__ import annotations

import os
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import torch
from safetensors.torch import save
from torch import Tensor

T = TypeVar("T")


def write(path: Path, tensors: Mapping[str, Tensor], words: Mapping[str, str]) -> None:
    """Write tensors and words so that the file is either whole or absent, even when the power fails."""
    data = save({name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}, dict(words))
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)  # a full disk is not made emptier by what could not be written
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(path: Path, device: torch.device | str = "cpu") -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and words of a file.

    Raises:
        safetensors.SafetensorError: the file is torn or not ours.
    """
    with safetensors.safe_open(path, framework="pt", device=str(device)) as file:
        return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118


def flatten(tree: Any, prefix: str = "") -> dict[str, Tensor]:
    """The tensors of nested NamedTuples by their dotted path; None leaves no trace."""
    return dict(_leaves(tree, prefix))


def _leaves(tree: Any, path: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(tree, Tensor):
        yield path, tree
    elif tree is not None:
        for name, leaf in zip(tree._fields, tree, strict=True):
            yield from _leaves(leaf, f"{path}.{name}" if path else name)


def unflatten(kind: type[T], tensors: Mapping[str, Tensor], like: Mapping[str, type] | None = None, prefix: str = "") -> T:
    """Nested NamedTuples of type `kind` from tensors by path; `like` gives the type of fields annotated as Any."""
    hints = typing.get_type_hints(kind)
    return kind(*(_leaf(hints[name], name, tensors, like or {}, prefix) for name in kind._fields))  # type: ignore[attr-defined]


def _leaf(hint: Any, name: str, tensors: Mapping[str, Tensor], like: Mapping[str, type], prefix: str) -> Any:
    path = f"{prefix}.{name}" if prefix else name
    if path in tensors:
        return tensors[path]
    chosen = like.get(path, hint)
    for option in (chosen, *typing.get_args(chosen)):
        if hasattr(option, "_fields") and any(key.startswith(f"{path}.") for key in tensors):
            return unflatten(option, tensors, like, path)
    return None
