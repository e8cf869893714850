"""The command line as somebody sees it: words in, text and an exit code out. Time passes only when it waits."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from angarium.cli import program
from angarium.cli.world import World

KEY = "ang_live_canary"


class Ran(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document."""
        return msgspec.json.decode(self.out)

    @property
    def lines(self) -> list[Any]:
        """JSON, a document a line."""
        return [msgspec.json.decode(line) for line in self.out.splitlines()]


class Shell:
    """Runs commands against the server at `url`."""

    def __init__(self, directory: Path, url: str = "", environ: Mapping[str, str] | None = None) -> None:
        known = {"ANGARIUM_URL": url, "ANGARIUM_KEY": KEY} if url else {}
        self.environ = {"XDG_STATE_HOME": str(directory / "state"), **known, **(environ or {})}
        self.directory, self.now, self.pauses = directory, 100.0, list[float]()

    def run(self, *words: str, stdin: bytes = b"") -> Ran:
        """One command, to its end."""
        out, err = io.StringIO(), io.StringIO()
        code = program.run(words, self.world(out, err, stdin))
        return Ran(code, out.getvalue(), err.getvalue())

    def world(self, out: io.StringIO, err: io.StringIO, stdin: bytes = b"") -> World:
        """What a command is handed."""
        return World(
            environ=self.environ,
            out=out,
            err=err,
            stdin=io.BytesIO(stdin),
            directory=self.directory,
            elapsed=lambda: self.now,
            pause=self._pause,
        )

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
