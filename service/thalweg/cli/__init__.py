"""The command line `thalweg`. Exit codes: 0 done, 1 the job or the service failed, 2 bad input, 130 detached by Ctrl-C."""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; never ends in a traceback, unless THALWEG_DEBUG=1 asks for it."""
    from thalweg.cli.arguments import parser
    from thalweg.cli.outcome import guarded

    return guarded(parser().parse_args(argv))
