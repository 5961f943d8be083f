"""What a caller may hand to the client: checked before anything is sent, refused in a sentence that names the argument."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from thalweg.client.state import State
from thalweg.errors import BadArgument
from thalweg.specs.fields import shown


def text(name: str, value: object) -> str:
    """Raises BadArgument, as all of these do, for anything but a str."""
    if not isinstance(value, str):
        raise BadArgument(name, f"wanted text, got {shown(value)}")
    return value


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
    """A path as text."""
    if not isinstance(value, str | os.PathLike):
        raise BadArgument(name, f"wanted a path, got {shown(value)}")
    return text(name, os.fspath(value))
