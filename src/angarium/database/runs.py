"""Events and runs: what the Router decided. One row an event, one row a workflow that it started."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from sqlalchemy import Connection

from angarium.database import rows, tables
from angarium.model.notification import Run
from angarium.model.reasons import Outcome, Priority, Reason

RUN = tuple(column.name for column in tables.runs.columns)
EVENT = tuple(column.name for column in tables.events.columns)
EventKey = tuple[str, str, str]


class EventRow(Struct, frozen=True, kw_only=True):
    """What became of an event; `topic`, `partition`, `offset` say which record was the first with its id."""

    tenant: str
    source: str
    id: str
    type: str
    accepted: float
    outcome: Outcome
    run_count: int
    topic: str
    partition: int
    offset: int


def stored_runs(connection: Connection, keys: Iterable[EventKey]) -> dict[EventKey, list[Run]]:
    """The runs that each event (tenant, source, id) started, in the order of their workflows."""
    found: dict[EventKey, list[Run]] = {}
    for row in rows.fetch(connection, tables.runs, RUN, ("tenant", "source", "event_id"), keys):
        run = read_run(row)
        found.setdefault((run.tenant, run.source, run.event_id), []).append(run)
    return {key: sorted(runs, key=lambda run: run.workflow) for key, runs in found.items()}


def stored_events(connection: Connection, keys: Iterable[EventKey]) -> dict[EventKey, EventRow]:
    """By (tenant, source, id)."""
    found = rows.fetch(connection, tables.events, EVENT, ("tenant", "source", "id"), keys)
    events = (EventRow(**{**dict(zip(EVENT, row, strict=True)), "outcome": Outcome(row[5])}) for row in found)
    return {(event.tenant, event.source, event.id): event for event in events}


def save_events(connection: Connection, events: Sequence[EventRow]) -> None:
    """The first record of an id is kept."""
    values = [
        (e.tenant, e.source, e.id, e.type, e.accepted, e.outcome.value, e.run_count, e.topic, e.partition, e.offset)
        for e in events
    ]
    rows.store(connection, tables.events, EVENT, values)


def save_runs(connection: Connection, runs: Sequence[Run]) -> None:
    """The first row of an id is kept."""
    rows.store(connection, tables.runs, RUN, [_run_row(run) for run in runs])


def read_run(row: Sequence[object]) -> Run:
    """The struct of a row in the order of `RUN`."""
    fields = dict(zip(RUN, row, strict=True))
    fields["priority"] = Priority(str(fields["priority"]))
    fields["reason"] = Reason(str(fields["reason"])) if fields["reason"] else None
    return Run(**fields)  # type: ignore[arg-type]


def _run_row(r: Run) -> tuple[object, ...]:
    return (
        r.id,
        r.tenant,
        r.workflow,
        r.release,
        r.category,
        r.priority.value,
        r.source,
        r.event_id,
        r.named_count,
        r.named_sum,
        r.started,
        r.ended,
        r.reason.value if r.reason else None,
    )
