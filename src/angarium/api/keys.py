"""API keys: made, listed, revoked. The text of a key is told once."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import delete, get, post
from litestar.params import FromPath
from msgspec import Meta, Struct

from angarium.api.auth import mint
from angarium.api.calls import (
    OPERATE,
    After,
    Call,
    Limit,
    Page,
    authenticator,
    body,
    caller,
    moment,
    rows,
    services,
    unknown,
)
from angarium.database import keys
from angarium.database.resources import KEYS, Row
from angarium.errors import Invalid
from angarium.model import times
from angarium.pipeline.accept import uuid7

Scope = Literal["publish", "read", "operate"]

#: No control character. `$` would let a last line break through.
_LINE = r"^[^\x00-\x1f\x7f-\x9f]+(?![\s\S])"


class NewKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`operate` may all that the others may. `expires` is an RFC 3339 time; without one the key never does."""

    name: Annotated[str, Meta(min_length=1, max_length=200, pattern=_LINE)]
    scopes: Annotated[list[Scope], Meta(min_length=1)]
    expires: str | None = None


class Key(Struct, frozen=True, kw_only=True):
    """A key without its text. `used` is at most an hour behind."""

    id: str
    name: str
    scopes: list[str]
    created: str | None
    expires: str | None
    revoked: str | None
    used: str | None


class MadeKey(Key, frozen=True, kw_only=True):
    """A key that was made now. `key` is its text: keep it, nobody can tell it again."""

    key: str


@get("/v1/keys", opt=OPERATE, operation_id="ListKeys", summary="Keys, newest first")
async def list_keys(request: Call, limit: Limit = 50, after: After = None) -> Page[Key]:
    """Revoked and expired ones too."""
    found, further = await rows(request, KEYS, {}, limit, after)
    return Page([Key(**_shown(one)) for one in found], further)


@post("/v1/keys", opt=OPERATE | {"body": NewKey}, operation_id="CreateKey", summary="Make a key")
async def create_key(request: Call) -> MadeKey:
    """It belongs to the tenant of the key that makes it."""
    wanted, made = await body(request, NewKey), services(request)
    now = made.clock.now()
    text, row = mint(
        made.secret,
        f"key_{uuid7(now)}",
        tenant=caller(request).tenant,
        name=wanted.name,
        scopes=wanted.scopes,
        created=now,
        expires=_expiry(wanted.expires, now),
    )
    await made.database.write(keys.create, row)
    return MadeKey(key=text, **_shown({name: getattr(row, name) for name in KEYS.columns}))


@delete("/v1/keys/{key:str}", opt=OPERATE, operation_id="RevokeKey", summary="Revoke a key")
async def revoke_key(request: Call, key: FromPath[str]) -> None:
    """At once in this process, within five seconds in others."""
    made = services(request)
    if await made.database.write(keys.revoke, caller(request).tenant, key, made.clock.now()) is None:
        raise unknown("key")
    authenticator(request).forget(key)


def _expiry(text: str | None, now: float) -> float | None:
    if text is None:
        return None
    try:
        expires = times.seconds(text)
        times.text(expires)  # an offset may carry a time beyond the last year that can be written
    except (ValueError, OverflowError):
        raise Invalid("/expires", "is no RFC 3339 time", "write it as 2030-01-31T12:00:00Z") from None
    if expires <= now:
        raise Invalid("/expires", "is over already", "name a time to come")
    return expires


def _shown(one: Row) -> dict[str, Any]:
    scopes = one["scopes"]
    return {
        "id": one["id"],
        "name": one["name"],
        "scopes": sorted(scopes.split() if isinstance(scopes, str) else scopes),
        **{name: moment(one[name]) for name in ("created", "expires", "revoked", "used")},
    }
