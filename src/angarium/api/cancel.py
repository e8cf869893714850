"""Cancels: a row that every last look reads, and a word to the Dispatcher, in one transaction."""

from __future__ import annotations

from litestar import post
from litestar.params import FromPath
from litestar.status_codes import HTTP_202_ACCEPTED

from angarium.api.calls import OPERATE, Call, caller, services, unknown
from angarium.database import cancels
from angarium.database.cancels import Cancelled, Scope


@post(
    "/v1/notifications/{notification:str}/cancel",
    opt=OPERATE,
    status_code=HTTP_202_ACCEPTED,
    operation_id="CancelNotification",
    summary="Cancel what is not sent yet",
)
async def cancel_notification(request: Call, notification: FromPath[str]) -> Cancelled:
    """No call to a service starts more than a second after this answer."""
    return await _cancel(request, "notification", notification)


@post(
    "/v1/runs/{run:str}/cancel",
    opt=OPERATE,
    status_code=HTTP_202_ACCEPTED,
    operation_id="CancelRun",
    summary="Cancel all of a run that is not sent yet",
)
async def cancel_run(request: Call, run: FromPath[str]) -> Cancelled:
    """No call to a service starts more than a second after this answer."""
    return await _cancel(request, "run", run)


async def _cancel(request: Call, scope: Scope, subject: str) -> Cancelled:
    by, made = caller(request), services(request)
    found = await made.database.write(cancels.cancel, by.tenant, scope, subject, by.key, made.clock.now())
    if found is None:
        raise unknown(scope)
    return found
