"""Timers: what is due later. Rows are leased, published, then deleted by id and lease."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection

from angarium.database import rows, tables
from angarium.model.ids import timer_id
from angarium.model.reasons import Priority
from angarium.model.timeline import Timer

TIMER = ("id", "tenant", "notification", "hop", "priority", "due", "lease_until", "lease_token")

_LEASE = """
UPDATE timers SET lease_until = ?, lease_token = ?
WHERE id IN (SELECT id FROM timers WHERE due <= ? AND (lease_until IS NULL OR lease_until <= ?) ORDER BY due LIMIT ?)
RETURNING id, tenant, notification, hop, priority, due, lease_until, lease_token
"""
_OVERDUE = """
UPDATE notifications SET deadline = ?
WHERE id IN (SELECT id FROM notifications WHERE status = 'running' AND deadline <= ? ORDER BY deadline LIMIT ?)
RETURNING id, tenant, priority
"""
_DELETE = "DELETE FROM timers WHERE id = ? AND lease_token = ?"
_NEXT = """
SELECT min(at) FROM (
  SELECT * FROM (SELECT due AS at FROM timers WHERE lease_until IS NULL ORDER BY due LIMIT 1)
  UNION ALL SELECT min(lease_until) FROM timers WHERE lease_until IS NOT NULL
  UNION ALL SELECT min(deadline) FROM notifications WHERE status = 'running'
)
"""


class Leased(Struct, frozen=True):
    """A due timer that is ours to publish until its lease ends. A deadline has no row: `lease` is 0."""

    id: str
    notification: str
    hop: str
    priority: Priority
    lease: int


def save(connection: Connection, timers: Sequence[Timer]) -> None:
    """Set timers; one of the same id is moved and loses its lease."""
    values = [
        (timer_id(t.subject, t.hop), t.tenant, t.notification, t.hop, t.priority.value, t.due, None, 0) for t in timers
    ]
    rows.store(connection, tables.timers, TIMER, values, ("due", "lease_until", "lease_token"))


def lease(connection: Connection, now: float, seconds: float, limit: int) -> list[Leased]:
    """Up to `limit` due timers, ours for `seconds`; and open notifications that were not looked at for too long."""
    token = int(now * 1_000_000)
    due = connection.exec_driver_sql(_LEASE, (now + seconds, token, now, now, limit)).all()
    found = [Leased(row[0], row[2], row[3], Priority(row[4]), token) for row in due]
    if len(found) < limit:
        overdue = connection.exec_driver_sql(_OVERDUE, (now + 900.0, now, limit - len(found))).all()
        found += [Leased(timer_id(r[0], "deadline"), r[0], "deadline", Priority(r[2]), 0) for r in overdue]
    return found


def delete(connection: Connection, leased: Sequence[tuple[str, int]]) -> None:
    """Remove published timers by (id, lease): one that was set again meanwhile stays."""
    if leased:
        connection.exec_driver_sql(_DELETE, list(leased))


def next_due(connection: Connection) -> float | None:
    """When something will be due, Unix seconds; None when nothing waits."""
    value: float | None = connection.exec_driver_sql(_NEXT).scalar()
    return value


def oldest_due(connection: Connection, now: float) -> float:
    """How late the latest timer is, in seconds."""
    due: float | None = connection.exec_driver_sql("SELECT min(due) FROM timers").scalar()
    return max(0.0, now - due) if due is not None else 0.0


def release_all(connection: Connection) -> None:
    """Drop every lease: the only process that could hold one is gone."""
    connection.exec_driver_sql("UPDATE timers SET lease_until = NULL WHERE lease_until IS NOT NULL")
