"""What the interfaces show of the tables: one row, or pages of them, newest first, always of one tenant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Table

from angarium.database import tables
from angarium.database.rows import Keys
from angarium.decide.gate import place

Row = Mapping[str, Any]

_PROGRESS = """
SELECT run, status, count(*) FROM notifications
WHERE tenant = ? AND run IN (SELECT value FROM json_each(?)) GROUP BY run, status
"""
_EVENTS = "SELECT source, id, type, accepted, outcome FROM events WHERE tenant = ? AND id = ?"
_SUPPRESSIONS = """
SELECT channel, address, reason, source, at FROM suppressions WHERE tenant = ? AND channel = coalesce(?, channel)
ORDER BY at DESC, channel, address LIMIT ? OFFSET ?
"""
_LIFT = "DELETE FROM suppressions WHERE tenant = ? AND channel = ? AND address = ? RETURNING at"


class Kind(Struct, frozen=True):
    """A table with a column `id` as it is shown. `order`: the columns, unique together, by which its pages go down."""

    table: Table
    columns: Keys
    order: Keys = ("id",)


def _without(table: Table, *hidden: str) -> Keys:
    return tuple(column.name for column in table.columns if column.name not in hidden)


RUNS = Kind(tables.runs, _without(tables.runs, "named_sum"), ("started", "id"))
NOTIFICATIONS = Kind(tables.notifications, _without(tables.notifications, "plan", "event", "person"))
DELIVERIES = Kind(tables.deliveries, _without(tables.deliveries, "token", "deadline"))
KEYS = Kind(tables.keys, _without(tables.keys, "hash"))


def one(connection: Connection, kind: Kind, tenant: str, name: str) -> Row | None:
    """The row of this id; None when the tenant has no such one."""
    found = page(connection, kind, tenant, {"id": name}, None, 1)
    return found[0] if found else None


def page(
    connection: Connection, kind: Kind, tenant: str, filters: Mapping[str, str], after: str | None, limit: int
) -> list[Row]:
    """Up to `limit` rows below the row `after`; none below one of another tenant. `filters` are equalities."""
    unknown = set(filters) - set(kind.columns)
    if unknown:
        raise KeyError(*sorted(unknown))
    values = [tenant, *filters.values(), *((tenant, after) if after is not None else ()), limit]
    found = connection.exec_driver_sql(_page(kind, tuple(filters), after is not None), tuple(values)).all()
    return [dict(zip(kind.columns, row, strict=True)) for row in found]


def progress(connection: Connection, tenant: str, runs: Iterable[str]) -> dict[str, dict[str, int]]:
    """How many notifications of each of these runs have which status."""
    wanted = msgspec.json.encode(list(runs)).decode()
    counted: dict[str, dict[str, int]] = {}
    for run, status, count in connection.exec_driver_sql(_PROGRESS, (tenant, wanted)).all():
        counted.setdefault(run, {})[status] = count
    return counted


def events(connection: Connection, tenant: str, name: str) -> list[Row]:
    """The events of this id, one a source."""
    columns = ("source", "id", "type", "accepted", "outcome")
    found = connection.exec_driver_sql(_EVENTS, (tenant, name)).all()
    return [dict(zip(columns, row, strict=True)) for row in found]


def suppressions(connection: Connection, tenant: str, channel: str | None, skip: int, limit: int) -> list[Row]:
    """Up to `limit` suppressed addresses, newest first, after the first `skip`."""
    columns = ("channel", "address", "reason", "source", "at")
    found = connection.exec_driver_sql(_SUPPRESSIONS, (tenant, channel, limit, skip)).all()
    return [dict(zip(columns, row, strict=True)) for row in found]


def lift(connection: Connection, tenant: str, channel: str, address: str) -> float | None:
    """Take a suppression back and tell since when it stood; None when there was none."""
    row = connection.exec_driver_sql(_LIFT, (tenant, *place(channel, address))).first()
    return row[0] if row else None


@lru_cache(256)
def _page(kind: Kind, filters: Keys, below: bool) -> str:
    names, order = _list(kind.columns), _list(kind.order)
    wheres = ['"tenant" = ?', *(f'"{name}" = ?' for name in filters)]
    if below:
        wheres.append(f'({order}) < (SELECT {order} FROM "{kind.table.name}" WHERE "tenant" = ? AND "id" = ?)')  # noqa: S608
    down = ", ".join(f'"{name}" DESC' for name in kind.order)
    return f'SELECT {names} FROM "{kind.table.name}" WHERE {" AND ".join(wheres)} ORDER BY {down} LIMIT ?'  # noqa: S608


def _list(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
