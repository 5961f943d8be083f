"""The house in numbers: rooms, floors, circles of imports, sizes, and where code asks what kind of landscape it has.

    python -m tools.house

A room is a folder directly inside a package, or a file directly inside it. A room stands one floor above the highest room
that it imports from. Exit status 1: there is a circle of files or of rooms, a package has more floors than it may have, or code
asks a landscape, a method or a problem what kind it is.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {
    "thalweg_core": "core/thalweg_core",
    "thalweg_vqe": "vqe/thalweg_vqe",
    "thalweg_physics": "physics/thalweg_physics",
    "thalweg.server": "service/thalweg/server",
}
MOST_FLOORS = 8
_ASKED_FOR = ("landscape", "kernel", "method", "problem", "inner")  # names of variables that hold a landscape, method or problem

Graph = Mapping[str, frozenset[str]]
"""Of each node, those that it imports from."""


@dataclass(frozen=True)
class Package:
    """One package, read from its source.

    Args:
        name: as it is imported.
        files: of each module, its syntax tree and its text.
    """

    name: str
    files: Mapping[str, tuple[ast.Module, str]]

    @classmethod
    def read(cls, name: str, folder: Path) -> Package:
        files = {}
        for path in sorted(folder.rglob("*.py")):
            inside = path.relative_to(folder).with_suffix("").parts
            module = ".".join((name, *(part for part in inside if part != "__init__")))
            text = path.read_text()
            files[module] = ast.parse(text), text
        return cls(name, files)

    @cached_property
    def imports(self) -> Graph:
        """Between its files, imports inside functions included."""
        return {module: frozenset(self._imported(tree)) - {module} for module, (tree, _) in self.files.items()}

    def _imported(self, tree: ast.Module) -> Iterator[str]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                named = [f"{node.module}.{alias.name}" for alias in node.names]
                named = [name if name in self.files else node.module for name in named]
            else:
                continue
            yield from (name for name in named if name in self.files)

    @cached_property
    def rooms(self) -> Graph:
        """Between its rooms; the package's own `__init__` is none."""
        rooms: dict[str, set[str]] = {}
        for module, imported in self.imports.items():
            if module != self.name:
                found = rooms.setdefault(self._room(module), set())
                found |= {self._room(other) for other in imported if other != self.name} - {self._room(module)}
        return {room: frozenset(others) for room, others in rooms.items()}

    def _room(self, module: str) -> str:
        return module.removeprefix(f"{self.name}.").partition(".")[0]

    def floors(self) -> int:
        """0 where the rooms have a circle."""
        floor: dict[str, int] = {}
        try:
            for room in TopologicalSorter(self.rooms).static_order():
                floor[room] = 1 + max((floor[other] for other in self.rooms[room]), default=0)
        except CycleError:
            return 0
        return max(floor.values(), default=0)

    def functions(self) -> list[int]:
        """Lines of each function and method."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        nodes = (node for tree, _ in self.files.values() for node in ast.walk(tree) if isinstance(node, kinds))
        return [(node.end_lineno or node.lineno) - node.lineno + 1 for node in nodes]

    def questions(self) -> list[str]:
        """Where a landscape, a method or a problem is asked what kind it is, by `isinstance`, `hasattr` or a `getattr` with a
        default: "module:line"."""
        found = []
        for module, (tree, _) in self.files.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and _asks(node):
                    of = ast.unparse(node.args[0]).rpartition(".")[2]
                    if of in _ASKED_FOR:
                        found.append(f"{module}:{node.lineno}")
        return found


def _asks(call: ast.Call) -> bool:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    return name in ("isinstance", "hasattr") or (name == "getattr" and len(call.args) == 3)


def circle(graph: Graph) -> list[str]:
    """A circle of the graph, its first node again at the end; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def main() -> int:
    print(_row("package", "files", "rooms", "floors", "file: median, most", "function", "questions", "circles"))
    wrong = 0
    for name, folder in PACKAGES.items():
        package = Package.read(name, ROOT / folder)
        sizes = [len(text.splitlines()) for _, text in package.files.values() if text.strip()]
        functions, floors = package.functions(), package.floors()
        circles = [found for found in (circle(package.imports), circle(package.rooms)) if found]
        lines = f"{statistics.median(sizes):.0f}, {max(sizes)}"
        longest = f"{statistics.median(functions):.0f}, {max(functions)}"
        shown = "; ".join(" → ".join(found) for found in circles) or "none"
        print(_row(name, len(sizes), len(package.rooms), floors, lines, longest, len(package.questions()), shown))
        wrong += bool(circles) or floors > MOST_FLOORS
        for question in package.questions():
            wrong += 1
            print(f"{question}: landscapes, methods and problems are asked by `offer`, or have a default")
    return int(wrong > 0)


def _row(*cells: object) -> str:
    widths = (16, -6, -6, -7, -19, -11, -10, 8)
    return "  ".join(f"{cell!s:{'>' if width < 0 else '<'}{abs(width)}}" for cell, width in zip(cells, widths, strict=True))


if __name__ == "__main__":
    sys.exit(main())
