"""Text that others wrote, as it may stand on a terminal, in a cell of a table, on one line."""

from __future__ import annotations

import re

# C0, DEL and C1, which terminals obey; line separators; marks that turn the direction of writing; halves of characters
_OBEYED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """The same text with every control character written out: ESC becomes the four characters \\x1b, a tab \\t."""
    return _OBEYED.sub(lambda found: found.group().encode("unicode_escape").decode(), text)
