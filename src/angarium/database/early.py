"""Facts that came before their notification's `started`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from angarium.database import rows, tables

EARLY = ("notification", "fact", "bytes", "at")


def save(connection: Connection, facts: Sequence[tuple[str, str, bytes, float]]) -> None:
    """(notification, fact identity, record value, Unix seconds)."""
    rows.store(connection, tables.early, EARLY, facts)


def of(connection: Connection, notifications: Iterable[str]) -> list[tuple[str, bytes]]:
    """(notification, record value) of all that waits for these notifications."""
    found = rows.fetch(connection, tables.early, ("notification", "bytes"), "notification", notifications)
    return [(row[0], row[1]) for row in found]


def delete(connection: Connection, notifications: Iterable[str]) -> None:
    """They were applied."""
    rows.remove(connection, tables.early, "notification", notifications)
