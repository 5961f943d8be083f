"""Tensors to a file and back, bit for bit, without running anyone's code: safetensors, written aside and then renamed.

Every file has a SHA-256 over the names, dtypes, shapes and bytes of its tensors and over its words. What does not agree with it
is refused: one changed bit would give other numbers without a word.
"""

from __future__ import annotations

import hashlib
import json
import os
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import torch
from torch import Tensor

T = TypeVar("T")

_CHECKSUM = "sha256"
_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


class Damaged(Exception):
    """A file that is not as it was written, or that somebody else wrote."""


def write(path: Path, tensors: Mapping[str, Tensor], words: Mapping[str, str]) -> None:
    """Write tensors and words so that the file is either whole or absent, even when the power fails.

    Tensors that are contiguous and on the CPU are written from where they are; others are copied one at a time.
    """
    order = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))  # so that each begins at a multiple of its size
    head = _head({name: tensors[name] for name in order}, {**words, _CHECKSUM: checksum(tensors, words)})
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as file:
            file.write(head)
            for name in order:
                file.write(_bytes(tensors[name]))
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
        OSError: it cannot be read, or is not there.
        Damaged: it is torn, changed, or was not written by `write`.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            words = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118  what is checked is ours
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise Damaged(" ".join(str(error).split())) from error
    stated = words.pop(_CHECKSUM, None)
    if stated is None:
        raise Damaged("it has no checksum")
    if stated != checksum(tensors, words):
        raise Damaged("its content does not agree with its checksum")
    return {name: t.to(device) for name, t in tensors.items()}, words


def checksum(tensors: Mapping[str, Tensor], words: Mapping[str, str]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes of tensors, and over words; whatever their order."""
    order = sorted(tensors)
    kinds = [(name, str(tensors[name].dtype), list(tensors[name].shape)) for name in order]
    digest = hashlib.sha256(json.dumps([sorted(words.items()), kinds]).encode())
    for name in order:
        digest.update(_bytes(tensors[name]))
    return digest.hexdigest()


def _head(tensors: Mapping[str, Tensor], words: Mapping[str, str]) -> bytes:
    """What safetensors has before the bytes of the tensors, which follow in this order."""
    table: dict[str, Any] = {"__metadata__": dict(words)}
    end = 0
    for name, t in tensors.items():
        begin, end = end, end + t.nbytes
        table[name] = {"dtype": _DTYPES[t.dtype], "shape": list(t.shape), "data_offsets": [begin, end]}
    text = json.dumps(table).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _bytes(t: Tensor) -> memoryview:
    """The bytes of a tensor; a view of them where it is contiguous and on the CPU."""
    return t.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


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
    """Nested NamedTuples of type `kind` from tensors by path; `like` gives the type of fields annotated as Any.

    Raises:
        LookupError: there is nothing for a field that cannot be None.
    """
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
    if type(None) not in typing.get_args(chosen):
        raise LookupError(path)
    return None
