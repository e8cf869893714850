"""Cancels: a row that the Dispatcher and every last look read, and timers that make the Dispatcher look at once."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from sqlalchemy import Connection

from angarium.database import rows, tables, timers
from angarium.model.reasons import Priority, Reason
from angarium.model.timeline import Timer

CANCEL = ("tenant", "scope", "id", "reason", "by", "at")
Scope = Literal["notification", "run"]

_SUBJECT = {
    "notification": "SELECT id FROM notifications WHERE tenant = ? AND id = ?",
    "run": "SELECT id FROM runs WHERE tenant = ? AND id = ?",
}
_OPEN = {
    "notification": "SELECT id, priority FROM notifications WHERE tenant = ? AND id = ? AND status = 'running'",
    "run": "SELECT id, priority FROM notifications WHERE tenant = ? AND run = ? AND status = 'running'",
}


class Cancelled(Struct, frozen=True):
    """What was cancelled, and how many notifications of it were still open."""

    id: str
    open: int


def cancel(connection: Connection, tenant: str, scope: Scope, subject: str, by: str, now: float) -> Cancelled | None:
    """Cancel a notification or a run of this tenant; None when there is none. Once more has no further effect.

    A run's notifications that its ledger does not hold yet are cancelled when they start: the row waits for them.
    `by` is the id of the key that asked, `now` Unix seconds.
    """
    if connection.exec_driver_sql(_SUBJECT[scope], (tenant, subject)).first() is None:
        return None
    rows.store(connection, tables.cancels, CANCEL, [(tenant, scope, subject, Reason.cancelled.value, by, now)])
    found = connection.exec_driver_sql(_OPEN[scope], (tenant, subject)).all()
    timers.save(connection, [_poke(tenant, row[0], Priority(row[1]), now) for row in found])
    return Cancelled(subject, len(found))


def _poke(tenant: str, notification: str, priority: Priority, now: float) -> Timer:
    """Due at once: all that it says is "look again"."""
    return Timer(subject=notification, hop="poke", tenant=tenant, notification=notification, priority=priority, due=now)
