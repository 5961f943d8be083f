"""The token of a service: whoever can read it may call. The service writes it where only its own user can read.

    DIR/token                       of a data folder; made once, so that scripts can keep it
    STATE/thalweg/services/PORT     of the service that listens on a port of this machine; STATE is $XDG_STATE_HOME,
                                    else ~/.local/state

A call carries it as metadata, `authorization: Bearer TOKEN`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

VARIABLE = "THALWEG_TOKEN"
"""Environment variable with the token of the service that is called, for clients that cannot read its files."""

HEADER = "authorization"


def metadata(token: str | None) -> tuple[tuple[str, str], ...]:
    """What a call carries; nothing without a token."""
    return ((HEADER, f"Bearer {token}"),) if token else ()


def of_folder(data: Path) -> str:
    """The token of a data folder, made if there is none. Raises OSError."""
    path = data / "token"
    with contextlib.suppress(FileNotFoundError):
        if token := path.read_text().strip():
            return token
    return _written(path, secrets.token_urlsafe(32))


def of_address(address: str) -> str | None:
    """The token for a service of this user on this machine; None where none is known."""
    if given := os.environ.get(VARIABLE):
        return given
    with contextlib.suppress(OSError, UnicodeError):
        return _published(address).read_text().strip() or None
    return None


def publish(address: str, token: str) -> None:
    """Let this user's clients find the token by the address. Raises OSError."""
    path = _published(address)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _written(path, token)


def withdraw(address: str, token: str) -> None:
    """Take back what was published, unless another service has taken the port since."""
    with contextlib.suppress(OSError, UnicodeError):
        if _published(address).read_text().strip() == token:
            _published(address).unlink()


def _published(address: str) -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "thalweg" / "services" / address.rpartition(":")[2]


def _written(path: Path, token: str) -> str:
    """Whole or absent, and for this user's eyes only from the first byte on."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(f"{token}\n")
    aside.replace(path)
    return token
