"""API keys: an id that finds the row, and a keyed hash of the whole text. The text itself is kept nowhere."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import Connection

from angarium.database import rows, tables

KEY = tuple(column.name for column in tables.keys.columns)

_REVOKE = "UPDATE keys SET revoked = ? WHERE tenant = ? AND id = ? AND revoked IS NULL"
_USED = "UPDATE keys SET used = ? WHERE id = ?"


class Key(Struct, frozen=True, kw_only=True):
    """A key as it is stored. `hash` is HMAC-SHA-256 of its text; times are Unix seconds, None means never."""

    id: str
    tenant: str
    name: str
    hash: bytes
    scopes: frozenset[str]
    created: float
    expires: float | None = None
    revoked: float | None = None
    used: float | None = None


def create(connection: Connection, key: Key) -> None:
    """Store a key. One of the same id is replaced, which the key of a local run makes use of."""
    fields = {name: getattr(key, name) for name in KEY} | {"scopes": " ".join(sorted(key.scopes))}
    rows.store(connection, tables.keys, KEY, [tuple(fields[name] for name in KEY)], KEY[1:])


def find(connection: Connection, key: str) -> Key | None:
    """The key of this id, revoked or expired ones too; None when there is none."""
    for row in rows.fetch(connection, tables.keys, KEY, "id", [key]):
        fields = dict(zip(KEY, row, strict=True))
        return Key(**{**fields, "scopes": frozenset(fields["scopes"].split())})
    return None


def revoke(connection: Connection, tenant: str, key: str, now: float) -> Key | None:
    """End a key of this tenant and tell what it was. The first time counts; None when the tenant has no such key."""
    found = find(connection, key)
    if found is None or found.tenant != tenant:
        return None
    connection.exec_driver_sql(_REVOKE, (now, tenant, key))
    return found


def touch(connection: Connection, key: str, now: float) -> None:
    """It was used at `now` (Unix seconds)."""
    connection.exec_driver_sql(_USED, (now, key))
