"""What can be wrong with what a user asked for.

BadInput            a field cannot be as it was given
├── Mismatch        a method asks for what the landscape does not know
├── Unavailable     it asks for something that this machine does not have
└── Unaffordable    a budget does not pay for what must come
"""

from __future__ import annotations

import re


class BadInput(ValueError):
    """A field that cannot be as it was given, and what to do instead.

    Args:
        field: path of the field below whoever raises, `"cells"` or `"terms[2].word"`; callers prefix it with `under`.
        sentence: what was wanted, what was got, what to do: one sentence, without the field's name and without a full stop.
    """

    def __init__(self, field: str, sentence: str) -> None:
        sentence = _readable(sentence)
        super().__init__(f"{field}: {sentence}" if field else sentence)
        self.field = field
        self.sentence = sentence

    def under(self, prefix: str) -> BadInput:
        """The same complaint, seen from one level higher."""
        inside = self.field if self.field.startswith("[") else f".{self.field}"  # terms[2].word
        return type(self)(f"{prefix}{inside}" if self.field else prefix, self.sentence)


def _readable(sentence: str) -> str:
    """The sentence with what it quotes cut where that is long, and without control characters: a user may write anything."""
    cut = re.sub(r'"([^"]*)"', lambda found: found[0] if len(found[1]) <= 60 else f'"{found[1][:59]}…"', sentence)
    return "".join(letter if letter.isprintable() else " " for letter in (cut if len(cut) <= 500 else f"{cut[:499]}…"))


class Mismatch(BadInput):
    """A method asks for something that the landscape does not know."""


class Unavailable(BadInput):
    """It asks for something that this machine does not have; on another one it would be right."""


class Unaffordable(BadInput):
    """A budget that does not pay for what must come; nothing has been spent yet."""
