"""Where words go: results to stdout, progress and complaints to stderr; rich on a terminal, plain lines in a pipe.

Control characters that came in with a name are written out, never obeyed.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from thalweg.cli import interrupts
from thalweg.errors import InvalidSpec, ThalwegError
from thalweg.visible import visible

_BARE_IN_JSON = re.compile(r"[\x7f-\x9f\ud800-\udfff]")  # what json leaves as it is, and a terminal or UTF-8 does not


class Unwritable(ThalwegError):
    """Nothing more can be written to stdout."""

    @classmethod
    def because(cls, error: OSError) -> Unwritable:
        silence(1)
        return cls(f"the results cannot be written to standard output: {error.strerror}")


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
    def of(cls, json: bool, quiet: bool = False) -> Screen:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")  # a terminal that lacks ± still gets the number
        return cls(Console(highlight=False), Console(stderr=True, highlight=False), json, quiet)

    @property
    def rich(self) -> bool:
        """Whether results go to a terminal."""
        return self.out.is_terminal

    def object(self, content: Mapping[str, Any]) -> None:
        """The one JSON object, and the last thing that is said."""
        interrupts.no_more()
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2)
        self._result(_BARE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text))

    def line(self, text: str, style: str = "") -> None:
        """A line of results, never wrapped in a pipe."""
        self._result(visible(text), style)

    def hint(self, text: str, style: str = "") -> None:
        """A line for people beside the results."""
        if not self.quiet:
            self.note(text, style)

    def note(self, text: str, style: str = "") -> None:
        """A line for people, however quiet; nobody is hurt where it cannot be written."""
        try:
            _write(self.err, visible(text), style)
        except OSError:
            silence(2)

    @contextmanager
    def warnings(self) -> Iterator[None]:
        """Meanwhile what the client logs, of a service that does not answer for one, is a note."""
        handler, log = _Notes(self), logging.getLogger("thalweg.client")
        log.addHandler(handler)
        propagate, log.propagate = log.propagate, False
        try:
            yield
        finally:
            log.propagate = propagate
            log.removeHandler(handler)

    def complain(self, error: Exception | str) -> None:
        """The one sentence, on stderr; as JSON too where JSON was asked for."""
        self.note(f"thalweg: {error}", "red")
        if self.json:
            field = {"field": error.field} if isinstance(error, InvalidSpec) else {}
            kind = type(error).__name__ if isinstance(error, Exception) else "Interrupted"
            try:
                self.object({"error": {"kind": kind, **field, "sentence": str(error)}})
            except (Unwritable, BrokenPipeError):
                silence(1)

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        title: str = "",
        whole: Collection[str] = (),
        headed: bool = False,
    ) -> None:
        """A table; in a pipe, a line of tab-separated cells per row, those at the end left out where they are empty.

        Args:
            whole: columns that are never cut; where the terminal is too narrow, the others are, and nothing is wrapped.
            headed: whether a pipe is told the columns' names too; lists, of which programs cut a column, are not.
        """
        cells = [[visible(cell) for cell in row] for row in rows]
        if not self.rich:
            for row in [columns, *cells] if headed else cells:
                self._result("\t".join(row).rstrip("\t"))
            return
        table = Table(
            title=title or None, title_justify="left", title_style="bold", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False
        )
        for column in columns:
            table.add_column(column, no_wrap=column in whole)
        for row in cells:
            table.add_row(*(Text(cell, no_wrap=bool(whole), overflow="ellipsis" if whole else "fold") for cell in row))
        self.out.print(table)

    def _result(self, text: str, style: str = "") -> None:
        try:
            _write(self.out, text, style)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Unwritable.because(error) from error


def _write(console: Console, text: str, style: str) -> None:
    if console.is_terminal:
        console.print(escape(text), style=style or None)
    else:
        console.file.write(text + "\n")
        console.file.flush()


class _Notes(logging.Handler):
    """Log records as notes on a screen."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(logging.WARNING)
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        self._screen.note(f"thalweg: {record.getMessage()}", "yellow")


def silence(descriptor: int) -> None:
    """Let what is still in the buffer of stdout (1) or stderr (2) go nowhere, or Python would complain of it at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
