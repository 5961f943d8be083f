"""The messages of problems, methods and plans, written from their dataclasses: a field is written once.

A message has the name of its dataclass and its fields; what stands in a comment is what "Args:" says of the field. A number
that was once given to a field stays its own for ever: `protos/fields.json` keeps them, with the types. What is new there gets
the next number, and a type by its annotation; what is gone is reserved.

    float, int, bool, str, bytes     double, int64, bool, string, bytes; optional where the dataclass has a default
    tuple                            repeated
    a dataclass                      its message
    one of several dataclasses       a message that holds only a oneof, named like the class and the field
"""

from __future__ import annotations

import dataclasses
import json
import re
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from thalweg.server.spec import catalog
from thalweg.server.spec.decode import camel, class_of, fields_of, has_default, plain
from thalweg.server.spec.describe import first_line, meanings_of, text_of
from thalweg.server.spec.plan import Plan

Lock = dict[str, dict[str, Any]]
"""Of each message, of each field: its number and its type, [3, "optional double"]."""

WIDTH = 130
_SCALARS = {float: "double", int: "int64", bool: "bool", str: "string", bytes: "bytes"}
_ONEOF = "oneof kind"  # how the lock marks a message that holds only a oneof

_HEADS = {
    "methods": """\
Methods and plans: who walks, and how far. Written by `make protos` from the dataclasses; a field left out takes the default that
`thalweg describe methods NAME` prints. x are the landscape's coordinates, U is its energy in its own unit: hartree for a circuit
(or the Hamiltonian's), μ0 Ms² V of a cell for a magnet, a pure number for a density. Step sizes, learning rates and gradients are
in units of U and x; a temperature and plan.stop.value are in the unit in which the problem reports its energy, which is J for a
magnet and U otherwise.""",
    "problems": """\
Problems: the landscapes that a job can walk on. Written by `make protos` from the dataclasses. Units stand beside every field; a
field left out takes the default that `thalweg describe problems NAME` prints.""",
}
_CHOICES = {"Method": "Who walks: exactly one kind.", "Problem": "What to walk on: exactly one kind."}


class File:
    """One .proto file, as it comes about.

    Args:
        lock: numbers and types of all messages that were ever in it; what is new is added to it.
    """

    def __init__(self, name: str, lock: Lock) -> None:
        self._name, self._lock = name, lock
        self._written: dict[str, str] = {}  # of each message, its text

    def text(self) -> str:
        """The whole file: messages in the order in which the lock has them."""
        head = _comment(textwrap.fill(" ".join(_HEADS[self._name].split()), WIDTH - 3), "")
        ordered = [self._written[name] for name in self._lock if name in self._written]
        return "\n".join([head + 'syntax = "proto3";\n\npackage thalweg.v1;\n', *ordered])

    def choice(self, message: str, members: Mapping[str, Any]) -> None:
        """A message that holds only a oneof. members: by name, a class, or more members below it."""
        known = self._lock.setdefault(message, {_ONEOF: True})
        lines = [f"message {message} {{\n  oneof kind {{\n"]
        for name, kind in members.items():
            number, declared = known.setdefault(name, [_next(known), None])
            if isinstance(kind, Mapping):
                declared = declared or camel(name)
                self.choice(declared, kind)
                said = ""
            else:
                declared = declared or kind.__name__
                said = _scalar_meaning(kind) if declared in _SCALARS.values() else first_line(kind)
                if declared not in _SCALARS.values():
                    self.message(kind)
            known[name] = [number, declared]
            lines.append(f"{_comment(said, '    ')}    {declared} {name} = {number};\n")
        lines += ["  }\n", *_reserved(known, members), "}\n"]
        self._written[message] = _comment(_CHOICES.get(message, ""), "") + "".join(lines)

    def message(self, kind: type) -> None:
        """That of a dataclass, and those that it needs."""
        name = kind.__name__
        if name in self._written:
            return
        known, hints, meanings = self._lock.setdefault(name, {}), typing.get_type_hints(kind), meanings_of(kind)
        self._written[name] = ""  # from here on it is known
        lines, fields = [], [field for field in fields_of(kind) if known.get(field.name, [0])[0] is not None]
        for field in fields:
            number, declared = known.setdefault(field.name, [_next(known), None])
            declared = declared or _declared(kind, field, hints[field.name])
            known[field.name] = [number, declared]
            self._needed(declared.rpartition(" ")[2], hints[field.name])
            lines.append(f"{_comment(_sentence(meanings.get(field.name, '')), '  ')}  {declared} {field.name} = {number};\n")
        lines += _reserved(known, {field.name for field in fields})
        body = "{\n" + "".join(lines) + "}\n" if lines else "{}\n"
        self._written[name] = f"{_comment(_about(kind), '')}message {name} {body}"

    def _needed(self, declared: str, hint: Any) -> None:
        """The message of a field, where it has one."""
        if declared in _SCALARS.values() or declared in ("uint32", "uint64", "int32"):
            return
        kinds = list(_classes(hint))
        if self._lock.get(declared, {}).get(_ONEOF) or len(kinds) > 1:
            self.choice(declared, self._members(declared, kinds))
        else:
            self.message(class_of(hint, declared))

    def _members(self, message: str, kinds: list[type]) -> dict[str, type]:
        """The members of a choice by name: those that have one keep it."""
        names = {_snake(kind.__name__): kind for kind in kinds}
        found: dict[str, type] = {}
        for name, (_, declared) in ((n, v) for n, v in self._lock.get(message, {}).items() if n != _ONEOF):
            wanted = camel(name) if declared in _SCALARS.values() else declared
            if (kind := names.pop(_snake(wanted), None)) is not None:
                found[name] = kind
        return found | names


