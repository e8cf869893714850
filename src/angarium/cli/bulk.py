"""Events from a file: one JSON object a line, CloudEvents or plain, handed over in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from msgspec import Raw, Struct

from angarium.cli.values import STDIN, unreadable
from angarium.cli.world import World
from angarium.client import calls
from angarium.client.answers import BadLine, Busy
from angarium.client.sync import Client

#: Events in one request, and bytes: servers take 8 MiB at once unless they are told otherwise.
BATCH, SIZE = 100, 1 << 22
#: How often a batch is tried again, and the longest wait before that in seconds.
TRIES, LONGEST = 5, 30.0
_EVENT = msgspec.json.Decoder(dict[str, Raw])

Lines = Callable[[], Iterable[bytes]]


class Item(Struct, frozen=True):
    """One event as it is written, and the line where it stands, counted from 1. `named`: it has an id."""

    line: int
    text: bytes
    named: bool


def lines(name: str, world: World) -> Lines:
    """What gives the lines of a file, or of standard input (`-`), as often as it is asked. Raises `Invalid`."""
    if name == STDIN:
        kept = world.stdin.read().splitlines()
        return lambda: kept
    path = world.directory / name
    try:
        path.open("rb").close()
    except (OSError, ValueError) as error:
        raise unreadable("--file", error) from None

    def again() -> Iterator[bytes]:
        with path.open("rb") as file:
            yield from file

    return again


def items(source: Lines, times: int | None = None) -> Iterator[Item]:
    """The events; with `times` all of them so often, the n-th time under the ids `<id>-<n>`. Raises `BadLine`."""
    for number in range(1, (times or 1) + 1):
        for line, text in enumerate(source(), 1):
            if text.strip():
                yield _item(line, text.strip(), None if times is None else number)


def batches(found: Iterable[Item], most: int = BATCH, size: int = SIZE) -> Iterator[list[Item]]:
    """Up to `most` at a time, and up to `size` bytes unless one alone is larger."""
    batch: list[Item] = []
    total = 0
    for item in found:
        if batch and (len(batch) == most or total + len(item.text) > size):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += len(item.text)
    if batch:
        yield batch


def deliver(client: Client, batch: Sequence[Item], key: str | None, pause: Callable[[float], object]) -> None:
    """Hand one batch over; a server that asks to come again is obeyed. Raises `BadLine` by the file's own count."""
    call = calls.publish_lines([item.text for item in batch], key, named=all(item.named for item in batch))
    try:
        for _ in range(TRIES):
            try:
                client.call(call)
                return
            except Busy as busy:
                pause(min(busy.after, LONGEST))
        client.call(call)
    except BadLine as bad:
        if not 0 < bad.line <= len(batch):
            raise
        raise BadLine(batch[bad.line - 1].line, bad.where, bad.problem, bad.mend) from None


def _item(line: int, text: bytes, number: int | None) -> Item:
    """Raises `BadLine` for what is no object, or has an id that cannot be continued."""
    try:
        event = _EVENT.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadLine(line, "", "is no JSON object", "write one event a line") from None
    if number is None or "id" not in event:
        return Item(line, text, "id" in event)
    try:
        name = msgspec.json.decode(event["id"], type=str)
    except msgspec.DecodeError:
        raise BadLine(line, "/id", "is not a text", "write it as a string") from None
    return Item(line, msgspec.json.encode({**event, "id": f"{name}-{number}"}), named=True)
