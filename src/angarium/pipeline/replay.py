"""Replay: a dead letter goes back to where it came from, byte for byte, once its cause is mended.

Publish, then mark: after a crash in between it may be published twice. That is harmless, since every handler knows
what it has seen.
"""

from __future__ import annotations

from msgspec import Struct

from angarium.database import replay as letters
from angarium.database.engine import Database
from angarium.ports.broker import Broker, Record
from angarium.ports.clock import Clock


class Replayed(Struct, frozen=True, tag_field="result", tag="replayed"):
    """It is on `topic` again since `at` (Unix seconds)."""

    id: str
    topic: str
    at: float


class AlreadyReplayed(Struct, frozen=True, tag_field="result", tag="already_replayed"):
    """Nothing was published: it went back at `at` (Unix seconds) already. `again=True` insists."""

    id: str
    at: float


class NotFound(Struct, frozen=True, tag_field="result", tag="not_found"):
    """The tenant has no such letter."""

    id: str


async def replay(
    broker: Broker,
    database: Database,
    clock: Clock,
    id: str,  # noqa: A002 (the word of every interface)
    *,
    tenant: str,
    again: bool = False,
) -> Replayed | AlreadyReplayed | NotFound:
    """Publish the letter's bytes under their topic and key. Raises `Unavailable`, or `Refused` by the broker."""
    letter = await database.read(letters.letter, tenant, id)
    if letter is None:
        return NotFound(id)
    if letter.replayed is not None and not again:
        return AlreadyReplayed(id, letter.replayed)
    await broker.publish([Record(letter.topic, letter.key, letter.value)])
    now = clock.now()
    await database.write(letters.mark_replayed, id, now)
    return Replayed(id, letter.topic, now)
