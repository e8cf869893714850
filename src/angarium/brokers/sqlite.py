"""The embedded broker: a file that survives a kill and a power cut, for one process.

Publishing means flushed to the disk. A topic is a table of its own, so that its offsets have no gaps and its pages lie
together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from pathlib import Path

from msgspec import Struct

from angarium import sqlite
from angarium.brokers._embedded import EmbeddedBroker
from angarium.brokers._groups import Bell
from angarium.ports.broker import Record
from angarium.ports.clock import Clock
from angarium.sqlite import Connection

Row = tuple[str, bytes, float]

SCHEMA = (
    "CREATE TABLE topics (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    # "offset" is the next one to read.
    'CREATE TABLE "groups" (name TEXT, topic INTEGER, "offset" INTEGER NOT NULL, PRIMARY KEY (name, topic))'
    " WITHOUT ROWID",
)
# Of one topic; RECORDS stands for its table.
CREATE = 'CREATE TABLE RECORDS ("offset" INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB NOT NULL, at REAL NOT NULL)'
APPEND = "INSERT INTO RECORDS (key, value, at) VALUES (?, ?, ?)"
READ = 'SELECT "offset", key, value, at FROM RECORDS WHERE "offset" >= ? ORDER BY "offset" LIMIT ?'
OLDEST, NEWEST = 'SELECT min("offset") FROM RECORDS', 'SELECT max("offset") FROM RECORDS'
TIME = 'SELECT at FROM RECORDS WHERE "offset" = ?'
FIRST_YOUNG = 'SELECT min("offset") FROM RECORDS WHERE "offset" < ? AND at >= ?'
DELETE = 'DELETE FROM RECORDS WHERE "offset" < ?'
#: Seconds; see `SqliteBroker`.
RETENTION = 7 * 86400.0
#: Seconds between two looks for what can be deleted, and the most records of a topic that one publish deletes.
SWEEP_EVERY, SWEEP_MOST = 300.0, 1000


class SqliteBroker(EmbeddedBroker):
    """The embedded broker over a file. `executor`: see `angarium.sqlite.File`, whose errors entering raises too.

    `retention`: seconds that a record stays, at the least, after every group has finished it.
    """

    def __init__(
        self, path: Path, clock: Clock, executor: Executor | None = None, retention: float = RETENTION
    ) -> None:
        file = sqlite.File(path, "broker", SCHEMA, executor=executor)
        super().__init__(_Tables(file, clock, retention), clock)


def connect(url: str, clock: Clock, retention: float = RETENTION) -> SqliteBroker:
    """`sqlite:///relative.db` or `sqlite:////absolute.db`. Raises `Invalid`."""
    return SqliteBroker(sqlite.path_of(url), clock, retention=retention)


class _Table(Struct, frozen=True):
    """The table of one topic."""

    topic: str
    number: int

    def sql(self, statement: str) -> str:
        """`statement` about this table."""
        return statement.replace("RECORDS", f"records_{self.number}")


class _Tables:
    """A log of tables. What is read or written runs on the file's thread, what is remembered belongs to the loop."""

    def __init__(self, file: sqlite.File, clock: Clock, retention: float) -> None:
        self.bell = Bell()
        self._file, self._clock, self._retention = file, clock, retention
        self._tables: dict[str, _Table] = {}
        self._ends: dict[str, int] = {}
        self._swept = 0.0

    async def open(self) -> None:
        async with AsyncExitStack() as undo:
            await undo.enter_async_context(self._file)
            await self._learn(await self._file.run(_tables))
            undo.pop_all()

    async def close(self) -> None:
        await self._file.__aexit__(None, None, None)

    async def create(self, topics: Sequence[str]) -> None:
        await self._learn(await self._file.run(lambda connection: _create(connection, topics)))

    async def _learn(self, tables: Sequence[_Table]) -> None:
        ends = await self._file.run(lambda connection: _ends(connection, tables))
        self._tables = {table.topic: table for table in tables}
        self._raise_ends(ends)

    async def append(self, records: Mapping[str, Sequence[Record]]) -> None:
        now = self._clock.now()
        rows = {
            self._tables[topic]: [(record.key, record.value, now) for record in added]
            for topic, added in records.items()
        }
        sweep = self._to_sweep(now)
        writing = self._file.submit(lambda connection: _append(connection, rows, sweep, now - self._retention))
        writing.add_done_callback(self._appended)
        await asyncio.shield(writing)

    def _to_sweep(self, now: float) -> Sequence[_Table]:
        if abs(now - self._swept) < SWEEP_EVERY:
            return ()
        self._swept = now
        return tuple(self._tables.values())

    def _appended(self, writing: asyncio.Future[tuple[dict[str, int], bool]]) -> None:
        """Runs also when the publisher was cancelled: the records are there all the same."""
        if writing.exception() is None:
            ends, more_to_sweep = writing.result()
            self._raise_ends(ends)
            self.bell.ring(ends)
            if more_to_sweep:
                self._swept = 0.0

    def _raise_ends(self, ends: Mapping[str, int]) -> None:
        for topic, end in ends.items():
            self._ends[topic] = max(end, self._ends.get(topic, 0))

    def end(self, topic: str) -> int | None:
        return self._ends.get(topic)

    async def enter(self, group: str, topics: Sequence[str]) -> Mapping[str, int]:
        tables = [self._tables[topic] for topic in topics]
        return await self._file.run(lambda connection: _enter(connection, group, tables))

    async def oldest(self, topics: Sequence[str]) -> Mapping[str, int]:
        tables = [self._tables[topic] for topic in topics]
        return await self._file.run(lambda connection: {t.topic: _oldest(connection, t) for t in tables})

    async def read(self, starts: Mapping[str, int], limit: int) -> Sequence[Record]:
        places = self._by_table(starts)
        return await self._file.run(lambda connection: _read(connection, places, limit))

    async def save(self, group: str, positions: Mapping[str, int]) -> None:
        places = self._by_table(positions)
        await self._file.run(lambda connection: _save(connection, group, places))

    async def times(self, offsets: Mapping[str, int]) -> Mapping[str, float]:
        places = self._by_table(offsets)
        return await self._file.run(lambda connection: _times(connection, places))

    def _by_table(self, offsets: Mapping[str, int]) -> Mapping[_Table, int]:
        return {self._tables[topic]: offset for topic, offset in offsets.items()}


