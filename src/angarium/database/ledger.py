"""The ledger: notifications, deliveries and their timeline. Written by the Dispatcher alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Raw
from sqlalchemy import Connection

from angarium.database import rows, tables
from angarium.model.delivery import Delivery
from angarium.model.notification import Notification
from angarium.model.reasons import Priority, Progress, Reason, Status
from angarium.model.timeline import Line
from angarium.model.user import Address

NOTIFICATION = tuple(column.name for column in tables.notifications.columns)
DELIVERY = tuple(column.name for column in tables.deliveries.columns)
TIMELINE = ("notification", "fact", "tenant", "at", "kind", "delivery", "reason", "detail")
_PROGRESS = ("step", "due", "status", "reason", "ended", "deadline")
_STANDING = ("account", "status", "try", "token", "reason", "reference", "due", "sent", "ended", "deadline", "version")
_address = msgspec.json.Decoder(Address)
_encode = msgspec.json.Encoder().encode


def notifications(connection: Connection, ids: Iterable[str]) -> dict[str, Notification]:
    """By id."""
    found = rows.fetch(connection, tables.notifications, NOTIFICATION, "id", ids)
    return {row[0]: _notification(row) for row in found}


def deliveries(connection: Connection, notifications: Iterable[str]) -> dict[str, dict[str, Delivery]]:
    """By notification, then by id."""
    found: dict[str, dict[str, Delivery]] = {}
    for row in rows.fetch(connection, tables.deliveries, DELIVERY, "notification", notifications):
        delivery = read_delivery(row)
        found.setdefault(delivery.notification, {})[delivery.id] = delivery
    return found


def insert_notifications(connection: Connection, new: Sequence[Notification]) -> None:
    """Those that begin; one that is there already stays as it is."""
    rows.store(connection, tables.notifications, NOTIFICATION, [_notification_row(n) for n in new])


def move_notifications(connection: Connection, changed: Sequence[Notification]) -> None:
    """Those that went on; what was pinned at the start never changes."""
    values = [(n.step, n.due, n.status.value, _word(n.reason), n.ended, n.deadline, n.id) for n in changed]
    rows.change(connection, tables.notifications, "id", _PROGRESS, values)


def insert_deliveries(connection: Connection, new: Sequence[Delivery]) -> None:
    """Those that were planned; one that is there already stays as it is."""
    rows.store(connection, tables.deliveries, DELIVERY, [_delivery_row(d) for d in new])


def move_deliveries(connection: Connection, changed: Sequence[Delivery]) -> None:
    """Those that went on; address and slot never change."""
    rows.change(connection, tables.deliveries, "id", _STANDING, [(*_standing_row(d), d.id) for d in changed])


def save_lines(connection: Connection, lines: Sequence[Line]) -> None:
    """Append to timelines; a fact told twice is one line."""
    values = [(x.notification, x.fact, x.tenant, x.at, x.kind, x.delivery, _word(x.reason), x.detail) for x in lines]
    rows.store(connection, tables.timeline, TIMELINE, values)


def read_delivery(row: Sequence[Any]) -> Delivery:
    """The struct of a row in the order of `DELIVERY`."""
    fields = dict(zip(DELIVERY, row, strict=True))
    fields["try_"] = fields.pop("try")
    fields["address"] = _address.decode(fields["address"]) if fields["address"] else None
    fields["status"] = Status(fields["status"])
    fields["reason"] = Reason(fields["reason"]) if fields["reason"] else None
    return Delivery(**fields)


def _delivery_row(d: Delivery) -> tuple[Any, ...]:
    return (
        d.id,
        d.tenant,
        d.notification,
        d.run,
        d.user,
        d.step,
        d.slot,
        d.channel,
        _encode(d.address) if d.address else None,
        d.account,
        d.status.value,
        d.try_,
        d.token,
        _word(d.reason),
        d.reference,
        d.due,
        d.expires,
        d.created,
        d.sent,
        d.ended,
        d.deadline,
        d.version,
    )


def _standing_row(d: Delivery) -> tuple[Any, ...]:
    status, reason = d.status.value, _word(d.reason)
    return (d.account, status, d.try_, d.token, reason, d.reference, d.due, d.sent, d.ended, d.deadline, d.version)


def _notification(row: Sequence[Any]) -> Notification:
    fields = dict(zip(NOTIFICATION, row, strict=True))
    for name in ("plan", "event", "person"):
        fields[name] = Raw(fields[name])
    fields["priority"] = Priority(fields["priority"])
    fields["status"] = Progress(fields["status"])
    fields["reason"] = Reason(fields["reason"]) if fields["reason"] else None
    return Notification(**fields)


def _notification_row(n: Notification) -> tuple[Any, ...]:
    return (
        n.id,
        n.tenant,
        n.run,
        n.user,
        n.workflow,
        n.release,
        n.category,
        n.priority.value,
        n.locale,
        bytes(n.plan),
        bytes(n.event),
        bytes(n.person),
        n.accepted,
        n.step,
        n.status.value,
        _word(n.reason),
        n.due,
        n.started,
        n.ended,
        n.deadline,
    )


def _word(reason: Reason | None) -> str | None:
    return reason.value if reason else None
