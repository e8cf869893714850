"""Why something was sent, or was not."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.params import FromQuery, QueryParameter

from angarium.api.calls import READ, Call, Limit, caller, services, unknown
from angarium.pipeline.explain import Explanation, explain


@get("/v1/explain", opt=READ, operation_id="Explain", summary="Every decision and its reason")
async def get_explanation(
    request: Call,
    recipient: Annotated[str | None, QueryParameter(description="A user's id.")] = None,
    event: Annotated[str | None, QueryParameter(description="An event's id.")] = None,
    source: Annotated[str | None, QueryParameter(description="The event's source, where several use its id.")] = None,
    notification: FromQuery[str | None] = None,
    limit: Limit = 50,
) -> Explanation:
    """What is given must all fit; with nothing given the newest notifications are told."""
    made = services(request)
    found = await explain(
        made.database,
        tenant=caller(request).tenant,
        recipient=recipient,
        event=event,
        source=source,
        notification=notification,
        limit=limit,
        now=made.clock.now(),
        types=made.types(),
    )
    if notification is not None and not found.notifications:
        raise unknown("notification")
    return found
