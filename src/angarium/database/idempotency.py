"""Idempotency keys of the ingest: which body came with a key, and what was answered, while a client may ask again."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import Connection

_FORGET = "DELETE FROM idempotency WHERE tenant = ? AND key = ? AND expires <= ?"
_RESERVE = "INSERT INTO idempotency (tenant, key, body_hash, expires) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_FIND = "SELECT body_hash, events FROM idempotency WHERE tenant = ? AND key = ?"
_ANSWER = "UPDATE idempotency SET events = ? WHERE tenant = ? AND key = ?"


class Remembered(Struct, frozen=True):
    """The hash of the first body that came with the key, and the answer's bytes; None while there is no answer."""

    body_hash: bytes
    events: bytes | None


def reserve(connection: Connection, tenant: str, key: str, body_hash: bytes, now: float, seconds: float) -> Remembered:
    """Take the key for this body, for `seconds`, unless another has it: what is remembered of it either way."""
    connection.exec_driver_sql(_FORGET, (tenant, key, now))
    connection.exec_driver_sql(_RESERVE, (tenant, key, body_hash, now + seconds))
    row = connection.exec_driver_sql(_FIND, (tenant, key)).one()
    return Remembered(row[0], row[1])


def answer(connection: Connection, tenant: str, key: str, events: bytes) -> None:
    """Its events are stored: this is what was answered."""
    connection.exec_driver_sql(_ANSWER, (events, tenant, key))
