"""The outbox: the exact bytes a decision publishes, one row a source partition and batch; and how far roles are."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from angarium.database import rows, tables
from angarium.ports.broker import Record

Key = tuple[str, int, int]
_OUTBOX = ("topic", "partition", "first_offset", "bytes", "created")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Record, ...])
_DELETE = 'DELETE FROM outbox WHERE topic = ? AND "partition" = ? AND first_offset = ?'
_OLD = 'SELECT topic, "partition", first_offset, bytes FROM outbox WHERE created <= ? ORDER BY created'
_RAISE = """
INSERT INTO positions (role, topic, "partition", "offset") VALUES (?, ?, ?, ?)
ON CONFLICT (role, topic, "partition") DO UPDATE SET "offset" = max("offset", excluded."offset")
"""


class Parcel(Struct, frozen=True):
    """What one batch publishes; `key` is (topic, partition, first offset) of the batch."""

    key: Key
    records: tuple[Record, ...]
    created: float


def save(connection: Connection, parcels: Sequence[Parcel]) -> None:
    """Keep the bytes until they are published."""
    values = [(*p.key, _encode(p.records), p.created) for p in parcels]
    rows.store(connection, tables.outbox, _OUTBOX, values, ("bytes", "created"))


def delete(connection: Connection, keys: Sequence[Key]) -> None:
    """They are published."""
    if keys:
        connection.exec_driver_sql(_DELETE, list(keys))


def older(connection: Connection, than: float) -> list[Parcel]:
    """Parcels of before `than` (Unix seconds): their publisher is late or dead, and a repeat is harmless."""
    found = connection.exec_driver_sql(_OLD, (than,)).all()
    return [Parcel((row[0], row[1], row[2]), _decode.decode(row[3]), than) for row in found]


def save_positions(connection: Connection, positions: Sequence[tuple[str, str, int, int]]) -> None:
    """(role, topic, partition, offset): decided up to here. Only ever raised."""
    if positions:
        connection.exec_driver_sql(_RAISE, list(positions))
