"""A JobSpec back as a dict or as TOML, with the fields that were set and no others."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from google.protobuf.message import Message


def to_dict(message: Message) -> dict[str, Any]:
    """The fields that are set, by their proto names; plain numbers, text (bytes in base64), lists and dicts."""
    return {field.name: _plain(value) for field, value in message.ListFields()}


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return to_dict(value)
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in sorted(value.items())}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, str | bool | int | float):
        return value
    return [_plain(item) for item in value]


def to_toml(message: Message) -> str:
    """The same as TOML, each message a [table]; reading it gives an equal message."""
    return "\n".join(_sections(to_dict(message), "")).strip() + "\n"


def _sections(table: Mapping[str, Any], path: str) -> list[str]:
    lines = [f"{_key(name)} = {_value(value)}" for name, value in table.items() if not isinstance(value, dict)]
    tables = {name: value for name, value in table.items() if isinstance(value, dict)}
    if path and (lines or not tables):
        lines = ["", f"[{path}]", *lines]
    for name, value in tables.items():
        lines += _sections(value, f"{path}.{_key(name)}" if path else _key(name))
    return lines


def _value(value: Any) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(name)} = {_value(item)}" for name, item in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, str):
        # JSON allows DEL and C1 bare; TOML forbids the first, and terminals obey both
        return re.sub(r"[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
    return json.dumps(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)
