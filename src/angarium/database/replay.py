"""Dead letters as an operator reads them, and the mark of those that were published again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from angarium.database import rows, tables
from angarium.database.dead import DEAD, DeadLetter
from angarium.model.reasons import Reason

_LIST = """
SELECT id, topic, "partition", "offset", key, length(value), reason, detail, at, replayed FROM dead
WHERE tenant = ? AND (? IS NULL OR (at, id) < (SELECT at, id FROM dead WHERE tenant = ? AND id = ?))
ORDER BY at DESC, id DESC LIMIT ?
"""
_MARK = "UPDATE dead SET replayed = ? WHERE id = ?"


class Listed(Struct, frozen=True, kw_only=True):
    """A dead letter without its bytes, of which only the number is told (`size`). Times are Unix seconds."""

    id: str
    topic: str
    partition: int
    offset: int
    key: str
    size: int
    reason: Reason
    detail: str
    at: float
    replayed: float | None


def list_dead(connection: Connection, tenant: str, limit: int, after: str | None = None) -> list[Listed]:
    """Up to `limit` letters of a tenant, newest first, from below the letter `after` on; none below a foreign one."""
    found = connection.exec_driver_sql(_LIST, (tenant, after, tenant, after, limit)).all()
    return [
        Listed(
            id=row[0],
            topic=row[1],
            partition=row[2],
            offset=row[3],
            key=row[4],
            size=row[5],
            reason=Reason(row[6]),
            detail=row[7],
            at=row[8],
            replayed=row[9],
        )
        for row in found
    ]


def letter(connection: Connection, tenant: str, id: str) -> DeadLetter | None:  # noqa: A002
    """The whole letter, bytes and all; None when the tenant has no such one."""
    for row in rows.fetch(connection, tables.dead, DEAD, "id", [id]):
        found = read_letter(row)
        if found.tenant == tenant:
            return found
    return None


def read_letter(row: Sequence[Any]) -> DeadLetter:
    """The struct of a row in the order of `DEAD`."""
    fields = dict(zip(DEAD, row, strict=True))
    return DeadLetter(**{**fields, "reason": Reason(fields["reason"])})


def mark_replayed(connection: Connection, id: str, now: float) -> None:  # noqa: A002
    """It was published again at `now` (Unix seconds)."""
    connection.exec_driver_sql(_MARK, (now, id))
