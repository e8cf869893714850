"""Answers on their way into the journal: published together, then settled, then their records are done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from msgspec import Struct

from angarium.errors import Unavailable
from angarium.model.fact import Fact
from angarium.pipeline.insist import Insistence
from angarium.pipeline.publishing import Stores, publish
from angarium.pipeline.records import encode
from angarium.ports.broker import Consumer, Record
from angarium.ports.state import Answer, State

#: Seconds the first answer waits for company, and how many are company enough.
WAIT, COMPANY = 0.05, 200
#: Seconds after which an answer that cannot be published stops new claims.
STALE = 5.0
log = logging.getLogger(__name__)


class Told(Struct, frozen=True):
    """What became of one record: a fact for the journal (None: there is nothing to tell) and what to settle."""

    record: Record
    journal: str
    fact: Fact | None
    settle: Answer | None = None


class Answers:
    """Gathers answers and flushes them. `calling` says how many calls are under way; `done` is told what is over."""

    def __init__(
        self,
        name: str,
        stores: Stores,
        state: State,
        consumer: Consumer,
        calling: Callable[[], int],
        done: Callable[[int], None],
    ) -> None:
        self._stores, self._state, self._consumer, self._clock = stores, state, consumer, stores.clock
        self._calling, self._done = calling, done
        self._waiting: list[Told] = []
        self._oldest: float | None = None
        self._news, self._closing = asyncio.Event(), False
        self.insist = Insistence(f"{name} answers")

    @property
    def stale(self) -> bool:
        """Whether the journal is so late that nothing more may be claimed."""
        return self._oldest is not None and self._clock.elapsed() - self._oldest > STALE

    def add(self, told: Told) -> None:
        """Put an answer on its way."""
        if not self._waiting and self._oldest is None:
            self._oldest = self._clock.elapsed()
        self._waiting.append(told)
        self._news.set()

    def close(self) -> None:
        """Flush what there is; `run` returns when nothing is left."""
        self._closing = True
        self._news.set()

    async def run(self) -> None:
        """Flush, for as long as answers come."""
        while not (self._closing and not self._waiting):
            await self._company()
            await self.flush()

    async def flush(self) -> None:
        """Publish, settle and commit what there is now."""
        if self._waiting:
            batch, self._waiting = self._waiting, []
            await self._flush(batch)
        self._oldest = self._clock.elapsed() if self._waiting else None

    async def _company(self) -> None:
        """Wait for a first answer, then for as many as come soon; not at all when no call is under way."""
        await self._news.wait()
        try:
            async with asyncio.timeout(WAIT):
                while not self._closing and len(self._waiting) < COMPANY and self._calling():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        if not self._closing:
            self._news.clear()

    async def _flush(self, batch: list[Told]) -> None:
        facts = [Record(t.journal, t.fact.notification, encode(t.fact)) for t in batch if t.fact is not None]
        await publish(self._stores, self.insist, facts)
        settle = [told.settle for told in batch if told.settle is not None]
        if settle:
            await self._settle(settle)
        await self.insist(self._consumer.commit, [told.record for told in batch])
        self._done(len(batch))

    async def _settle(self, settle: list[Answer]) -> None:
        """The journal has the answers, so a state that is away loses nothing: the claims lapse and are found sent."""
        try:
            await self._state.settle(settle)
        except Unavailable as error:
            log.warning("answers could not be settled", extra={"store": error.store, "count": len(settle)})
