"""Dead letters: records that no worker could handle, and their way back."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from litestar import get, post
from litestar.params import FromPath, QueryParameter
from litestar.status_codes import HTTP_202_ACCEPTED
from msgspec import Struct

from angarium.api.calls import OPERATE, After, Call, Limit, Page, caller, moment, services, unknown
from angarium.api.problems import Declined
from angarium.database import replay as letters
from angarium.database.dead import DeadLetter
from angarium.database.replay import Listed
from angarium.model.reasons import Reason
from angarium.pipeline.replay import AlreadyReplayed, NotFound, replay


class Letter(Struct, frozen=True, kw_only=True):
    """A record that died. `value` is its text, told for one letter only; it may hold people's data."""

    id: str
    topic: str
    partition: int
    offset: int
    key: str
    size: int
    reason: Reason
    detail: str
    at: str | None
    replayed: str | None
    value: str | None = None


class Returned(Struct, frozen=True):
    """The letter is on `topic` again."""

    id: str
    topic: str


@get("/v1/dead", opt=OPERATE, operation_id="ListDead", summary="Dead letters, newest first")
async def list_dead(request: Call, limit: Limit = 50, after: After = None) -> Page[Letter]:
    """Without their bytes."""
    tenant = caller(request).tenant
    found = await services(request).database.read(letters.list_dead, tenant, limit + 1, after)
    return Page([_letter(one, one.size) for one in found[:limit]], found[limit - 1].id if len(found) > limit else None)


@get("/v1/dead/{letter:str}", opt=OPERATE, operation_id="GetDead", summary="One dead letter with its bytes")
async def get_dead(request: Call, letter: FromPath[str]) -> Letter:
    """Bytes that are no text are shown as U+FFFD."""
    found = await services(request).database.read(letters.letter, caller(request).tenant, letter)
    if found is None:
        raise unknown("dead letter")
    return _letter(found, len(found.value), found.value.decode("utf-8", "replace"))


@post(
    "/v1/dead/{letter:str}/replay",
    opt=OPERATE,
    status_code=HTTP_202_ACCEPTED,
    operation_id="ReplayDead",
    summary="Publish a dead letter where it came from",
)
async def replay_dead(
    request: Call,
    letter: FromPath[str],
    again: Annotated[bool, QueryParameter(description="Also when it went back already.")] = False,
) -> Returned:
    """409 when it went back already: the handlers would know it, but it is seldom what was meant."""
    made = services(request)
    found = await replay(made.broker, made.database, made.clock, letter, tenant=caller(request).tenant, again=again)
    match found:
        case NotFound():
            raise unknown("dead letter")
        case AlreadyReplayed():
            raise Declined(HTTPStatus.CONFLICT, "it was published again already", "insist with ?again=true")
    return Returned(found.id, found.topic)


def _letter(one: Listed | DeadLetter, size: int, value: str | None = None) -> Letter:
    return Letter(
        id=one.id,
        topic=one.topic,
        partition=one.partition,
        offset=one.offset,
        key=one.key,
        size=size,
        reason=one.reason,
        detail=one.detail,
        at=moment(one.at),
        replayed=moment(one.replayed),
        value=value,
    )
