"""The broker: what happened and what is being worked on. Losing it loses obligations, so a publish is durable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from msgspec import Struct


class Record(Struct, frozen=True, gc=False):
    """`topic`, `key` and `value` travel; `partition`, `offset` and `at` (Unix seconds) are set by `poll`."""

    topic: str
    key: str
    value: bytes
    partition: int = 0
    offset: int = -1
    at: float = 0.0


Batch = Sequence[Record]


class Lag(Struct, frozen=True):
    """Of one topic and group: records not committed, and the age in seconds of the oldest one (0 when none)."""

    records: int
    seconds: float


class Consumer(Protocol):
    """One member of one group. Used by one task; closed by leaving its context."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def poll(self, limit: int, wait: float) -> Batch:
        """Up to `limit` records not polled before by this member, oldest first; topics in the order they were named.

        Waits up to `wait` seconds for the first one. `poll(0, ...)` keeps the membership and returns nothing: that is
        back-pressure. Raises `Unavailable`.
        """
        ...

    async def commit(self, records: Sequence[Record]) -> None:
        """These are done, in any order. A crash shows again all after the contiguous part. Raises `Unavailable`."""
        ...

    async def lag(self) -> Mapping[str, Lag]:
        """By topic. Raises `Unavailable`."""
        ...


class Broker(Protocol):
    """An async context manager; entering connects, leaving flushes and closes."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def prepare(self, topics: Sequence[str]) -> None:
        """Create the topics that are missing. Nothing is ever created by publishing. Idempotent."""
        ...

    async def publish(self, records: Sequence[Record]) -> None:
        """Return when all are durable, in this order per topic and key.

        Raises `Unavailable` (some may be stored: publish all again) or `Refused` (nothing of the batch is stored).
        An unknown topic is `Refused`.
        """
        ...

    def consumer(self, topics: Sequence[str], group: str) -> Consumer:
        """A member of `group`. A new group starts at the oldest record; an old one after its last commit.

        Earlier topics come first: that is what gives critical records their priority.
        """
        ...

    def tail(self, topic: str, *, oldest: bool = False) -> Consumer:
        """From now on, or from the oldest record, without a group: commits do nothing. For feeds and audits."""
        ...
