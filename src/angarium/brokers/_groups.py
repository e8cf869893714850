"""Consumer groups of a broker inside one process: who has which record, what is finished, and who is to be woken.

A group's place in a topic is shared by its members, so each record is handed to one of them. What is stored of it is
one number a topic: the first offset that is not finished.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from angarium.errors import Unavailable
from angarium.ports.broker import Batch, Lag, Record
from angarium.ports.clock import Clock


class Bell:
    """Wakes those who wait for records of a topic."""

    def __init__(self) -> None:
        self._listeners: dict[str, dict[asyncio.Event, None]] = {}

    def listen(self, topics: Iterable[str], woken: asyncio.Event) -> None:
        """Set `woken` from now on whenever one of `topics` rings."""
        for topic in topics:
            self._listeners.setdefault(topic, {})[woken] = None

    def leave(self, topics: Iterable[str], woken: asyncio.Event) -> None:
        """No more."""
        for topic in topics:
            self._listeners.get(topic, {}).pop(woken, None)

    def ring(self, topics: Iterable[str]) -> None:
        """There are new records in `topics`."""
        for topic in topics:
            for woken in self._listeners.get(topic, {}):
                woken.set()


class Log(Protocol):
    """What such a broker keeps. Offsets of a topic start at 1, have no gaps, and are never used twice.

    Everything but `end` raises `Unavailable`. `append` sets `end` and rings the bell once the records are durable, also
    if its caller is cancelled meanwhile.
    """

    bell: Bell

    async def open(self) -> None:
        """Get ready; from now on `end` is known."""
        ...

    async def close(self) -> None:
        """Everything that was asked before is done."""
        ...

    async def create(self, topics: Sequence[str]) -> None:
        """Those that are missing."""
        ...

    async def append(self, records: Mapping[str, Sequence[Record]]) -> None:
        """By topic: all of them or none, durable when this returns."""
        ...

    def end(self, topic: str) -> int | None:
        """The offset after the newest record, or None for an unknown topic."""
        ...

    async def enter(self, group: str, topics: Sequence[str]) -> Mapping[str, int]:
        """The stored positions of `group`, which is made at the oldest record if it is new."""
        ...

    async def oldest(self, topics: Sequence[str]) -> Mapping[str, int]:
        """The offset of each topic's oldest record; of the next one where there is none."""
        ...

    async def read(self, starts: Mapping[str, int], limit: int) -> Sequence[Record]:
        """Up to `limit` records from these offsets on, topic by topic."""
        ...

    async def save(self, group: str, positions: Mapping[str, int]) -> None:
        """A position never goes back."""
        ...

    async def times(self, offsets: Mapping[str, int]) -> Mapping[str, float]:
        """When the record at an offset was appended, Unix seconds; none for a record that is not there."""
        ...


class Place:
    """Where a group stands in one topic."""

    def __init__(self, position: int) -> None:
        self.next = self.saved = position
        #: Handed out and not finished, in the order of offsets; `back` are those whose member left.
        self.out: dict[int, Record] = {}
        self.back: dict[int, Record] = {}

    @property
    def position(self) -> int:
        """The first offset that is not finished: everything before it is."""
        return next(iter(self.out), self.next)

    def hand_out(self, record: Record) -> None:
        """To a member, for the first time or again."""
        if self.back.pop(record.offset, None) is None:
            self.out[record.offset] = record
            self.next = record.offset + 1


class Group:
    """The places that members share. The lock keeps two of them from reading the same records."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.places: dict[str, Place] = {}
        self.lock = asyncio.Lock()


class Member:
    """A consumer: one member of one group."""

    def __init__(self, log: Log, group: Group, topics: Sequence[str], clock: Clock) -> None:
        self._log, self._group, self._topics, self._clock = log, group, tuple(dict.fromkeys(topics)), clock
        self._woken = asyncio.Event()
        self._mine: dict[tuple[str, int], None] = {}
        self._closed = True

    async def __aenter__(self) -> Self:
        async with self._group.lock:
            if missing := [topic for topic in self._topics if topic not in self._group.places]:
                for topic, position in (await self._positions(missing)).items():
                    self._group.places[topic] = Place(position)
        self._log.bell.listen(self._topics, self._woken)
        self._closed = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What it has not finished goes to the group's next member."""
        self._closed = True
        self._log.bell.leave(self._topics, self._woken)
        for topic, offset in self._mine:
            place = self._group.places[topic]
            place.back[offset] = place.out[offset]
        self._log.bell.ring({topic for topic, _ in self._mine})
        self._mine.clear()

    async def poll(self, limit: int, wait: float) -> Batch:
        """As the port says; the wait ends when a record is published, without looking again and again."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        await asyncio.sleep(0)  # others get their turn even when there is always something to poll
        while limit > 0:
            self._woken.clear()
            if batch := await self._take(limit):
                return batch
            try:
                async with asyncio.timeout_at(deadline):
                    await self._woken.wait()
            except TimeoutError:
                break
        return ()

    async def commit(self, records: Sequence[Record]) -> None:
        """As the port says. Records that this member does not have, or has finished before, change nothing."""
        for record in records:
            if (record.topic, record.offset) in self._mine:
                del self._mine[record.topic, record.offset]
                del self._group.places[record.topic].out[record.offset]
        places = self._places()
        moved = {topic: place.position for topic, place in places.items() if place.position > place.saved}
        if moved:
            await self._log.save(self._group.name, moved)
        for topic, position in moved.items():
            places[topic].saved = max(places[topic].saved, position)

    async def lag(self) -> Mapping[str, Lag]:
        """As the port says."""
        places = self._places()
        positions = {topic: place.position for topic, place in places.items()}
        times, now = await self._log.times(positions), self._clock.now()
        return {
            topic: Lag(
                records=max(0, (self._log.end(topic) or 0) - place.next) + len(place.out),
                seconds=max(0.0, now - times.get(topic, now)),
            )
            for topic, place in places.items()
        }

    def _places(self) -> Mapping[str, Place]:
        return {topic: self._group.places[topic] for topic in self._topics}

    async def _positions(self, topics: Sequence[str]) -> Mapping[str, int]:
        return await self._log.enter(self._group.name, topics)

    async def _take(self, limit: int) -> Sequence[Record]:
        """What came back first, then what is new. Nothing is handed out before the last `await`."""
        async with self._group.lock:
            if self._closed:
                raise Unavailable("consumer", "it is closed")
            places = self._places()
            back = [place.back[offset] for place in places.values() for offset in sorted(place.back)][:limit]
            starts = {topic: place.next for topic, place in places.items() if place.next < (self._log.end(topic) or 0)}
            fresh = await self._log.read(starts, limit - len(back)) if starts and len(back) < limit else ()
            batch = [*back, *fresh]
            for record in batch:
                places[record.topic].hand_out(record)
                self._mine[record.topic, record.offset] = None
        return batch


class Tail(Member):
    """A consumer without a group: it starts at the end, and what it has seen is finished."""

    async def commit(self, records: Sequence[Record]) -> None:
        """Nothing: there is no place to come back to."""

    async def _positions(self, topics: Sequence[str]) -> Mapping[str, int]:
        return {topic: self._log.end(topic) or 0 for topic in topics}

    async def _take(self, limit: int) -> Sequence[Record]:
        batch = await super()._take(limit)
        for place in self._group.places.values():
            place.out.clear()
        self._mine.clear()
        return batch


class FromOldest(Tail):
    """The same from the beginning: for whoever looks at everything and keeps no place."""

    async def _positions(self, topics: Sequence[str]) -> Mapping[str, int]:
        return await self._log.oldest(topics)
