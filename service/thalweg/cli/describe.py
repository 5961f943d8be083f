"""`thalweg describe`: what can be asked for, field by field."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from difflib import get_close_matches

from thalweg.cli.connect import connect
from thalweg.cli.outcome import DONE
from thalweg.cli.records import plain
from thalweg.cli.screen import Screen
from thalweg.errors import InvalidSpec
from thalweg.v1 import jobs_pb2


def describe(args: Namespace, screen: Screen) -> int:
    with connect(args) as client:
        known = client.describe()
    shelves = {"problems": known.problems, "methods": known.methods}
    if args.name:
        _one(_named(shelves[args.what], args.what, args.name), args.what, screen)
        return DONE
    wanted = {what: shelf for what, shelf in shelves.items() if args.what in (None, what)}
    if screen.json:
        screen.object({what: [plain(one) for one in shelf] for what, shelf in wanted.items()})
        return DONE
    for what, shelf in wanted.items():
        rows = [(one.name, one.summary, ", ".join(one.fits)) for one in shelf]
        screen.table((what[:-1], "what it is", "fits"), rows, title=what)
    screen.hint("thalweg describe problems NAME, or methods NAME, lists every field")
    return DONE


def _named(shelf: Sequence[jobs_pb2.Description], what: str, name: str) -> jobs_pb2.Description:
    by_name = {one.name: one for one in shelf}
    if name in by_name:
        return by_name[name]
    near = get_close_matches(name, list(by_name), n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(by_name))}"
    raise InvalidSpec(name, f"no such {what[:-1]}; {hint}")


def _one(one: jobs_pb2.Description, what: str, screen: Screen) -> None:
    if screen.json:
        screen.object(plain(one))
        return
    screen.line(f"[{what[:-1]}.{one.name}]  {one.summary}", "bold")
    if one.capabilities:
        screen.line(f"{'knows' if what == 'problems' else 'needs'}: {', '.join(one.capabilities)}")
    screen.line(f"fits: {', '.join(one.fits)}")
    rows = [(one.name, one.type, "required" if one.required else one.default_value, one.description) for one in one.fields]
    screen.table(("field", "type", "default", "what it means"), rows)
