"""What the service refuses beside bad input; `interceptor.py` says which status code each becomes.

Refused
├── NotFound         there is no such job or artifact
├── AlreadyExists    the request_id was used for another spec
├── NotReady         the job is not in the state that this asks for
├── OutOfRange       an offset lies behind the end
├── Draining         the service is about to stop
├── MachineTrouble   the machine cannot do it now: the disk is full, the store is locked
├── Unauthenticated  the caller has not shown the service's token
├── Damaged          a file of a job, or the database, is gone or is not what was stored
├── FolderTaken      another service works in this data folder
├── Unreadable       the data folder was written by another version, or is not ours
└── FencedOff        another attempt has taken the job over
"""

from __future__ import annotations


class Refused(Exception):
    """One sentence for the user."""


class NotFound(Refused):
    pass


class AlreadyExists(Refused):
    pass


class NotReady(Refused):
    pass


class OutOfRange(Refused):
    pass


class Draining(Refused):
    pass


class MachineTrouble(Refused):
    pass


class Unauthenticated(Refused):
    pass


class Damaged(Refused):
    pass


class FolderTaken(Refused):
    pass


class Unreadable(Refused):
    pass


class FencedOff(Refused):
    pass


def quoted(text: str) -> str:
    """What a caller named, as a sentence quotes it: cut where it is long, and with control characters written out."""
    shown = repr(text if len(text) <= 60 else f"{text[:59]}…")
    return f'"{shown[1:-1]}"'
