"""Texts that stand in files of their own:  `file = "h2.fcidump"`  in place of  `text = "…"`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from google.protobuf.descriptor import Descriptor

from thalweg.errors import InvalidSpec
from thalweg.specs.fields import join


def with_files(given: Mapping[str, object], descriptor: Descriptor, folder: Path, path: str = "") -> Mapping[str, object]:
    """The same specification with every such file read, in tables whose message has a text and no field called file.

    Args:
        folder: what names of files are relative to.
        path: where the mapping stands in the specification.

    Raises:
        InvalidSpec: a file cannot be read; a text is given beside it.
    """
    fields = descriptor.fields_by_name
    out = dict(given)
    for name, value in given.items():
        inner = fields[name].message_type if name in fields else None
        if inner is not None and isinstance(value, Mapping):
            out[name] = with_files(value, inner, folder, join(path, name))
    if "file" in given and "file" not in fields and "text" in fields:
        if given.get("text") is not None:
            raise InvalidSpec(path, "file and text are both given; wanted only one of them")
        out["text"] = _read(out.pop("file"), folder, join(path, "file"))
    return cast(Mapping[str, object], out)


def _read(name: object, folder: Path, path: str) -> str:
    if not isinstance(name, str):
        raise InvalidSpec(path, f"wanted the name of a file, got {name!r}")
    file = folder / Path(name).expanduser()
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidSpec(path, f"{file}: is not text in UTF-8") from None
    except OSError as error:
        raise InvalidSpec(path, f"{file}: cannot be read: {error.strerror}") from None
