"""The in-app inbox: one row a delivery, so a second write has no second effect."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from angarium.database import rows, tables
from angarium.model.message import Item

INBOX = ("delivery", "tenant", "user", "title", "body", "url", "data", "created")


def store(connection: Connection, items: Sequence[Item], now: float) -> None:
    """Put items into their users' inboxes; one that is there already stays as it is. `now` is Unix seconds."""
    values = [(i.id, i.tenant, i.user, i.title, i.body, i.url, msgspec.json.encode(i.data), now) for i in items]
    rows.store(connection, tables.inbox, INBOX, values)
