"""Timers: due rows as a consumer (poll leases, commit deletes), and the handler that tells the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import msgspec

from angarium.database import Connection, timers
from angarium.database.engine import Database
from angarium.database.timers import Leased
from angarium.model.fact import Due
from angarium.pipeline.handler import Outcome
from angarium.pipeline.records import encode
from angarium.pipeline.topics import Topics
from angarium.ports.broker import Batch, Lag, Record
from angarium.ports.clock import Clock

#: Seconds a leased timer is ours to publish; another process may take it afterwards.
LEASE = 10.0
#: Seconds between looks when nothing is known to be due: a new timer is never later than this.
LOOK = 0.2
TOPIC = "timers"
_decode = msgspec.json.Decoder(Leased).decode


class DueTimers:
    """A `Consumer` over the table of timers."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def poll(self, limit: int, wait: float) -> Batch:
        """Lease what is due; else wait until something will be, `LOOK` or `wait` seconds at the most."""
        now = self._clock.now()
        due = await self._database.read(timers.next_due) if limit else None
        if due is not None and due <= now:
            leased = await self._database.write(timers.lease, now, LEASE, limit)
            return [Record(TOPIC, timer.notification, encode(timer)) for timer in leased]
        await asyncio.sleep(min(wait, LOOK, max(due - now, 0.001) if due is not None else LOOK))
        return ()

    async def commit(self, records: Sequence[Record]) -> None:
        """They are in the journal: their rows go, unless they were set again."""
        leased = [_decode(record.value) for record in records]
        await self._database.write(timers.delete, [(timer.id, timer.lease) for timer in leased if timer.lease])

    async def lag(self) -> Mapping[str, Lag]:
        """How late the oldest due timer is."""
        late = await self._database.read(timers.oldest_due, self._clock.now())
        return {TOPIC: Lag(1 if late else 0, late)}


class Timers:
    """Tells each notification what came due."""

    def __init__(self, topics: Topics, clock: Clock) -> None:
        self._topics, self._clock = topics, clock

    def gather(self, _connection: Connection, batch: Batch) -> list[Leased]:
        """The timers themselves are all there is to know."""
        return [_decode(record.value) for record in batch]

    def decide(self, _batch: Batch, gathered: list[Leased]) -> Outcome:
        """One `due` fact a timer."""
        now = self._clock.now()
        return Outcome(publish=tuple(self._record(timer, now) for timer in gathered))

    def _record(self, timer: Leased, now: float) -> Record:
        fact = Due(notification=timer.notification, at=now, timer=timer.id, hop=timer.hop, lease=timer.lease)
        return Record(self._topics.journal(timer.priority), timer.notification, encode(fact))
