"""The command line. Nothing is imported before it is needed, so that `--version` takes no time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from angarium.__about__ import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0 done, 1 what was asked for failed, 2 it was asked wrongly."""
    tokens = list(sys.argv[1:] if argv is None else argv)
    if tokens[:1] in (["--version"], ["-V"]):
        sys.stdout.write(f"angarium {__version__}\n")
        return 0
    program = import_module("angarium.cli.program")
    code: int = program.run(tokens, program.here())
    return code
