"""Runs: one event under one workflow, with all its recipients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from litestar import get
from litestar.params import FromPath, FromQuery
from msgspec import Struct

from angarium.api.calls import READ, After, Call, Limit, Page, caller, moment, row, rows, services
from angarium.database import resources
from angarium.database.resources import RUNS, Row
from angarium.model.reasons import Priority, Progress, Reason


class Run(Struct, frozen=True, kw_only=True):
    """`notifications` counts them by status; those that were named and are in no status yet have not started."""

    id: str
    workflow: str
    release: str
    category: str
    priority: Priority
    source: str
    event: str
    status: Progress
    reason: Reason | None
    recipients: int
    notifications: Mapping[str, int]
    started: str | None
    ended: str | None


@get("/v1/runs", opt=READ, operation_id="ListRuns", summary="Runs, newest first")
async def list_runs(
    request: Call,
    workflow: FromQuery[str | None] = None,
    category: FromQuery[str | None] = None,
    source: FromQuery[str | None] = None,
    event: FromQuery[str | None] = None,
    limit: Limit = 50,
    after: After = None,
) -> Page[Run]:
    """Filters are equalities and combine."""
    filters = {"workflow": workflow, "category": category, "source": source, "event_id": event}
    found, further = await rows(request, RUNS, filters, limit, after)
    return Page(await shown(request, found), further)


@get("/v1/runs/{run:str}", opt=READ, operation_id="GetRun", summary="One run")
async def get_run(request: Call, run: FromPath[str]) -> Run:
    """A run by its id."""
    [found] = await shown(request, [await row(request, RUNS, "run", run)])
    return found


async def shown(request: Call, found: Sequence[Row]) -> list[Run]:
    """The rows with where their notifications stand."""
    counted = await services(request).database.read(
        resources.progress, caller(request).tenant, [one["id"] for one in found]
    )
    return [_run(one, counted.get(one["id"], {})) for one in found]


def _run(one: Row, counted: Mapping[str, int]) -> Run:
    return Run(
        id=one["id"],
        workflow=one["workflow"],
        release=one["release"],
        category=one["category"],
        priority=Priority(one["priority"]),
        source=one["source"],
        event=one["event_id"],
        status=progress(one["named_count"], counted),
        reason=Reason(one["reason"]) if one["reason"] else None,
        recipients=one["named_count"],
        notifications=counted,
        started=moment(one["started"]),
        ended=moment(one["ended"]),
    )


def progress(recipients: int, counted: Mapping[str, int]) -> Progress:
    """A run goes on as long as one of its notifications does; else it is what all of them are, or done."""
    if counted.get(Progress.running) or sum(counted.values()) < recipients:
        return Progress.running
    return Progress(next(iter(counted))) if len(counted) == 1 else Progress.done
