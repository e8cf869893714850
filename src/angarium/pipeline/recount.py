"""The event records, counted again: every one in the broker has an outcome, or the Router has not come to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from angarium.database import Connection
from angarium.database import audit as queries
from angarium.database.audit import Place
from angarium.database.engine import Database
from angarium.database.runs import EventKey
from angarium.errors import Incompatible
from angarium.model.ids import dead_id
from angarium.model.reasons import Outcome
from angarium.pipeline import records
from angarium.pipeline.checks import Hole
from angarium.pipeline.records import Undecodable
from angarium.ports.broker import Broker, Record

#: Seconds until a broker that owes us records is believed to have no more.
WAIT = 5.0


class Events(Struct, frozen=True, kw_only=True):
    """What became of the event records in the broker: `records` is the sum of all but `distinct`, and of holes.

    `distinct` are the different events decided, `unread` the records that the Router has not come to.
    """

    records: int
    distinct: int
    matched: int
    unmatched: int
    repeated: int
    dead: int
    unread: int


class Seen(Struct, frozen=True):
    """An event record; `key` is None when it cannot be read."""

    topic: str
    partition: int
    offset: int
    key: EventKey | None

    @property
    def letter(self) -> str:
        """The id that its dead letter would have."""
        return dead_id(self.topic, self.partition, self.offset)


class Recount:
    """Reads and counts. `lost` is told of each hole; at most `page` records that are late are remembered."""

    def __init__(self, database: Database, page: int, lost: Callable[[Hole], None]) -> None:
        self._database, self._page, self._lost = database, page, lost
        self._counts, self._records, self._unread = Counter[Outcome](), 0, 0
        self._late = list[Seen]()

    async def read(self, broker: Broker, topics: Sequence[str]) -> None:
        """All records there are now, topic by topic."""
        marks = await self._database.read(queries.watermarks)
        for topic in topics:
            await self._read(broker, topic, marks)

    async def _read(self, broker: Broker, topic: str, marks: Mapping[tuple[str, int], int]) -> None:
        async with broker.tail(topic, oldest=True) as tail:
            left = (await tail.lag())[topic].records
            while left > 0:
                batch = (await tail.poll(self._page, WAIT))[:left]
                if not batch:
                    return
                left -= len(batch)
                await self._look_at([_seen(record) for record in batch], marks)

    async def settle(self, lag: Mapping[str, int]) -> None:
        """Judge the late ones. `lag` by topic is how far the Router was behind after all was read.

        No more records can be undecided than that; of those that are too many, the oldest are taken to be lost.
        """
        late: dict[str, list[Seen]] = {}
        for one in await self._undecided(self._late):
            late.setdefault(one.topic, []).append(one)
        for topic, some in late.items():
            over = max(0, len(some) - lag.get(topic, 0))
            for one in some[:over]:
                self._lost(_hole(one))
            self._unread += len(some) - over

    def events(self) -> Events:
        """The sums, once all is settled."""
        matched, unmatched = self._counts[Outcome.matched], self._counts[Outcome.unmatched]
        return Events(
            records=self._records,
            distinct=matched + unmatched,
            matched=matched,
            unmatched=unmatched,
            repeated=self._counts[Outcome.repeated],
            dead=self._counts[Outcome.dead],
            unread=self._unread,
        )

    async def _look_at(self, seen: Sequence[Seen], marks: Mapping[tuple[str, int], int]) -> None:
        """What the Router has certainly passed is lost; the rest may be late."""
        self._records += len(seen)
        for one in await self._undecided(seen):
            if one.offset < marks.get((one.topic, one.partition), 0):
                self._lost(_hole(one))
            elif len(self._late) < self._page:
                self._late.append(one)
            else:
                self._unread += 1

    async def _undecided(self, seen: Sequence[Seen]) -> list[Seen]:
        """Count what was decided; the others."""
        buried, places = await self._database.read(_decided, seen)
        open_ = list[Seen]()
        for one in seen:
            place = places.get(one.key) if one.key is not None else None
            if one.letter in buried:
                self._counts[Outcome.dead] += 1
            elif place is None:
                open_.append(one)
            else:
                first = (place.topic, place.partition, place.offset) == (one.topic, one.partition, one.offset)
                self._counts[place.outcome if first else Outcome.repeated] += 1
        return open_


def _seen(record: Record) -> Seen:
    try:
        event = records.event(record.value)
    except (Undecodable, Incompatible):
        return Seen(record.topic, record.partition, record.offset, None)
    return Seen(record.topic, record.partition, record.offset, (event.angtenant, event.source, event.id))


def _hole(seen: Seen) -> Hole:
    place = f"record {seen.offset} of partition {seen.partition} of {seen.topic}"
    if seen.key is None:
        return Hole("event", seen.letter, f"{place} cannot be read, and is not among the dead letters")
    return Hole("event", seen.key[2], f"{place} was passed by, and nothing was decided (source {seen.key[1]})")


def _decided(connection: Connection, seen: Sequence[Seen]) -> tuple[set[str], dict[EventKey, Place]]:
    buried = queries.buried(connection, [one.letter for one in seen])
    return buried, queries.places(connection, [one.key for one in seen if one.key is not None])
