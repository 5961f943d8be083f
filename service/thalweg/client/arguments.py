"""What a caller may hand to the client: checked before anything is sent, refused in a sentence that names the argument."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from thalweg.addresses import parsed
from thalweg.client.state import State
from thalweg.errors import BadArgument
from thalweg.specs.fields import not_unicode, shown

LONGEST = 4096
"""Characters of a text or a path; arbitrary, what Linux takes as a path."""


def text(name: str, value: object) -> str:
    """Raises BadArgument, as all of these do, for anything but a str that can be sent."""
    if not isinstance(value, str):
        raise BadArgument(name, f"wanted text, got {shown(value)}")
    if complaint := not_unicode(value):
        raise BadArgument(name, complaint)
    return _short(name, value)


def address(name: str, value: object) -> str:
    """Where a service may answer, "host:port"."""
    if not isinstance(value, str):
        raise BadArgument(name, f"wanted text, got {shown(value)}")
    try:
        return str(parsed(value))
    except ValueError as error:
        raise BadArgument(name, str(error)) from None


def texts(name: str, value: object) -> list[str]:
    """Several texts; one alone counts as a list of it."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Iterable):
        raise BadArgument(name, f"wanted a list of texts, got {shown(value)}")
    return [text(name, item) for item in value]


def states(name: str, value: object) -> list[State]:
    """States by name, in small letters or large."""
    named = {state.value: state for state in State if state is not State.UNSPECIFIED}
    found = texts(name, value)
    for one in found:
        if one.upper() not in named:
            raise BadArgument(name, f"wanted one of {', '.join(map(str.lower, named))}, got {shown(one)}")
    return [named[one.upper()] for one in found]


def labels(name: str, value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise BadArgument(name, f'wanted a dict such as {{"sample": "A7"}}, got {shown(value)}')
    return {text(name, key): text(f"{name}.{key}", item) for key, item in value.items()}


def whole(name: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**63:
        raise BadArgument(name, f"wanted a whole number of {least} or more, got {shown(value)}")
    return value


def path(name: str, value: object) -> str:
    """A path as text; it may hold bytes that are no UTF-8, as Python reads them."""
    given = os.fspath(value) if isinstance(value, str | os.PathLike) else value
    if not isinstance(given, str):
        raise BadArgument(name, f"wanted a path, got {shown(given)}")
    try:
        if b"\0" in os.fsencode(given):
            raise BadArgument(name, f"wanted a path, got {shown(given)}, which holds a zero byte")
    except UnicodeEncodeError:
        raise BadArgument(name, f"wanted a path, got {shown(given)}, which no file can be called") from None
    return _short(name, given)


def _short(name: str, value: str) -> str:
    if len(value) > LONGEST:
        raise BadArgument(name, f"wanted at most {LONGEST} characters, got {len(value)}")
    return value
