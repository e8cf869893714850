"""What every command is handed: the environment, the streams, the time, and the options they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TextIO

import msgspec
from cyclopts import Parameter
from msgspec import Struct
from rich.console import Console, RenderableType
from rich.table import Table

from angarium.client.sync import Client
from angarium.config import local
from angarium.config.local import Server
from angarium.errors import Misconfigured

#: Columns where nobody looks: a pipe or a file wants whole lines.
UNBOUNDED = 200


class World(Struct, frozen=True, kw_only=True):
    """The process around a command. `elapsed` is in seconds and never steps back; `pause` waits for seconds."""

    environ: Mapping[str, str]
    out: TextIO
    err: TextIO
    stdin: BinaryIO
    directory: Path
    elapsed: Callable[[], float]
    pause: Callable[[float], object]

    def console(self, *, errors: bool = False) -> Console:
        """For people. Data is never read as markup."""
        stream = self.err if errors else self.out
        return Console(
            file=stream,
            width=None if stream.isatty() else UNBOUNDED,
            no_color=True if self.environ.get("NO_COLOR") else None,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def document(self, value: Any) -> None:
        """For machines: one JSON document on one line, indented where a person looks."""
        text = msgspec.json.encode(value)
        self.out.write((msgspec.json.format(text) if self.out.isatty() else text).decode() + "\n")
        self.out.flush()


#: A command's own view of the world; it is no option.
Surroundings = Annotated[World, Parameter(parse=False)]


@Parameter(name="*")
@dataclass(frozen=True)
class Options:
    """Options of every command that talks to a server."""

    json: Annotated[bool, Parameter(negative="")] = False
    """Print JSON instead of text."""
    url: str | None = None
    """The server; else ANGARIUM_URL, else the one that runs on this machine. The key is ANGARIUM_KEY."""


OPTIONS = Options()


def server(world: World, options: Options) -> Server:
    """The server that is meant. Raises `Misconfigured` when there is none."""
    found = local.server({"url": options.url}, world.environ)
    if found is None:
        mend = "no server runs on this machine: start `angarium run`, or set ANGARIUM_URL and ANGARIUM_KEY"
        raise Misconfigured("url", "--url, ANGARIUM_URL or local.json", mend)
    return found


def client(world: World, options: Options) -> Client:
    """A client for the server that is meant. Raises `Misconfigured`, or `Invalid` for a key that is none."""
    found = server(world, options)
    return Client(found.url, found.key)


def answer(world: World, options: Options, document: Any, shown: RenderableType) -> int:
    """The same for machines or for people, as it was asked; the exit code of what is done."""
    if options.json:
        world.document(document)
    else:
        # Lines are not broken: whoever cuts or copies them wants them whole. Tables fit the width by themselves.
        world.console().print(shown, soft_wrap=not isinstance(shown, Table))
    return 0
