"""What the audit reads: set-based, a page at a time, each page one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from angarium.database import explain, rows, tables
from angarium.database.runs import EventKey
from angarium.decide import lifecycle
from angarium.model.reasons import Outcome, Progress, Reason, Status

_WATERMARKS = 'SELECT topic, "partition", max("offset") FROM events GROUP BY topic, "partition"'
# The keys stand first, so that each is one look into the primary key.
_PLACES = """
SELECT e.tenant, e.source, e.id, e.outcome, e.topic, e."partition", e."offset" FROM json_each(?) AS k
CROSS JOIN events AS e ON e.tenant = json_extract(k.value, '$[0]') AND e.source = json_extract(k.value, '$[1]')
AND e.id = json_extract(k.value, '$[2]')
"""
_EVENTS = """
SELECT tenant, source, id, run_count, (SELECT count(*) FROM runs WHERE runs.tenant = events.tenant
AND runs.source = events.source AND runs.event_id = events.id) FROM events
WHERE (tenant, source, id) > (?, ?, ?) ORDER BY tenant, source, id LIMIT ?
"""
_NAMED = "SELECT run, id FROM notifications WHERE run IN (SELECT value FROM json_each(?)) ORDER BY run"
_NOTED = """
SELECT notification, fact FROM timeline
WHERE notification IN (SELECT value FROM json_each(?)) AND kind IN ('step', 'stopped')
"""
_RUNNING = "SELECT id FROM notifications WHERE status = 'running' ORDER BY id LIMIT ?"
_LETTERS = "SELECT value FROM dead WHERE topic = ? AND replayed IS NULL ORDER BY at LIMIT ?"
_PARTS = ("notification", "id", "step", "slot", "channel", "status", "reason", "try", "version")
_KEPT = ("id", "step", "status", "due", "deadline", "plan")


class Place(Struct, frozen=True):
    """Which record was the first of an event, and what became of it."""

    topic: str
    partition: int
    offset: int
    outcome: Outcome


class Counted(Struct, frozen=True):
    """An event with the number of runs it says it has, and of those that are there."""

    tenant: str
    source: str
    id: str
    said: int
    found: int


class Named(Struct, frozen=True):
    """How many notifications a run has, and the sum over their ids."""

    count: int
    sum: int


class Part(Struct, frozen=True):
    """A delivery, as far as the audit looks at it."""

    id: str
    step: str
    slot: str
    channel: str
    status: Status
    reason: Reason | None
    try_: int
    version: int

    @property
    def open(self) -> bool:
        """Something is still to be done. A parked one waits for a person."""
        return self.status in lifecycle.OPEN and self.status is not Status.parked


class Kept(Struct, frozen=True, kw_only=True):
    """A notification with its deliveries. `plan` is its JSON, `noted` the identities of what was decided of steps.

    `hops` are the timers of the notification and of its open deliveries, by subject.
    """

    id: str
    step: int
    status: Progress
    due: float | None
    deadline: float | None
    plan: bytes
    parts: tuple[Part, ...]
    noted: frozenset[str]
    hops: Mapping[str, Mapping[str, float]]


def watermarks(connection: Connection) -> dict[tuple[str, int], int]:
    """By topic and partition, the last record that brought a new event: every one before it was decided."""
    found = connection.exec_driver_sql(_WATERMARKS).all()
    return {(topic, partition): offset for topic, partition, offset in found}


def places(connection: Connection, keys: Iterable[EventKey]) -> dict[EventKey, Place]:
    """The decided ones of these events."""
    found = connection.exec_driver_sql(_PLACES, (_json(keys),)).all()
    return {(row[0], row[1], row[2]): Place(row[4], row[5], row[6], Outcome(row[3])) for row in found}


def buried(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Which of these dead letters there are."""
    return {row[0] for row in rows.fetch(connection, tables.dead, ("id",), "id", ids)}


def counted(connection: Connection, after: EventKey, limit: int) -> list[Counted]:
    """A page of events behind the key `after`."""
    return [Counted(*row) for row in connection.exec_driver_sql(_EVENTS, (*after, limit)).all()]


def ids(connection: Connection, table: str, after: str, limit: int) -> list[str]:
    """A page of a table's ids behind `after`. `table` is `runs` or `notifications`."""
    query = f'SELECT id FROM "{tables.metadata.tables[table].name}" WHERE id > ? ORDER BY id LIMIT ?'  # noqa: S608
    return [row[0] for row in connection.exec_driver_sql(query, (after, limit)).all()]


def said(connection: Connection, runs: Iterable[str]) -> dict[str, Named]:
    """What runs say of their notifications."""
    found = rows.fetch(connection, tables.runs, ("id", "named_count", "named_sum"), "id", runs)
    return {row[0]: Named(row[1], row[2]) for row in found}


def named(connection: Connection, runs: Iterable[str], sum_of: Callable[[list[str]], int]) -> dict[str, Named]:
    """What the ledger holds of these runs; a run without notifications is not in it."""
    found = groupby(connection.exec_driver_sql(_NAMED, (_json(runs),)), key=itemgetter(0))
    members = ((run, [row[1] for row in group]) for run, group in found)
    return {run: Named(len(some), sum_of(some)) for run, some in members}


def letters(connection: Connection, topic: str, limit: int) -> list[bytes]:
    """The bytes of a topic's dead letters that nobody has replayed, oldest first."""
    return [row[0] for row in connection.exec_driver_sql(_LETTERS, (topic, limit)).all()]


def running(connection: Connection, limit: int) -> list[str]:
    """The oldest unfinished notifications."""
    return [row[0] for row in connection.exec_driver_sql(_RUNNING, (limit,)).all()]


def kept(connection: Connection, notifications: Sequence[str]) -> list[Kept]:
    """These notifications with all that the audit looks at."""
    parts, noted = _parts(connection, notifications), _noted(connection, notifications)
    subjects = [*notifications, *(part.id for some in parts.values() for part in some if part.open)]
    timers = explain.timers(connection, subjects)
    return [
        Kept(
            id=row[0],
            step=row[1],
            status=Progress(row[2]),
            due=row[3],
            deadline=row[4],
            plan=row[5],
            parts=tuple(parts.get(row[0], ())),
            noted=frozenset(noted.get(row[0], ())),
            hops={name: timers[name] for name in (row[0], *(p.id for p in parts.get(row[0], ()))) if name in timers},
        )
        for row in rows.fetch(connection, tables.notifications, _KEPT, "id", notifications)
    ]


def _parts(connection: Connection, notifications: Iterable[str]) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = {}
    for row in rows.fetch(connection, tables.deliveries, _PARTS, "notification", notifications):
        name, id_, step, slot, channel, status, reason, try_, version = row
        part = Part(id_, step, slot, channel, Status(status), Reason(reason) if reason else None, try_, version)
        found.setdefault(name, []).append(part)
    return found


def _noted(connection: Connection, notifications: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, fact in connection.exec_driver_sql(_NOTED, (_json(notifications),)):
        found.setdefault(name, set()).add(fact)
    return found


def _json(values: Iterable[object]) -> str:
    return msgspec.json.encode(list(values)).decode()
