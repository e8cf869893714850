"""What explaining reads: an event with its runs, and notifications with all that is known of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection

from angarium.database import rows, tables
from angarium.database.dead import DEAD, DeadLetter
from angarium.database.ledger import TIMELINE
from angarium.database.replay import read_letter
from angarium.database.runs import EVENT, RUN, EventRow, read_run
from angarium.model.notification import Run
from angarium.model.reasons import Outcome, Reason
from angarium.model.timeline import Line


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


_EVENTS = f"SELECT {_names(EVENT)} FROM events WHERE tenant = ? AND id = ?"  # noqa: S608
_RUNS = f"SELECT {_names(RUN)} FROM runs WHERE tenant = ? AND source = ? AND event_id = ? ORDER BY workflow"  # noqa: S608
_OF_USER = "SELECT id FROM notifications WHERE tenant = ? AND user = ?"
# The plus hides the column from SQLite's planner, which would go through a whole tenant instead of a narrower index.
_OF_ALL = "SELECT id FROM notifications WHERE +tenant = ?"
_BURIED = f"""
SELECT {_names(DEAD)} FROM dead WHERE tenant = ? AND topic LIKE '%.events.%' AND instr(value, CAST(? AS BLOB)) > 0
ORDER BY at LIMIT ?
"""  # noqa: S608
_TIMERS = """
SELECT n.value, t.hop, t.due FROM json_each(?) AS n JOIN timers AS t ON t.id > n.value || '/' AND t.id < n.value || '0'
"""


def events(connection: Connection, tenant: str, id: str, source: str | None) -> list[EventRow]:  # noqa: A002
    """The events of this id: one a source, or that of `source` alone."""
    narrower = (" AND source = ?", (source,)) if source is not None else ("", ())
    found = connection.exec_driver_sql(_EVENTS + narrower[0], (tenant, id, *narrower[1])).all()
    return [EventRow(**{**dict(zip(EVENT, row, strict=True)), "outcome": Outcome(row[5])}) for row in found]


def runs_of(connection: Connection, event: EventRow) -> list[Run]:
    """The runs of one event, by workflow."""
    found = connection.exec_driver_sql(_RUNS, (event.tenant, event.source, event.id)).all()
    return [read_run(tuple(row)) for row in found]


def newest(
    connection: Connection,
    tenant: str,
    limit: int,
    *,
    user: str | None = None,
    runs: Iterable[str] | None = None,
    notification: str | None = None,
) -> list[str]:
    """Ids of a tenant's notifications, newest first, that fit all that is given."""
    query, values = (_OF_ALL, [tenant]) if user is None else (_OF_USER, [tenant, user])
    if runs is not None:
        query += " AND run IN (SELECT value FROM json_each(?))"
        values.append(msgspec.json.encode(list(runs)).decode())
    if notification is not None:
        query += " AND id = ?"
        values.append(notification)
    found = connection.exec_driver_sql(f"{query} ORDER BY id DESC LIMIT ?", (*values, limit)).all()
    return [row[0] for row in found]


def lines(connection: Connection, notifications: Iterable[str]) -> dict[str, list[Line]]:
    """The timelines by notification, in no order."""
    found: dict[str, list[Line]] = {}
    for row in rows.fetch(connection, tables.timeline, TIMELINE, "notification", notifications):
        fields = dict(zip(TIMELINE, row, strict=True))
        fields["reason"] = Reason(fields["reason"]) if fields["reason"] else None
        found.setdefault(row[0], []).append(Line(**fields))
    return found


def timers(connection: Connection, subjects: Iterable[str]) -> dict[str, dict[str, float]]:
    """By subject, a notification or a delivery: what it waits for, as hop and due time (Unix seconds)."""
    wanted = msgspec.json.encode(list(subjects)).decode()
    found: dict[str, dict[str, float]] = {}
    for name, hop, due in connection.exec_driver_sql(_TIMERS, (wanted,)).all():
        found.setdefault(name, {})[hop] = due
    return found


def buried(connection: Connection, tenant: str, text: str, limit: int) -> list[DeadLetter]:
    """Dead letters of events whose bytes hold `text`, oldest first."""
    return [read_letter(tuple(row)) for row in connection.exec_driver_sql(_BURIED, (tenant, text, limit)).all()]
