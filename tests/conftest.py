"""For all tests."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

# A shell that runs something in the background, and `nohup`, have it ignore SIGINT, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

_HERE = Path(__file__).parent
_SLOW_ROOMS = {"benchmarks", "chaos", "docs", "examples", "truths"}
_SLOW_FIXTURES = {"service", "own_service", "thalweg"}  # a service in a process of its own


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What `make quick` leaves out, beside the tests that are marked: rooms of long runs, and all that starts a service."""
    for item in items:
        in_slow_room = item.path.relative_to(_HERE).parts[0] in _SLOW_ROOMS
        starts_a_service = _SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ()))
        fake = item.path.name in ("test_client.py", "test_cli.py", "test_report.py")  # their services are fakes in this process
        if in_slow_room or (starts_a_service and not fake):
            item.add_marker(pytest.mark.slow)
