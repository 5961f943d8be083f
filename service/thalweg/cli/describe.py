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
from thalweg.specs.fields import cut
from thalweg.v1 import jobs_pb2

CAPABILITIES = {"problems": "knows", "methods": "needs"}


def describe(args: Namespace, screen: Screen) -> int:
    if args.what == "plan" and args.name:
        raise InvalidSpec(cut(args.name), "the plan has no kinds; `thalweg describe plan` lists every field of it")
    with connect(args) as client:
        known = client.describe()
    shelves = {"problems": known.problems, "methods": known.methods}
    if args.what == "plan":
        _one(known.plan, "plan", screen)
    elif args.name:
        _one(_named(shelves[args.what], args.what, args.name), args.what, screen)
    elif screen.json:
        wanted = {what: [plain(one) for one in shelf] for what, shelf in shelves.items() if args.what in (None, what)}
        screen.object(wanted if args.what else {**wanted, "plan": plain(known.plan)})
    else:
        for what, shelf in shelves.items():
            if args.what in (None, what):
                _shelf(shelf, what, screen)
        if args.what is None:
            screen.table(("plan", "what it is"), [(known.plan.name, known.plan.summary)], title="plan")
        screen.hint("thalweg describe problems NAME, or methods NAME, or plan, lists every field")
    return DONE


def _shelf(shelf: Sequence[jobs_pb2.Description], what: str, screen: Screen) -> None:
    rows = [(one.name, one.summary, ", ".join(one.fits)) for one in shelf]
    screen.table((what[:-1], "what it is", "fits"), rows, title=what)


def _named(shelf: Sequence[jobs_pb2.Description], what: str, name: str) -> jobs_pb2.Description:
    by_name = {one.name: one for one in shelf}
    if name in by_name:
        return by_name[name]
    near = get_close_matches(name, list(by_name), n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(by_name))}"
    raise InvalidSpec(cut(name), f"no such {what[:-1]}; {hint}")


def _one(one: jobs_pb2.Description, what: str, screen: Screen) -> None:
    if screen.json:
        screen.object(plain(one))
        return
    heading = one.name if what == "plan" else f"{what[:-1]}.{one.name}"
    screen.line(f"[{heading}]  {one.summary}", "bold")
    for line in one.text.splitlines():
        screen.line(line)
    if one.text:
        screen.line("")
    if one.capabilities:
        screen.line(f"{CAPABILITIES[what]}: {', '.join(one.capabilities)}")
    if one.fits:
        screen.line(f"fits: {', '.join(one.fits)}")
    rows = [(one.name, one.type, "required" if one.required else one.default_value, one.description) for one in one.fields]
    screen.table(("field", "type", "default", "what it means"), rows)
