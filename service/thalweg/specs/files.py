"""What stands in files of its own:  `file = "h2.fcidump"`  in place of  `text = "…"`,  `file = "circuit.qpy"`  of  `content`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from thalweg.errors import InvalidSpec
from thalweg.specs.fields import LARGEST, cut, join, names, shown


def with_files(given: Mapping[str, object], descriptor: Descriptor, folder: Path, path: str = "") -> Mapping[str, object]:
    """The same specification with every such file read, in tables whose message has a text or a content and no field called file.

    Args:
        folder: what names of files are relative to.
        path: where the mapping stands in the specification.

    Raises:
        InvalidSpec: a file cannot be read, or is empty; a text or a content is given beside it.
    """
    fields = descriptor.fields_by_name
    out = dict(given)
    for name in names(given, path):
        value = given[name]
        inner = fields[name].message_type if name in fields else None
        if inner is not None and isinstance(value, Mapping):
            out[name] = with_files(value, inner, folder, join(path, name))
    target = next((fields[name] for name in ("text", "content") if name in fields), None)
    if "file" in given and "file" not in fields and target is not None:
        if given.get(target.name) is not None:
            raise InvalidSpec(path, f"file and {target.name} are both given; wanted only one of them")
        read = _read_text if target.type == FieldDescriptor.TYPE_STRING else _read
        out[target.name] = read(out.pop("file"), folder, join(path, "file"))
    return cast(Mapping[str, object], out)


def _read_text(name: object, folder: Path, path: str) -> str:
    try:
        return _read(name, folder, path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidSpec(path, f"{shown_path(folder / str(name))}: is not text in UTF-8") from None


def _read(name: object, folder: Path, path: str) -> bytes:
    if not isinstance(name, str):
        raise InvalidSpec(path, f"wanted the name of a file, got {shown(name)}")
    file = folder / name
    try:
        file = folder / Path(name).expanduser()
        with file.open("rb") as opened:
            content = opened.read(LARGEST + 1)
    except (OSError, ValueError, RuntimeError) as error:
        raise InvalidSpec(path, f"{shown_path(file)}: cannot be read: {why_not(error)}") from None
    if len(content) > LARGEST:
        raise InvalidSpec(path, f"{shown_path(file)}: wanted at most {LARGEST} bytes, got more")
    if not content:
        raise InvalidSpec(path, f"{shown_path(file)}: the file is empty")
    return content


def why_not(error: Exception) -> str:
    """Why a file cannot be opened."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, RuntimeError):
        return "no such user"  # of ~user
    return "no file can have this name"  # a zero byte, half a character


def shown_path(path: Path) -> str:
    return cut(str(path), 500)
