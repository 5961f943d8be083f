"""Messages as JSON: proto field names, integers as numbers, short states, times as RFC 3339, and null for what is no number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from thalweg import specs
from thalweg.client.state import State
from thalweg.v1 import jobs_pb2


def job_record(job: jobs_pb2.Job, saved: Mapping[str, Path] | None = None) -> dict[str, Any]:
    """A job as one JSON object; artifacts that were saved tell their path."""
    record = {**plain(job), "state": str(State.of(job.state)), "spec": specs.to_dict(job.spec)}
    result = record.get("result")
    for artifact in result["artifacts"] if result else ():
        if saved and artifact["name"] in saved:
            artifact["path"] = str(saved[artifact["name"]])
    first = {name: record.get(name) for name in ("id", "state", "outcome", "result", "provenance")}
    return first | record


def plain(message: Message) -> Any:
    """Every field; those that can be left out, only where they are set."""
    if isinstance(message, Timestamp):
        return message.ToJsonString()
    fields = [field for field in message.DESCRIPTOR.fields if not field.has_presence or message.HasField(field.name)]
    return {field.name: _value(getattr(message, field.name)) for field in fields}


def _value(value: Any) -> Any:
    if isinstance(value, Message):
        return plain(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, Mapping):
        return {name: _value(value[name]) for name in sorted(value)}
    return [_value(item) for item in value]