def files(lock: Mapping[str, Lock]) -> tuple[dict[str, str], dict[str, Lock]]:
    """The text of each .proto file by its name, and the lock with what is new in it."""
    texts, after = {}, {name: {message: dict(fields) for message, fields in held.items()} for name, held in lock.items()}
    for name, root, entries in (("methods", "Method", catalog.METHODS), ("problems", "Problem", catalog.PROBLEMS)):
        file = File(name, after.setdefault(name, {}))
        file.choice(root, _tree({path: catalog.load(entry.where) for path, entry in entries.items()}))
        if name == "methods":
            file.message(Plan)
        texts[name] = file.text()
    return texts, after


def read(path: Path) -> dict[str, Lock]:
    return typing.cast(dict[str, Lock], json.loads(path.read_text())) if path.exists() else {}


def written(lock: Mapping[str, Lock]) -> str:
    """The lock as text: a line a field."""
    lines = []
    for name, held in lock.items():
        messages = []
        for message, fields in held.items():
            rows = ",\n".join(f"   {json.dumps(field)}: {json.dumps(value)}" for field, value in fields.items())
            messages.append(f"  {json.dumps(message)}: {{{chr(10) + rows + chr(10) + '  ' if rows else ''}}}")
        lines.append(f" {json.dumps(name)}: {{\n" + ",\n".join(messages) + "\n }")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _snake(name: str) -> str:
    """ "TransverseFieldIsing" → "transverse_field_ising"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _tree(paths: Mapping[str, Any]) -> dict[str, Any]:
    """{"density.gaussian": …} → {"density": {"gaussian": …}}."""
    tree: dict[str, Any] = {}
    for path, kind in paths.items():
        *above, name = path.split(".")
        place = tree
        for step in above:
            place = place.setdefault(step, {})
        place[name] = kind
    return tree


def _next(known: Mapping[str, Any]) -> int:
    return 1 + max((value[0] or 0 for name, value in known.items() if name != _ONEOF), default=0)


def _declared(kind: type, field: dataclasses.Field[Any], hint: Any) -> str:
    """The type of a field that is new on the wire.

    Raises:
        TypeError: there is none for its annotation.
    """
    repeated = typing.get_origin(plain(hint)) is tuple
    inner = plain(typing.get_args(plain(hint))[0] if repeated else hint)
    kinds = list(_classes(inner))
    if len(kinds) > 1:
        declared = f"{kind.__name__}{camel(field.name)}"
    elif kinds:
        declared = kinds[0].__name__
    elif inner in _SCALARS:
        declared = _SCALARS[inner]
    else:
        raise TypeError(f"{kind.__name__}.{field.name}: no type on the wire for {hint}")
    if repeated:
        return f"repeated {declared}"
    return f"optional {declared}" if has_default(field) and not kinds else declared


def _classes(hint: Any) -> Iterator[type]:
    """The dataclasses that a hint allows."""
    hint = plain(hint)
    if typing.get_origin(hint) is tuple:
        hint = typing.get_args(hint)[0]
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union else (hint,)
    yield from (option for option in options if dataclasses.is_dataclass(option) and isinstance(option, type))


def _scalar_meaning(kind: type) -> str:
    """Of a class with one field that is a scalar on the wire."""
    (field,) = fields_of(kind)
    return _sentence(meanings_of(kind).get(field.name, "")) or first_line(kind)


def _about(kind: type) -> str:
    """What the docstring of a class says, but for its fields."""
    return "\n\n".join(filter(None, (first_line(kind), text_of(kind))))


def _sentence(text: str) -> str:
    """With a large letter, unless a symbol begins it."""
    return text[:1].upper() + text[1:] if re.match("[a-z]{2,}|a ", text) else text


def _comment(text: str, indent: str) -> str:
    """Lines that fit stay as they are: formulas among them."""
    width = WIDTH - len(indent) - 3
    lines = [part for line in text.split("\n") for part in ([line] if len(line) <= width else textwrap.wrap(line, width))]
    return "".join(f"{indent}// {line}".rstrip() + "\n" for line in lines) if text else ""


def _reserved(known: Mapping[str, Any], used: Any) -> list[str]:
    gone = {name: value[0] for name, value in known.items() if name != _ONEOF and name not in used and value[0] is not None}
    if not gone:
        return []
    names = ", ".join(f'"{name}"' for name in gone)
    return [f"  reserved {', '.join(map(str, sorted(gone.values())))};\n", f"  reserved {names};\n"]
