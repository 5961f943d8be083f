"""From a file, a dict or a finished message to a JobSpec. Whatever is wrong is one InvalidSpec."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast

from google.protobuf.descriptor import Descriptor

from thalweg.errors import InvalidSpec
from thalweg.specs.fields import LARGEST, cut, fill, join, shown
from thalweg.specs.files import shown_path, why_not, with_files
from thalweg.v1 import jobs_pb2

LONGEST = 16 * 2**20
"""Bytes of a file with a specification; arbitrary, it is a few times as long as what it says."""

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
    path = os.fspath(source)
    if not isinstance(path, str):
        raise InvalidSpec("", f"wanted a path, a dict or a JobSpec, got {shown(path)}")
    return _from_file(Path(path))


def parse(text: str, file: str = "specification", json_text: bool = False, folder: Path | None = None) -> jobs_pb2.JobSpec:
    """The JobSpec in a text of TOML or JSON; `file` is what complaints call it, `folder` where files that it names lie."""
    if not text.strip():
        raise InvalidSpec("", f"{file}: the file is empty; a job needs [problem.…], [method.…] and usually [plan]")
    given = _from_json(text, file) if json_text else _from_toml(text, file)
    return _from_mapping(given, folder)


def _from_mapping(given: Mapping[str, object], folder: Path | None = None) -> jobs_pb2.JobSpec:
    spec = jobs_pb2.JobSpec()
    fill(spec, with_files(given, cast(Descriptor, jobs_pb2.JobSpec.DESCRIPTOR), folder or Path()))
    if spec.ByteSize() > LARGEST:
        raise InvalidSpec("", f"wanted a specification of at most {LARGEST} bytes, got {spec.ByteSize()}")
    for part in ("problem", "method"):
        if not spec.HasField(part):
            kinds = ", ".join(f"[{part}.{kind.name}]" for kind in getattr(spec, part).DESCRIPTOR.fields)
            raise InvalidSpec(part, f"missing; wanted one of {kinds}")
    return spec


def _from_file(path: Path) -> jobs_pb2.JobSpec:
    named = shown_path(path)
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST + 1)
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        raise InvalidSpec("", f"{named}: no such file{_toml_beside(path)}") from None
    except IsADirectoryError:
        raise InvalidSpec("", f"{named}: is a folder; wanted a .toml or .json file") from None
    except UnicodeDecodeError:
        raise InvalidSpec("", f"{named}: is not text in UTF-8; wanted a .toml or .json file") from None
    except (OSError, ValueError) as error:
        raise InvalidSpec("", f"{named}: cannot be read: {why_not(error)}") from None
    if len(content) > LONGEST:
        raise InvalidSpec("", f"{named}: wanted at most {LONGEST} bytes, got more")
    return parse(text, named, path.suffix.lower() == ".json", path.parent)


def _toml_beside(path: Path) -> str:
    with suppress(OSError):  # a name that the ending makes too long
        candidate = path.with_name(path.name + ".toml")
        if candidate.is_file():
            return f"; did you mean {candidate}?"
    return ""


def _from_toml(text: str, file: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSpec("", f"{file}: is not TOML: {cut(_lower(str(error)), 200)}") from None
    except RecursionError:
        raise InvalidSpec("", f"{file}: its tables and lists are nested too deeply{_deepest(text)}") from None
    except ValueError:  # from int(), the only thing that TOML's reader leaves to itself
        raise InvalidSpec("", f"{file}: holds an integer of more than 20 digits{_longest_number(text)}") from None


def _from_json(text: str, file: str) -> dict[str, object]:
    try:
        given = json.loads(text, object_pairs_hook=_each_name_once, parse_int=_integer)
    except json.JSONDecodeError as error:
        where = f"at line {error.lineno}, column {error.colno}"
        raise InvalidSpec("", f"{file}: is not JSON: {_lower(error.msg)} ({where})") from None
    except RecursionError:
        raise InvalidSpec("", f"{file}: its objects and lists are nested too deeply{_deepest(text)}") from None
    if not isinstance(given, dict):
        raise InvalidSpec("", f"{file}: wanted a JSON object with problem, method and plan, got {type(given).__name__}")
    return given


def _each_name_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    once: dict[str, object] = {}
    for name, value in pairs:
        if name in once:
            raise InvalidSpec(join("", name), "is given twice in the same JSON object")
        once[name] = value
    return once


def _integer(digits: str) -> int:
    """An integer; of one that no field takes, only the first digits, because Python refuses to read thousands of them."""
    return int(digits[:1000])


def _longest_number(text: str) -> str:
    found = max(re.finditer(r"[0-9][0-9_]*", text), key=lambda found: len(found[0]), default=None)
    return f" (at line {text.count(chr(10), 0, found.start()) + 1})" if found else ""


def _deepest(text: str) -> str:
    """The line where most brackets are open; those in texts count too."""
    depth = deepest = line = 0
    for number, written in enumerate(text.split("\n"), 1):
        for sign in re.findall(r"[\[\]{}]", written):
            depth += 1 if sign in "[{" else -1
            if depth > deepest:
                deepest, line = depth, number
    return f" (at line {line})" if line else ""


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
