"""A broker inside one process, over any `Log`: the rules of the port, said once."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from angarium.brokers._groups import FromOldest, Group, Log, Member, Tail
from angarium.errors import Invalid, Refused
from angarium.ports.broker import Consumer, Record
from angarium.ports.clock import Clock

#: Bytes of key and value together. Events are far smaller (256 KiB by default).
LARGEST = 16 * 1024 * 1024


class EmbeddedBroker:
    """Satisfies `ports.broker.Broker`. One loop uses it; groups live as long as it is entered."""

    def __init__(self, log: Log, clock: Clock) -> None:
        self._log, self._clock = log, clock
        self._groups: dict[str, Group] = {}

    async def __aenter__(self) -> Self:
        await self._log.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._groups.clear()
        await self._log.close()

    async def prepare(self, topics: Sequence[str]) -> None:
        """As the port says."""
        if missing := [topic for topic in dict.fromkeys(topics) if self._log.end(topic) is None]:
            await self._log.create(missing)

    async def publish(self, records: Sequence[Record]) -> None:
        """As the port says, and stronger: all of a batch is stored or nothing."""
        by_topic: dict[str, list[Record]] = {}
        for record in records:
            by_topic.setdefault(record.topic, []).append(record)
            if len(record.value) + len(record.key) > LARGEST:
                raise Refused(record.key, f"it is larger than {LARGEST} bytes")
        for topic, first in by_topic.items():
            if self._log.end(topic) is None:
                raise Refused(first[0].key, f"topic {topic} was not prepared")
        if by_topic:
            await self._log.append(by_topic)

    def consumer(self, topics: Sequence[str], group: str) -> Consumer:
        """As the port says. Raises `Invalid` for a topic that was not prepared."""
        self._known(topics)
        return Member(self._log, self._groups.setdefault(group, Group(group)), topics, self._clock)

    def tail(self, topic: str, *, oldest: bool = False) -> Consumer:
        """As the port says; it begins when it is entered. Raises `Invalid` for a topic that was not prepared."""
        self._known([topic])
        return (FromOldest if oldest else Tail)(self._log, Group(""), [topic], self._clock)

    def _known(self, topics: Sequence[str]) -> None:
        for topic in topics:
            if self._log.end(topic) is None:
                raise Invalid(f"topic {topic}", "was not prepared", "call prepare with it first")
