"""Fill a protobuf message from a mapping, by walking its descriptor: names, types, ranges and choices are checked."""

from __future__ import annotations

import base64
import binascii
import json
import math
import sys
from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from thalweg.errors import InvalidSpec
from thalweg.specs.suggestions import no_such_field
from thalweg.visible import visible

LARGEST = 3 * 2**20
"""Bytes: what a service takes as a whole specification."""

INTEGER_RANGES = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}


def fill(message: Message, given: Mapping[str, object], path: str = "", whole: Mapping[str, object] | None = None) -> None:
    """Set the fields of `message` from `given`; a value of None counts as left out.

    Args:
        path: where the message stands in the specification.
        whole: the mapping of the whole specification, searched for the place where a misplaced name belongs.

    Raises:
        InvalidSpec: with the path of the first field that cannot be.
    """
    whole = given if whole is None else whole
    descriptor = cast(Descriptor, message.DESCRIPTOR)
    fields = descriptor.fields_by_name
    for name in names(given, path):
        if name not in fields:
            raise InvalidSpec(join(path, name), no_such_field(name, descriptor, path, whole))
    present = {name: value for name, value in given.items() if value is not None}
    _one_of_each_choice(descriptor, present, path)
    for name, value in present.items():
        _assign(message, fields[name], value, join(path, name), whole)


def names(given: Mapping[str, object], path: str) -> list[str]:
    """The names in a table. Raises InvalidSpec where one is no text."""
    for name in given:
        if not isinstance(name, str):
            raise InvalidSpec(path, f"wanted names that are text, got {shown(name)}")
        if complaint := not_unicode(name):
            raise InvalidSpec(join(path, name), complaint)
    return list(given)


def join(path: str, name: str) -> str:
    name = visible(cut(name))
    return f"{path}.{name}" if path else name


def choices(descriptor: Descriptor) -> list[list[str]]:
    """The names in each `oneof`; the synthetic ones that mark an optional field are no choice."""
    return [[field.name for field in oneof.fields] for oneof in descriptor.oneofs if not oneof.name.startswith("_")]


def _one_of_each_choice(descriptor: Descriptor, present: Mapping[str, object], path: str) -> None:
    for names in choices(descriptor):
        chosen = [name for name in names if name in present]
        if len(chosen) > 1:
            raise InvalidSpec(path, f"{' and '.join(chosen)} are both given; wanted only one of them")
        if not chosen and len(names) == len(descriptor.fields):
            raise InvalidSpec(path, f"wanted one of {', '.join(names)}; none is given")


def _assign(message: Message, field: FieldDescriptor, value: object, path: str, whole: Mapping[str, object]) -> None:
    value = _without_numpy(value, path)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        _assign_map(getattr(message, field.name), field.message_type.fields_by_name["value"], value, path)
    elif field.is_repeated:
        _assign_list(getattr(message, field.name), field, value, path, whole)
    elif field.message_type is not None:
        part = getattr(message, field.name)
        part.SetInParent()  # an empty table is a choice too: [problem.density.double_well]
        fill(part, _table(value, field.message_type, path), path, whole)
    else:
        setattr(message, field.name, _scalar(field, value, path))


def _without_numpy(value: object, path: str) -> object:
    """Arrays and scalars of numpy and torch as lists and numbers."""
    if isinstance(value, type) or not callable(listed := getattr(value, "tolist", None)):
        return value
    try:
        return listed()
    except Exception as error:
        raise InvalidSpec(path, f"{type(value).__name__} cannot be read as a list: {cut(str(error))}") from error


def _assign_map(target: Any, value_field: FieldDescriptor, value: object, path: str) -> None:
    if not isinstance(value, Mapping):
        raise InvalidSpec(path, f"wanted a table of names and values, got {shown(value)}")
    for name in names(value, path):
        target[name] = _scalar(value_field, value[name], join(path, name))


def _assign_list(target: Any, field: FieldDescriptor, value: object, path: str, whole: Mapping[str, object]) -> None:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise InvalidSpec(path, f"wanted a list, got {shown(value)}")
    if _length(value) > LARGEST:
        raise InvalidSpec(path, f"wanted a list of at most {LARGEST} items, got {shown(value)}")
    for index, item in enumerate(value):
        where = f"{path}[{index}]"
        if field.message_type is not None:
            fill(target.add(), _table(item, field.message_type, where), where, whole)
        else:
            target.append(_scalar(field, item, where))


def _table(value: object, descriptor: Descriptor, path: str) -> Mapping[str, object]:
    if isinstance(value, Mapping):
        return value
    names = [field.name for field in descriptor.fields]
    if isinstance(value, str) and value in names:
        raise InvalidSpec(path, f"wanted a table, got {shown(value)}; write [{path}.{value}]")
    contents = f" with {' | '.join(names)}" if names else ""
    raise InvalidSpec(path, f"wanted a table{contents}, got {shown(value)}")


def _scalar(field: FieldDescriptor, value: object, path: str) -> str | bytes | bool | int | float:
    if field.type in INTEGER_RANGES:
        return _integer(value, *INTEGER_RANGES[field.type], path)
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return _number(value, path)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return _yes_or_no(value, path)
    if field.type == FieldDescriptor.TYPE_STRING:
        return _text(value, path)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes(value, path)
    raise TypeError(f"{field.full_name}: no way to read a field of protobuf type {field.type}")


def _integer(value: object, low: int, high: int, path: str) -> int:
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        value = int(value)  # TOML reads 1e6 as a float
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidSpec(path, f"wanted an integer, got {shown(value)}")
    if not low <= value <= high:
        raise InvalidSpec(path, f"wanted an integer from {low} to {high}, got {shown(value)}")
    return value


def _number(value: object, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidSpec(path, f"wanted a number, got {shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidSpec(path, f"wanted a finite number, got {shown(value)}")
    return number


def _yes_or_no(value: object, path: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidSpec(path, f"wanted true or false, got {shown(value)}")
    return value


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise InvalidSpec(path, f"wanted text in quotes, got {shown(value)}")
    if complaint := not_unicode(value):
        raise InvalidSpec(path, complaint)
    return value


def _bytes(value: object, path: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise InvalidSpec(path, f"wanted the bytes of a file as text in base64, got {shown(value)}")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidSpec(path, f"wanted the bytes of a file as text in base64, got {shown(value)}") from None


def shown(value: object) -> str:
    """A value as the user wrote it, cut where it is long."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return f"a list of {_length(value)}" if _length(value) <= LARGEST else f"a list of more than {LARGEST}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**20:
        return "an integer of more than 20 digits"
    if isinstance(value, date | time):
        return f"the {type(value).__name__} {value.isoformat()}"
    return visible(cut(_written(value)))


def cut(text: str, most: int = 60) -> str:
    """The beginning of a text that is longer than so many characters."""
    return text if len(text) <= most else f"{text[: most - 3]}…"


def not_unicode(text: str) -> str:
    """What is wrong with a text that has no UTF-8; empty where nothing is."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"wanted text in Unicode, got {shown(text)}; character {error.start + 1} is half of one"
    return ""


def _written(value: object) -> str:
    if isinstance(value, str | bool):
        return json.dumps(value[:100] if isinstance(value, str) else value, ensure_ascii=False)
    try:
        return repr(value)
    except Exception:  # of an object that is not ours
        return f"an object of type {type(value).__name__}"


def _length(value: Sequence[object]) -> int:
    try:
        return len(value)
    except OverflowError:
        return sys.maxsize
