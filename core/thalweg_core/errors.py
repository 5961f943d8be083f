"""What can be wrong with what a user asked for.

BadInput            a field cannot be as it was given
├── Mismatch        a method asks for what the landscape does not know
└── Unavailable     it asks for something that this machine does not have
"""

from __future__ import annotations


class BadInput(ValueError):
    """A field that cannot be as it was given, and what to do instead.

    Args:
        field: path of the field below whoever raises, `"cells"` or `"grid.cells"`; callers prefix it with `under`.
        sentence: what was wanted, what was got, what to do: one sentence, without the field's name and without a full stop.
    """

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(f"{field}: {sentence}" if field else sentence)
        self.field = field
        self.sentence = sentence

    def under(self, prefix: str) -> BadInput:
        """The same complaint, seen from one level higher."""
        return type(self)(f"{prefix}.{self.field}" if self.field else prefix, self.sentence)


class Mismatch(BadInput):
    """A method asks for something that the landscape does not know."""


class Unavailable(BadInput):
    """It asks for something that this machine does not have; on another one it would be right."""
