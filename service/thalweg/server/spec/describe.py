"""The catalogue in words: fields, units and defaults from the dataclasses and their docstrings, and what fits what.

Nothing is written twice: types and defaults are the dataclass's, meanings are the "Args:" of its docstring, nesting is the
wire's.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import typing
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, cast

from google.protobuf import message_factory, text_format

from thalweg.server.spec import catalog
from thalweg.server.spec.decode import Descriptor, camel, class_of, decode, fields_of, has_default, is_choice, plain
from thalweg.server.spec.plan import Plan
from thalweg.v1 import jobs_pb2, methods_pb2, problems_pb2
from thalweg_core.method import Goal, Method
from thalweg_core.problem import Problem, Traits

_WORDS = {int: "integer", float: "number", str: "text", bytes: "text in base64", bool: "yes/no"}


@cache
def describe() -> jobs_pb2.DescribeResponse:
    """Every problem and every method, and the plan."""
    examples = {name: [problem.traits() for problem in examples_of(name)] for name in catalog.PROBLEMS}
    methods = {name: cast(Method, catalog.load(entry.where)) for name, entry in catalog.METHODS.items()}
    fits = [(p, m) for p, traits in examples.items() for m, method in methods.items() if any(t.fits(method) for t in traits)]
    return jobs_pb2.DescribeResponse(
        problems=[_problem(name, traits, [m for p, m in fits if p == name]) for name, traits in examples.items()],
        methods=[_method(name, method, [p for p, m in fits if m == name]) for name, method in methods.items()],
        plan=_description("plan", Plan, methods_pb2.Plan.DESCRIPTOR, [], []),
    )


def examples_of(name: str) -> list[Problem[Any]]:
    """A problem's examples in the catalogue."""
    entry = catalog.PROBLEMS[name]
    message = message_factory.GetMessageClass(descriptor_of(problems_pb2.Problem.DESCRIPTOR, name))
    return [cast(Problem[Any], decode(text_format.Parse(e, message()), catalog.load(entry.where))) for e in entry.examples]


def fitting_methods(traits: Traits, goal: Goal) -> list[str]:
    """The methods with this goal that ask for nothing that this landscape does not know; where there is none, the others."""
    methods = {name: cast(Method, catalog.load(entry.where)) for name, entry in catalog.METHODS.items()}
    fitting = [name for name, method in methods.items() if traits.fits(method)]
    return [name for name in fitting if methods[name].goal is goal] or fitting


def descriptor_of(root: Descriptor, name: str) -> Descriptor:
    """The message of "density.gaussian" below Problem."""
    for step in name.split("."):
        root = root.fields_by_name[step].message_type
    return root


def _known(name: str, examples: Sequence[Traits]) -> list[str]:
    """What every example knows; and what only some know, with the reason of one that does not."""
    everywhere = frozenset.intersection(*(traits.knows for traits in examples))
    somewhere = frozenset.union(*(traits.knows for traits in examples))
    reasons = {capability: why for traits in examples for capability, why in traits.lacks.items()}
    partly = [f"{c.name} (not always: problem.{name} {reasons.get(c, 'may lack them')})" for c in somewhere - everywhere]
    return sorted(c.name for c in everywhere) + sorted(partly)


def _problem(name: str, examples: Sequence[Traits], fits: Sequence[str]) -> jobs_pb2.Description:
    kind = catalog.load(catalog.PROBLEMS[name].where)
    return _description(name, kind, descriptor_of(problems_pb2.Problem.DESCRIPTOR, name), _known(name, examples), fits)


def _method(name: str, method: Method, fits: Sequence[str]) -> jobs_pb2.Description:
    kind = catalog.load(catalog.METHODS[name].where)
    descriptor = descriptor_of(methods_pb2.Method.DESCRIPTOR, name)
    return _description(name, kind, descriptor, sorted(need.name for need in method.needs), fits)


def _description(
    name: str, kind: type, descriptor: Descriptor, capabilities: Sequence[str], fits: Sequence[str]
) -> jobs_pb2.Description:
    fields = _fields(kind, descriptor, "")
    return jobs_pb2.Description(
        name=name, summary=first_line(kind), text=text_of(kind), capabilities=capabilities, fields=fields, fits=fits
    )


