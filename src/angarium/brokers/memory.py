"""A broker in memory, for tests: no thread, no file, no real waiting. It survives being left and entered again.

Nothing is ever deleted from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from angarium.brokers._embedded import EmbeddedBroker
from angarium.brokers._groups import Bell
from angarium.ports.broker import Record
from angarium.ports.clock import Clock


class MemoryBroker(EmbeddedBroker):
    """The embedded broker over lists. Lives as long as the object: entering it again is a restart on the same disk."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(_Lists(clock), clock)


def connect(url: str, clock: Clock, retention: float = 0.0) -> MemoryBroker:
    """`memory://`: a new one each time, which deletes nothing."""
    return MemoryBroker(clock)


class _Lists:
    """A log of lists: the record of offset n stands at n - 1."""

    def __init__(self, clock: Clock) -> None:
        self.bell = Bell()
        self._clock = clock
        self._topics: dict[str, list[Record]] = {}
        self._positions: dict[tuple[str, str], int] = {}

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def create(self, topics: Sequence[str]) -> None:
        for topic in topics:
            self._topics.setdefault(topic, [])

    async def append(self, records: Mapping[str, Sequence[Record]]) -> None:
        now = self._clock.now()
        for topic, added in records.items():
            kept = self._topics[topic]
            for record in added:
                kept.append(Record(topic, record.key, record.value, offset=len(kept) + 1, at=now))
        self.bell.ring(records)

    def end(self, topic: str) -> int | None:
        return None if topic not in self._topics else len(self._topics[topic]) + 1

    async def enter(self, group: str, topics: Sequence[str]) -> Mapping[str, int]:
        return {topic: self._positions.setdefault((group, topic), 1) for topic in topics}

    async def oldest(self, topics: Sequence[str]) -> Mapping[str, int]:
        return dict.fromkeys(topics, 1)

    async def read(self, starts: Mapping[str, int], limit: int) -> Sequence[Record]:
        found: list[Record] = []
        for topic, start in starts.items():
            room = limit - len(found)
            found += self._topics[topic][start - 1 : start - 1 + room]
        return found

    async def save(self, group: str, positions: Mapping[str, int]) -> None:
        for topic, position in positions.items():
            self._positions[group, topic] = max(self._positions[group, topic], position)

    async def times(self, offsets: Mapping[str, int]) -> Mapping[str, float]:
        return {
            topic: self._topics[topic][offset - 1].at
            for topic, offset in offsets.items()
            if offset <= len(self._topics[topic])
        }
