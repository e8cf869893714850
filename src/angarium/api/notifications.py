"""Notifications: one run for one recipient."""

from __future__ import annotations

from litestar import get
from litestar.params import FromPath, FromQuery
from msgspec import Struct

from angarium.api.calls import READ, After, Call, Limit, Page, moment, row, rows
from angarium.database.resources import NOTIFICATIONS, Row
from angarium.model.reasons import Priority, Progress, Reason


class Notification(Struct, frozen=True, kw_only=True):
    """`step` is the index in its plan of the step now being done, `due` the end of its delay."""

    id: str
    run: str
    user: str
    workflow: str
    release: str
    category: str
    priority: Priority
    locale: str
    step: int
    status: Progress
    reason: Reason | None
    accepted: str | None
    started: str | None
    due: str | None
    ended: str | None


@get("/v1/notifications", opt=READ, operation_id="ListNotifications", summary="Notifications, newest first")
async def list_notifications(
    request: Call,
    status: FromQuery[Progress | None] = None,
    user: FromQuery[str | None] = None,
    run: FromQuery[str | None] = None,
    workflow: FromQuery[str | None] = None,
    category: FromQuery[str | None] = None,
    limit: Limit = 50,
    after: After = None,
) -> Page[Notification]:
    """Filters are equalities and combine."""
    filters = {"status": status, "user": user, "run": run, "workflow": workflow, "category": category}
    found, further = await rows(request, NOTIFICATIONS, filters, limit, after)
    return Page([_notification(one) for one in found], further)


@get("/v1/notifications/{notification:str}", opt=READ, operation_id="GetNotification", summary="One notification")
async def get_notification(request: Call, notification: FromPath[str]) -> Notification:
    """A notification by its id. `/v1/explain` tells why it stands where it does."""
    return _notification(await row(request, NOTIFICATIONS, "notification", notification))


def _notification(one: Row) -> Notification:
    return Notification(
        id=one["id"],
        run=one["run"],
        user=one["user"],
        workflow=one["workflow"],
        release=one["release"],
        category=one["category"],
        priority=Priority(one["priority"]),
        locale=one["locale"],
        step=one["step"],
        status=Progress(one["status"]),
        reason=Reason(one["reason"]) if one["reason"] else None,
        accepted=moment(one["accepted"]),
        started=moment(one["started"]),
        due=moment(one["due"]),
        ended=moment(one["ended"]),
    )
