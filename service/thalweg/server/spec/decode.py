"""From a message on the wire to the frozen dataclass of the same name, field by field.

    an unset field                     the dataclass's default; without one, the field is required
    a message that holds only a oneof  no level of its own: the member that is set says which class
    a scalar in a oneof                the class named like it (hartree_fock = 0.1 → HartreeFock(0.1))
    repeated                           a tuple; `tuple[float, float, float]` fixes how many

What cannot be is refused with the path of the field as the user wrote it.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from thalweg_core.errors import BadInput

T = TypeVar("T")
Descriptor: TypeAlias = Any  # of a message; its stubs disagree on whether it is the C class or the Python one


class Choice(NamedTuple):
    """What the oneofs of a message chose."""

    name: str  # "density.gaussian"
    value: Any  # the innermost message, or the scalar


def choose(message: Message) -> Choice:
    """The member that is set, going down while a message holds nothing but a oneof.

    Raises:
        BadInput: none is set.
    """
    kind = message.WhichOneof("kind")
    if kind is None:
        members = [field.name for field in message.DESCRIPTOR.oneofs_by_name["kind"].fields]
        raise BadInput("", f"wanted {_one_of(members)}, got none")
    value = getattr(message, kind)
    if not is_choice(message.DESCRIPTOR.fields_by_name[kind].message_type):
        return Choice(kind, value)
    try:
        inner = choose(value)
    except BadInput as bad:
        raise bad.under(kind) from None
    return Choice(f"{kind}.{inner.name}", inner.value)


def is_choice(descriptor: Descriptor | None) -> bool:
    """Whether a message is no level of its own, because a oneof `kind` is all that it holds."""
    return descriptor is not None and list(descriptor.oneofs_by_name) == ["kind"] and _all_in_oneof(descriptor)


def _all_in_oneof(descriptor: Descriptor) -> bool:
    return len(descriptor.oneofs_by_name["kind"].fields) == len(descriptor.fields)


def decode(message: Message, kind: type[T]) -> T:
    """The dataclass `kind` from the message of the same name.

    Raises:
        BadInput: with the path of the field below the message.
    """
    hints = typing.get_type_hints(kind)
    wire = message.DESCRIPTOR.fields_by_name
    values = {f.name: _field(message, wire[f.name], f, hints[f.name]) for f in fields_of(kind) if f.name in wire}
    return kind(**{name: value for name, value in values.items() if value is not _UNSET})


_UNSET = object()


def fields_of(kind: type) -> Sequence[dataclasses.Field[Any]]:
    return dataclasses.fields(kind)


def _field(message: Message, wire: Any, field: dataclasses.Field[Any], hint: Any) -> Any:
    if not _is_set(message, wire):
        if has_default(field):
            return _UNSET
        if _must_be_written(wire):
            raise BadInput(wire.name, _missing(wire))
    value = getattr(message, wire.name)
    try:
        if wire.is_repeated:
            return _items(value, hint)
        if is_choice(wire.message_type):
            return _chosen(value, hint)
        if wire.message_type is not None:
            return decode(value, class_of(hint, wire.message_type.name))
        return finite(value)
    except BadInput as bad:
        raise bad.under(wire.name) from None


def _is_set(message: Message, wire: Any) -> bool:
    if wire.is_repeated:
        return len(getattr(message, wire.name)) > 0
    if wire.has_presence:
        return message.HasField(wire.name)
    return bool(getattr(message, wire.name) != wire.default_value)


def _must_be_written(wire: Any) -> bool:
    """Numbers without presence on the wire may be a zero that was meant: the dataclass judges it."""
    return bool(wire.has_presence or wire.is_repeated or wire.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES))


def _missing(wire: Any) -> str:
    if is_choice(wire.message_type):
        return f"wanted {_one_of(list(members_of(wire.message_type)))}, got none"
    if wire.has_presence:
        return "is required, and was left out"
    return "is required, and was left out or is empty"  # which look the same on the wire


def _items(values: Sequence[Any], hint: Any) -> tuple[Any, ...]:
    inner = typing.get_args(plain(hint))
    if Ellipsis not in inner and len(inner) != len(values):
        raise BadInput("", f"wanted {len(inner)} values, got {len(values)}")
    items = []
    for index, value in enumerate(values):
        try:
            items.append(
                decode(value, class_of(inner[0], value.DESCRIPTOR.name)) if isinstance(value, Message) else finite(value)
            )
        except BadInput as bad:
            raise bad.under(f"[{index}]") from None
    return tuple(items)


def _chosen(message: Message, hint: Any) -> Any:
    name, value = choose(message)
    try:
        if isinstance(value, Message):
            return decode(value, class_of(hint, value.DESCRIPTOR.name))
        return class_of(hint, camel(name))(finite(value))
    except BadInput as bad:
        raise BadInput(f"{name}.{bad.field}" if isinstance(value, Message) and bad.field else name, bad.sentence) from None


def finite(value: Any) -> Any:
    """Raises BadInput for a number that is none."""
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInput("", f"wanted a finite number, got {value}")
    return value


def has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def class_of(hint: Any, name: str) -> type[Any]:
    """The class of this name in an annotation such as `Molecule | PauliSum`."""
    for option in (plain(hint), *typing.get_args(hint)):
        if isinstance(option, type) and option.__name__ == name:
            return option
    raise TypeError(f"no class {name} in {hint}: a dataclass has the name of its proto message")


def plain(hint: Any) -> Any:
    """The annotation without `| None`."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        options = [option for option in typing.get_args(hint) if option is not type(None)]
        return options[0] if len(options) == 1 else hint
    return hint


def members_of(descriptor: Descriptor, prefix: str = "") -> Iterator[str]:
    """The names that a oneof offers, down to those that are levels: "vqe", "density.gaussian"."""
    for member in descriptor.oneofs_by_name["kind"].fields:
        if is_choice(member.message_type):
            yield from members_of(member.message_type, f"{prefix}{member.name}.")
        else:
            yield prefix + member.name


def camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _one_of(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else "one of " + ", ".join(names)
