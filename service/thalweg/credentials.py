"""The token of a service: whoever can read it may call. The service writes it where only its own user can read.

    DIR/token                       of a data folder; made once, so that scripts can keep it
    STATE/thalweg/services/PORT     JSON, of the service that listens on a port of this machine: {"address", "token", "pid",
                                    "mark", "machine"}; STATE is $XDG_STATE_HOME, else ~/.local/state

A call carries it as metadata, `authorization: Bearer TOKEN`. What a service has published is only given out while its very
process lives and for its very address: on any other anybody may listen.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import re
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from thalweg import processes
from thalweg.addresses import is_here, parsed
from thalweg.errors import BadArgument

VARIABLE = "THALWEG_TOKEN"
"""Environment variable with the token of the service that is called, for clients that cannot read its files."""

HEADER = "authorization"

_FORM = re.compile(r"[!-~]+")  # what a header of HTTP may hold


def metadata(token: str | None) -> tuple[tuple[str, str], ...]:
    """What a call carries; nothing without a token."""
    return ((HEADER, f"Bearer {token}"),) if token else ()


def of_folder(data: Path) -> str:
    """The token of a data folder, made if there is none, or if others could have read or written it. Raises OSError."""
    path = kept_in(data)
    with contextlib.suppress(FileNotFoundError):
        if is_private(path) and (token := _read(path)):
            return token
    token = secrets.token_urlsafe(32)
    _write(path, f"{token}\n")
    return token


def is_private(path: Path) -> bool:
    """Whether a file is this user's, and for this user's eyes only. Raises OSError."""
    about = path.lstat()
    return stat.S_ISREG(about.st_mode) and about.st_uid == os.getuid() and not about.st_mode & 0o077


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

    A published one belongs to this machine and to a process that lives, and goes nowhere else.

    Raises:
        BadArgument: what the environment gives cannot be a token.
    """
    if given := os.environ.get(VARIABLE):
        if not _FORM.fullmatch(given):
            raise BadArgument(f"${VARIABLE}", "wanted a token: letters, digits and signs of ASCII, without spaces")
        return given
    entry = _entry(address)
    return entry.token if entry is not None and entry.lives() else None


def still_there(address: str) -> Callable[[], bool]:
    """What tells whether the service that has published its token for an address still does, and lives; always true of other
    tokens."""
    entry = None if os.environ.get(VARIABLE) else _entry(address)
    return (lambda: _entry(address) == entry and entry.lives()) if entry is not None else lambda: True


def meant_by(address: str) -> str:
    """The address of the service that listens where "localhost:PORT" may lead: a name may lead to whoever listens there too."""
    entry = _entry(address)
    return entry.address if entry is not None and entry.lives() else address


def looked_for(address: str) -> str:
    """Where `of_address` looks, as the object of a sentence."""
    if os.environ.get(VARIABLE):
        return f"the token in ${VARIABLE}"
    with contextlib.suppress(OSError):
        entry = _entry(address)
        if entry is not None and not entry.lives():
            return f"a call without a token: the service that {published(address)} names is gone, and ${VARIABLE} is not set"
        if is_here(address):
            return f"what {published(address)} says, and ${VARIABLE} is not set"
    return f"a call without a token, and ${VARIABLE} is not set"


def published(address: str) -> Path:
    """The file in which this user's service at a port of this machine publishes its token. Raises OSError: there is no home."""
    state = os.environ.get("XDG_STATE_HOME")
    try:
        folder = Path(state) if state else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise FileNotFoundError(errno.ENOENT, "this user has no home folder", "~") from error
    return folder / "thalweg" / "services" / str(parsed(address).port)


def publish(address: str, token: str) -> None:
    """Let this user's clients find the token by the address, as long as this process lives. Raises OSError."""
    path = published(address)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for (
        other
    ) in path.parent.iterdir():  # of services of this machine that could not withdraw them; a home may be shared by several
        if (entry := _read_entry(other)) is not None and entry.machine == _machine() and not entry.lives():
            other.unlink(missing_ok=True)
    _write(
        path,
        json.dumps(_Entry(str(parsed(address)), token, os.getpid(), processes.mark(os.getpid()) or "", _machine())._asdict())
        + "\n",
    )


def withdraw(address: str, token: str) -> None:
    """Take back what was published, unless another service has taken the port since."""
    entry = _entry(address)
    if entry is not None and entry.token == token:
        with contextlib.suppress(OSError):
            published(address).unlink()


class _Entry(NamedTuple):
    """What a service publishes."""

    address: str
    token: str
    pid: int
    mark: str
    machine: str

    def lives(self) -> bool:
        return self.machine == _machine() and processes.lives(self.pid, self.mark)


def _machine() -> str:
    """What tells this machine, since it was started, from others; where the system does not tell, its name."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return platform.node()


def _entry(address: str) -> _Entry | None:
    """What is published for an address of this machine, or for the port of "localhost:PORT"; None where nothing is."""
    with contextlib.suppress(OSError, ValueError):
        wanted = parsed(address)
        entry = _read_entry(published(address)) if wanted.is_here else None
        if entry is not None and (wanted.host == "localhost" or entry.address == str(wanted)):
            return entry
    return None


def _read_entry(path: Path) -> _Entry | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, OverflowError):
        written = json.loads(path.read_text())
        who = int(written["pid"]), str(written["mark"]), str(written["machine"])
        entry = _Entry(str(written["address"]), str(written["token"]), *who)
        return entry if _FORM.fullmatch(entry.token) else None
    return None


def _read(path: Path) -> str | None:
    """The token in a file; None where what it holds is none."""
    text = path.read_bytes().decode("ascii", "replace").strip()
    return text if _FORM.fullmatch(text) else None


def _write(path: Path, text: str) -> None:
    """Whole or absent, and for this user's eyes only from the first byte on."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
