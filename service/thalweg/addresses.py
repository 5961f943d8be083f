"""Addresses, "host:port": read in one place, for whoever serves and whoever calls."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

_FORM = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})", re.ASCII)
_LONGEST = 60  # characters that a refusal repeats; arbitrary


class Address(NamedTuple):
    """Where a service listens or is called. Port 0: any that is free."""

    host: str  # a name, an IPv4 address, or an IPv6 address in brackets
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def is_here(self) -> bool:
        """Whether it is of this machine alone: "localhost", or a loopback address."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False


def parsed(text: str) -> Address:
    """The address in a text.

    Raises:
        ValueError: it is none; the sentence says what was wanted and got.
    """
    found = _FORM.fullmatch(text)
    if found is None or int(found["port"]) > 65535:
        shown = repr(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")[1:-1]
        raise ValueError(f'wanted an address such as "127.0.0.1:7433", got "{shown}"')
    return Address(found["host"], int(found["port"]))


def is_here(text: str) -> bool:
    """Whether a text is an address of this machine alone."""
    try:
        return parsed(text).is_here
    except ValueError:
        return False
