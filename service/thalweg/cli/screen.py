"""Where words go: results to stdout, progress and complaints to stderr; rich on a terminal, plain lines in a pipe."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from thalweg.errors import InvalidSpec


@dataclass(frozen=True)
class Screen:
    """What a command writes to.

    Args:
        out: results.
        err: progress, hints and complaints.
        json: results are exactly one JSON object.
        quiet: no progress, no hints.
    """

    out: Console
    err: Console
    json: bool = False
    quiet: bool = False

    @classmethod
    def of(cls, args: Namespace) -> Screen:
        return cls(Console(highlight=False), Console(stderr=True, highlight=False), args.json, args.quiet)

    @property
    def rich(self) -> bool:
        """Whether results go to a terminal."""
        return self.out.is_terminal

    def object(self, content: Mapping[str, Any]) -> None:
        """The one JSON object."""
        sys.stdout.write(json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2) + "\n")
        sys.stdout.flush()

    def line(self, text: str, style: str = "") -> None:
        """A line of results, never wrapped in a pipe."""
        self._write(self.out, text, style)

    def hint(self, text: str, style: str = "") -> None:
        """A line for people beside the results."""
        if not self.quiet:
            self._write(self.err, text, style)

    def complain(self, error: Exception | str) -> None:
        """The one sentence, on stderr; as JSON too where JSON was asked for."""
        self._write(self.err, f"thalweg: {error}", "red")
        if self.json:
            field = {"field": error.field} if isinstance(error, InvalidSpec) else {}
            kind = type(error).__name__ if isinstance(error, Exception) else "Interrupted"
            self.object({"error": {"kind": kind, **field, "sentence": str(error)}})

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
        """A table; in a pipe, a line of tab-separated cells per row."""
        if not self.rich:
            for row in rows:
                self.line("\t".join(row))
            return
        table = Table(*columns, title=title or None, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
        for row in rows:
            table.add_row(*map(escape, row))
        self.out.print(table)

    def _write(self, console: Console, text: str, style: str) -> None:
        if console.is_terminal:
            console.print(escape(text), style=style or None)
        else:
            console.file.write(text + "\n")
            console.file.flush()
