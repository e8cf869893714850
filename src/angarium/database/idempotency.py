"""Idempotency keys of the ingest: what was answered to a key, for as long as a client may ask again."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import Connection

_FIND = "SELECT body_hash, events FROM idempotency WHERE tenant = ? AND key = ? AND expires > ?"
_SAVE = """
INSERT INTO idempotency (tenant, key, body_hash, events, expires) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (tenant, key) DO UPDATE SET body_hash = excluded.body_hash, events = excluded.events,
expires = excluded.expires WHERE idempotency.expires <= ?
"""


class Remembered(Struct, frozen=True):
    """The hash of the body that came with the key, and the answer's bytes."""

    body_hash: bytes
    events: bytes


def find(connection: Connection, tenant: str, key: str, now: float) -> Remembered | None:
    """What is remembered of a key; None when it is new or forgotten."""
    row = connection.exec_driver_sql(_FIND, (tenant, key, now)).first()
    return Remembered(row[0], row[1]) if row else None


def save(connection: Connection, tenant: str, key: str, remembered: Remembered, now: float, seconds: float) -> None:
    """Remember for `seconds`; a key that is remembered already stays as it is."""
    values = (tenant, key, remembered.body_hash, remembered.events, now + seconds, now)
    connection.exec_driver_sql(_SAVE, values)
