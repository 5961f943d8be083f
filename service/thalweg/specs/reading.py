"""From a file, a dict or a finished message to a JobSpec. Whatever is wrong is one InvalidSpec."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from google.protobuf.descriptor import Descriptor

from thalweg.errors import InvalidSpec
from thalweg.specs.fields import fill, shown
from thalweg.specs.files import with_files
from thalweg.v1 import jobs_pb2

Source = str | os.PathLike[str] | Mapping[str, object] | jobs_pb2.JobSpec


def load(source: Source) -> jobs_pb2.JobSpec:
    """The JobSpec that a path (.toml or .json), a dict or a JobSpec means.

    Raises:
        InvalidSpec: unknown name, wrong type, broken file: one sentence with the path of the field.
    """
    if isinstance(source, jobs_pb2.JobSpec):
        return source
    if isinstance(source, Mapping):
        return _from_mapping(source)
    if not isinstance(source, str | os.PathLike):
        raise InvalidSpec("", f"wanted a path, a dict or a JobSpec, got {shown(source)}")
    return _from_file(Path(source))


def parse(text: str, file: str = "specification", json_text: bool = False, folder: Path | None = None) -> jobs_pb2.JobSpec:
    """The JobSpec in a text of TOML or JSON; `file` is what complaints call it, `folder` where files that it names lie."""
    if not text.strip():
        raise InvalidSpec("", f"{file}: the file is empty; a job needs [problem.…], [method.…] and usually [plan]")
    given = _from_json(text, file) if json_text else _from_toml(text, file)
    return _from_mapping(given, folder)


def _from_mapping(given: Mapping[str, object], folder: Path | None = None) -> jobs_pb2.JobSpec:
    spec = jobs_pb2.JobSpec()
    fill(spec, with_files(given, cast(Descriptor, jobs_pb2.JobSpec.DESCRIPTOR), folder or Path()))
    for part in ("problem", "method"):
        if not spec.HasField(part):
            kinds = ", ".join(f"[{part}.{kind.name}]" for kind in getattr(spec, part).DESCRIPTOR.fields)
            raise InvalidSpec(part, f"missing; wanted one of {kinds}")
    return spec


def _from_file(path: Path) -> jobs_pb2.JobSpec:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InvalidSpec("", f"{path}: no such file{_toml_beside(path)}") from None
    except IsADirectoryError:
        raise InvalidSpec("", f"{path}: is a folder; wanted a .toml or .json file") from None
    except UnicodeDecodeError:
        raise InvalidSpec("", f"{path}: is not text in UTF-8; wanted a .toml or .json file") from None
    except OSError as error:
        raise InvalidSpec("", f"{path}: cannot be read: {error.strerror}") from None
    return parse(text, str(path), path.suffix.lower() == ".json", path.parent)


def _toml_beside(path: Path) -> str:
    candidate = path.with_name(path.name + ".toml")
    return f"; did you mean {candidate}?" if candidate.is_file() else ""


def _from_toml(text: str, file: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSpec("", f"{file}: is not TOML: {_lower(str(error))}") from None


def _from_json(text: str, file: str) -> dict[str, object]:
    try:
        given = json.loads(text, object_pairs_hook=_each_name_once)
    except json.JSONDecodeError as error:
        where = f"at line {error.lineno}, column {error.colno}"
        raise InvalidSpec("", f"{file}: is not JSON: {_lower(error.msg)} ({where})") from None
    if not isinstance(given, dict):
        raise InvalidSpec("", f"{file}: wanted a JSON object with problem, method and plan, got {type(given).__name__}")
    return given


def _each_name_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    once = dict(pairs)
    if len(once) < len(pairs):
        twice = next(name for index, (name, _) in enumerate(pairs) if name in dict(pairs[:index]))
        raise InvalidSpec(twice, "is given twice in the same JSON object")
    return once


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
