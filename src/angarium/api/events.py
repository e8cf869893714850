"""What became of an event."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote

from litestar import get
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from angarium.api.calls import READ, Call, caller, moment, rows, services, unknown
from angarium.api.runs import Run, shown
from angarium.database import resources
from angarium.database.resources import RUNS
from angarium.errors import Invalid
from angarium.model.reasons import Outcome


class Event(Struct, frozen=True, kw_only=True):
    """An event that the Router has read, and the runs it started."""

    id: str
    source: str
    type: str
    accepted: str | None
    outcome: Outcome
    runs: list[Run]


@get("/v1/events/{event:str}", opt=READ, operation_id="GetEvent", summary="What became of an event")
async def get_event(
    request: Call,
    event: FromPath[str],
    source: Annotated[str | None, QueryParameter(description="Needed where two sources use the same id.")] = None,
) -> Event:
    """404 until the Router has read it, which takes milliseconds unless it is behind."""
    name, tenant = unquote(event), caller(request).tenant
    found = await services(request).database.read(resources.events, tenant, name)
    found = [row for row in found if source is None or row["source"] == source]
    if not found:
        raise unknown("event", "if it was accepted just now, ask again")
    if len(found) > 1:
        raise Invalid("?source", "is missing, and several sources use this id", "name the event's source")
    row = found[0]
    runs, _ = await rows(request, RUNS, {"source": row["source"], "event_id": name}, 500, None)
    return Event(
        id=row["id"],
        source=row["source"],
        type=row["type"],
        accepted=moment(row["accepted"]),
        outcome=Outcome(row["outcome"]),
        runs=await shown(request, runs),
    )
