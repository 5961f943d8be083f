"""What the table of the house is made of, on packages of a few lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools.house import PACKAGES, ROOT, Package, circle


def package(folder: Path, **files: str) -> Package:
    """Files by path, with __ for /."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Package.read("house", folder)


def test_floors_are_the_longest_way_down(tmp_path: Path) -> None:
    cellar, ground = "import math\n", "from house.cellar import x\n"
    found = package(
        tmp_path, cellar=cellar, ground=ground, roof__tiles="from house import ground\n", shed="import house.cellar\n"
    )
    assert found.rooms == {"cellar": frozenset(), "ground": {"cellar"}, "roof": {"ground"}, "shed": {"cellar"}}
    assert found.floors() == 3 and not circle(found.imports) and not circle(found.rooms)


def test_a_circle_is_found_inside_a_function_and_between_rooms(tmp_path: Path) -> None:
    hidden = package(tmp_path / "a", one="from house.two import f\n", two="def f():\n    from house import one\n")
    assert set(circle(hidden.imports)) == {"house.one", "house.two"} and hidden.floors() == 0
    rooms = package(tmp_path / "b", a__x="from house.b.y import f\n", b__y="", b__z="from house.a import w\n", a__w="")
    assert not circle(rooms.imports) and set(circle(rooms.rooms)) == {"a", "b"}


def test_questions_about_kinds_are_counted(tmp_path: Path) -> None:
    asks = "isinstance(self.landscape, Metric)\nhasattr(method, 'x')\nisinstance(error, OSError)\n"
    asks += "getattr(problem, 'scale', 1.0)\ngetattr(problem, name)\n"
    assert package(tmp_path, asks=asks).questions() == ["house.asks:1", "house.asks:2", "house.asks:4"]


@pytest.mark.parametrize("name", PACKAGES)
def test_every_package_is_where_the_table_looks(name: str) -> None:
    assert len(Package.read(name, ROOT / PACKAGES[name]).files) > 20
