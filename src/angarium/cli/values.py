"""What options hold: JSON, a file's content, standard input. Mistakes are `Invalid` and never show the value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from angarium.cli.world import World
from angarium.errors import Invalid

STDIN = "-"


def recipients(given: Sequence[str]) -> Any:
    """What the options `--to` say: each an id, or JSON. None without any."""
    found = [_json(one.encode(), "--to") if one.lstrip()[:1] in ("{", "[") else one for one in given]
    return found[0] if len(found) == 1 else found or None


def data(given: str | None, world: World) -> Raw | None:
    """JSON out of `--data`: itself, `@file` or `-`. The bytes stay as they were written."""
    if given is None:
        return None
    if given == STDIN:
        text = world.stdin.read()
    elif given.startswith("@"):
        text = content(given[1:], world, "--data")
    else:
        text = given.encode("utf-8", "surrogateescape")
    _json(text, "--data")
    return Raw(text)


def content(name: str, world: World, where: str) -> bytes:
    """A file's bytes. Raises `Invalid`."""
    try:
        return (world.directory / name).read_bytes()
    except (OSError, ValueError) as error:
        raise unreadable(where, error) from None


def unreadable(where: str, error: Exception) -> Invalid:
    """The error for a file that cannot be read."""
    why = error.strerror if isinstance(error, OSError) else "it is no file name"
    return Invalid(where, f"the file cannot be read ({why})", "name a file that is there")


def _json(text: bytes, where: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Invalid(where, "is no JSON", 'quote it for the shell, as in \'{"id": "anna"}\'') from None
