"""Deliveries: one message to one address over one channel."""

from __future__ import annotations

import msgspec
from litestar import get
from litestar.params import FromPath, FromQuery
from msgspec import Struct, field

from angarium.api.calls import READ, After, Call, Limit, Page, caller, moment, row, rows
from angarium.database.resources import DELIVERIES, Row
from angarium.model.reasons import Reason, Status
from angarium.model.user import Address

#: Characters of an address that are shown to keys without `operate`, so that people recognise their own.
SHOWN = 2


class Delivery(Struct, frozen=True, kw_only=True):
    """`address` is masked unless the key has the scope `operate`; `reference` is the service's own id."""

    id: str
    notification: str
    run: str
    user: str
    step: str
    slot: str
    channel: str
    address: str | None
    account: str | None
    status: Status
    try_: int = field(name="try")
    reason: Reason | None
    reference: str | None
    due: str | None
    expires: str | None
    created: str | None
    sent: str | None
    ended: str | None
    version: int


@get("/v1/deliveries", opt=READ, operation_id="ListDeliveries", summary="Deliveries, newest first")
async def list_deliveries(
    request: Call,
    status: FromQuery[Status | None] = None,
    channel: FromQuery[str | None] = None,
    account: FromQuery[str | None] = None,
    reason: FromQuery[Reason | None] = None,
    user: FromQuery[str | None] = None,
    notification: FromQuery[str | None] = None,
    run: FromQuery[str | None] = None,
    limit: Limit = 50,
    after: After = None,
) -> Page[Delivery]:
    """Filters are equalities and combine."""
    filters = {"status": status, "channel": channel, "account": account, "reason": reason}
    filters |= {"user": user, "notification": notification, "run": run}
    found, further = await rows(request, DELIVERIES, filters, limit, after)
    open_ = caller(request).may("operate")
    return Page([_delivery(one, open_) for one in found], further)


@get("/v1/deliveries/{delivery:str}", opt=READ, operation_id="GetDelivery", summary="One delivery")
async def get_delivery(request: Call, delivery: FromPath[str]) -> Delivery:
    """A delivery by its id."""
    return _delivery(await row(request, DELIVERIES, "delivery", delivery), caller(request).may("operate"))


def masked(address: str) -> str:
    """The first characters, where there are enough others."""
    return (address[:SHOWN] if len(address) > 2 * SHOWN else "") + "***"


def _delivery(one: Row, open_: bool) -> Delivery:
    address = msgspec.json.decode(one["address"], type=Address).value if one["address"] else None
    return Delivery(
        id=one["id"],
        notification=one["notification"],
        run=one["run"],
        user=one["user"],
        step=one["step"],
        slot=one["slot"],
        channel=one["channel"],
        address=address if address is None or open_ else masked(address),
        account=one["account"],
        status=Status(one["status"]),
        try_=one["try"],
        reason=Reason(one["reason"]) if one["reason"] else None,
        reference=one["reference"],
        due=moment(one["due"]),
        expires=moment(one["expires"]),
        created=moment(one["created"]),
        sent=moment(one["sent"]),
        ended=moment(one["ended"]),
        version=one["version"],
    )
