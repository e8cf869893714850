"""The embedded state: a file for one process. Every call is one transaction for its whole batch.

A token is the time in microseconds, or one more than the newest where the clock has not moved on or has gone back: so
tokens grow, also after the file was lost. A running lease whose token is older than this opening belongs to a process
that is gone, for the file is locked by its holder: it counts as over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from angarium import sqlite
from angarium.model.result import Result
from angarium.ports.clock import Clock
from angarium.ports.state import Answer, Ask, Claim, Go, Grant, Release, Verdict, Window
from angarium.sqlite import Connection
from angarium.states._rules import FREE, KEPT, Held, micros, take, verdict

# Times are microseconds; "token" in meta is the newest one.
SCHEMA = (
    "CREATE TABLE claims (delivery TEXT PRIMARY KEY, try INTEGER NOT NULL, token INTEGER NOT NULL,"
    " lease INTEGER NOT NULL, answer BLOB, account TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX claims_at ON claims (at)",
    "CREATE TABLE buckets (account TEXT PRIMARY KEY, tat INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE windows (key TEXT, event TEXT, until INTEGER NOT NULL, PRIMARY KEY (key, event)) WITHOUT ROWID",
    "CREATE INDEX windows_until ON windows (until)",
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO meta VALUES ('token', 0)",
)
NEWEST_TOKEN = "SELECT value FROM meta WHERE name = 'token'"  # noqa: S105
NEXT_TOKEN = "UPDATE meta SET value = max(value + 1, ?) WHERE name = 'token' RETURNING value"  # noqa: S105
RAISE_TOKEN = "UPDATE meta SET value = max(value, ?) WHERE name = 'token'"  # noqa: S105
HELD = (
    "SELECT delivery, try, token, lease, answer, account FROM claims WHERE delivery IN (SELECT value FROM json_each(?))"
)
CLAIM = (
    "INSERT INTO claims VALUES (?, ?, ?, ?, NULL, ?, ?) ON CONFLICT (delivery) DO UPDATE SET try = excluded.try,"
    " token = excluded.token, lease = excluded.lease, answer = NULL, account = excluded.account, at = excluded.at"
)
ANSWER = (
    "INSERT INTO claims VALUES (?, ?, ?, 0, ?, '', ?) ON CONFLICT (delivery) DO UPDATE SET try = excluded.try,"
    " account = CASE WHEN token = excluded.token THEN account ELSE '' END, token = excluded.token, lease = 0,"
    " answer = excluded.answer, at = excluded.at WHERE excluded.token >= token"
)
RELEASE = f"UPDATE claims SET lease = {FREE} WHERE delivery = ? AND token = ? AND answer IS NULL"  # noqa: S608
TAT = "SELECT tat FROM buckets WHERE account = ?"
SET_TAT = "INSERT INTO buckets VALUES (?, ?) ON CONFLICT (account) DO UPDATE SET tat = excluded.tat"
SEE = (
    "INSERT INTO windows VALUES (?, ?, ?) ON CONFLICT (key, event) DO UPDATE SET until = excluded.until"
    " WHERE until <= ?"
)
COUNT = "SELECT key, count(*) FROM windows WHERE key IN (SELECT value FROM json_each(?)) AND until > ? GROUP BY key"
#: Rows that one call deletes at most: more than it adds, so that the file cannot grow for ever.
SWEEP_MOST = 1000
SWEEP_CLAIMS = "DELETE FROM claims WHERE delivery IN (SELECT delivery FROM claims WHERE at < ? LIMIT ?)"
SWEEP_WINDOWS = "DELETE FROM windows WHERE (key, event) IN (SELECT key, event FROM windows WHERE until <= ? LIMIT ?)"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Result).decode


class SqliteState:
    """Satisfies `ports.state.State`. `executor`: see `angarium.sqlite.File`, whose errors entering raises too."""

    def __init__(self, path: Path, clock: Clock, executor: Executor | None = None) -> None:
        self._file = sqlite.File(path, "state", SCHEMA, executor=executor)
        self._clock = clock
        self._opened_after = 0

    async def __aenter__(self) -> Self:
        await self._file.__aenter__()
        self._opened_after = await self._file.run(lambda connection: _one(connection, NEWEST_TOKEN))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._file.__aexit__(kind, error, trace)

    async def claim(self, claims: Sequence[Claim]) -> Mapping[str, Verdict]:
        """As the port says."""
        return await self._file.run(lambda connection: self._claim(connection, claims)) if claims else {}

    async def settle(self, answers: Sequence[Answer | Release]) -> None:
        """As the port says."""
        if answers:
            await self._file.run(lambda connection: self._settle(connection, answers))

    async def take(self, asks: Sequence[Ask]) -> Mapping[str, Grant]:
        """As the port says."""
        return await self._file.run(lambda connection: self._take(connection, asks)) if asks else {}

    async def count(self, windows: Sequence[Window]) -> Mapping[str, int]:
        """As the port says."""
        return await self._file.run(lambda connection: self._count(connection, windows)) if windows else {}

    def _now(self) -> int:
        return micros(self._clock.now())

    def _claim(self, connection: Connection, claims: Sequence[Claim]) -> Mapping[str, Verdict]:
        now = self._now()
        token = _one(connection, NEXT_TOKEN, now)
        held = self._held(connection, [claim.delivery for claim in claims])
        verdicts = {claim.delivery: verdict(claim, held.get(claim.delivery), now, token) for claim in claims}
        connection.executemany(
            CLAIM,
            [
                (claim.delivery, claim.try_, token, now + micros(claim.lease), claim.account, now)
                for claim in claims
                if isinstance(verdicts[claim.delivery], Go)
            ],
        )
        connection.execute(SWEEP_CLAIMS, (now - micros(KEPT), SWEEP_MOST))
        return verdicts

    def _held(self, connection: Connection, deliveries: Sequence[str]) -> Mapping[str, Held]:
        return {
            delivery: Held(
                try_,
                token,
                lease if token > self._opened_after else min(lease, 0),
                None if answer is None else _decode(answer),
                account,
            )
            for delivery, try_, token, lease, answer, account in connection.execute(HELD, (_json(deliveries),))
        }

    def _settle(self, connection: Connection, answers: Sequence[Answer | Release]) -> None:
        now = self._now()
        told = [answer for answer in answers if isinstance(answer, Answer)]
        unused = [answer for answer in answers if isinstance(answer, Release)]
        connection.executemany(
            ANSWER, [(answer.delivery, answer.try_, answer.token, _encode(answer.result), now) for answer in told]
        )
        connection.executemany(RELEASE, [(release.delivery, release.token) for release in unused])
        connection.execute(RAISE_TOKEN, (max((answer.token for answer in told), default=0),))

    def _take(self, connection: Connection, asks: Sequence[Ask]) -> Mapping[str, Grant]:
        now = self._now()
        grants: dict[str, Grant] = {}
        for ask in asks:
            stored = connection.execute(TAT, (ask.account,)).fetchone()
            grants[ask.account], tat = take(ask, stored[0] if stored else 0, now)
            connection.execute(SET_TAT, (ask.account, tat))
        return grants

    def _count(self, connection: Connection, windows: Sequence[Window]) -> Mapping[str, int]:
        now = self._now()
        connection.executemany(
            SEE, [(window.key, window.event, now + micros(window.seconds), now) for window in windows]
        )
        keys = list(dict.fromkeys(window.key for window in windows))
        counts: dict[str, int] = dict(connection.execute(COUNT, (_json(keys), now)).fetchall())
        connection.execute(SWEEP_WINDOWS, (now, SWEEP_MOST))
        return counts


def connect(url: str, clock: Clock) -> SqliteState:
    """`sqlite:///relative.db` or `sqlite:////absolute.db`. Raises `Invalid`."""
    return SqliteState(sqlite.path_of(url), clock)


def _one(connection: Connection, statement: str, *values: int) -> int:
    found: int = connection.execute(statement, values).fetchone()[0]
    return found


def _json(texts: Sequence[str]) -> str:
    return _encode(texts).decode()
