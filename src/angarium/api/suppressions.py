"""Suppressions: addresses that nothing is sent to. They travel in bodies, for URLs end up in logs."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import delete, get, post
from litestar.params import FromQuery
from msgspec import Meta, Struct

from angarium.api.calls import OPERATE, After, Call, Limit, Page, body, caller, moment, services, unknown
from angarium.database import gate, resources
from angarium.decide import recipients
from angarium.errors import Invalid
from angarium.model.reasons import Reason
from angarium.model.timeline import Suppression as Row

Channel = Literal["email", "sms", "push", "webpush", "chat", "voice", "webhook", "inbox"]
Why = Literal["suppressed", "unsubscribed", "bounced", "complained", "opted_out"]

_CHECKS = {
    "email": recipients.email,
    "sms": recipients.phone,
    "voice": recipients.phone,
    "webhook": recipients.webhook,
}


class Place(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One address on one channel."""

    channel: Channel
    address: Annotated[str, Meta(min_length=1, max_length=2048)]


class NewSuppression(Place, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address that nothing is to be sent to from now on."""

    reason: Why = "suppressed"


class Suppression(Struct, frozen=True, kw_only=True):
    """`source` says who reported it: an account, or `api/` and the id of a key."""

    channel: str
    address: str
    reason: Reason
    source: str
    at: str | None


@get("/v1/suppressions", opt=OPERATE, operation_id="ListSuppressions", summary="Suppressed addresses, newest first")
async def list_suppressions(
    request: Call, channel: FromQuery[Channel | None] = None, limit: Limit = 50, after: After = None
) -> Page[Suppression]:
    """`after` counts places here: a cursor made of the row would carry the address."""
    skip = _skip(after)
    tenant = caller(request).tenant
    found = await services(request).database.read(resources.suppressions, tenant, channel, skip, limit + 1)
    items = [Suppression(**{**one, "at": moment(one["at"]), "reason": Reason(one["reason"])}) for one in found[:limit]]
    return Page(items, str(skip + limit) if len(found) > limit else None)


@post(
    "/v1/suppressions",
    opt=OPERATE | {"body": NewSuppression},
    operation_id="Suppress",
    summary="Send nothing to an address any more",
)
async def suppress(request: Call) -> Suppression:
    """Takes effect within a second. An address that is suppressed already keeps its first reason."""
    wanted = await body(request, NewSuppression)
    by, now = caller(request), services(request).clock.now()
    row = Row(
        tenant=by.tenant,
        channel=wanted.channel,
        address=_checked(wanted),
        reason=Reason(wanted.reason),
        source=f"api/{by.key}",
        at=now,
    )
    await services(request).database.write(gate.suppress, [row])
    return Suppression(
        channel=row.channel, address=row.address, reason=row.reason, source=row.source, at=moment(row.at)
    )


@delete(
    "/v1/suppressions",
    opt=OPERATE | {"body": Place},
    operation_id="LiftSuppression",
    summary="Let an address be sent to again",
)
async def lift(request: Call) -> None:
    """The address is in the body."""
    wanted = await body(request, Place)
    tenant = caller(request).tenant
    if await services(request).database.write(resources.lift, tenant, wanted.channel, wanted.address) is None:
        raise unknown("suppression", "list them to see what there is")


def _checked(wanted: NewSuppression) -> str:
    check = _CHECKS.get(wanted.channel)
    return check(wanted.address, "/address") if check else wanted.address


def _skip(after: str | None) -> int:
    if after is not None and not (after.isdecimal() and len(after) < 10):
        raise Invalid("?after", "is not of this list", "use `next` of the page before")
    return int(after or 0)
