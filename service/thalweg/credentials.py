"""The token of a service: whoever can read it may call. The service writes it where only its own user can read.

    DIR/token                       of a data folder; made once, so that scripts can keep it
    STATE/thalweg/services/PORT     of the service that listens on a port of this machine; STATE is $XDG_STATE_HOME,
                                    else ~/.local/state

A call carries it as metadata, `authorization: Bearer TOKEN`.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import re
import secrets
from pathlib import Path

from thalweg.errors import BadArgument

VARIABLE = "THALWEG_TOKEN"
"""Environment variable with the token of the service that is called, for clients that cannot read its files."""

HEADER = "authorization"

_FORM = re.compile(r"[!-~]+")  # what a header of HTTP may hold


def metadata(token: str | None) -> tuple[tuple[str, str], ...]:
    """What a call carries; nothing without a token."""
    return ((HEADER, f"Bearer {token}"),) if token else ()


def of_folder(data: Path) -> str:
    """The token of a data folder, made if there is none. Raises OSError."""
    path = kept_in(data)
    with contextlib.suppress(FileNotFoundError):
        if token := _read(path):
            return token
    return _written(path, secrets.token_urlsafe(32))


def kept_in(data: Path) -> Path:
    """The file with the token of a data folder."""
    return data / "token"


def read_from(path: Path) -> str | None:
    """The token in a file; None where there is none, or where it is not ours to read."""
    with contextlib.suppress(OSError):
        return _read(path)
    return None


def of_address(address: str) -> str | None:
    """The token for the service at an address; None where none is known.

    A published one belongs to this machine and goes nowhere else.

    Raises:
        BadArgument: what the environment gives cannot be a token.
    """
    if given := os.environ.get(VARIABLE):
        if not _FORM.fullmatch(given):
            raise BadArgument(f"${VARIABLE}", "wanted a token: letters, digits and signs of ASCII, without spaces")
        return given
    if is_here(address):
        with contextlib.suppress(OSError):
            return _read(published(address))
    return None


def looked_for(address: str) -> str:
    """Where `of_address` looks, as the object of a sentence."""
    if os.environ.get(VARIABLE):
        return f"the token in ${VARIABLE}"
    with contextlib.suppress(OSError):
        if is_here(address):
            return f"what {published(address)} says, and ${VARIABLE} is not set"
    return f"a call without a token, and ${VARIABLE} is not set"


def is_here(address: str) -> bool:
    """Whether an address is "localhost:PORT", or a loopback address with its port."""
    host, _, port = address.rpartition(":")
    if not (port.isascii() and port.isdigit()):
        return False
    with contextlib.suppress(ValueError):
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    return False


def published(address: str) -> Path:
    """The file in which this user's service at a port of this machine publishes its token. Raises OSError: there is no home."""
    state = os.environ.get("XDG_STATE_HOME")
    try:
        folder = Path(state) if state else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise FileNotFoundError(errno.ENOENT, "this user has no home folder", "~") from error
    return folder / "thalweg" / "services" / address.rpartition(":")[2]


def publish(address: str, token: str) -> None:
    """Let this user's clients find the token by the address. Raises OSError."""
    path = published(address)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _written(path, token)


def withdraw(address: str, token: str) -> None:
    """Take back what was published, unless another service has taken the port since."""
    with contextlib.suppress(OSError):
        if _read(published(address)) == token:
            published(address).unlink()


def _read(path: Path) -> str | None:
    """The token in a file; None where what it holds is none."""
    text = path.read_bytes().decode("ascii", "replace").strip()
    return text if _FORM.fullmatch(text) else None


def _written(path: Path, token: str) -> str:
    """Whole or absent, and for this user's eyes only from the first byte on."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(f"{token}\n")
    aside.replace(path)
    return token
