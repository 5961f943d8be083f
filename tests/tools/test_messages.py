"""Messages are written from dataclasses, and what a field was once given stays its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from tools import messages, wire
from tools.messages import File


@dataclass(frozen=True)
class Spring:
    """A spring.

    Args:
        stiffness: k (N/m).
        length: at rest (m).
    """

    stiffness: float
    length: float = 1.0


@dataclass(frozen=True)
class Rope:
    """A rope, which only pulls."""


@dataclass(frozen=True)
class Bridge:
    """What hangs together.

        U = Σ k x² / 2

    Args:
        spans: how many.
        names: of the spans.
        cable: what carries it.
        first: the spring at the near end.
        loads: at each span (N).

    Source: none.
    """

    spans: int
    names: tuple[str, ...] = ()
    cable: Spring | Rope = field(default_factory=Rope)
    first: Spring = field(default_factory=lambda: Spring(1.0))
    loads: tuple[float, float] | None = None


WRITTEN = """\
// What hangs together.
//
//     U = Σ k x² / 2
//
// Source: none.
message Bridge {
  // How many.
  int64 spans = 1;
  // Of the spans.
  repeated string names = 2;
  // What carries it.
  BridgeCable cable = 3;
  // The spring at the near end.
  Spring first = 4;
  // At each span (N).
  repeated double loads = 5;
}

message BridgeCable {
  oneof kind {
    // A spring.
    Spring spring = 1;
    // A rope, which only pulls.
    Rope rope = 2;
  }
}

// A spring.
message Spring {
  // k (N/m).
  double stiffness = 1;
  // At rest (m).
  optional double length = 2;
}

// A rope, which only pulls.
message Rope {}
"""


def text(lock: messages.Lock, kind: type) -> str:
    """The messages of a class, without the head of the file."""
    file = File("problems", lock)
    file.message(kind)
    return file.text().partition("package thalweg.v1;\n\n")[2]


def test_a_dataclass_is_a_message_with_its_types_its_words_and_those_below_it() -> None:
    lock: messages.Lock = {}
    assert text(lock, Bridge) == WRITTEN
    assert lock["Spring"] == {"stiffness": [1, "double"], "length": [2, "optional double"]}


def test_numbers_and_types_that_were_given_stay_and_new_fields_get_the_next_number() -> None:
    lock: messages.Lock = {"Spring": {"length": [7, "optional uint64"], "colour": [9, "optional string"]}}
    said = text(lock, Spring)
    assert "optional uint64 length = 7;" in said
    assert "double stiffness = 10;" in said
    assert 'reserved 9;\n  reserved "colour";' in said  # it is gone
    assert text(lock, Spring) == said


def test_a_member_of_a_choice_keeps_its_name_whatever_the_class_is_called() -> None:
    lock: messages.Lock = {"Bridge": {"cable": [3, "Cable"]}, "Cable": {"oneof kind": True, "twine": [4, "Rope"]}}
    said = text(lock, Bridge)
    assert "  Cable cable = 3;" in said
    assert "    Rope twine = 4;" in said
    assert "    Spring spring = 5;" in said


def test_what_the_wire_has_no_type_for_is_refused() -> None:
    @dataclass(frozen=True)
    class Odd:
        what: dict[str, Any]

    Odd.__annotations__["what"] = dict[str, Any]
    with pytest.raises(TypeError, match=r"Odd\.what: no type on the wire for dict"):
        File("problems", {}).message(Odd)


def test_what_is_landed_is_what_the_dataclasses_say() -> None:
    for path, content in wire.messages().items():
        assert path.read_text() == content, f"{path.name}: run `make protos`"
