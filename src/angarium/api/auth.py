"""Who calls: API keys in `Authorization: Bearer`, their scopes and their tenant.

A key is `ang_live_`, its id, and 256 random bits; such a text needs no slow hash. The row is found by the id, and the
keyed hash of the whole text compared in constant time. Rows are kept for five seconds, so a key revoked elsewhere is
refused that soon; one revoked here at once.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections import OrderedDict, deque
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from angarium.api.problems import Declined
from angarium.api.wire import Scope
from angarium.database import keys
from angarium.database.engine import Database
from angarium.database.keys import Key
from angarium.errors import Unavailable
from angarium.ports.clock import Clock

#: `operate` may all that the others may.
SCOPES = ("publish", "read", "operate")
#: Seconds for which a row found is believed.
TTL = 5.0
#: Failures of one client within `WINDOW` seconds, after which it hears 429.
MOST_FAILURES = 10
WINDOW = 60.0
#: Rows and clients that are remembered.
REMEMBERED = 1024
#: Seconds between two notes of when a key was last used.
NOTED = 3600.0

T = TypeVar("T")

_TEXT = re.compile(r"ang_(?:live|test)_([0-9a-f-]{36})_[A-Za-z0-9_-]{43}")
_LOOKS_LIKE_A_KEY = re.compile(r"ang_(?:live|test)_")


class Caller(Struct, frozen=True):
    """Who was let in: the key's id, its tenant, and what it may do."""

    key: str
    tenant: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        """Whether the key has this scope."""
        return scope in self.scopes or "operate" in self.scopes

    def require(self, scope: str) -> None:
        """Raises `Declined` (403) unless the key has this scope."""
        if not self.may(scope):
            raise Declined(HTTPStatus.FORBIDDEN, f"this key lacks the scope {scope}", "use a key that has it")


def mint(
    secret: bytes,
    key: str,
    *,
    tenant: str,
    name: str,
    scopes: Iterable[str],
    created: float,
    expires: float | None = None,
) -> tuple[str, Key]:
    """The text of a new key, which is told once, and its row. `key` is `key_` and a UUID, times are Unix seconds."""
    text = f"ang_live_{key.removeprefix('key_')}_{secrets.token_urlsafe(32)}"
    hashed = _hash(secret, text)
    row = Key(id=key, tenant=tenant, name=name, hash=hashed, scopes=frozenset(scopes), created=created, expires=expires)
    return text, row


def _hash(secret: bytes, text: str) -> bytes:
    return hmac.digest(secret, text.encode("latin-1", "replace"), "sha256")


class Authenticator:
    """Lets callers in, or raises `Declined`: 401, 429 for one that failed too often, 400 for a key in the URL."""

    def __init__(self, database: Database, clock: Clock, secret: bytes) -> None:
        self._database, self._clock, self._secret = database, clock, secret
        self._rows: OrderedDict[str, tuple[float, Key]] = OrderedDict()
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    async def caller(self, scope: Scope, authorization: str | None) -> Caller:
        """`authorization` is the header of that name. Raises `Declined`, or `Unavailable`."""
        if _LOOKS_LIKE_A_KEY.search(unquote(scope.get("query_string", b"").decode("latin-1"))):
            mend = "send it as `Authorization: Bearer`; revoke this one, for URLs end up in logs"
            raise Declined(HTTPStatus.BAD_REQUEST, "the URL holds an API key", mend)
        if not authorization:
            raise _unauthorized("no API key was sent")
        client = (scope.get("client") or ("",))[0]
        kind, _, text = authorization.partition(" ")
        found = _TEXT.fullmatch(text.strip()) if kind.lower() == "bearer" else None
        name = f"key_{found[1]}" if found else ""
        self._check_failures(client, name)
        row = await self._row(name) if found else None
        if row is None or not hmac.compare_digest(row.hash, _hash(self._secret, text.strip())) or self._over(row):
            self._count_failure(client)
            raise _unauthorized("the API key is not known, expired or revoked")
        await self._note(row)
        return Caller(row.id, row.tenant, row.scopes)

    def forget(self, key: str) -> None:
        """The row of this key has changed: read it anew."""
        self._rows.pop(key, None)

    async def _row(self, name: str) -> Key | None:
        cached = self._rows.get(name)
        if cached is not None and self._clock.elapsed() - cached[0] < TTL:
            return cached[1]
        row = await self._database.read(keys.find, name)
        if row is None:
            self._rows.pop(name, None)
            return None
        _remember(self._rows, name, (self._clock.elapsed(), row))
        return row

    async def _note(self, row: Key) -> None:
        """When it was last used, to the hour, so that it costs next to no writes; no request fails for want of it."""
        now = self._clock.now()
        if row.used is None or now - row.used > NOTED:
            _remember(self._rows, row.id, (self._clock.elapsed(), msgspec.structs.replace(row, used=now)))
            with suppress(Unavailable):
                await self._database.write(keys.touch, row.id, now)

    def _over(self, row: Key) -> bool:
        return row.revoked is not None or (row.expires is not None and self._clock.now() >= row.expires)

    def _check_failures(self, client: str, name: str) -> None:
        """Refuse who guesses. A key that was known lately is still looked at: its owner may share the address."""
        failed = self._failures.get(client)
        if failed is None or len(failed) < MOST_FAILURES or name in self._rows:
            return
        wait = failed[0] + WINDOW - self._clock.elapsed()
        if wait > 0:
            after = {"retry-after": str(int(wait) + 1)}
            raise Declined(
                HTTPStatus.TOO_MANY_REQUESTS, "too many wrong API keys from this address", "wait", headers=after
            )

    def _count_failure(self, client: str) -> None:
        failed = self._failures.get(client) or deque(maxlen=MOST_FAILURES)
        failed.append(self._clock.elapsed())
        _remember(self._failures, client, failed)


def _remember(kept: OrderedDict[str, T], name: str, value: T) -> None:
    kept[name] = value
    kept.move_to_end(name)
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)


def _unauthorized(problem: str) -> Declined:
    mend = "send `Authorization: Bearer ang_live_...`"
    return Declined(HTTPStatus.UNAUTHORIZED, problem, mend, headers={"www-authenticate": "Bearer"})
