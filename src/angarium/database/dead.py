"""Dead letters: records no worker could handle, with their bytes and the reason."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection

from angarium.database import rows, tables
from angarium.model.reasons import Reason

DEAD = ("id", "tenant", "topic", "partition", "offset", "key", "value", "reason", "detail", "at", "replayed")


class DeadLetter(Struct, frozen=True, kw_only=True):
    """`id` is derived from the record's place; `detail` says what went wrong and holds none of the data."""

    id: str
    tenant: str
    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    reason: Reason
    detail: str
    at: float
    replayed: float | None = None


def save(connection: Connection, letters: Sequence[DeadLetter]) -> None:
    """A record dies once."""
    values = [tuple(getattr(x, name) for name in DEAD) for x in letters]
    rows.store(connection, tables.dead, DEAD, values)
