"""What a misspelt or misplaced name of a field was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from google.protobuf.descriptor import Descriptor


def no_such_field(name: str, descriptor: Descriptor, path: str, whole: Mapping[str, object]) -> str:
    """The complaint about a name that `descriptor`, at `path` of the specification `whole`, does not have.

    Offered is the nearest name at the same place, else the same name elsewhere, else all names at that place.
    """
    here = [field.name for field in descriptor.fields]
    root = descriptor.file.pool.FindMessageTypeByName("thalweg.v1.JobSpec")
    near = get_close_matches(name[:100].lower().replace("-", "_"), here, n=1)  # none of ours is nearly as long
    if near:
        return f"no such field; did you mean {'.'.join([path, near[0]]) if path else near[0]}?"
    elsewhere = next((place for place in _places(root, "", whole) if place.split(".")[-1] == name), None)
    if elsewhere:
        return f"no such field; did you mean {elsewhere}?"
    return f"no such field; {_listed(here, path or 'a specification')}"


def _places(descriptor: Descriptor, path: str, given: Mapping[str, object]) -> Iterator[str]:
    """Paths of all fields below, in branches that the user chose where there was a choice."""
    for field in descriptor.fields:
        place = f"{path}.{field.name}" if path else field.name
        chosen = given.get(field.name)
        if _is_choice(descriptor) and chosen is None and any(other.name in given for other in descriptor.fields):
            continue
        yield place
        if field.message_type is not None and not field.is_repeated:
            yield from _places(field.message_type, place, chosen if isinstance(chosen, Mapping) else {})


def _is_choice(descriptor: Descriptor) -> bool:
    return any(not oneof.name.startswith("_") for oneof in descriptor.oneofs)  # "_name" only marks an optional field


def _listed(names: list[str], owner: str) -> str:
    if not names:
        return f"{owner} has no fields"
    return f"{owner} has {' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))}"
