"""Callbacks of the delivery services: verified, then put into the journal before they are answered.

No look-up is needed: a report brings back the delivery's id and a reference that we signed. One whose reference we did
not sign is counted and answered as any other, so that nobody learns from the answer which ids exist.
"""

from __future__ import annotations

from http import HTTPStatus

from litestar import Response, post
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK

from angarium.api import wire
from angarium.api.calls import SIGNED, Call, services, unknown
from angarium.api.problems import Declined
from angarium.api.services import Services
from angarium.errors import Invalid
from angarium.model.fact import Receipt
from angarium.pipeline.records import encode
from angarium.ports.broker import Record
from angarium.ports.provider import Callback, Forged, Received, Report
from angarium.signing import read_reference

#: The largest body that is read, in bytes.
LARGEST = 1024 * 1024


@post(
    "/v1/callbacks/{account:str}",
    opt=SIGNED,
    status_code=HTTP_200_OK,
    request_max_body_size=LARGEST,
    operation_id="Callback",
    summary="Where a delivery service reports",
    security=[],
)
async def callback(request: Call, account: FromPath[str]) -> Response[bytes]:
    """The answer is as the service wants it. 403 for a signature that does not fit."""
    made = services(request)
    received = await _received(request, made, account)
    now = made.clock.now()
    facts = [(report, read_reference(made.secret, report.ref, report.delivery, account)) for report in received.reports]
    known = [(report, *whose) for report, whose in facts if whose is not None]
    records = [
        Record(made.topics.journal(priority), notification, encode(_receipt(report, notification, account, now)))
        for report, notification, priority in known
    ]
    if records:
        await made.broker.publish(records)
    _count(made, account, len(known), len(facts) - len(known))
    return Response(received.body, status_code=received.status, media_type=received.content_type)


async def _received(request: Call, made: Services, account: str) -> Received:
    """What the provider reads in it. Raises `Declined` or `Invalid`."""
    receiver = made.receivers.get(account)
    if receiver is None:
        raise unknown("account", "name one that is configured and that its service calls back")
    scope = request.scope
    path, query = scope.get("raw_path") or scope["path"].encode(), scope.get("query_string", b"")
    target = path.partition(b"?")[0] + (b"?" + query if query else b"")
    told = Callback(
        account=account,
        method=request.method,
        url=made.public_url.rstrip("/") + target.decode("latin-1"),
        headers=wire.headers(dict(scope)),
        body=await request.body(),
    )
    try:
        return await receiver.callback(told)
    except Forged:
        made.metrics.callback(account, "forged")
        raise Declined(HTTPStatus.FORBIDDEN, "the signature does not fit") from None
    except Invalid:
        made.metrics.callback(account, "invalid")
        raise


def _receipt(report: Report, notification: str, account: str, now: float) -> Receipt:
    return Receipt(
        notification=notification,
        at=now,
        delivery=report.delivery,
        account=account,
        status=report.status,
        reason=report.reason,
        reference=report.reference,
        at_service=report.at_service,
        dedup=report.dedup,
    )


def _count(made: Services, account: str, accepted: int, unknown_references: int) -> None:
    if accepted:
        made.metrics.callback(account, "accepted", accepted)
    if unknown_references:
        made.metrics.callback(account, "unknown_reference", unknown_references)