def _fields(kind: type, descriptor: Descriptor, prefix: str) -> Iterator[jobs_pb2.FieldDescription]:
    hints, meanings = typing.get_type_hints(kind), meanings_of(kind)
    for field in fields_of(kind):
        wire = descriptor.fields_by_name.get(field.name)
        if wire is None:
            continue
        name, hint = prefix + field.name, hints[field.name]
        if is_choice(wire.message_type):
            yield from _choices(hint, wire.message_type, name + ".")
        elif wire.message_type is not None and not wire.is_repeated:
            yield from _fields(class_of(hint, wire.message_type.name), wire.message_type, name + ".")
        else:
            yield _scalar(name, field, hint, meanings.get(field.name, ""))
            if wire.message_type is not None:
                yield from _fields(class_of(hint, wire.message_type.name), wire.message_type, name + "[].")


def _choices(hint: Any, descriptor: Descriptor, prefix: str) -> Iterator[jobs_pb2.FieldDescription]:
    for member in descriptor.oneofs_by_name["kind"].fields:
        name = prefix + member.name
        if is_choice(member.message_type):
            yield from _choices(hint, member.message_type, name + ".")
            continue
        kind = class_of(hint, member.message_type.name if member.message_type else camel(member.name))
        if member.message_type is None:
            (field,) = fields_of(kind)
            meaning = meanings_of(kind).get(field.name) or first_line(kind)
            yield _scalar(name, field, typing.get_type_hints(kind)[field.name], meaning, required=False)
        elif not fields_of(kind):
            yield jobs_pb2.FieldDescription(name=name, type="choice without fields", description=first_line(kind))
        else:
            yield from _fields(kind, member.message_type, name + ".")


def _scalar(
    name: str, field: dataclasses.Field[Any], hint: Any, meaning: str, required: bool | None = None
) -> jobs_pb2.FieldDescription:
    return jobs_pb2.FieldDescription(
        name=name,
        type=type_words(hint),
        default_value=toml(default_of(field)),
        required=not has_default(field) if required is None else required,
        description=meaning,
    )


def type_words(hint: Any) -> str:
    """The type as a person would say it: "number", "list of 3 numbers", "list of text"."""
    hint = plain(hint)
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)
        word = type_words(inner[0])
        if Ellipsis in inner:
            return f"list of {word}"
        return f"list of {len(inner)} {word if word.endswith('/no') else word + 's'}"
    if dataclasses.is_dataclass(hint):
        names = ", ".join(field.name for field in fields_of(cast(type, hint)))
        return f"{{ {names} }}"
    return _WORDS.get(hint, "text")


def default_of(field: dataclasses.Field[Any]) -> Any:
    """None where there is none."""
    if field.default is not dataclasses.MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else None


def toml(value: Any) -> str:
    """A value as it would stand in TOML; empty for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if dataclasses.is_dataclass(value):
        inner = (f"{field.name} = {toml(getattr(value, field.name))}" for field in fields_of(type(value)))
        return "{ " + ", ".join(inner) + " }"
    return repr(value)


def first_line(kind: type) -> str:
    """The summary of a class: the first line of its docstring."""
    return (inspect.getdoc(kind) or "").split("\n", 1)[0]


def text_of(kind: type) -> str:
    """What a class's docstring says between its first line and its "Args:", and its sources."""
    _, _, rest = (inspect.getdoc(kind) or "").partition("\n")
    said = re.split(r"^(?:Args|Raises|Sources?):", rest, maxsplit=1, flags=re.MULTILINE)[0].strip("\n").rstrip()
    sources = re.search(r"^Sources?:(?:.*\S.*\n?)*", rest, re.MULTILINE)
    return "\n\n".join(filter(None, (said, sources[0].rstrip() if sources else "")))


def meanings_of(kind: type) -> dict[str, str]:
    """What each field means: the "Args:" of the docstring, each as one line."""
    block = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)+)", inspect.getdoc(kind) or "", re.MULTILINE)
    if block is None:
        return {}
    entries = re.split(r"\n(?= {4}\w+: )", "\n" + block.group(1).rstrip())
    pairs = (entry.strip().split(":", 1) for entry in entries if entry.strip())
    return {name: " ".join(meaning.split()) for name, meaning in pairs}
