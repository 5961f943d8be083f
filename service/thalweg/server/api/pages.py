"""Page tokens: opaque, and good only for the filter that they were made for."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct

from thalweg.server.store.store import Filter
from thalweg_core.errors import BadInput

_FIRST_TOO_LARGE = 2**63  # the store counts its jobs in signed words


def token(which: Filter, before: int) -> str:
    """The token of the page that goes on below this number."""
    return base64.urlsafe_b64encode(_stamp(which) + struct.pack(">Q", before)).decode()


def before(which: Filter, page_token: str) -> int | None:
    """The number that a token goes on below; None for the first page.

    Raises:
        BadInput: the token is none of ours, or of another filter.
    """
    if not page_token:
        return None
    try:
        raw = base64.urlsafe_b64decode(page_token.encode("ascii", "replace"))
    except (binascii.Error, ValueError):
        raw = b""
    number = int(struct.unpack(">Q", raw[8:])[0]) if len(raw) == 16 else _FIRST_TOO_LARGE
    if number >= _FIRST_TOO_LARGE:
        raise BadInput("page_token", "is no token of ours; take next_page_token as it came, or none for the first page")
    if raw[:8] != _stamp(which):
        raise BadInput("page_token", "belongs to another filter; the filter must stay the same from page to page")
    return number


def _stamp(which: Filter) -> bytes:
    """What tells filters apart; the order of their parts does not."""
    parts = (sorted(which.states), sorted(which.kinds), sorted(which.labels))
    return hashlib.sha256(repr(parts).encode()).digest()[:8]
