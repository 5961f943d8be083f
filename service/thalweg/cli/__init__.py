"""The command line `thalweg`. Exit codes: 0 done, 1 the job or the service failed, 2 bad input, 130 detached by Ctrl-C."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from thalweg.cli import interrupts


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; never ends in a traceback, unless THALWEG_DEBUG=1 asks for it."""
    words = sys.argv[1:] if argv is None else list(argv)
    if argv is None:
        interrupts.while_loading(words)
    from thalweg.cli.arguments import parser  # takes a good part of a second
    from thalweg.cli.outcome import guarded

    interrupts.once_loaded()
    code = guarded(parser(), words)
    interrupts.no_more()
    return code