def _tables(connection: Connection) -> list[_Table]:
    return [_Table(*row) for row in connection.execute("SELECT name, number FROM topics")]


def _create(connection: Connection, topics: Sequence[str]) -> list[_Table]:
    known = {table.topic for table in _tables(connection)}
    for topic in topics:
        if topic not in known:
            added = connection.execute("INSERT INTO topics (name) VALUES (?)", (topic,))
            connection.execute(_Table(topic, added.lastrowid or 0).sql(CREATE))
    return _tables(connection)


def _ends(connection: Connection, tables: Iterable[_Table]) -> dict[str, int]:
    """By topic, the offset that the next record gets."""
    return {table.topic: (_number(connection, table.sql(NEWEST)) or 0) + 1 for table in tables}


def _number(connection: Connection, statement: str, *values: float | str) -> int | None:
    found: int | None = connection.execute(statement, values).fetchone()[0]
    return found


def _append(
    connection: Connection, rows: Mapping[_Table, Sequence[Row]], sweep: Sequence[_Table], cutoff: float
) -> tuple[dict[str, int], bool]:
    """The ends of the topics written to, and whether there is more to sweep."""
    for table, added in rows.items():
        connection.executemany(table.sql(APPEND), added)
    full = [_sweep(connection, table, cutoff) for table in sweep]
    return _ends(connection, rows), any(full)


def _sweep(connection: Connection, table: _Table, cutoff: float) -> bool:
    """Delete what is older than `cutoff` and finished by every group, from the oldest on; True if that left some over.

    The newest record stays whatever its age: SQLite numbers the next one after it.
    """
    oldest = _number(connection, table.sql(OLDEST))
    if oldest is None:
        return False
    most = oldest + SWEEP_MOST
    stops = (
        _number(connection, table.sql(NEWEST)),
        _number(connection, table.sql(FIRST_YOUNG), most, cutoff),
        _number(connection, 'SELECT min("offset") FROM "groups" WHERE topic = ?', table.number),
    )
    stop = min(most, *(stop for stop in stops if stop is not None))
    connection.execute(table.sql(DELETE), (stop,))
    return stop == most


def _enter(connection: Connection, group: str, tables: Sequence[_Table]) -> dict[str, int]:
    new = [(group, table.number, _oldest(connection, table)) for table in tables]
    connection.executemany('INSERT INTO "groups" VALUES (?, ?, ?) ON CONFLICT DO NOTHING', new)
    stored = dict(connection.execute('SELECT topic, "offset" FROM "groups" WHERE name = ?', (group,)).fetchall())
    return {table.topic: stored[table.number] for table in tables}


def _oldest(connection: Connection, table: _Table) -> int:
    return _number(connection, table.sql(OLDEST)) or 1


def _read(connection: Connection, starts: Mapping[_Table, int], limit: int) -> list[Record]:
    found: list[Record] = []
    for table, start in starts.items():
        if len(found) < limit:
            rows = connection.execute(table.sql(READ), (start, limit - len(found)))
            found += [Record(table.topic, key, value, 0, offset, at) for offset, key, value, at in rows]
    return found


def _save(connection: Connection, group: str, positions: Mapping[_Table, int]) -> None:
    connection.executemany(
        'UPDATE "groups" SET "offset" = max("offset", ?) WHERE name = ? AND topic = ?',
        [(offset, group, table.number) for table, offset in positions.items()],
    )


def _times(connection: Connection, offsets: Mapping[_Table, int]) -> dict[str, float]:
    rows = {table.topic: connection.execute(table.sql(TIME), (at,)).fetchone() for table, at in offsets.items()}
    return {topic: row[0] for topic, row in rows.items() if row is not None}
